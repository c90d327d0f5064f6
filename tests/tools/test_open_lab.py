"""tools/open_lab.py: which chapters it trusts, what it hands to JupyterLab, and the list of the committed ones."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import execute_notebooks
import nbformat
import open_lab
import pytest
from nbformat.sign import NotebookNotary

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_is_that_of_the_chapters():
    listed = (ROOT / "tools" / "chapters.sha256").read_text(encoding="utf-8")
    chapters = sorted((ROOT / "notebooks").glob("*.ipynb"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  notebooks/{path.name}\n" for path in chapters]
    assert listed == "".join(lines), "renew it: make notebooks, or sha256sum notebooks/*.ipynb > tools/chapters.sha256"


@pytest.mark.parametrize("options", [[], ["--only", "01"], ["--to", "trial"]])
def test_the_list_is_renewed_where_chapters_are_stored_in_place(project, monkeypatch, options):
    monkeypatch.chdir(project)
    monkeypatch.setattr(execute_notebooks, "HERE", project / "notebooks")
    monkeypatch.setattr(execute_notebooks, "run_one", lambda path, folder, *_: change(path) or [])
    before = (project / "tools" / "chapters.sha256").read_text()
    execute_notebooks.main(options)
    assert ((project / "tools" / "chapters.sha256").read_text() == before) == ("--to" in options)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of two listed chapters, with Jupyter's data in a folder of its own."""
    for name in ("notebooks", "tools"):
        (tmp_path / name).mkdir()
    for name in ("00_a", "01_b"):
        cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("stream", text=name)])
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebooks" / f"{name}.ipynb")
    execute_notebooks.record(tmp_path / "notebooks")
    monkeypatch.setattr(open_lab.set_up, "ROOT", str(tmp_path))
    monkeypatch.setattr(open_lab, "LIST", str(tmp_path / "tools" / "chapters.sha256"))
    monkeypatch.setattr(open_lab, "left_behind", list)  # the threads of this process are not JupyterLab's
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path


def trusted(project):
    """Names of the chapters that Jupyter trusts as they lie on disk."""
    chapters = sorted((project / "notebooks").glob("*.ipynb"))
    with NotebookNotary() as notary:
        return [path.stem for path in chapters if notary.check_signature(nbformat.read(path, as_version=4))]


def change(path):
    path.write_bytes(path.read_bytes().replace(b'"1"', b'"2"'))


def test_exactly_the_committed_chapters_are_trusted(project):
    change(project / "notebooks" / "01_b.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), project / "notebooks" / "02_mine.ipynb")
    assert trusted(project) == []
    open_lab.trust(open_lab.committed())
    assert trusted(project) == ["00_a"]
    change(project / "notebooks" / "00_a.ipynb")  # trusted before, changed on disk since
    open_lab.trust(open_lab.committed())
    assert trusted(project) == []


def test_a_listed_chapter_may_be_missing(project):
    (project / "notebooks" / "00_a.ipynb").unlink()
    open_lab.trust(open_lab.committed())
    assert trusted(project) == ["01_b"]


def test_marks_of_a_merge_in_the_list_are_passed_over(project):
    path = project / "tools" / "chapters.sha256"
    path.write_text(f"<<<<<<< ours\n{path.read_text()}\n=======\n")
    open_lab.trust(open_lab.committed())
    assert trusted(project) == ["00_a", "01_b"]


@pytest.mark.parametrize("obstacle", ["a file for a folder", "no database", "a database of another kind"])
def test_signatures_that_cannot_be_kept_cost_a_sentence(project, monkeypatch, capsys, obstacle):
    if obstacle == "a file for a folder":
        (project / "data").write_text("")
    else:
        trusted(project)  # makes the folder
        database = project / "data" / "nbsignatures.db"
        database.unlink()
        if obstacle == "no database":
            (project / "data" / "nbsignatures.db.bak" / "full").mkdir(parents=True)  # nor can Jupyter move it away
            database.mkdir()
        else:
            import sqlite3

            with sqlite3.connect(database) as db:
                db.execute("CREATE TABLE nbsignatures (algorithm TEXT CHECK (0), signature TEXT)")
    open_lab.trust(open_lab.committed())
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and "stand still until their cells are run" in said[0]


def test_options_pass_through_and_the_settings_stand_first(project, monkeypatch):
    handed = []
    monkeypatch.setattr("jupyterlab.labapp.main", lambda options: handed.append(options))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    with pytest.raises(SystemExit):
        open_lab.main(["--no-browser", "--port=9"])
    assert handed == [["--no-browser", "--port=9"]]
    assert os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep) == [str(ROOT / ".jupyter"), "/mine"]


@pytest.mark.parametrize("rest", ["", "leave = threading.Event(); threading.Thread(target=leave.wait).start()"])
def test_a_server_that_stops_ends_the_command(project, rest):
    code = (
        f"import sys, threading; sys.path.insert(0, {str(ROOT / 'tools')!r})\n"
        "import open_lab, jupyterlab.labapp\n"
        f"open_lab.set_up.ROOT, open_lab.LIST = {str(project)!r}, {open_lab.LIST!r}\n"
        f"def run(options): print('stopped'); {rest}\n"
        "jupyterlab.labapp.main, open_lab.left_behind.__defaults__ = run, (0.1,)\n"
        "open_lab.main([])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.endswith("stopped\n") and not done.stderr


def test_a_python_without_jupyterlab_hands_over_to_venv(project, monkeypatch):
    done = []
    monkeypatch.setattr(open_lab.set_up, "VENV", str(project / ".venv"))  # another than the one that runs this
    monkeypatch.setattr(open_lab, "find_spec", lambda name: name == "vae_helpers")
    monkeypatch.setattr("jupyterlab.labapp.main", lambda options: done.append("JupyterLab"))
    monkeypatch.setattr(open_lab.set_up, "main", lambda: done.append("set up"))
    monkeypatch.setattr(os, "execv", lambda *command: sys.exit(done.append(command)))
    with pytest.raises(SystemExit):
        open_lab.main(["--no-browser"])
    python = open_lab.set_up.VENV_PY
    assert done == ["set up", (python, [python, str(ROOT / "tools" / "open_lab.py"), "--no-browser"])]
