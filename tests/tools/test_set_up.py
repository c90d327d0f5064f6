"""tools/set_up.py with Pythons and a uv that are short shell scripts: what it chooses, says, runs and leaves behind."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import set_up

fcntl = pytest.importorskip("fcntl")  # the stand-ins are shell scripts: Linux and macOS only
ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
echo "${0##*/} $*" >>log
case "$0 $*" in
  *"sys.exit(not"*) case "$0" in *3.9) exit 1;; esac;;
  *"import venv, ensurepip") exit ${NO_ENSUREPIP:-0};;
  *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
  *"config list") [ -z "$NO_PIP" ] || exit 1; printf '%s\\n' "$PIP_SAYS";;
  *" install "*) [ "$PIP_USER$PIP_REQUIRE_VIRTUALENV" = 00 ] || exit 1;;
esac
case "$*" in
  *"--target"*) cp .venv/uv/wanted.txt . && mkdir -p .venv/uv/bin && cp "$FETCHED" .venv/uv/bin/uv;;
  *" install "*) ls .venv >>log; exit ${PIP_FAILS:-0};;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >>log
case "$*" in
  "--version") exit ${UV_BROKEN:-0};;
  "venv "*) mkdir -p .venv/bin; cp "$BIN"/python3* .venv/bin/python;;
  *requirements.lock)
    echo "$UV_DEFAULT_INDEX $SSL_CERT_FILE" >settings
    touch .venv/half; eval "${UV_DOES:-:}"; rm .venv/half;;
esac
"""
LOCK = "tqdm==1 \\\n    --hash=a\nuv==2 \\\n    --hash=b\n    # via me\nz==3\n"
NO_UV = {"FETCHED": "/nowhere"}
DRIVER = """import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
sys.executable, sys.prefix = sys.argv[1], sys.base_prefix
runpy.run_path("tools/set_up.py", run_name="__main__")"""


@pytest.fixture
def project(tmp_path):
    """A project with the program, a lock and, in bin/, a Python and a uv to fetch; .run() runs the program there."""
    return Project(tmp_path / "a földer")


class Project:
    def __init__(self, folder):
        self.folder, self.bin = folder, folder / "bin"
        (folder / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "set_up.py", folder / "tools")
        (folder / "requirements.lock").write_text(
            "tqdm==1 \\\n    --hash=a\nuv==2 \\\n    --hash=b\n    # via me\nz==3\n"
        )
        self.bin.mkdir()
        for name in ("sh", "mkdir", "cp", "ls", "touch", "rm", "kill"):
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self.add("python3", PYTHON)
        self.add("fetched", UV)

    def add(self, name, script):
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def run(self, python="python3", code=0, **env):
        """What the program says, and the lines that the scripts logged; fails unless it ends with `code`."""
        (self.folder / "log").write_text("")
        env = {"PATH": str(self.bin), "BIN": str(self.bin), "FETCHED": str(self.bin / "fetched")} | env
        command = [sys.executable, "-c", DRIVER, str(self.bin / python)]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr, (self.folder / "log").read_text().splitlines()

    @property
    def stamp(self):
        return json.loads((self.folder / ".venv" / "installed").read_text())


def test_from_nothing_uv_installs_what_is_locked_and_then_nothing_is_done(project):
    said, log = project.run()
    venv_py = project.folder / ".venv" / "bin" / "python"
    into = f"uv pip install --python {venv_py} --quiet"
    assert log[-2:] == [
        f"{into} --require-hashes -r requirements.lock",
        f"{into} --no-deps --no-build-isolation -e .",
    ]
    assert re.search("one minute.*6 GB on Linux|one minute.*On Linux.*6 GB.*interrupted and repeated", said, flags=re.S)
    assert (project.folder / "wanted.txt").read_text() == "uv==2 \\\n    --hash=b\n"  # uv's own lines, hash included
    assert "pip installs" not in said and not (project.folder / ".venv" / "uv").exists()
    assert project.run() == ("", ["python -I -c "])


