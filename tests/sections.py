"""What the tests of links and numbers share: the sections of notebooks and pages, and what stands in them."""

import json
import re
from functools import cache

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*\.\d+%?|(?<![\w.])\d+%")  # decimals and percentages


@cache
def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def without_code(markdown):
    return re.sub(r"```.*?```|`[^`\n]*`", " ", markdown, flags=re.DOTALL)


def without_formulas(markdown):
    return re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$", " ", without_code(markdown), flags=re.DOTALL)


def links_of(markdown):
    """The targets of links and images."""
    found = re.findall(r"\]\(([^)\s]+)\)|\bhref=\"([^\"]+)\"", without_formulas(markdown))
    return ["".join(either) for either in found]


def fragment_of(heading):
    """The id that JupyterLab gives a heading: its text, with "-" for every space."""
    return re.sub(r"[*`]", "", heading.strip()).replace(" ", "-")


def slug_of(heading):
    """The id that GitHub gives a heading of a Markdown file."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings_of(path):
    if path.suffix == ".md":
        return {slug_of(h) for h in re.findall(r"^#+ (.+)$", without_code(path.read_text(encoding="utf-8")), re.M)}
    sources = [without_code("".join(cell["source"])) for cell in cells_of(path) if cell["cell_type"] == "markdown"]
    return {fragment_of(h) for source in sources for h in re.findall(r"^#+ (.+)$", source, re.M)}


@cache
def controls_of(path):
    """{cell id: names of the inputs} of the stored controls of a notebook."""
    found = {}
    for cell in cells_of(path):
        for output in cell.get("outputs", []):
            block = "".join(output.get("data", {}).get("text/html", ""))
            if "<div data-vae-explorer=" in block:
                found[cell["id"]] = {"u1", "u2"}
            elif "<div data-vae-frames=" in block:
                data = json.loads(re.search(r'\]", (\{.*\})\);\n', block)[1])
                found[cell["id"]] = {each["name"] for each in data["inputs"]}
    return found


def state_problem(target, path, fragment):
    """What is wrong with a fragment cell-id?argument=value&…, which sets a control."""
    cell, _, state = fragment.partition("?")
    names = {pair.partition("=")[0] for pair in state.split("&")}
    if cell not in controls_of(path):
        return f"{target}: there is no stored control"
    if unknown := names - controls_of(path)[cell]:
        return f"{target}: the control has no {', '.join(sorted(unknown))}"
    return None


def link_problem(target, base):
    """What is wrong with a link in a file of the folder `base`, or None. Addresses on the web are not asked."""
    if "://" in target or target.startswith("mailto:"):
        return None
    name, _, fragment = target.partition("#")
    path = base / name
    if not name or not path.is_file():
        return f"{target}: there is no such file"
    if fragment and not fragment.isascii():
        return f"{target}: browsers encode letters outside of ASCII, and JupyterLab does not decode them"
    if re.search(r"\?[^?]*=", fragment):
        return state_problem(target, path, fragment)
    if fragment and fragment not in headings_of(path):
        return f"{target}: there is no such heading"
    return None


def printed(cell):
    """What a code cell has printed, and the descriptions of its pictures."""
    said = []
    for output in cell.get("outputs", []):
        said += ["".join(output.get("text", "")), "".join(output.get("data", {}).get("text/plain", ""))]
        said += [
            meta["alt"] for meta in output.get("metadata", {}).values() if isinstance(meta, dict) and "alt" in meta
        ]
    return "\n".join(said)


def section_of(path, fragment, outputs_only=False):
    """All text from the heading with this id to the next of its level or above; without a fragment, of the file."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    level, found = (0, []) if not fragment else (None, [])
    for cell in cells_of(path):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            found += [printed(cell), "" if outputs_only else source] * (level is not None)
            continue
        for line in source.splitlines():
            if match := re.match(r"(#+) (.+)$", line):
                if level is None and fragment_of(match[2]) == fragment:
                    level = len(match[1])
                elif level and len(match[1]) <= level:
                    return "\n".join(found)
            found += [line] * (level is not None and not outputs_only)
    return "\n".join(found)


def numbers_in(text):
    """Decimals and percentages, without signs: {"0.60", "83%"}."""
    return set(NUMBER.findall(re.sub(r"(?<=\d)[  ]%", "%", text)))
