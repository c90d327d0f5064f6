"""The site as files: what is built, what is kept of the notebooks, what is refused."""

import hashlib
import html
import json
import re
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from site_parts import ROOT, pages_of

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """What the tests ask of a page: ids, links, images, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.alts, self.open, self.wrong = [], [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" and "href" in found else []
        self.sources += [found[name] for name in ("src", "href") if name in found and tag in ("img", "script", "link")]
        self.alts += [found.get("alt")] * (tag == "img")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def pages(site):
    return {name: Page((site / name).read_text(encoding="utf-8")) for name in pages_of(site)}


def notebooks():
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_every_chapter_and_every_plan_has_its_page(pages):
    wanted = {f"{path.stem}.html" for path in notebooks()} | {"index.html", "teaching.html", "errata.html"}
    wanted |= {"playground.html"}
    assert wanted <= set(pages) and "teaching_work_sheet.html" in pages
    assert len(pages) == len(list((ROOT / "notebooks").glob("*.ipynb"))) + 1 + 7 + 2 + 1


def test_it_is_small_and_points_to_nothing_outside(site, pages):
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    assert size <= 20e6
    for name, page in pages.items():
        assert not [source for source in page.sources if "://" in source or source.startswith("//")], name
        missing = [s for s in page.sources if not s.startswith("data:") and not (site / s).is_file()]
        assert missing == [], name
    for path in [*site.glob("*.js"), *site.glob("*.css")]:
        text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text(encoding="utf-8"))
        assert path.name == "index.js" or not re.search(r"https?://|@import|url\((?!data:)", text), path.name


def test_every_link_arrives(site, pages):
    for name, page in pages.items():
        for link in page.links:
            if "://" in link or link.startswith("mailto:"):
                continue
            target, _, fragment = link.partition("#")
            assert target == "" or (site / target).is_file(), (name, link)
            place = unquote(re.sub(r"\?[^?]*=.*", "", fragment))  # without the state of a control
            assert not place or place in pages[target or name].ids, (name, link)


def test_ids_are_unique_and_elements_closed(pages):
    for name, page in pages.items():
        assert sorted(set(page.ids)) == sorted(page.ids), name
        assert page.wrong == [] and page.open == [], name


def test_every_picture_says_what_it_shows(pages):
    for name, page in pages.items():
        assert all(alt and alt.strip() for alt in page.alts), name


def test_no_formula_is_left_as_tex(site):
    for path in site.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        for tag in ("pre", "code", "script", "annotation"):
            text = re.sub(rf"<{tag}\b.*?</{tag}>", "", text, flags=re.DOTALL)
        assert not re.search(r"\$[^$\s][^$\n]*\$|\\(frac|mathcal|log|mu|sigma)\b", text), path.name
        assert "temml-error" not in text


def test_code_and_outputs_are_those_of_the_notebook(site):
    path = ROOT / "notebooks" / "05_kl_term.ipynb"
    text = (site / "05_kl_term.html").read_text(encoding="utf-8")
    for cell in nbformat.read(path, as_version=4).cells:
        assert f'<section id="{cell.id}"' in text
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                line = output.text.splitlines()[0]
                assert html.escape(line) in text


def test_stored_controls_are_on_their_pages(site):
    count = 0
    for path in notebooks():
        blocks = len(re.findall(r"<div data-vae-(?:frames|explorer)=", path.read_text(encoding="utf-8")))
        text = (site / f"{path.stem}.html").read_text(encoding="utf-8")
        assert len(re.findall(r"<div data-vae-(?:frames|explorer)=", text)) == blocks
        count += blocks
    assert count >= 20


def test_the_index_holds_words_titles_and_questions(site):
    text = (site / "index.js").read_text(encoding="utf-8")
    sections, synonyms = json.loads(re.fullmatch(r"window\.startSearch\((.*)\);\n", text, re.DOTALL)[1])
    headings = {heading for _, heading, _, _ in sections}
    assert ("Five lines that prove it" in headings and "My pictures are blurry" in " ".join(headings)) or len(
        headings
    ) > 200
    assert len([s for s in sections if s[2].startswith("15_questions.html#")]) >= 104
    assert len(synonyms) >= 40 and "reparameterisation" in text


def chapter(folder, *cells):
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    (folder / "17_new.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    return folder / "17_new.ipynb"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("# New\n\n[nowhere](99_nowhere.ipynb)", "17_new.ipynb, cell text: the link to 99_nowhere.ipynb"),
        ("# New\n\n$\\frac{1}{$", "17_new.ipynb, cell text: .*frac"),
        ("# New\n\n## Twice\n\n## Twice", "Twice would be the id of two places"),
    ],
)
def test_what_cannot_be_shown_is_named(builder, tmp_path, source, message):
    site = builder.Site(tmp_path)
    with pytest.raises(ValueError, match=message):
        site.chapter(chapter(tmp_path, nbformat.v4.new_markdown_cell(source, id="text")))


def test_another_folder_is_not_overwritten(builder, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / "index.js").write_text("of another site")
    with pytest.raises(SystemExit, match="holds other files"):
        builder.main(["--to", str(tmp_path)])
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_every_page_names_the_scripts_that_it_holds_and_no_others(site, pages):
    for name in pages:
        text = (site / name).read_text(encoding="utf-8")
        head, _, body = text.partition("</head>")
        ((policy,),) = [re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', head)]
        assert "http-equiv" not in re.sub(r"<script>.*?</script>", "", body, flags=re.DOTALL)
        allowed = re.search(r"script-src 'self'([^;]*);", policy)[1].split()
        held = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        digests = {b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in held}
        assert sorted(allowed) == sorted(f"'sha256-{digest}'" for digest in digests), name


def test_a_failed_build_keeps_the_old_site(builder, tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / ".vae-site").write_text("index.js")
    (folder / "index.js").write_text("old")
    monkeypatch.setattr(builder.Site, "write", lambda site: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        builder.main(["--to", str(folder)])
    assert (folder / "index.js").read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["site"]


def test_the_third_party_parts_have_their_licences():
    text = Path(ROOT, "tools", "site", "LICENSES.txt").read_text(encoding="utf-8")
    assert "Temml 0.13.5" in text and "MIT" in text and "SIL OPEN FONT LICENSE" in text.upper()
