"""The matrix of dependencies: which corners there are, and that a corner that fails fails the run."""

import sys

import matrix
import pytest
import set_up


def test_the_outermost_corners_come_first_and_none_twice():
    found = matrix.corners(["3.10", "3.11", "3.13"])
    assert found[:2] == [("3.10", "oldest"), ("3.13", "newest")]
    assert sorted(found) == [(name, end) for name in ("3.10", "3.11", "3.13") for end in ("newest", "oldest")]
    assert matrix.corners(["3.12"]) == [("3.12", "oldest"), ("3.12", "newest")]


def test_a_python_that_does_not_run_does_not_count(tmp_path, monkeypatch):
    for name, code in (("python3.10", 127), ("python3.12", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert matrix.pythons() == {"3.12": str(tmp_path / "python3.12")}


@pytest.mark.parametrize("broken", [None, "installation", "tests"])
def test_what_fails_fails_the_run_and_stands_in_the_table(monkeypatch, capsys, broken):
    def call(*command, **options):
        return {"installation": "venv", "tests": "tests"}.get(broken) not in command

    monkeypatch.setattr(matrix, "pythons", lambda: {"3.10": sys.executable, "3.13": sys.executable})
    monkeypatch.setattr(matrix, "versions", lambda python: {"torch": "2.6.0"})
    monkeypatch.setattr(set_up, "call", call)
    with pytest.raises(SystemExit) as ended:
        matrix.main(["3.10-oldest"])
    table = capsys.readouterr().out.partition("| corner")[2]
    assert bool(ended.value.code) == bool(broken) and ("FAILED" in table) == bool(broken)
    assert "3.10-oldest" in table and "3.13-newest" not in table and (broken or "").split(" ")[0] in table


def test_an_unknown_corner_is_named_with_those_there_are(monkeypatch):
    monkeypatch.setattr(matrix, "pythons", lambda: {"3.12": sys.executable})
    with pytest.raises(SystemExit, match=r"2\.7-oldest is no corner here; there are: 3\.12-oldest, 3\.12-newest"):
        matrix.main(["2.7-oldest"])
