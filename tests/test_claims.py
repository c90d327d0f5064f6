"""Chapter 14 row by row: four filled columns, one of three verdicts, links that lead somewhere, numbers found there."""

import copy
import json
import re
from pathlib import Path

import pytest
from sections import link_problem, links_of, section_of

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CHAPTER = NOTEBOOKS / "14_claims.ipynb"
VERDICTS = "stands", "with a condition", "falls"
TEXTS = {"B": "blog post", "F": "forum thread", "N": "lecture notes", "O": "other material"}
MOST_WORDS, FEWEST_ROWS = 10, 60
LABEL = r"[BFNO]\d+"


def markdown_of(nb):
    return ["".join(cell["source"]) for cell in nb["cells"] if cell["cell_type"] == "markdown"]


def output_of(cell):
    outputs = cell.get("outputs", [])
    return "\n".join("".join(out.get("text") or out.get("data", {}).get("text/plain", "")) for out in outputs)


def rows_of(nb):
    """The lines of every table but its head: [[label, place, quote, verdict, evidence]]."""
    lines = [line for source in markdown_of(nb) for line in source.splitlines() if line.startswith("|")]
    rows = [[column.strip() for column in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in rows if row[0] != "" and not re.fullmatch(r"[-|\s]+", "".join(row))]


def printed_by(nb):
    """{label: the lines that begin with it in the outputs of the chapter}."""
    lines = [line for cell in nb["cells"] for line in output_of(cell).splitlines()]
    found = {}
    for line in lines:
        if match := re.match(LABEL + r"\b", line):
            found[match[0]] = found.get(match[0], "") + line + "\n"
    return found


def lines_in(text):
    """The labels that "line B12" and "lines B12 and B13" name."""
    named = re.findall(rf"\b[Ll]ines? ({LABEL}(?:(?:, | and ){LABEL})*)", text)
    return [label for group in named for label in re.findall(LABEL, group)]


def plain(text):
    """Numbers as they are compared: no separators of thousands, no space or backslash before the sign of per cent."""
    return re.sub(r"(\d)\s?\\?%", r"\1%", re.sub(r"(?<=\d)(?:,|\{,\})(?=\d{3})", "", text))


def numbers_in(evidence):
    """What must stand elsewhere: decimals, percentages, and whole numbers of two digits or more."""
    text = re.sub(rf"\]\([^)]*\)|`[^`]*`|\b[Ll]ines? {LABEL}|\b[Cc]hapters? \d\d", " ", evidence)
    found = re.findall(r"(?<![\w.])\d+(?:\.\d+)?%?", plain(text))
    return [number for number in found if not re.fullmatch(r"\d", number)]


def stands_in(number, text):
    return re.search(rf"(?<![\d.]){re.escape(number)}(?!\d|\.\d)", plain(text)) is not None


def row_problems(row, printed):
    """Sentences on one row; printed: of `printed_by`. Its numbers must stand in its own line or in a linked section."""
    if len(row) != 5 or not all(row):
        return [f"{row[0]}: not four filled columns after the label"]
    label, _, quote, verdict, evidence = row
    found = [f"{label}: {verdict!r} is no verdict"] * (verdict not in VERDICTS)
    found += [f"{label}: no label of a text"] * (not re.fullmatch(LABEL, label))
    words = [word for word in quote.split() if re.search(r"\w", word)]
    found += [f"{label}: a quote of {len(words)} words"] * (len(words) > MOST_WORDS)
    cited, links = lines_in(evidence), links_of(evidence)
    found += [f"{label}: neither a link nor a line"] * (not cited and not links)
    found += [f"{label}: cites line {other}, not its own" for other in cited if other != label]
    problems = [link_problem(target, NOTEBOOKS) or ("#" not in target and f"{target}: no heading") for target in links]
    found += [f"{label}: {problem}" for problem in problems if problem]
    if found:
        return found
    pointed = [target.partition("#") for target in links]
    known = [printed.get(name, "") for name in cited] + [
        section_of(NOTEBOOKS / name, part) for name, _, part in pointed
    ]
    known = "\n".join(known)
    return [f"{label}: {n} stands in no evidence" for n in numbers_in(evidence) if not stands_in(n, known)]


def chapter_problems(nb):
    """Labels: unique, cited where printed and printed where cited; the counts of the verdicts; enough rows."""
    rows, printed = rows_of(nb), printed_by(nb)
    labels = [row[0] for row in rows]
    found = [f"{label}: used twice" for label in sorted({x for x in labels if labels.count(x) > 1})]
    found += [f"only {len(rows)} rows"] * (len(rows) < FEWEST_ROWS)
    cited = {label for source in markdown_of(nb) for label in lines_in(source)}
    own = {row[0] for row in rows if row[0] in lines_in(row[-1])}
    found += [f"{label}: cited, never printed" for label in sorted(cited - set(printed))]
    found += [f"{label}: printed, not cited by its row" for label in sorted(set(printed) - own)]
    said = "\n".join(output_of(cell) for cell in nb["cells"])
    closing = f"Of {len(rows)} rows {[row[3:4] for row in rows].count(['falls'])} fall"
    found += [f"the closing does not say {closing!r}"] * (closing not in "\n".join(markdown_of(nb)))
    for letter, name in TEXTS.items():
        verdicts = [row[3] for row in rows if row[0].startswith(letter) and len(row) == 5]
        counts = [verdicts.count(verdict) for verdict in VERDICTS]
        wanted = r"{} +{} rows: +{} stand, +{} with a condition, +{} fall\b".format(name, len(verdicts), *counts)
        found += [f"{name}: the counted verdicts are {counts}"] * (not re.search(wanted, said))
    return found


def problems(nb):
    printed = printed_by(nb)
    return [problem for row in rows_of(nb) for problem in row_problems(row, printed)] + chapter_problems(nb)


def read():
    return json.loads(CHAPTER.read_text(encoding="utf-8"))


def test_every_row_has_evidence_that_holds_its_numbers():
    found = problems(read())
    assert not found, "\n".join(found)


def exchanged(old, new):
    """A fault: one text of the tables exchanged for another, once."""

    def inject(nb):
        for cell in nb["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown" and old in source:
                cell["source"] = source.replace(old, new, 1)
                return
        raise LookupError(old)

    return inject


def unprinted(start):
    """A fault: the line that begins so is gone from the outputs."""

    def inject(nb):
        for cell in nb["cells"]:
            for out in cell.get("outputs", []):
                out["text"] = [line for line in "".join(out["text"]).splitlines(True) if not line.startswith(start)]

    return inject


FAULTS = {
    "another verdict": (exchanged("| stands | It bends", "| mostly | It bends"), "B9: 'mostly' is no verdict"),
    "an empty column": (exchanged("| stands | It bends", "| | It bends"), "B9: not four filled"),
    "a column less": (exchanged("| stands | It bends", "| It bends"), "B9: not four filled"),
    "a label twice": (exchanged("| B2 |", "| B1 |"), "B1: used twice"),
    "a label of no text": (exchanged("| B2 |", "| X2 |"), "X2: no label of a text"),
    "eleven words": (exchanged("| lossy |", "| a b c d e f g h i j k |"), "N2: a quote of 11 words"),
    "a decimal of a section": (exchanged("0.403 ± 0.011", "0.413 ± 0.011"), "B3: 0.413 stands"),
    "an interval of a section": (exchanged("0.403 ± 0.011", "0.403 ± 0.012"), "B3: 0.012 stands"),
    "a decimal of a line": (exchanged("0.068 ± 0.001 (line B31)", "0.086 ± 0.001 (line B31)"), "B31: 0.086 stands"),
    "digits left out": (exchanged("0.356 → 0.935 (line B32)", "0.35 → 0.935 (line B32)"), "B32: 0.35 stands"),
    "a percentage": (exchanged("91.1 %", "91.2 %"), "B37: 91.2% stands"),
    "per cent of no per cent": (exchanged("45.53 nats", "45.53 %"), "N7: 45.53% stands"),
    "a whole number": (exchanged("from 392 to 784 (line F33)", "from 392 to 785 (line F33)"), "F33: 785 stands"),
    "a number of another row": (exchanged("0.068 ± 0.001 (line B31)", "91.1 % (line B31)"), "B31: 91.1% stands"),
    "a line of another row": (exchanged("(line B31)", "(line B32)"), "B31: cites line B32"),
    "no evidence": (exchanged("| Line F25 |", "| By sympy |"), "F25: neither a link nor a line"),
    "a heading": (exchanged("ipynb#Holes)", "ipynb#Hole)"), "B28: 09_standard_normal.ipynb#Hole: there is no such"),
    "no heading": (exchanged("ipynb#Holes)", "ipynb)"), "B28: 09_standard_normal.ipynb: no heading"),
    "a notebook": (exchanged("09_standard_normal.ipynb#Holes", "09_holes.ipynb#Holes"), "B28: 09_holes.ipynb#Holes"),
    "a heading of another chapter": (exchanged("09_standard_normal.ipynb#Holes", "08_turning_beta.ipynb#Holes"), "B28"),
    "a line not printed": (unprinted("F25"), "F25: cited, never printed"),
    "a line not cited": (exchanged("With it β would be 2 and σx = 1.00 (line B17)", "See [the bound]"
        "(04_elbo.ipynb#The-bound,-in-three-lines)"), "B17: printed, not cited"),
    "prose that cites no line": (exchanged("(line B39). And", "(line B99). And"), "B99: cited, never printed"),
    "a verdict counted wrong": (exchanged("| falls | p(x", "| stands | p(x"), "blog post: the counted verdicts"),
    "a closing with another count": (exchanged(" fall;**", " fell;**"), "the closing does not say"),
    "no counts": (unprinted("forum thread "), "forum thread: the counted verdicts"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_reported(fault):
    inject, sentence = FAULTS[fault]
    nb = copy.deepcopy(read())
    inject(nb)
    assert [problem for problem in problems(nb) if problem.startswith(sentence)], problems(nb)


def test_a_section_ends_at_the_next_heading_of_its_level(tmp_path):
    cells = [{"cell_type": "markdown", "source": "## One thing\nfirst 1.5\n### Part\nsecond 2.5\n## Two\nthird 3.5"}]
    cells.append({"cell_type": "code", "source": "# Comment\nx", "outputs": [{"text": ["printed 4.5\n"]}]})
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    found = {name: section_of(path, name) for name in ("One-thing", "Part", "Two")}
    assert "2.5" in found["One-thing"] and "3.5" not in found["One-thing"] and "4.5" in found["Two"]


def test_numbers_are_found_and_compared_whole():
    text = "β = 2 falls by 0.5, 91.1 % of 12,288 (line B12), [3.5](01_a.ipynb#B), chapter 03"
    assert numbers_in(text) == ["0.5", "91.1%", "12288", "3.5"]
    assert stands_in("0.5", "is 0.5.") and not stands_in("0.5", "10.5, 0.55, 0.5.1")
    assert stands_in("12288", r"$12{,}288$") and stands_in("91.1%", "91.1 %") and not stands_in("91.1%", "91.1 of")