@pytest.mark.parametrize("spoil", ["lock", "move", "copy", "python", "stamp", "deep", "pipe", "link"])
def test_a_venv_that_is_not_right_is_built_anew(project, spoil):
    project.run()
    (project.folder / ".venv" / "by hand").touch()
    if spoil == "lock":
        (project.folder / "requirements.lock").write_text("uv==3\n")
    elif spoil in ("move", "copy"):
        other = project.folder.parent / "elsewhere"
        (shutil.move if spoil == "move" else shutil.copytree)(project.folder, other)
        project.folder, project.bin = other, other / "bin"
    elif spoil == "link":
        store = (project.folder / ".venv").rename(project.folder.parent / "store")
        (project.folder / ".venv").symlink_to(store)
        (project.folder / "requirements.lock").write_text("uv==3\n")
    elif spoil == "python":
        (project.folder / ".venv" / "bin" / "python").unlink()
    else:
        (project.folder / ".venv" / "installed").unlink()
        if spoil == "deep":
            (project.folder / ".venv" / "installed").write_text("[" * 100_000)
        elif spoil == "pipe":
            os.mkfifo(project.folder / ".venv" / "installed")
    said, log = project.run()
    assert "The set-up is complete." in said and any("requirements.lock" in line for line in log)
    assert project.stamp["folder"] == str(project.folder)
    assert not (project.folder / ".venv" / "by hand").exists() and not list(project.folder.glob(".venv.*"))


def test_one_that_was_made_through_a_link_is_left_alone(project):
    project.run()
    link = project.folder.parent / "link"
    link.symlink_to(project.folder)
    project.folder = link
    assert project.run()[0] == ""


@pytest.mark.parametrize(
    ("env", "word"),
    [
        (NO_UV, "cannot be had"),
        ({"UV_BROKEN": "1"}, "cannot be had"),
        ({"UV_DOES": "exit 1"}, "failed"),
    ],
)
def test_where_uv_will_not_do_pip_does_the_same_with_one_notice(project, env, word):
    said, log = project.run(**env)
    notices = [line for line in said.splitlines() if "uv" in line]
    assert len(notices) == 1 and word in notices[0] and "pip installs" in notices[0]
    installs = [line for line in log if re.search("^python .* install .*(lock|-e .)$", line)]
    assert [line.split(" install ")[1] for line in installs] == [
        "--require-hashes -r requirements.lock",
        "--no-deps --no-build-isolation -e .",
    ]
    assert "half" not in log and project.stamp["lock"]  # pip found nothing that uv had left


def test_a_uv_on_the_path_stands_in_for_one_that_cannot_be_fetched(project):
    project.add("uv", UV)
    said, log = project.run(**NO_UV)
    assert "pip installs" not in said and any(line.startswith("uv pip install") for line in log)


@pytest.mark.parametrize("before", ["nothing", "a .venv of another lock"])
def test_where_pip_fails_too_it_says_so_and_leaves_what_worked(project, before):
    if before != "nothing":
        project.run()
        (project.folder / "requirements.lock").write_text("uv==3\n")
    said, _ = project.run(**NO_UV, PIP_FAILS="1", code=1)
    assert said.endswith("pip could not install the packages, as it says above.\n")
    assert [path.name for path in project.folder.glob(".venv*")] == [".venv"] * (before != "nothing")
    assert before == "nothing" or ("by hand" in said and project.stamp["lock"])
    assert "complete" in project.run()[0]


@pytest.mark.parametrize("before", ["nothing", "a .venv of another lock"])
def test_killed_in_the_middle_it_starts_again_without_what_was_half_made(project, before):
    if before != "nothing":
        project.run()
        (project.folder / "requirements.lock").write_text("uv==3\n")
    project.run(UV_DOES="kill -9 $PPID; exit 1", code=-signal.SIGKILL)
    assert (project.folder / ".venv" / "half").exists()
    project.run(**NO_UV, PIP_FAILS="1", code=1)  # offline, say: what worked before the kill comes back
    assert [path.name for path in project.folder.glob(".venv*")] == [".venv"] * (before != "nothing")
    project.run(UV_DOES="kill -9 $PPID; exit 1", code=-signal.SIGKILL)
    assert "complete" in project.run()[0]
    assert not (project.folder / ".venv" / "half").exists() and not list(project.folder.glob(".venv.*"))


def test_an_interrupt_ends_in_one_sentence_and_does_not_turn_to_pip(project):
    said, _ = project.run(UV_DOES="kill -INT $PPID; exit 1", code=1)
    assert "Interrupted" in said and "Traceback" not in said and "pip installs" not in said
    assert not list(project.folder.glob(".venv*"))


def test_a_python_without_ensurepip_has_its_venv_made_by_uv(project):
    said, log = project.run(NO_ENSUREPIP="1")
    made = f"uv venv --quiet --allow-existing --python {project.bin / 'python3'} {project.folder / '.venv'}"
    assert made in log and "complete" in said


