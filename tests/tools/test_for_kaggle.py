"""The folder for Kaggle: its metadata, and chapters that run from it alone (all: tools/for_kaggle.py --check)."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import for_kaggle
import nbformat
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("to kaggle") / "kaggle"
    for_kaggle.main(["--to", str(folder), "--owner", "someone", "--mnist", "other/mnist"])
    return folder


def kernels(folder):
    return sorted((folder / "kernels").iterdir())


def test_every_chapter_is_a_kernel_without_the_internet(folder):
    names = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert [place.name for place in kernels(folder)] == names
    for place in kernels(folder):
        about = json.loads((place / "kernel-metadata.json").read_text(encoding="utf-8"))
        assert about["enable_internet"] is False and about["is_private"] is True
        assert about["dataset_sources"] == ["someone/vae-kl-chapters", "other/mnist"]
        assert (place / about["code_file"]).is_file() and len(about["title"]) <= 50
        assert about["id"] == "someone/" + re.sub(r"[^a-z0-9]+", "-", about["title"].lower())  # as Kaggle derives it


def test_the_data_set_is_whole_and_small(folder):
    data = folder / "dataset" / "vae_chapters"
    files = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    assert {"on_kaggle.py", "vae_helpers/weights/with_kl.safetensors", "notebooks/results/runs.csv"} <= files
    assert not [name for name in files if "__pycache__" in name or "my-progress" in name or "ubyte" in name]
    assert sum(path.stat().st_size for path in data.rglob("*")) < 60e6
    about = json.loads((folder / "dataset" / "dataset-metadata.json").read_text(encoding="utf-8"))
    assert about["id"] == "someone/vae-kl-chapters" and 6 <= len(about["title"]) <= 50


def test_a_learners_own_notes_and_what_links_lead_to_stay_at_home(tmp_path):
    names = ["06_a.ipynb", "results", "runs.csv", "notes.md", "my-progress.json", "runs", "linked.ipynb"]
    (tmp_path / "private").touch()
    (tmp_path / "linked.ipynb").symlink_to(tmp_path / "private")
    left = for_kaggle.left_at_home(str(tmp_path), names)
    assert set(names) - left == {"06_a.ipynb", "results", "runs.csv"}


def test_only_the_first_cell_and_links_differ(folder):
    for place in kernels(folder):
        ours = nbformat.read(ROOT / "notebooks" / f"{place.name}.ipynb", as_version=4)
        theirs = nbformat.read(place / f"{place.name}.ipynb", as_version=4)
        nbformat.validate(theirs)
        assert [c.source for c in theirs.cells[1:] if c.cell_type == "code"] == [
            c.source for c in ours.cells if c.cell_type == "code"
        ]
        text = "\n".join(c.source for c in theirs.cells if c.cell_type == "markdown")
        assert not re.search(r"\]\(\d\d\w*\.ipynb|\]\(\.\./", text)  # files that are not there


def test_the_data_set_is_asked_for_where_it_is_missing(tmp_path):
    (tmp_path / "working").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", for_kaggle.FIND], cwd=tmp_path / "working", capture_output=True, text=True
    )
    assert done.returncode and done.stderr.strip() == "Attach the data set vae-kl-chapters: Add input."


@pytest.mark.parametrize("number", ["00", "15"])
def test_a_chapter_runs_with_nothing_but_its_input(folder, number):
    assert for_kaggle.check(folder, sys.executable, number) == []


def test_the_check_does_not_see_our_package(folder, tmp_path):
    code = "import vae_helpers"
    where = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, env={"PATH": os.environ["PATH"]})
    assert where.returncode  # with its .pth files it would


def test_other_files_are_not_overwritten(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(SystemExit, match="holds other files"):
        for_kaggle.main(["--to", str(tmp_path)])
