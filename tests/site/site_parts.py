"""What the tests of the site share."""

import importlib.util
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]


def load_builder():
    """tools/site/build.py as a module, under a name that nothing else has."""
    if "site_builder" not in sys.modules:
        spec = importlib.util.spec_from_file_location("site_builder", ROOT / "tools" / "site" / "build.py")
        sys.modules["site_builder"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["site_builder"])
    return sys.modules["site_builder"]


def pages_of(folder):
    return sorted(path.name for path in folder.glob("*.html"))


def show_me_links():
    """[(notebook, cell, state)] of every link in the chapters that sets a control."""
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"\]\(([^)\s]*#[\w-]+\?[^)\s]*=[^)\s]*)\)", cell.source):
                    name, _, rest = target.partition("#")
                    place, _, state = rest.partition("?")
                    found.append((name.removesuffix(".ipynb") or path.stem, place, state))
    return found
