"""What a public host reads agrees with the project: the Pythons, the forms, the citation; no package index is named."""

import re
from pathlib import Path

import pytest
import set_up
import yaml
from packaging.specifiers import SpecifierSet

import vae_helpers

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"]
YAML_FILES = [*sorted((ROOT / ".github").rglob("*.yml")), ROOT / "CITATION.cff"]
HOST_FILES = [*YAML_FILES, ROOT / "CHANGELOG.md", ROOT / "ERRATA.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOSTS = {"keepachangelog.com"}  # the only ones that these files may name
INDEX = re.compile(r"index-url|--find-links", re.I)
HOST = re.compile(r"://([\w.-]+)|\b([\w-]+\.(?:org|com|io|net))\b", re.I)


def read(path):
    return path.read_text(encoding="utf-8")


def minors(text):
    """(3, 10) from "3.10"."""
    return tuple(int(part) for part in text.split("."))


def disagreements(versions, requires, readme):
    """What is wrong with the workflow's Pythons, held against requires-python, the README's range and the set-up's."""
    found, [(oldest, newest)] = [minors(v) for v in versions], set(re.findall(r"Python (3\.\d+) to (3\.\d+)", readme))
    problems = [] if found == sorted(set(found)) else ["not in order, each once"]
    if requires != SpecifierSet(f">={oldest}") or found[0] != minors(oldest):
        problems.append("the oldest is not that of requires-python and the README")
    if [minor for _, minor in found] != list(range(minors(oldest)[1], minors(newest)[1] + 1)):
        problems.append("the range is not the README's")
    return problems + ["the range is not the set-up's"] * ((found[0], found[-1]) != (set_up.OLDEST, set_up.NEWEST))


def places_of_packages(text):
    """Hosts that these files may not name, and settings that name an index."""
    named = [host for pair in HOST.findall(text) for host in pair if host and host not in HOSTS]
    return named + [match[0] for match in INDEX.finditer(text)]


def test_the_workflow_runs_every_supported_python():
    workflow = yaml.safe_load(read(ROOT / ".github" / "workflows" / "test.yml"))
    versions = workflow["jobs"]["digits"]["strategy"]["matrix"]["python"]
    assert disagreements(versions, SpecifierSet(PROJECT["requires-python"]), read(ROOT / "README.md")) == []


@pytest.mark.parametrize(
    ("versions", "requires", "readme"),
    [
        ("3.11 3.12 3.13 3.14 3.15", ">=3.10", "3.10 to 3.15"),
        ("3.10 3.11 3.12 3.13 3.14", ">=3.10", "3.10 to 3.15"),
        ("3.10 3.11 3.13 3.14 3.15", ">=3.10", "3.10 to 3.15"),
        ("3.10 3.11 3.12 3.13 3.14 3.15", ">=3.11", "3.10 to 3.15"),
        ("3.10 3.11 3.12 3.13 3.14 3.15", ">=3.10", "3.10 to 3.14"),
        ("3.10 3.11 3.12 3.13 3.14", ">=3.10", "3.10 to 3.14"),  # tools/set_up.py takes 3.15
    ],
)
def test_a_range_that_differs_is_found(versions, requires, readme):
    assert disagreements(versions.split(), SpecifierSet(requires), f"You need Python {readme}.")


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yaml_parses(path):
    assert isinstance(yaml.safe_load(read(path)), dict)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_unless_a_job_asks_and_every_job_ends(path):
    workflow = yaml.safe_load(read(path))
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if job["timeout-minutes"] > 90] == []
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"actions/[\w/-]+@v\d+", action)] == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_offers_every_chapter(path):
    [chapters] = [
        field["attributes"]["options"] for field in yaml.safe_load(read(path))["body"] if field.get("id") == "chapter"
    ]
    assert set(re.findall(r"^\| \[(\d\da? .+?)\]\(notebooks/", read(ROOT / "README.md"), flags=re.M)) <= set(chapters)
    numbers = [option.split()[0] for option in chapters if option[0].isdigit()]
    assert numbers == [notebook.stem.split("_")[0] for notebook in sorted(ROOT.glob("notebooks/*.ipynb"))]


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load(read(ROOT / "CITATION.cff"))
    version = PROJECT.get("version", vae_helpers.__version__)  # pyproject.toml takes it from the package
    assert (citation["version"], citation["license"]) == (version, PROJECT["license"])
    assert [author["name"] for author in citation["authors"]] == re.findall(r"\(c\) \d+ (.+)", read(ROOT / "LICENSE"))


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda path: path.name)
def test_no_package_index_is_named(path):
    assert places_of_packages(read(path)) == []


def test_a_named_package_index_is_found():
    for line in (
        "url: https://mirror.example/simple",
        "pip install --index-url here",
        "see Mirror.org",
    ):
        assert places_of_packages(line), line
    assert places_of_packages("[Keep a Changelog](https://keepachangelog.com/en/1.1.0/), requests that pip makes") == []
