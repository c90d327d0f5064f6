"""Tests use the offline digits unless VAE_DATA names a folder with MNIST; nothing here asks the network."""

import os

import pytest
from browser import browser

if not os.environ.get("VAE_DATA"):
    os.environ.setdefault("VAE_DATASET", "digits")
os.environ["TQDM_DISABLE"] = "1"


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium for the tests of one file."""
    with browser() as running:
        yield running
