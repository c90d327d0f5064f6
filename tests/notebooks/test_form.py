"""Every notebook, by glob: file format, outputs that nobody should see, reading rhythm, prose and captions."""

import ast
import base64
import copy
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import renew_blocks

from vae_helpers.view.block import block

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(ROOT.glob("notebooks/*.ipynb"))
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
HYPE = re.compile(r"\b(clearly|simply|obviously|amazing|awesome|exciting|stunning|magical|groundbreaking)\b", re.I)
EMOJI = re.compile("[\U0001f300-\U0001faff\u2705\u274c\u2728\u26a0]")
LONGEST, LONGEST_CLASS, WORDS_PER_LINE = 25, 30, 12
LARGEST, MOST_FRAMES = 2_000_000, {"00_start_here.ipynb": 3_000_000, "06_without_and_with_kl.ipynb": 3_000_000}  # bytes
BLOCK = "<div data-vae-"
CONTROL = re.compile(r"\bControl\(|\bcontrols\.\w+\(|\bexplore\(")

spec = importlib.util.spec_from_file_location("execute", ROOT / "tools" / "execute_notebooks.py")
execute = importlib.util.module_from_spec(spec)
spec.loader.exec_module(execute)


def problems(nb, name="01_chapter.ipynb"):
    """Sentences on everything in which one notebook, a dict as in the file, departs from the rules."""
    checks = (
        format_problems,
        all_output_problems,
        image_problems,
        prediction_problems,
        control_problems,
        code_problems,
        rhythm_problems,
        prose_problems,
    )
    return [problem for check in checks for problem in check(nb)] + chapter_problems(nb, name)


def cells_of(nb, kind):
    return [(cell, "".join(cell["source"])) for cell in nb["cells"] if cell["cell_type"] == kind]


def format_problems(nb):
    """Version, metadata, ids and execution counts."""
    found = ["the notebook format is not 4.5"] * ((nb["nbformat"], nb["nbformat_minor"]) != (4, 5))
    if nb["metadata"] != execute.METADATA:
        found.append(f"the notebook's metadata are not kernelspec and language_info as in execute.py: {nb['metadata']}")
    ids = [cell.get("id", "") for cell in nb["cells"]]
    found += [f"cell {i}: the id is used twice" for i in sorted({i for i in ids if ids.count(i) > 1})]
    found += [f"cell {i!r}: the id is not a slug in words" for i in ids if not SLUG.fullmatch(i) or is_random(i)]
    for c in nb["cells"]:
        folded = {"jupyter": {"source_hidden": True}} if "hide-input" in c["metadata"].get("tags", []) else {}
        if {k: v for k, v in c["metadata"].items() if k != "tags"} != folded:
            found.append(f"cell {c.get('id')}: metadata other than tags, or hide-input that JupyterLab does not see")
    counts = [cell["execution_count"] for cell, _ in cells_of(nb, "code")]
    if counts != list(range(1, len(counts) + 1)):
        found.append(f"the execution counts are not 1 to {len(counts)}: {counts}")
    return found


def is_random(cell_id):
    """Ids made by a program: eight hex digits, or a UUID."""
    return bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4,12})*", cell_id)) and bool(re.search(r"\d", cell_id))


def all_output_problems(nb):
    """What execute.py refuses to store, output metadata other than alt text, and traces of a package index."""
    found = [problem for cell, _ in cells_of(nb, "code") for problem in execute.output_problems(cell)]
    for cell, _ in cells_of(nb, "code"):
        for output in cell["outputs"]:
            extra = {
                k: v for k, v in output.get("metadata", {}).items() if not isinstance(v, dict) or set(v) != {"alt"}
            }
            found += [f"cell {cell.get('id')}: output metadata {list(extra)} other than alt text"] * bool(extra)
    if re.search(r"https?://[^\s\"']*/simple\b|--(extra-)?index-url", json.dumps(nb)):
        found.append("the notebook names a package index")
    return found


