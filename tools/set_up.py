"""Build .venv from requirements.lock, or return at once when that is done: python tools/set_up.py

Any Python from 3.6 on can run this file; .venv gets one of OLDEST to NEWEST. pip fetches uv, checked by its hash, and
uv installs the locked packages in a fraction of pip's time; where uv is not to be had, or fails, pip installs them.
.venv is always built from nothing, so nothing half-made stays in it: what was fetched is kept in the tools' own caches,
and a .venv that still works is put back where the new one cannot be finished.
"""

import ast
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 10), (3, 15)
NAMES = ["python3", *(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)), "python"]
WANTED = "This project needs Python 3.10 to 3.15, and found none: install one, or name it: make lab PYTHON=python3.12"
ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
LOCK = os.path.join(ROOT, "requirements.lock")
VENV = os.path.join(ROOT, ".venv")
OLD = VENV + ".old"
EXE = ".exe" if os.name == "nt" else ""
BIN = os.path.join(VENV, "Scripts" if EXE else "bin")
VENV_PY = os.path.join(BIN, "python" + EXE)
STAMP = os.path.join(VENV, "installed")
SCRATCH = os.path.join(VENV, "uv")
PIP = ("-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "--quiet")
LOCKED = ("--require-hashes", "-r", "requirements.lock")
PROJECT = ("--no-deps", "--no-build-isolation", "-e", ".")


def main():
    """Do what is missing; ends the program with one sentence where it cannot be done."""
    try:
        if not complete():
            with alone():
                if not complete():  # another set-up may just have done it
                    replace()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted: run the same command again; what was fetched is kept.")
    except OSError as error:
        sys.exit(f"The set-up stopped: {error}; mend that and run the same command again.")


def complete():
    """Whether .venv was finished in this folder, from this lock, and its Python still runs."""
    return read_stamp().get("lock") == fingerprint() and works()


def works():
    """Whether the Python of .venv runs and lies where it was made: console scripts hold their folder's name."""
    return read_stamp().get("folder", ROOT) == ROOT and runs(VENV_PY, "-I", "-c", "")


def read_stamp():
    """{"folder": where .venv was made, "lock": from what, or None before the end}; empty without a stamp."""
    try:
        if not os.path.isfile(STAMP):  # a pipe would be waited for
            return {}
        with open(STAMP, encoding="ascii") as file:
            return dict(json.load(file))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def write_stamp(lock):
    with open(STAMP, "w", encoding="ascii") as file:
        json.dump({"folder": ROOT, "lock": lock}, file)


def fingerprint():
    with open(LOCK, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


@contextlib.contextmanager
def alone():
    """Let one set-up work in this folder at a time; where a file cannot be locked (Windows, some networks), go on."""
    with open(LOCK) as file:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another set-up is at work in this folder; waiting for it.")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def replace():
    """Build .venv, then drop the one it replaces; where that fails, put back one that worked."""
    if works() and read_stamp().get("lock", "unknown"):
        say("This .venv is not from this requirements.lock and is replaced, with all that was added to it by hand.")
        remove(OLD)
        os.rename(VENV, OLD)
    try:
        build()
    except BaseException:
        remove(VENV)
        if os.path.exists(OLD):
            os.rename(OLD, VENV)
        raise
    remove(OLD)


def build():
    """Make .venv and install the locked packages and the project into it; write the stamp when all is done."""
    python = next(filter(fits, pythons()), None)
    begin(python)
    pip, settings = find_pip()
    uv, environment = fetch_uv(pip), handed_over(settings)
    if not os.path.exists(VENV_PY):
        make_with_uv(uv, python, environment)
    say("Installing the packages of requirements.lock: about one minute on a fast line.")
    say("On Linux that is about 6 GB, since torch comes with its GPU libraries. It can be interrupted and repeated.")
    if not (uv and install_with_uv(uv, environment)):
        say(f"uv {'failed' if uv else 'cannot be had'} here, so pip installs the packages: three to four minutes.")
        if uv:  # what a failure leaves behind would pass for installed
            begin(python)
        if not os.path.exists(VENV_PY):
            sys.exit("uv failed, as it says above, and this Python has no pip that could take over.")
        install_with_pip()
    remove(SCRATCH)
    write_stamp(fingerprint())
    say("The set-up is complete.")


def pythons():
    """The Pythons that can be found, best first: the one that runs this, then those on the PATH; none of .venv."""
    own = sys.executable
    if sys.prefix != sys.base_prefix:  # in a virtual environment, perhaps the very .venv: the one it was made from
        own = os.path.realpath(getattr(sys, "_base_executable", own))
    path = os.pathsep.join(p for p in os.environ.get("PATH", os.defpath).split(os.pathsep) if p != BIN)
    return [own] + [found for found in (shutil.which(name, path=path) for name in NAMES) if found]


def fits(python):
    """Whether this Python runs and is one of OLDEST to NEWEST."""
    return runs(python, "-I", "-c", f"import sys; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})")


def begin(python):
    """Empty .venv and mark it unfinished; make it too if a Python is given that has ensurepip."""
    remove(VENV)
    os.mkdir(VENV)
    write_stamp(None)
    if python and runs(python, "-I", "-c", "import venv, ensurepip"):
        say("Making .venv.")
        call(python, "-I", "-m", "venv", VENV) or sys.exit("Python could not make .venv, as it says above.")


def make_with_uv(uv, python, environment):
    """Make .venv with uv, which needs no ensurepip and, where no Python fits, brings one."""
    if not uv and python:
        sys.exit("Python lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv) and repeat.")
    if not uv:
        sys.exit(f"{WANTED}.")
    say("Making .venv with uv." if python else "No Python here fits, so uv brings Python 3.13.")
    if not call(uv, "venv", "--quiet", "--allow-existing", "--python", python or "3.13", VENV, env=environment):
        sys.exit("uv could not make .venv, as it says above." if python else f"{WANTED}; uv could bring none.")


def find_pip():
    """A Python that has pip, or None, and the settings of that pip, one `name='value'` per line."""
    for python in [VENV_PY, *pythons()]:
        with contextlib.suppress(OSError):
            asked = [python, *PIP[:3], "config", "list"]
            listed = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
            if listed.returncode == 0:
                return python, listed.stdout.decode()
    return None, ""


def fetch_uv(pip):
    """Path of a uv that runs, or None: the one of the lock, fetched with pip into a scratch folder, else the PATH's."""
    with open(LOCK, encoding="utf-8") as file:
        lines = re.search(r"^uv==(.*\\\n)*.*", file.read(), flags=re.M)
    if pip and lines:
        os.mkdir(SCRATCH)
        wanted = os.path.join(SCRATCH, "wanted.txt")
        with open(wanted, "w", encoding="utf-8") as file:
            file.write(lines.group() + "\n")
        runs(
            pip, *PIP, "install", "--target", SCRATCH, "--no-deps", "--require-hashes", "-r", wanted, env=pip_settings()
        )
    found = (os.path.join(SCRATCH, "bin", "uv" + EXE), shutil.which("uv"))
    return next((uv for uv in found if uv and runs(uv, "--version")), None)


def handed_over(settings):
    """The environment for uv, which does not read pip's settings: with pip's index and certificates, where named."""
    values, environment = dict(line.split("=", 1) for line in settings.splitlines() if "=" in line), dict(os.environ)
    for ours, theirs in (("UV_DEFAULT_INDEX", "index-url"), ("SSL_CERT_FILE", "cert")):
        for place in ("global.", "install.", ":env:."):  # the later wins, as in pip
            if place + theirs in values and ours not in os.environ:
                environment[ours] = ast.literal_eval(values[place + theirs])
    return environment


def install_with_uv(uv, environment):
    """Whether uv installed it all; in a terminal it shows its progress."""
    quiet = () if sys.stderr.isatty() else ("--quiet",)
    into = ("pip", "install", "--python", VENV_PY)
    return call(uv, *into, *quiet, *LOCKED, env=environment) and call(uv, *into, "--quiet", *PROJECT, env=environment)


def install_with_pip():
    for what in (LOCKED, PROJECT):
        installed = call(VENV_PY, *PIP, "install", *what, env=pip_settings())
        installed or sys.exit("pip could not install the packages, as it says above.")


def pip_settings():
    """The environment for pip: settings that forbid what is meant for another place do not apply to .venv."""
    return dict(os.environ, PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0")


def runs(*command, **options):
    """Whether the command ends well; what it says is dropped."""
    return call(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def call(*command, **options):
    """Whether the command, run in the project's folder, ends well."""
    try:
        return subprocess.call(command, cwd=ROOT, **options) == 0
    except OSError:
        return False


def remove(folder):
    """Delete a folder or a link to one; by its name it is gone at once, so an interruption leaves no half of it."""
    going = folder + ".gone"
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(going)
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, going)
        (os.remove if os.path.islink(going) else shutil.rmtree)(going)


def say(sentence):
    print(sentence, flush=True)


if __name__ == "__main__":
    main()
