"""Build the static site from the notebooks as they are stored: python tools/site/build.py [--to site]

Nothing is executed, and no page asks for anything outside its folder, so the site works from a file. nbconvert's
filters turn cells into HTML, Temml turns formulas into MathML here, and controls move by the frames that their cells
store. Raises ValueError, with the page and the cell, for what it cannot show.
"""

import argparse
import hashlib
import html
import json
import re
import shutil
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import jinja2
import nbformat
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from py_mini_racer import JSEvalException, MiniRacer
from pygments.formatters import HtmlFormatter

from vae_helpers.questions import read_synonyms
from vae_helpers.view.playground import playground
from vae_helpers.whole_files import new_folder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAME = "Why does a VAE need its KL term?"
STATIC = ("site.js", "search.js", "LICENSES.txt")
POLICY = (  # style attributes and style elements of the figures stay allowed, for they run nothing
    "default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src data:; worker-src blob:; base-uri 'none'; form-action 'none'"
)
SIZES = re.compile(rb"\x89PNG\r\n\x1a\n.{8}(.{4})(.{4})", re.DOTALL)


class Formulas:
    """TeX → MathML, by Temml in V8."""

    def __init__(self):
        self.engine, self.known = MiniRacer(), {}
        self.engine.eval((HERE / "temml.min.js").read_text(encoding="utf-8") + ";var typeset = temml.renderToString;")

    def __call__(self, tex, display=False):
        key = tex.strip(), display
        if key not in self.known:
            options = {"displayMode": display, "throwOnError": True, "annotate": True}
            try:
                self.known[key] = self.engine.eval(f"typeset({json.dumps(key[0])}, {json.dumps(options)})")
            except JSEvalException as error:
                reason = re.search(r"ParseError: *(.*)", str(error))[1]
                raise ValueError(f"the formula {key[0]} cannot be set: {reason}") from None
        return self.known[key]


class Renderer(IPythonRenderer):
    """Markdown → HTML with MathML; links between the project's files become links between pages.

    Headings get the ids that JupyterLab gives them in notebooks, and those of GitHub in Markdown files, so that every
    link that works there works here. `headings` collects (level, text, id).
    """

    def __init__(self, site, notebook):
        super().__init__(escape=False)
        self.site, self.notebook, self.headings = site, notebook, []

    def block_math(self, body):
        return f'<p class="formula" tabindex="0">{self.site.formulas(body, display=True)}</p>\n'

    def inline_math(self, body):
        return self.site.formulas(body)

    def multiline_math(self, body):
        return self.block_math(body)

    def latex_environment(self, name, body):
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def link(self, text, url, title=None):
        return super().link(text, self.site.address(url), title)

    def image(self, text, url, title=None):
        return super().image(text, self.site.copied(url), title)

    def heading(self, text, level, **attrs):
        words = plain(text)
        bare = re.sub(r"<[^>]*>", "", re.sub(r"<annotation.*?</annotation>", "", text, flags=re.DOTALL))
        slug = html.unescape(bare).strip()
        slug = slug.replace(" ", "-") if self.notebook else re.sub(r"[^\w\- ]", "", slug.lower()).replace(" ", "-")
        self.headings.append((level, words, slug))
        here = f'<a class="here" href="#{html.escape(slug)}" aria-label="Link to “{html.escape(words)}”">#</a>'
        return f'<h{level} id="{html.escape(slug)}">{text} {here if level > 1 else ""}</h{level}>\n'


def plain(text):
    """HTML without tags, each formula as its TeX."""
    text = re.sub(r"<script>.*?</script>", " ", text, flags=re.DOTALL)
    text = re.sub(r"<math.*?<annotation[^>]*>(.*?)</annotation>.*?</math>", r" \1 ", text, flags=re.DOTALL)
    text = re.sub(r'<a class="here".*?</a>', " ", text)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))).strip()


