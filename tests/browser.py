"""A headless Chromium for the tests: found by name, or skipped with a sentence that says how to get it."""

import os
import shutil
from contextlib import contextmanager

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