def image_problems(nb):
    """Alt text in the output metadata, a caption cell after it, and no address inside the picture."""
    found = []
    for i, cell in enumerate(nb["cells"]):
        images = [out for out in cell.get("outputs", []) if any(k.startswith("image/") for k in out.get("data", {}))]
        kinds = [kind for out in images for kind in out["data"] if kind.startswith("image/")]
        alts = [out.get("metadata", {}).get(k, {}).get("alt") for out in images for k in out["data"] if k in kinds]
        found += [f"cell {cell.get('id')}: an image has no alt text"] * (not all(alts))
        if images and [c["cell_type"] for c in nb["cells"][i + 1 : i + 2]] != ["markdown"]:
            found.append(f"cell {cell.get('id')}: no caption follows the image")
        found += [f"cell {cell.get('id')}: an address in the image" for out in images if address_in(out["data"])]
    return found


def control_problems(nb):
    """A control is stored twice: as a still, and after it as a block with the scripts of today."""
    found = []
    for cell, text in cells_of(nb, "code"):
        blocks = [
            i for i, out in enumerate(cell["outputs"]) if BLOCK in "".join(out.get("data", {}).get("text/html", ""))
        ]
        if CONTROL.search(text) and cell["outputs"] and "predict." not in text and not blocks:
            found.append(f"cell {cell.get('id')}: the control has no frames; execute the chapter with make notebooks")
        for i in blocks:
            if i == 0 or "image/png" not in cell["outputs"][i - 1].get("data", {}):
                found.append(f"cell {cell.get('id')}: no still before the block of a control")
            html = "".join(cell["outputs"][i]["data"]["text/html"])
            if renew_blocks.renewed(html) != html:
                found.append(f"cell {cell.get('id')}: old scripts in a block; run tools/renew_blocks.py")
    return found


def prediction_problems(nb):
    """A prediction stands last in its cell, else nothing is shown, and is stored folded."""
    found = []
    for cell, source in cells_of(nb, "code"):
        kinds = {kind for out in cell["outputs"] for kind in out.get("data", {})}
        asked = re.search(r"^predict\.(number|choice|curve)\(", source, re.M)
        found += [f"cell {cell.get('id')}: the prediction left no output"] * bool(asked and "text/html" not in kinds)
    return found


def address_in(data):
    """Is there an address in the text chunks of a PNG, besides matplotlib's own?"""
    png = base64.b64decode("".join(data.get("image/png", "")))
    return any(not url.startswith(b"://matplotlib.org") for url in re.findall(rb"(?<=http|ttps)://[\w.-]+", png))


def code_problems(nb):
    """Length of cells, and what has no place in one."""
    found, cells = [], cells_of(nb, "code")
    for cell, source in cells:
        limit = LONGEST_CLASS if re.search(r"^class ", source, re.M) else LONGEST
        n_lines = len(code_lines(source))
        found += [f"cell {cell.get('id')}: {n_lines} lines of code, at most {limit}"] * (n_lines > limit)
        words = re.findall(r"\bfigsize\b|\bsys\.path\b|pip3? install|^\s*[!%].*|\bDropdown\b", source, re.M)
        found += [f"cell {cell.get('id')}: {word.strip()} has no place in a chapter" for word in words]
        found += [f"cell {cell.get('id')}: a seed for all that follows"] * seeds_everything(source)
    n_first = len(code_lines(cells[0][1])) if cells else 0
    found += [f"the first code cell has {n_first} lines, at most 8"] * (n_first > 8)
    found += ["no assert in the chapter"] * (not any(re.search(r"^\s*assert ", source, re.M) for _, source in cells))
    return found


def code_lines(source):
    return [line for line in map(str.strip, source.splitlines()) if line and not line.startswith("#")]


def seeds_everything(source):
    """Does a statement at the top level seed torch, numpy or random for the whole notebook?"""
    try:
        tops = [node.value for node in ast.parse(source).body if isinstance(node, ast.Expr | ast.Assign)]
    except SyntaxError:  # a magic line, which is reported already
        return False
    calls = [ast.unparse(node.func) for node in tops if isinstance(node, ast.Call)]
    return bool({"torch.manual_seed", "manual_seed", "np.random.seed", "numpy.random.seed", "random.seed"} & set(calls))