class Site:
    """All pages, and what they share. folder: where to write; pages: {file in the project: page}."""

    def __init__(self, folder):
        self.folder, self.formulas, self.highlight = folder, Formulas(), Highlight2HTML(pygments_lexer="ipython3")
        self.pages = {path.name: f"{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
        self.pages |= {f"teaching/{path.name}": page_of(path) for path in sorted((ROOT / "teaching").glob("*.md"))}
        self.pages |= {name: f"{name[:-3].lower()}.html" for name in ("ERRATA.md", "CHANGELOG.md")}
        self.pages["README.md"] = "index.html"

    def address(self, url):
        """Where a link of a notebook or Markdown file leads on the site; ValueError for a file that has no page."""
        if "://" in url or url.startswith(("#", "mailto:")):
            return url
        name, mark, fragment = url.partition("#")
        name = name.removeprefix("../").removeprefix("notebooks/")
        for guess in (name, f"teaching/{name}"):  # a README.md beside a page of teaching/ is that one's
            if guess in self.pages and not (guess == "README.md" and self.base == "teaching" and "/" not in url):
                return "index.html" if guess == "README.md" else f"{self.pages[guess]}{mark}{fragment}"
        raise ValueError(f"the link to {url} leads to a file that has no page")

    def copied(self, url):
        """The address of a picture of images/, copied into the site."""
        source = ROOT / "images" / Path(url).name
        (self.folder / "pictures").mkdir(exist_ok=True)
        shutil.copyfile(source, self.folder / "pictures" / source.name)
        return f"pictures/{source.name}"

    def markdown(self, text, notebook=True):
        """(HTML, headings) of Markdown text."""
        renderer = Renderer(self, notebook)
        body = MarkdownWithMath(renderer=renderer).render(text)
        body = re.sub(r'href="([^":]*\.(?:ipynb|md)(?:#[^"]*)?)"', lambda link: f'href="{self.address(link[1])}"', body)
        return re.sub(
            r"<table>.*?</table>", r'<div class="table" tabindex="0">\g<0></div>', body, flags=re.DOTALL
        ), renderer.headings

    def chapter(self, path):
        """A page of a notebook: a dict for the template."""
        self.base, cells, headings, number = "notebooks", [], [], path.stem.split("_")[0]
        for cell in nbformat.read(path, as_version=4).cells:
            try:
                if cell.cell_type == "markdown":
                    body, found = self.markdown(cell.source)
                    cells.append({"id": cell.id, "kind": "text", "html": body})
                    headings += found
                else:
                    cells.append(self.code(cell, number))
            except ValueError as error:
                raise ValueError(f"{path.name}, cell {cell.id}: {error}") from error
        ids = [cell["id"] for cell in cells] + [heading[2] for heading in headings]
        if twice := {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"{path.name}: {', '.join(sorted(twice))} would be the id of two places")
        return {
            "title": headings[0][1], "number": number, "file": self.pages[path.name], "cells": cells,
            "contents": [heading for heading in headings if heading[0] == 2],
        }  # fmt: skip

    def code(self, cell, number):
        source = self.highlight(cell.source).replace("<pre>", '<pre tabindex="0">', 1)
        outputs = [self.output(part, f"{number}-{cell.id}-{i}") for i, part in enumerate(cell.outputs)]
        if cell.id == "playground":  # too large for a notebook, which keeps a still
            outputs.append('<p><a href="playground.html">Open the playground</a>.</p>')
        folded = "hide-input" in cell.metadata.get("tags", [])
        lives = any("data-vae-" in part for part in outputs)
        return {"id": cell.id, "kind": "code", "source": source, "outputs": outputs, "folded": folded, "lives": lives}

    def output(self, output, name):
        """One stored output as HTML; name: of the picture file, where it is one."""
        data = output.get("data", {})
        if "text" in output:
            return f'<pre class="out" tabindex="0">{html.escape(output.text)}</pre>'
        if output.output_type == "error":
            return f'<pre class="out" tabindex="0">{html.escape(chr(10).join(output.traceback))}</pre>'
        if "text/html" in data:
            return f'<div class="made">{data["text/html"]}</div>'
        if "image/png" in data:
            return self.picture(b64decode(data["image/png"]), output.metadata["image/png"]["alt"], name)
        return f'<pre class="out" tabindex="0">{html.escape(data["text/plain"])}</pre>'

    def picture(self, png, alt, name):
        (self.folder / "pictures").mkdir(exist_ok=True)
        (self.folder / "pictures" / f"{name}.png").write_bytes(png)
        width, height = (int.from_bytes(part, "big") for part in SIZES.match(png).groups())
        size = f'width="{width}" height="{height}"'
        return f'<img src="pictures/{name}.png" alt="{html.escape(alt)}" {size} loading="lazy">'

    def text_page(self, path, file):
        """A page of a Markdown file."""
        self.base = path.parent.name
        body, headings = self.markdown(path.read_text(encoding="utf-8"), notebook=False)
        cells = [{"id": f"text-of-{path.stem.lower()}", "kind": "text", "html": body}]
        contents = [heading for heading in headings if heading[0] == 2]
        return {"title": headings[0][1], "number": "", "file": file, "cells": cells, "contents": contents}

    def write(self):
        """Write every page, the search index and the style; returns the pages."""
        chapters = [self.chapter(ROOT / "notebooks" / name) for name in self.pages if name.endswith(".ipynb")]
        others = [self.text_page(ROOT / name, file) for name, file in self.pages.items() if name.endswith(".md")
                  and name != "README.md"]  # fmt: skip
        others.insert(0, playground_page())
        front = front_page(chapters)
        loader = jinja2.FileSystemLoader(HERE)
        template = jinja2.Environment(loader=loader, trim_blocks=True, lstrip_blocks=True).get_template("page.html")
        shared = {"chapters": chapters, "others": others, "name": NAME}
        for before, page, after in zip([None, *chapters], chapters, [*chapters[1:], None], strict=False):
            page |= {"before": before, "after": after}
        for page in (front, *chapters, *others):
            text = template.render(this=page, **shared)
            (self.folder / page["file"]).write_text(with_policy(text), encoding="utf-8")
        self.write_index([*chapters, *others])
        (self.folder / "style.css").write_text(style(), encoding="utf-8")
        for name in STATIC:
            shutil.copyfile(HERE / name, self.folder / name)
        return [front, *chapters, *others]

    def write_index(self, pages):
        """index.js: every section with its page, heading, address and words; and words that stand for one another."""
        sections = []
        for page in pages:
            sections.append([page["number"], page["title"], page["file"], ""])
            for cell in page["cells"]:
                if cell["kind"] == "text":
                    for k, part in enumerate(re.split(r"(?=<h[1-6] id=)", cell["html"])):
                        if found := re.match(r'<h[1-6] id="([^"]*)">(.*?)</h[1-6]>', part, re.DOTALL):
                            sections.append([page["number"], plain(found[2]), f"{page['file']}#{found[1]}", ""])
                        elif k:
                            raise ValueError(f"a heading without an id in {page['file']}")
                        sections[-1][3] += " " + plain(part[found.end() :] if found else part)
        synonyms = read_synonyms(ROOT / "notebooks" / "15_questions.ipynb")
        data = json.dumps([sections, synonyms], ensure_ascii=False, separators=(",", ":"))
        (self.folder / "index.js").write_text(f"window.startSearch({data});\n", encoding="utf-8")


def with_policy(page):
    """The page, told to run no script but the site's own files and those that it holds now, named by their SHA-256."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    policy = POLICY.format(hashes="".join(f" 'sha256-{digest}'" for digest in dict.fromkeys(digests)))
    head = '<meta charset="utf-8">\n'
    return page.replace(head, f'{head}<meta http-equiv="Content-Security-Policy" content="{policy}">\n', 1)


def page_of(path):
    return "teaching.html" if path.name == "README.md" else f"teaching_{path.stem}.html"


def front_page(chapters):
    """The question, the explorer and the map of the chapters, all from chapter 00."""
    cells = {cell["id"]: cell for cell in chapters[0]["cells"]}
    table = next(cell["html"] for cell in cells.values() if "<table" in cell.get("html", ""))
    map_of = re.search(r'<div class="table".*?</table>\s*</div>', table, re.DOTALL)[0]
    parts = {"explorer": "".join(cells["explorer"]["outputs"]), "map": map_of}
    lead = re.search(r"<p>(.*?)</p>", cells["title"]["html"], re.DOTALL)[1]
    return {"title": NAME, "number": "", "file": "index.html", "cells": [], "contents": [], "lead": lead, **parts}


def playground_page():
    """The playground on a page of its own."""
    body = playground().html
    contents = [(2, plain(words), name) for name, words in re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', body)]
    cells = [{"id": "playground", "kind": "text", "html": f'<h1 id="the-playground">The playground</h1>\n{body}'}]
    return {"title": "The playground", "number": "", "file": "playground.html", "cells": cells, "contents": contents}


def style():
    """The style sheet, with the mathematical font inside: some browsers take every file for an origin of its own."""
    font = b64encode((HERE / "stix_two_math.woff2").read_bytes()).decode()
    face = f"@font-face {{ font-family: STIX; src: url(data:font/woff2;base64,{font}) format('woff2'); }}"
    light = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(":root[data-theme=dark] .highlight")
    return "\n".join(((HERE / "style.css").read_text(encoding="utf-8"), face, light, dark))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "site", metavar="FOLDER", help="an empty or older folder")
    folder = parser.parse_args(argv).to.resolve()
    try:
        with new_folder(folder, ".vae-site") as new:
            pages = Site(new).write()
    except FileExistsError as error:
        sys.exit(str(error))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{len(pages)} pages, {size / 1e6:.1f} MB, in {folder.name}: open {folder.name}/index.html.")


if __name__ == "__main__":
    main()
