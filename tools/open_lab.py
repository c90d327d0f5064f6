"""Open JupyterLab on chapter 00, trusting the chapters as they were committed: python tools/open_lab.py [OPTION ...]

Jupyter runs the scripts in stored outputs only where it trusts the notebook; elsewhere the explorer stands still.
The options go to JupyterLab. Where this Python lacks JupyterLab or the project, .venv is set up and takes over.
"""

import contextlib
import hashlib
import os
import sys
import threading
from importlib.util import find_spec

import set_up

LIST = os.path.join(set_up.ROOT, "tools", "chapters.sha256")
SETTINGS = os.path.join(set_up.ROOT, ".jupyter")


def main(options):
    in_venv = os.path.realpath(sys.prefix) == os.path.realpath(set_up.VENV)
    if not in_venv and not (find_spec("jupyterlab") and find_spec("vae_helpers")):
        set_up.main()
        go_on_as([set_up.VENV_PY, os.path.realpath(__file__), *options])
    trust(committed())
    print("Opening JupyterLab on notebooks/00_start_here.ipynb; stop it with Ctrl-C.", flush=True)
    # the first folder wins: .jupyter stands in front of the reader's own settings
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [SETTINGS, os.environ.get("JUPYTER_CONFIG_PATH")]))
    from jupyterlab.labapp import main as run_jupyterlab  # in this process: it has already imported half of it

    code = run_jupyterlab(options)
    if left_behind():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    sys.exit(code)


def left_behind(seconds=5):
    """Threads that have not ended after so many seconds each; Python would wait for them for ever.

    JupyterLab 4.6.6 has been seen to leave one, and then the server had stopped, but its process stayed.
    """
    main_one = threading.main_thread()
    waited_for = [thread for thread in threading.enumerate() if thread is not main_one and not thread.daemon]
    for thread in waited_for:
        thread.join(seconds)
    return [thread for thread in waited_for if thread.is_alive()]


def go_on_as(command):
    """Become another program; on Windows, where none can, wait for it and let it answer Ctrl-C."""
    if os.name != "nt":
        os.execv(command[0], command)
    import subprocess

    process = subprocess.Popen(command)
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            sys.exit(process.wait())


def committed():
    """Content of each chapter that has the SHA-256 of the list, which is that of the commit."""
    with open(LIST, encoding="utf-8") as file:
        listed = [line.rstrip("\n").split("  ", 1) for line in file if "  " in line]  # no marks of a merge
    for digest, name in listed:
        path = os.path.join(set_up.ROOT, *name.split("/"))
        if os.path.isfile(path):
            with open(path, "rb") as file:
                content = file.read()
            if hashlib.sha256(content).hexdigest() == digest:
                yield content


def trust(contents):
    """Sign notebooks as Jupyter does when a reader trusts them; says so in one sentence where it cannot remember."""
    import sqlite3

    from nbformat import reads
    from nbformat.sign import NotebookNotary

    try:
        notary = NotebookNotary()
        for content in contents:
            notary.sign(reads(content.decode("utf-8"), as_version=4))
        kept = notary.store.db_file != ":memory:"  # where Jupyter turns to when its file cannot be used
    except (OSError, sqlite3.Error):
        kept = False
    if not kept:
        print("Jupyter's data folder cannot be written, so stored figures stand still until their cells are run.")


if __name__ == "__main__":
    main(sys.argv[1:])