def rhythm_problems(nb):
    """Median and 90th percentile of cell lengths, words of prose per line of code, code cells in a row."""
    lengths = sorted(len(code_lines(source)) for _, source in cells_of(nb, "code")) or [0]
    p90 = lengths[min(len(lengths) - 1, int(0.9 * len(lengths)))]
    found = [f"half of the code cells have over 7 lines (median {statistics.median(lengths)})"]
    found *= statistics.median(lengths) > 7
    found += [f"more than one code cell in ten is over 10 lines (90th percentile {p90})"] * (p90 > 10)
    words = sum(len(re.findall(r"[A-Za-z][A-Za-z'-]+", prose_of(source))) for _, source in cells_of(nb, "markdown"))
    ratio = words / max(1, sum(lengths))
    found += [f"{ratio:.1f} words of prose per line of code, at least {WORDS_PER_LINE}"] * (ratio < WORDS_PER_LINE)
    kinds = "".join(cell["cell_type"][0] for cell in nb["cells"])
    return found + ["more than two code cells in a row"] * ("ccc" in kinds)


def prose_of(markdown):
    """Markdown without formulas, code, tags, comments and link targets."""
    return re.sub(
        r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|<[^>]+>|!\[|\]\([^)]*\)", " ", markdown, flags=re.DOTALL
    )


def prose_problems(nb):
    found = []
    for cell, source in cells_of(nb, "markdown"):
        text = prose_of(source)
        signs = HYPE.findall(text) + EMOJI.findall(text) + re.findall(r"\w*!", text)
        found += [f"cell {cell.get('id')}: {sign!r} in the prose" for sign in signs]
    return found


def chapter_problems(nb, name):
    """A title first, and "What we saw" at the end of every chapter but the entrance."""
    texts = ["".join(cell["source"]) for cell in nb["cells"]]
    titled = nb["cells"][0]["cell_type"] == "markdown" and texts[0].startswith("# ")
    found = ["the first cell is not a title"] * (not titled)
    if not name.startswith("00"):
        markdown = "\n".join(source for _, source in cells_of(nb, "markdown"))
        found += ['no heading "What we saw"'] * (not re.search(r"^#+ What we saw", markdown, re.M))
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_follows_the_rules(path):
    found = problems(json.loads(path.read_text(encoding="utf-8")), path.name)
    found += [f"the file has {path.stat().st_size} bytes"] * (path.stat().st_size > MOST_FRAMES.get(path.name, LARGEST))
    assert not found, "\n".join([path.name, *found])


def reading_minutes(nb):
    """At 200 words and 15 lines of code a minute, to the nearest five."""
    words = sum(len(re.findall(r"[A-Za-z][A-Za-z'-]+", prose_of(source))) for _, source in cells_of(nb, "markdown"))
    lines = sum(len(code_lines(source)) for _, source in cells_of(nb, "code"))
    return 5 * round((words / 200 + lines / 15) / 5)


def test_every_chapter_says_how_long_it_takes_to_read_and_the_entrance_says_the_same():
    entrance = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    for path in CHAPTERS:
        nb = json.loads(path.read_text(encoding="utf-8"))
        title = "".join(nb["cells"][0]["source"])
        said = [int(n) for n in re.findall(r"About (\d+) minutes to read", title)]
        assert said == [reading_minutes(nb)], path.name
        listed = re.findall(rf"\({path.name}\) \|[^|]*\| (\d+) min \|", entrance)
        assert listed == [str(said[0])] * (not path.name.startswith("00")), path.name


def test_reading_time_counts_words_and_lines():
    nb = {"cells": [markdown("a", 200 * "word " + "$x$ `y`"), code("b", 60 * "x = 1\n")]}
    assert reading_minutes(nb) == 5 and reading_minutes({"cells": nb["cells"][:1] * 8}) == 10


def test_chapter_00_says_what_a_name_error_means():
    entrance = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    assert "A `NameError` says" in entrance and "Run All Above Selected Cell" in entrance


def test_the_collection_has_its_entrance():
    assert "00_start_here.ipynb" in [path.name for path in CHAPTERS]


PROSE = "The decoder turns two numbers into an image, and we draw the two numbers from a standard normal. "
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n a picture").decode()


FRAMES = block("frames", renew_blocks.KINDS["frames"][0], {"inputs": []}, styles=("frames.css",))


def code(cell_id, source, *outputs, tags=()):
    metadata = {"tags": list(tags)} if tags else {}
    return dict(id=cell_id, cell_type="code", metadata=metadata, source=source, outputs=list(outputs))


