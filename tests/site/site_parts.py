"""What the tests of the site share."""

import importlib.util
import re
from pathlib import Path

from sections import cells_of, links_of

ROOT = Path(__file__).parents[2]


def load_builder():
    """tools/site/build.py as a module."""
    spec = importlib.util.spec_from_file_location("site_builder", ROOT / "tools" / "site" / "build.py")
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


def pages_of(folder):
    return sorted(path.name for path in folder.glob("*.html"))


def show_me_links():
    """[(notebook, cell, state)] of every link in the chapters that sets a control."""
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        sources = ["".join(cell["source"]) for cell in cells_of(path) if cell["cell_type"] == "markdown"]
        for target in (target for source in sources for target in links_of(source)):
            if match := re.fullmatch(r"([^#]*)#([\w-]+)\?([^?]*=.*)", target):
                found.append((match[1].removesuffix(".ipynb") or path.stem, match[2], match[3]))
    return found
