"""The class on one machine: one learner is measured, and nobody is left running where memory ends."""

import csv
import sys

import load
import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells how much memory kernels share")


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "TABLE", tmp_path / "learners.csv")
    monkeypatch.setattr(load, "EVERY", 0.2)
    return lambda: list(csv.DictReader((tmp_path / "learners.csv").read_text().splitlines()))


def kernels():
    return [child for child in psutil.Process().children(recursive=True) if "ipykernel" in " ".join(child.cmdline())]


def test_a_learner_is_measured_from_the_first_cell_to_the_last(table):
    load.main(["--chapter", "15", "--learners", "1", "--threads", "1"])
    (row,) = table()
    assert row["learners"] == "1" and row["failed"] == "0" and row["threads each"] == "1"
    assert 0 < float(row["imports s"]) <= float(row["chapter s"]) and 50 < float(row["peak MB each"]) < 2000
    assert kernels() == []


def test_where_memory_ends_everybody_is_stopped_and_counted(table, monkeypatch, capsys):
    monkeypatch.setattr(load, "SPARE", 1e18)
    load.main(["--chapter", "15", "--learners", "2", "--threads", "1"])
    assert table()[0]["failed"] == "2" and "the memory of the machine was used up" in capsys.readouterr().out
    assert kernels() == []


@pytest.mark.parametrize("wrong", [["--chapter", "99"], ["--learners", "0"]])
def test_what_cannot_be_run_is_named(wrong):
    with pytest.raises(SystemExit, match="--chapter must be the number of one and --learners 1 or more, got"):
        load.main(wrong)