def markdown(cell_id, source):
    return dict(id=cell_id, cell_type="markdown", metadata={}, source=source)


def stream(text, name="stdout"):
    return dict(output_type="stream", name=name, text=text)


def shown(metadata=None, **data):
    data = {key.replace("__", "/"): value for key, value in data.items()}
    return dict(output_type="display_data", metadata=metadata or {}, data=data)


def good():
    """A small notebook that breaks no rule."""
    picture = shown({"image/png": {"alt": "A grey square."}}, image__png=PNG, text__plain="A grey square.")
    cells = [
        markdown("title", "# Where would you sample?\n" + 3 * PROSE),
        code("imports", "import torch"),
        markdown("question", 2 * PROSE + "The factorial $n!$ and `a != b` are no shouts:"),
        code("draw", "x = torch.zeros(2)\nassert len(x) == 2\nx", stream("sum 0.0, mean 1/2, sd/mean 0.3\n"), picture),
        markdown("caption", "A grey square. " + PROSE),
        code("fails", "1 / 0", dict(ERROR), tags=["raises-exception"]),
        markdown("what-we-saw", "## What we saw\n" + 3 * PROSE),
    ]
    for count, cell in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = count
    return dict(cells=cells, metadata=copy.deepcopy(execute.METADATA), nbformat=4, nbformat_minor=5)


ERROR = dict(output_type="error", ename="ZeroDivisionError", evalue="division by zero", traceback=["ZeroDivisionError"])


def output(*outputs):
    """A fault: these outputs, added to the second code cell."""
    return lambda nb: nb["cells"][3]["outputs"].extend(outputs)


def source(text, cell=3):
    """A fault: another source of one cell."""
    return lambda nb: nb["cells"][cell].update(source=text)


def renamed(cell_id):
    return lambda nb: nb["cells"][2].update(id=cell_id)


def prose(text):
    return lambda nb: nb["cells"][2].update(source=nb["cells"][2]["source"] + " " + text)