@pytest.mark.parametrize("env", [NO_UV, {"NO_PIP": "1"}])
def test_without_ensurepip_and_uv_one_sentence_says_what_to_install(project, env):
    said, _ = project.run(NO_ENSUREPIP="1", code=1, **env)
    assert said.splitlines()[-1].startswith(
        "Python lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv)"
    )
    assert not list(project.folder.glob(".venv*"))


def test_where_uv_fails_and_there_is_no_pip_one_sentence_says_so(project):
    said, _ = project.run(NO_ENSUREPIP="1", UV_DOES="exit 1", code=1)
    assert "no pip that could take over" in said.splitlines()[-1] and not list(project.folder.glob(".venv*"))


def test_a_python_that_is_too_old_looks_for_another(project):
    project.add("python3.9", PYTHON)
    (project.bin / "python3").rename(project.bin / "python3.12")
    _, log = project.run("python3.9")
    assert f"python3.12 -I -m venv {project.folder / '.venv'}" in log


def test_where_no_python_fits_uv_brings_one(project):
    (project.bin / "python3").rename(project.bin / "python3.9")
    said, log = project.run("python3.9")
    assert (
        f"uv venv --quiet --allow-existing --python 3.13 {project.folder / '.venv'}" in log
        and "brings Python 3.13" in said
    )
    project.run("python3.9")


def test_where_no_python_fits_and_no_uv_is_to_be_had_one_sentence_says_so(project):
    (project.bin / "python3").rename(project.bin / "python3.9")
    said, _ = project.run("python3.9", **NO_UV, code=1)
    assert said.splitlines()[-1].startswith("This project needs Python 3.10 to 3.15, and found none: install one")
    assert not list(project.folder.glob(".venv*"))


INDEX, CERT = "https://index.example/simple?a=b", "/certs/of the school.pem"


@pytest.mark.parametrize(
    ("listed", "env", "handed_over"),
    [
        ("", {}, " "),
        (f"global.cert='{CERT}'\nglobal.index-url='{INDEX}'\nglobal.timeout='3'", {}, f"{INDEX} {CERT}"),
        (f":env:.index-url='{INDEX}'\nglobal.index-url='http://other'", {}, f"{INDEX} "),
        (f"global.index-url='{INDEX}'", {"UV_DEFAULT_INDEX": "https://mine"}, "https://mine "),
        (f"global.cert='{CERT}'", {"SSL_CERT_FILE": "/mine.pem"}, " /mine.pem"),
    ],
)
def test_uv_is_told_the_index_and_the_certificates_of_pip(project, listed, env, handed_over):
    said, log = project.run(PIP_SAYS=listed, **env)
    assert (project.folder / "settings").read_text() == handed_over + "\n"
    assert "://" not in said + "".join(log)  # an index address may hold a password


def test_a_second_set_up_waits_for_the_first(project):
    project.run()
    stamp = project.folder / ".venv" / "installed"
    complete = stamp.read_text()
    stamp.unlink()
    with (project.folder / "requirements.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-c", DRIVER, str(project.bin / "python3")]
        env = {"PATH": str(project.bin)}
        with subprocess.Popen(command, cwd=project.folder, env=env, stdout=subprocess.PIPE, text=True) as second:
            assert "waiting" in second.stdout.readline()
            stamp.write_text(complete)
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert second.stdout.read() == "" and second.wait() == 0


@pytest.mark.parametrize("name", ["set_up.py", "open_lab.py"])
def test_the_programs_that_run_before_venv_are_plain_enough_for_python_3_6(name):
    ast.parse((ROOT / "tools" / name).read_text(encoding="utf-8"), feature_version=(3, 6))


def test_the_makefile_looks_for_the_same_pythons():
    [names] = re.findall(r"^NAMES *:= (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    assert names.split() == set_up.NAMES
    assert "python3.10" in names and "python3.15" in names and "python3.9" not in names


def test_a_virtual_environment_is_not_built_on_itself(project, monkeypatch):
    monkeypatch.setenv("PATH", str(project.bin))
    assert set_up.pythons()[1:] == [str(project.bin / "python3")]
    monkeypatch.setattr(set_up, "BIN", str(project.bin))  # as where .venv is active
    [own] = set_up.pythons()
    assert sys.prefix == sys.base_prefix or Path(sys.prefix) not in Path(own).parents
