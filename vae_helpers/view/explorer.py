"""Latent planes under one cursor, with no kernel: one block of HTML that holds the decoders and decodes by itself.

`explore` makes the block, and a still picture that stands where its script may not run. The script is written in small
files in web/, which share one scope when they are joined; packing.py makes the data that it is started with.
"""

from base64 import b64encode

import torch
from IPython.display import display
from matplotlib import style

from vae_helpers.view.block import block, figure
from vae_helpers.view.packing import pack
from vae_helpers.view.plots import show_cursors

SCRIPTS = ("numbers.js", "network.js", "parts.js", "theme.js", "draw.js", "map.js", "legend.js", "plane.js")
SCRIPTS += ("explorer.js",)
STYLES = ("base.css", "explorer.css")
UNTIL = (
    "This picture stands still until its script may run. In JupyterLab run the cell, or trust the notebook "
    "(View → Activate Command Palette → Trust Notebook); on GitHub it stays a still."
)


class View:
    """What `explore` returns: `html` (the whole block), `png` (a still of it, bytes) and `alt` (its description).

    A notebook shows the still and, as a second output, the block without it.
    """

    def __init__(self, data, png, alt):
        self.data, self.png, self.alt = data, png, alt

    @property
    def html(self):
        return self.page(figure(self.png, self.alt))

    def page(self, inside=""):
        """The block, with `inside` until its script has run."""
        return block("explorer", SCRIPTS, self.data, styles=STYLES, inside=f"<p>{UNTIL}</p>{inside}")

    def outputs(self):
        """[(data by type, metadata)] of a cell: the still, then the block, which takes the still's place."""
        still = {"image/png": b64encode(self.png).decode(), "text/plain": self.alt}
        return [(still, {"image/png": {"alt": self.alt}}), ({"text/html": self.page()}, {})]

    def _ipython_display_(self):
        for bundle, metadata in self.outputs():
            display(bundle, metadata=metadata, raw=True)


def explore(panels, *, start=(0.5, 0.5), path=()):
    """Latent planes side by side; one cursor in quantile coordinates moves through all of them, and each decodes there.

    panels: {title: Panel}, each with a 2-D latent space, a decoder made by models.mlp, codes (n, 2) in latent units
    (the first 2,000 are drawn) and labels (n,) in 0 … 9 or None. start: the first u = (u1, u2), each in [0.025, 0.975].
    path: two or more such u, which a button walks along; without them there is no button.
    Same input, same HTML. Raises ValueError for anything that the block cannot hold or draw.
    """
    if not isinstance(panels, dict) or not panels:
        raise ValueError("panels must be a dict {title: Panel} with at least one panel.")
    if len(path) == 1:
        raise ValueError("path must lead from one place to another, got one place: give two or more, or none.")
    start, path = _place("start", start), [_place(f"path[{i}]", u) for i, u in enumerate(path)]
    packed = [pack(str(title), panel) for title, panel in panels.items()]
    points = {title: panel.gaussian.at(start) for title, panel in panels.items()}
    alt = _describe(packed, points.values())
    low, high = torch.tensor([panel["view"] for panel in packed]).unbind(dim=-1)  # each (panels, 2)
    view = torch.stack([low.min(dim=0).values, high.max(dim=0).values], dim=-1)  # one that shows every plane
    data = {"start": start, "path": path, "view": view.tolist(), "panels": packed}
    return View(data, _still(panels, points, alt), alt)


def _place(name, u):
    """The quantile coordinates u = (u1, u2) as numbers; ValueError where the cursor cannot go."""
    if len(u) != 2 or not all(0.025 <= part <= 0.975 for part in u):
        raise ValueError(f"{name} must be two quantile coordinates from 0.025 to 0.975, got {u!r}.")
    return [round(float(part), 6) for part in u]


def _still(panels, points, alt):
    with style.context("vae_helpers.view.vae"):  # the same look, whether or not the notebook has set it
        return show_cursors(panels, points, alt=alt).png(colors=128)


def _describe(packed, points):
    """The alt text: what is drawn, with the numbers of each plane."""
    names = "Latent planes" if len(packed) > 1 else "A latent plane"
    parts = [
        f"{panel['title']}: {panel['note'][0].lower()}{panel['note'][1:-1]}, cursor at z = ({z[0]:.2f}, {z[1]:.2f})"
        for panel, z in zip(packed, points, strict=True)
    ]
    return f"{names} with one cursor, and the image decoded there. {'; '.join(parts)}."