FAULTS = {
    "stderr": (output(stream("a warning", "stderr")), "stderr"),
    "home path": (output(stream("saved in /home/ada/model.pt")), "home path"),
    "temporary path": (output(stream("(/tmp/x1/cell.py)")), "home path"),
    "Windows path": (output(stream(r"C:\Users\Ada\x")), "home path"),
    "path in HTML": (output(shown(text__html='<b title="/home/ada/x">x</b>')), "home path"),
    "tilde": (output(stream("cached in ~/.cache")), "home path"),
    "widget state": (lambda nb: nb["metadata"].update(widgets={"state": {}}), "metadata"),
    "widget view": (output(shown(**{execute.WIDGET: {"model_id": "1"}})), "widget-view"),
    "JavaScript": (output(shown(application__javascript="alert(1)")), "application/javascript"),
    "progress bar": (output(stream("100%|####| 10/10")), "progress bar"),
    "progress rate": (output(stream("10 of 10, 31.2it/s")), "progress bar"),
    "carriage return": (output(stream("epoch 1\repoch 2")), "progress bar"),
    "traceback": (output(stream("Traceback (most recent call last):\n")), "traceback"),
    "error": (output(ERROR), "an error"),
    "script from elsewhere": (output(shown(text__html='<script src="https://x.org/a.js"></script>')), "elsewhere"),
    "module from elsewhere": (output(shown(text__html='<script>import("https://x.org/a.js")</script>')), "elsewhere"),
    "picture from elsewhere": (output(shown(text__html="<img alt='x' src=http://x.org/a.png>")), "elsewhere"),
    "iframe": (output(shown(text__html="<iframe srcdoc='x'></iframe>")), "elsewhere"),
    "path behind a colour": (output(stream("\x1b[1;34m/home/ada\x1b[0m")), "home path"),
    "path on a host": (output(stream("ada@host:/home/ada")), "home path"),
    "Windows path with slashes": (output(stream("C:/Users/Ada")), "home path"),
    "server token": (output(stream("see the page ?token=0123456789abcdef0123")), "a token"),
    "access token": (output(stream("ghp_" + 30 * "a")), "a token"),
    "package index": (output(stream("https://packages.example/simple")), "package index"),
    "output metadata": (output(shown({"isolated": True}, text__plain="x")), "output metadata"),
    "a control without frames": (source("assert widgets.Control(draw)"), "no frames"),
    "a block without a still": (output(shown(text__plain="x"), shown(text__html=FRAMES)), "no still before"),
    "a block with old scripts": (output(shown(text__html=FRAMES.replace("use strict", "use strict!"))), "old scripts"),
    "no alt text": (output(shown(image__png=PNG)), "alt text"),
    "no caption": (lambda nb: nb["cells"].insert(4, nb["cells"].pop(5)), "caption"),
    "address in image": (
        output(shown({"image/png": {"alt": "x"}}, image__png=base64.b64encode(b"tEXt https://x.org").decode())),
        "address in the image",
    ),
    "duplicate id": (renamed("draw"), "used twice"),
    "random id": (renamed("3f2a91bc"), "not a slug"),
    "capital id": (renamed("Question_1"), "not a slug"),
    "old format": (lambda nb: nb.update(nbformat_minor=4), "4.5"),
    "cell metadata": (lambda nb: nb["cells"][1]["metadata"].update(collapsed=True), "other than tags"),
    "hide-input not folded": (lambda nb: nb["cells"][3]["metadata"].update(tags=["hide-input"]), "does not see"),
    "folded without a tag": (
        lambda nb: nb["cells"][3]["metadata"].update(jupyter={"source_hidden": True}),
        "other than tags",
    ),
    "execution count": (lambda nb: nb["cells"][3].update(execution_count=7), "execution counts"),
    "not executed": (lambda nb: nb["cells"][3].update(execution_count=None), "execution counts"),
    "30 lines": (source("assert True\n" + 29 * "x = 1\n"), "30 lines"),
    "31 lines with a class": (source("class A:\n" + 29 * "    x = 1\n" + "assert A"), "31 lines"),
    "long import cell": (source(9 * "import torch\n", cell=1), "at most 8"),
    "long cells": (source("assert True\n" + 10 * "x = 1\n"), "90th percentile"),
    "little prose": (source("x = 1\n" * 24 + "assert x"), "words of prose"),
    "code in a row": (lambda nb: [nb["cells"].pop(4), nb["cells"].pop(2)], "in a row"),
    "figsize": (source("assert plt.figure(figsize=(2, 3))"), "figsize"),
    "sys.path": (source("sys.path.append('..')\nassert True"), "sys.path"),
    "installing": (source("assert True\n!pip install torch"), "pip install"),
    "a control that JupyterLab takes the arrow keys from": (source("assert ipywidgets.Dropdown()"), "Dropdown"),
    "magic": (source("%matplotlib inline\nassert True"), "%matplotlib"),
    "global seed": (source("torch.manual_seed(0)\nassert True"), "a seed"),
    "no assert": (source("x = 1"), "no assert"),
    "hype": (prose("This is clearly so."), "clearly"),
    "exclamation mark": (prose("It works!"), "works!"),
    "emoji": (prose("Done \U0001f389"), "in the prose"),
    "no title": (source("Where would you sample?", cell=0), "title"),
    "no ending": (source("## The end\n" + 5 * PROSE, cell=6), "What we saw"),
}
LONG = 30 * "a"
TOKENS = {
    "password in JSON": '{"password": "correct-horse"}',
    "password in JSON in JSON": json.dumps(json.dumps({"password": "correct-horse"})),
    "password in escaped HTML": "&quot;password&quot;: &quot;correct-horse&quot;",
    "AWS secret": f"aws_secret_access_key={LONG}",
    "Kaggle key": json.dumps({"username": "ada", "key": 4 * "01234abc"}),
    "bearer": f"Authorization: Bearer {LONG}",
    "bearer in a dict": str({"Authorization": f"Bearer {LONG}"}),
    "private key": "-----BEGIN {}PRIVATE KEY-----".format("OPENSSH "),
    "private key of no kind": "-----BEGIN {}PRIVATE KEY-----".format(""),
    "JSON web token": f"eyJ{LONG}.{LONG}",
}
PREFIXES = ["github_pat_", "hf_", "npm_", "glpat-", "pypi-", "sk-", "sk-proj-", "sk-ant-", "xoxb-", "xoxp-"]
PREFIXES += ["AKIA", "ASIA", "AIza"]
TOKENS |= {f"{prefix} token": prefix + LONG for prefix in PREFIXES}
PAGES = {
    "script by property": '<script>s.src = "https://x.org/a.js"</script>',
    "style by property": "<script>s.href = 'https://x.org/a.css'</script>",
    "script by setAttribute": '<script>s.setAttribute("src", "//x.org/a.js")</script>',
    "worker": '<script>new Worker("https://x.org/a.js")</script>',
    "fetch": "<script>fetch(`https://x.org/${name}`)</script>",
    "static import": '<script type="module">import x from "https://x.org/a.js"</script>',
    "request": '<script>x.open("GET", "https://x.org/a")</script>',
    "socket": '<script>new WebSocket("wss://x.org/a")</script>',
    "event source": '<script>new EventSource("https://x.org/a")</script>',
    "beacon": '<script>navigator.sendBeacon("https://x.org/a", data)</script>',
    "address in JSON": json.dumps({"page": "<img src='https://x.org/a.png'>"}),
    "address with escaped slashes": r'<script>fetch("https:\/\/x.org")</script>',
    "address in an escaped attribute": '<b onclick="fetch(&quot;https://x.org&quot;)">x</b>',
    "image set in HTML": '<img alt="x" srcset="https://x.org/a.png 2x">',
    "second image of a set": '<img alt="x" srcset="a.png 1x, https://x.org/a.png 2x">',
    "second image by property": "<script>x.srcset = 'a.png 1x, //x.org/a.png 2x'</script>",
    "poster": '<video poster="https://x.org/a.png"></video>',
    "poster without quotes": "<video poster=//x.org/a.png></video>",
    "host without a dot": '<img alt="x" src="//server/a.png">',
    "reload": '<meta http-equiv="refresh" content="0; https://x.org">',
    "form": '<form action="https://x.org"></form>',
    "ping of a link": '<a ping="https://x.org/a" href="https://x.org">x</a>',
    "style": "<style>b { background: url(https://x.org/a.png) }</style>",
    "style with quotes": '<style>b { background: url( "//x.org/a.png" ) }</style>',
    "image set in CSS": '<style>b { background: image-set("https://x.org/a.png" 1x) }</style>',
    "use in SVG": '<svg><use xlink:href="https://x.org/a.svg#b"/></svg>',
}
FAULTS |= {name: (output(stream(text)), "a token") for name, text in TOKENS.items()}
FAULTS |= {name: (output(shown(text__html=html)), "elsewhere") for name, html in PAGES.items()}
FAULTS["picture in Markdown"] = (output(shown(text__markdown="![x](https://x.org/a.png)")), "elsewhere")
FAULTS["picture in SVG"] = (output(shown(**{"image/svg+xml": PAGES["use in SVG"]})), "elsewhere")

