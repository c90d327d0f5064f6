"""Give the stored controls the scripts and style of today, without executing a chapter: python tools/renew_blocks.py

A control that was stored carries the files of vae_helpers/view/web with it. This replaces them where they have changed
since, and renews tools/chapters.sha256. What the frames show stays as it was stored.
"""

import json
import re
import sys

import nbformat
from execute_notebooks import HERE, record

from vae_helpers.view import explorer, frames
from vae_helpers.view.block import block
from vae_helpers.whole_files import write_whole

KINDS = {"frames": (frames.SCRIPTS, ("frames.css",)), "explorer": (explorer.SCRIPTS, explorer.STYLES)}
BLOCK = re.compile(
    r'<div data-vae-(\w+)="\w+">(.*?)</div>\n<script>.*\nbegin\(".*?\]", (\{.*\})\);\n\}\)\(\);</script>', re.DOTALL
)


def renewed(html):
    """The block with today's files; anything else as it is."""
    if not (match := BLOCK.fullmatch(html)):
        return html
    kind, inside, data = match.groups()
    (scripts, styles), data = KINDS[kind], json.loads(data)
    del data["style"]
    return block(kind, scripts, data, styles=styles, inside=inside)


def main():
    changed = 0
    for path in sorted(HERE.glob("*.ipynb")):
        notebook, before = nbformat.read(path, as_version=4), changed
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                html = output.get("data", {}).get("text/html", "")
                if (new := renewed(html)) != html:
                    output["data"]["text/html"], changed = new, changed + 1
        if changed > before:
            write_whole(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())
    record(HERE)
    print(f"{changed} blocks renewed.")


if __name__ == "__main__":
    sys.exit(main())
