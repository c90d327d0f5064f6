"""Tests use the offline digits unless VAE_DATA names a folder with MNIST; nothing here asks the network."""

import os

import pytest
from browser import browser

if not os.environ.get("VAE_DATA"):
    os.environ.setdefault("VAE_DATASET", "digits")
os.environ["TQDM_DISABLE"] = "1"


LONGEST = (  # begun first, so that no process is left alone with one of them at the end
    "view/test_playground_browser.py",
    "site/test_site_browser.py",
    "tools/test_sweep.py",
    "tools/test_open_lab_browser.py",
)


def pytest_configure(config):
    config.option.loadscopereorder = False  # pytest-xdist would begin with the files of many tests, which are short


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium for the tests of one file."""
    with browser() as running:
        yield running