ALLOWED = {
    "words": "A token, a secret and a password; the key: Bayes. The token is\nlong, Authorization is not.",
    "names like tokens": "task-specific hf_hub_download sk-learn AKIA key=lambda pair: pair[1]",
    "slashes": "a/b 1/tmp and/or sd/usr ./home ../work https://x.org/home http://localhost:8888/home {a: b}",
    "an address in quotes": "'https://arxiv.org/abs/1312.6114'",
    "colours": "\x1b[1;34mepoch\x1b[0m 1/tmp",
}
ALLOWED_PAGES = {
    "a link": '<p>See <a class="x"\nhref="https://arxiv.org">https://arxiv.org</a>, (https://x.org) or https://x.org.</p>',
    "a link without quotes": "<A HREF=//arxiv.org>arXiv</A>",
    "a link in SVG": "<svg><a xlink:href='https://arxiv.org'>x</a></svg>",
    "names of XML": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:cc="http://creativecommons.org/ns#"></svg>',
    "names in a figure": '<!DOCTYPE svg "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    '<dc:type rdf:resource="http://purl.org/dc/dcmitype/StillImage"/>',
    "a node of SVG": '<script>document.createElementNS("http://www.w3.org/2000/svg", "g")</script>',
    "a comment in a script": '<script>const a = "b"; // c.d\nf("//", "a//b", "x"); // "https" is the scheme</script>',
    "base64 that begins with slashes": '<script>f({"shorts": "//8AAP//fw=="})</script>',
    "a picture inside": '<img alt="x" src="data:image/png;base64,//8A" srcset="data:image/png;base64,//8A 2x, b 1x">',
    "a place in the page": '<b style="fill: url(#a)">x</b><a href="#b">y</a><form action="/x"></form>',
}
INNOCENT = {name: output(stream(text)) for name, text in ALLOWED.items()}
INNOCENT |= {name: output(shown(text__html=html)) for name, html in ALLOWED_PAGES.items()}
INNOCENT["a link in Markdown"] = output(shown(text__markdown="[x](https://arxiv.org), <https://arxiv.org>"))
REPEATED = ["<b src ", "<b ", "<b src=", "<a href ", "token", "token ", "secret_", "key=", "eyJ-", "xmlns:", "//a"]
REPEATED += ["-----BEGIN A", "\x1b[0", "![", "url( ", 'srcset="', "srcset='a ", '" ', "= ", '"//a-', "&#0", " "]


