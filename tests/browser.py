"""A headless Chromium for the tests: found by name, or skipped with a sentence that says how to get it."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
HOW = (
    "no Chromium was found: install it (apt install chromium, or python -m playwright install chromium), "
    "or name one in VAE_BROWSER"
)


def find_browser(playwright=None):
    """Path of a Chromium: $VAE_BROWSER, the system's, or the one that playwright installed; None without any."""
    named = os.environ.get("VAE_BROWSER")
    own = playwright.chromium.executable_path if playwright else None
    found = [shutil.which(name) for name in ((named,) if named else NAMES)]
    found += [] if named else [path for path in (*MAC, own) if path and os.path.exists(path)]
    return next((path for path in found if path), None)


def missing(reason):
    """Skip the test; fail it where $VAE_TEST_BROWSER is "required", as in CI."""
    if os.environ.get("VAE_TEST_BROWSER") == "required":
        pytest.fail(f"VAE_TEST_BROWSER=required, but {reason}.", pytrace=False)
    pytest.skip(f"{reason}.")


@contextmanager
def browser():
    """A running headless Chromium, closed at the end; skips or fails the test when there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            missing(HOW)
        chromium = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def offline_page(chromium, **context):
    """A page without network: (page, log); log lists every request that is not file: or data:, and console errors.

    Further arguments go to Browser.new_context. Requests are refused, so a page that needs one shows it.
    """
    opened, log = chromium.new_context(**context), []
    opened.set_offline(True)

    def guard(route):
        log.append(f"request: {route.request.url}")
        route.abort()

    opened.route(lambda url: not url.startswith(("file:", "data:")), guard)
    page = opened.new_page()
    page.on("pageerror", lambda error: log.append(f"error: {error}"))

    def note(said):  # reading canvases is what the tests do, and no fault of the page
        if said.type in ("error", "warning") and "willReadFrequently" not in said.text:
            log.append(f"console: {said.text}")

    page.on("console", note)
    try:
        yield page, log
    finally:
        opened.close()


def skip_without_controls():
    """Skip a test that needs live controls in JupyterLab 4, which ipywidgets 7 does not bring."""
    if version("ipywidgets").startswith("7."):
        pytest.skip("ipywidgets 7 brings no controls for JupyterLab 4")


@contextmanager
def jupyterlab(folder, cells):
    """A JupyterLab of its own on a free port, with a notebook of the given code cells in `folder`; yields its URL.

    Token on, loopback only, with settings of its own. The page exposes the application as window.jupyterapp. Skips the
    test where the controls' part for the page is older than JupyterLab 4.
    """
    skip_without_controls()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "controls.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port, token = probe.getsockname()[1], secrets.token_hex(16)
    options = ["--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options += [f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True", f"--notebook-dir={folder}"]
    options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    homes = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    homes["JUPYTER_CONFIG_PATH"] = str(Path(__file__).parents[1] / ".jupyter")  # what `make lab` starts with
    environment = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"} | homes  # as a reader has it
    with server([sys.executable, "-m", "jupyterlab", *options], environment):
        yield f"http://127.0.0.1:{port}/lab/tree/controls.ipynb?token={token}"


@contextmanager
def server(command, env):
    """A Jupyter server, stopped at the end; yields its address, token included, as it says it itself."""
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stderr:  # ends when the server does
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S+", line):
                break
        else:
            raise RuntimeError("JupyterLab did not start: " + "".join(said[-20:]))
        try:
            yield found.group()
        finally:
            process.terminate()
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:  # JupyterLab 4.6 has been seen to wait for ever for a thread of its own
                process.kill()
                process.communicate()


@contextmanager
def notebook_page(folder, cells, done):
    """A page on a notebook of these cells after Run All; `done`: what its last output matches. Errors: page.errors."""
    with browser() as chromium, jupyterlab(folder, cells) as url:
        page = chromium.new_page(viewport={"width": 1300, "height": 1700})
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        run_all_cells(page, url, f".jp-OutputArea-output >> {done}")
        yield page


def output(page, number):
    """The last output of the code cell with this number."""
    return page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea-output").last


def run_all_cells(page, url, done):
    """Open the notebook, run all its cells, and wait until the selector `done` is there."""
    page.set_default_timeout(120_000)  # a busy machine starts a kernel slowly
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector(done)
    page.set_default_timeout(30_000)
