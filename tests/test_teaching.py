"""The folder teaching/: its links lead somewhere, its numbers stand where it points, its minutes add up."""

import csv
import math
import re
from pathlib import Path

import pytest
from sections import link_problem, links_of, numbers_in, section_of, without_code

from vae_helpers.exercises import ALL

ROOT = Path(__file__).resolve().parents[1]
TEACHING = ROOT / "teaching"
PAGES = sorted(TEACHING.glob("*.md"))
PLANS = {"45_minutes.md": [45], "90_minutes.md": [90], "four_sessions.md": [90, 90, 90, 90]}
NO_NAMES = {"predict", "check"}  # code in a plan that is no exercise


def text_of(name):
    return (TEACHING / name).read_text(encoding="utf-8")


def missing_numbers(text):
    """Decimals and percentages of an entry or a row that stand in none of the sections it links to."""
    told = set()
    for target in links_of(text):
        name, _, fragment = target.partition("#")
        told |= numbers_in(section_of(TEACHING / name, fragment)) if name.endswith(".ipynb") else set()
    return sorted(numbers_in(re.sub(r"\]\([^)\s]+\)", "]", without_code(text))) - told)


def rows_of(plan):
    """The rows of each table of a plan, as lists of cells."""
    tables = re.findall(r"^\| minutes .*\n\|[-|]+\n((?:\|.*\n)+)", plan, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split(" | ")] for row in t.splitlines()] for t in tables]


def minutes_of(plan):
    return [sum(int(row[0]) for row in table) for table in rows_of(plan)]


def exercises_in(plan):
    homework = "\n".join(re.findall(r"^\*\*Homework\.\*\*.*$", plan, re.MULTILINE))
    return set(re.findall(r"`([a-z0-9-]+)`", homework)) - NO_NAMES


def entries_of(page):
    return [entry for entry in re.split(r"^#{2,3} ", page, flags=re.MULTILINE)[1:] if "**Answer.**" in entry]


def test_the_class_on_one_machine_is_the_one_that_was_measured():
    lines = (TEACHING / "learners.csv").read_text(encoding="utf-8").splitlines()
    for row in csv.DictReader(lines):
        told = [row[name] for name in ("learners", "chapter s", "slowest s", "peak GB together")]
        assert f"| {' | '.join(told)} |" in text_of("README.md") and row["failed"] == "0", row
        machine = f"{row['cores']} cores and {float(row['memory GB']):.0f} GB"
        assert machine in text_of("README.md") and row["chapter"] == "06"


def test_the_pages_are_there():
    names = {path.name for path in PAGES}
    assert names >= {"README.md", "misconceptions.md", "work_sheet.md", "work_sheet_answers.md", *PLANS}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path):
    targets = sorted(set(links_of(path.read_text(encoding="utf-8"))))
    assert [problem for target in targets if (problem := link_problem(target, TEACHING))] == []


@pytest.mark.parametrize("plan", PLANS)
def test_the_minutes_add_up_and_every_step_has_a_section(plan):
    assert minutes_of(text_of(plan)) == PLANS[plan]
    for row in (row for table in rows_of(text_of(plan)) for row in table):
        assert len(row) == 5 and all(row), row
        assert re.search(r"\.ipynb#.", "".join(links_of(row[1]))), row
    assert text_of(plan).count("**If time runs out.**") == len(PLANS[plan])


@pytest.mark.parametrize("plan", PLANS)
def test_every_exercise_of_a_plan_exists(plan):
    assert exercises_in(text_of(plan)), "a plan gives homework"
    assert exercises_in(text_of(plan)) - set(ALL) == set()


def test_every_number_of_a_misconception_stands_where_it_points():
    entries = entries_of(text_of("misconceptions.md"))
    assert len(entries) >= 20
    assert {entry.split("\n")[0]: lost for entry in entries if (lost := missing_numbers(entry))} == {}


def test_every_misconception_has_its_parts():
    for entry in entries_of(text_of("misconceptions.md")):
        parts = re.findall(r"^- \*\*([^*]+)\*\*", entry, re.MULTILINE)
        assert [part.rstrip(".") for part in parts] == ["Why it is tempting", "Ask", "Answer", "See"], entry
    outside = re.split(r"^### .*?(?=^#|\Z)", text_of("misconceptions.md"), flags=re.MULTILINE | re.DOTALL)
    assert "**Answer.**" not in "".join(outside)


@pytest.mark.parametrize("plan", PLANS)
def test_every_number_of_a_step_stands_where_it_points(plan):
    rows = [" | ".join(row) for table in rows_of(text_of(plan)) for row in table]
    assert {row: lost for row in rows if (lost := missing_numbers(row))} == {}


def price(mu, sigma):
    return (mu**2 + sigma**2 - 1 - math.log(sigma**2)) / 2


def test_the_answers_of_the_work_sheet_are_right():
    answers = text_of("work_sheet_answers.md")
    for value in (price(1, 0.5), price(0, 0.5), math.log(2), math.exp(-3.5), *(math.log(8 / b) / 2 for b in (0.5, 4))):
        assert f"{value:.3f}" in answers
    assert f"{5 / math.log(2):.1f} bits" in answers and abs(price(0, 0.030) - 3) < 0.01
    shares = {number for number in numbers_in(text_of("work_sheet.md")) if number.endswith("%")}
    chapter = ROOT / "notebooks" / "06_without_and_with_kl.ipynb"
    told = numbers_in(section_of(chapter, "How-much-of-what-a-model-can-show-is-reached?"))
    assert len(shares) > 20 and shares - told == set()


STEP = "[size](../notebooks/05_kl_term.ipynb#A-price)"


def test_each_check_can_fail():
    assert link_problem("../LICENSE", TEACHING) is None and "file" in link_problem("#x", TEACHING)
    assert "heading" in link_problem("README.md#Large-print", TEACHING)
    assert link_problem("README.md#large-print", TEACHING) is None
    assert missing_numbers(f"One bit is 0.693 nats. {STEP}") == []
    assert missing_numbers(f"One bit is 0.694 nats, 12 % of it. {STEP}") == ["0.694", "12%"]
    assert missing_numbers("One bit is 0.693 nats.") == ["0.693"]
    table = f"| minutes | show |\n|---|---|\n| 4 | {STEP} |\n| 6 | {STEP} |\n"
    assert minutes_of(table) == [10] and minutes_of(table + "\n" + table.replace("6", "7")) == [10, 11]
    assert exercises_in("**Homework.** `one-nat`, `two-nats`.\n`x`") - set(ALL) == {"two-nats"}
    assert {"one-nat", "grey-page", "chain-kl"} <= set(ALL)