def test_a_good_notebook_has_no_problems():
    assert problems(good()) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_reported(fault):
    inject, word = FAULTS[fault]
    nb = good()
    inject(nb)
    assert [problem for problem in problems(nb) if word in problem], problems(nb)


@pytest.mark.parametrize("innocent", INNOCENT)
def test_an_output_that_looks_like_a_fault_is_no_problem(innocent):
    nb = good()
    INNOCENT[innocent](nb)
    assert problems(nb) == []


def test_a_problem_is_searched_for_in_linear_time():
    """A quadratic search in 200 kB takes minutes: it is stopped."""
    search = (
        "import sys; from execute_notebooks import output_problems\n"
        "for piece in sys.argv[1:]:\n"
        "    data = {'text/html': piece * (200_000 // len(piece))}\n"
        "    output_problems({'outputs': [{'output_type': 'display_data', 'data': data}]})"
    )
    subprocess.run([sys.executable, "-c", search, *REPEATED], cwd=ROOT / "tools", check=True, timeout=60)


def write_notebook(folder, name, *sources):
    """An unexecuted notebook in `folder`, one code cell per source."""
    cells = [code(f"step-{i}", text) | {"execution_count": None} for i, text in enumerate(sources, start=1)]
    nb = dict(cells=cells, metadata=execute.METADATA, nbformat=4, nbformat_minor=5)
    (folder / name).write_text(json.dumps(nb), encoding="utf-8")
    return folder / name


MESSY = """
import sys, warnings
from IPython.display import display, HTML
import ipywidgets
print("one"); sys.stdout.flush(); print("two")
display(ipywidgets.IntSlider())
display({"image/png": "aGk=", "text/plain": "x"}, raw=True, metadata={"image/png": {"alt": "x", "width": 3}, "a": 1})
1
"""


