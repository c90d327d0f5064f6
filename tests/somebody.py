"""Tests as another user of the machine, whom permission bits do bite: the administrator passes them all."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def as_somebody():
    """Inside, the administrator is nobody in particular; anybody else stays who they are."""
    administrator = os.geteuid() == 0
    if administrator:
        os.seteuid(65534)
    try:
        yield
    finally:
        if administrator:
            os.seteuid(0)


@contextmanager
def open_folder():
    """A folder that all may enter, which pytest's own may not be; skips the test where there are no such bits."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permission bits need a POSIX system")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path in sorted([folder, *folder.rglob("*")]):
            path.chmod(0o755)
        shutil.rmtree(folder)