class TestExecute:
    def run(self, tmp_path, monkeypatch, *sources):
        monkeypatch.setattr(execute, "HERE", tmp_path)
        path = write_notebook(tmp_path, "01_x.ipynb", *sources)
        before = path.read_bytes()
        found = execute.run_one(path, tmp_path, "digits", timeout=300)
        return found, json.loads(path.read_text(encoding="utf-8")), path.read_bytes() != before

    def test_it_stores_clean_outputs_and_keeps_the_ids(self, tmp_path, monkeypatch):
        found, nb, written = self.run(tmp_path, monkeypatch, "import os; os.environ['VAE_DATASET']", MESSY)
        assert found == [] and written and format_problems(nb) == [] and all_output_problems(nb) == []
        first, second = nb["cells"]
        assert (first["id"], "".join(first["outputs"][0]["data"]["text/plain"])) == ("step-1", "'digits'")
        printed, slider, image, last = second["outputs"]
        assert "".join(printed["text"]) == "one\ntwo\n" and list(slider["data"]) == ["text/plain"]
        assert image["metadata"] == {"image/png": {"alt": "x"}} and last["execution_count"] == 2

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("import sys; print('oh', file=sys.stderr)", "stderr"),
            ("import os; print(os.path.expanduser('~'), '/home/ada')", "home path"),
            ("1 / 0", "ZeroDivisionError"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "died"),
        ],
    )
    def test_it_refuses_to_store_what_no_reader_should_see(self, tmp_path, monkeypatch, text, word):
        found, _, written = self.run(tmp_path, monkeypatch, text)
        assert (
            not written and "01_x.ipynb was not stored" in found[0] and word in "".join(found).replace("Died", "died")
        )
        assert not list(tmp_path.glob(".*.partial"))

    def test_a_fault_in_a_file_is_reported_and_the_other_chapters_are_executed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(execute, "HERE", tmp_path)
        whole = write_notebook(tmp_path, "05_whole.ipynb", "assert 1").read_bytes()
        damaged = {"01_empty": b"", "02_cut": whole[:99], "03_mark": b"\xef\xbb\xbf" + whole, "04_list": b"[]"}
        damaged["04_object"] = b"{}"
        for name, content in damaged.items():
            (tmp_path / f"{name}.ipynb").write_bytes(content)
        with pytest.raises(SystemExit) as stopped:
            execute.main(["--digits", "--to", str(tmp_path / "trial")])
        said = str(stopped.value).splitlines()
        assert [line.split(" was not executed: ")[0] for line in said] == [f"{name}.ipynb" for name in damaged]
        assert [path.name for path in (tmp_path / "trial").iterdir()] == ["05_whole.ipynb"]

    def test_digits_never_replace_the_committed_outputs(self, capsys):
        with pytest.raises(SystemExit):
            execute.arguments(["--digits"])
        assert "--digits needs --to" in capsys.readouterr().err

    def test_solved_exercises_never_replace_the_committed_chapters(self, capsys, monkeypatch):
        monkeypatch.setenv("EXERCISES", "solved")
        with pytest.raises(SystemExit):
            execute.arguments([])
        assert "EXERCISES=solved needs --to" in capsys.readouterr().err

    @pytest.mark.parametrize(("filled", "said"), [("", "not answered yet"), ("solved", "right")])
    def test_exercises_are_run_open_or_solved(self, tmp_path, monkeypatch, filled, said):
        monkeypatch.setenv("EXERCISES", filled)
        monkeypatch.setattr(execute, "HERE", tmp_path)
        path = write_notebook(tmp_path, "01_x.ipynb", "from vae_helpers import exercises", "old")
        nb = json.loads(path.read_text(encoding="utf-8"))
        nb["cells"][1]["id"] = "exercise-kl-slope"
        path.write_text(json.dumps(nb), encoding="utf-8")
        assert execute.run_one(path, tmp_path, "digits", 60) == []
        last = json.loads(path.read_text(encoding="utf-8"))["cells"][1]
        assert "my_slope(sigma)" in "".join(last["source"]) and said in "".join(last["outputs"][0]["text"])


class TestNbval:
    """The command behind `make test`, on notebooks of our own."""

    def run(self, *paths, **env):
        command = ["sh", str(ROOT / "tests" / "run_nbval.sh"), sys.executable, *map(str, paths)]
        env = {k: v for k, v in os.environ.items() if k not in ("VAE_DATA", "VAE_DATASET")} | env
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)

    def test_good_ones_pass_and_one_that_fails_or_loses_its_kernel_does_not_take_them_along(self, tmp_path):
        good = "import os\nassert os.environ['VAE_DATASET'] == 'digits'"
        killed = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
        cells = {"a_good": [good], "b_wrong": ["assert 1 == 2"], "c_killed": [killed, "1"], "d_good": [good]}
        paths = [write_notebook(tmp_path, f"{name}.ipynb", *sources) for name, sources in cells.items()]
        done = self.run(*paths, CELL_TIMEOUT="4", WORKERS="0")
        assert done.returncode != 0 and "2 failed, 2 passed" in done.stdout, done.stdout
        assert "b_wrong.ipynb::Cell 0" in done.stdout and "c_killed.ipynb::Cell 0" in done.stdout

    def test_a_data_folder_means_mnist(self, tmp_path):
        check = f"import os\nassert (os.environ['VAE_DATASET'], os.environ['VAE_DATA']) == ('mnist', {str(tmp_path)!r})"
        path = write_notebook(tmp_path, "m.ipynb", check)
        done = self.run(path, VAE_DATA=os.path.relpath(tmp_path, ROOT), WORKERS="0")
        assert done.returncode == 0, done.stdout
