"""Latent planes under one cursor, with no kernel: one block of HTML that holds the decoders and decodes by itself.

`explore` makes the block, `save` writes it as a page, `shipped_pair` opens the models that come with the package. The
script is explorer.js; weights travel in half precision, pictures agree with torch to 1/255 on the same rounded weights.
"""

import hashlib
import html
import json
from base64 import b64encode
from importlib import resources

import torch
from torch import nn

from vae_helpers.view.plots import SIDE, show_cursors
from vae_helpers.view.style import COLORS
from vae_helpers.whole_files import write_whole

LIMIT = 2000  # codes drawn per plane
# viridis at 0.15 + 0.07 × digit, the shades of plots.draw_codes (a test compares them)
DIGIT_COLORS = ["#463480", "#3e4989", "#365d8d", "#2e6f8e", "#27808e"]
DIGIT_COLORS += ["#21918c", "#1fa188", "#2cb17e", "#48c16e", "#6ece58"]


class View:
    """What `explore` returns: `html` (the block), `png` (a still of it, bytes) and `alt` (its description)."""

    def __init__(self, html, png, alt):
        self.html, self.png, self.alt = html, png, alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/html": self.html, "image/png": b64encode(self.png).decode(), "text/plain": self.alt}
        return bundle, {"image/png": {"alt": self.alt}}


def explore(panels, *, start=(0.5, 0.5)):
    """Latent planes side by side; one cursor in quantile coordinates moves through all of them, and each decodes there.

    panels: {title: Panel}, each with a 2-D latent space, a decoder made by models.mlp, codes (n, 2) in latent units
    (the first 2,000 are drawn) and labels (n,) in 0 … 9 or None. start: the first u = (u1, u2), each in [0.025, 0.975].
    Same input, same HTML. Raises ValueError for anything that the block cannot hold or draw.
    """
    if not isinstance(panels, dict) or not panels:
        raise ValueError("panels must be a dict {title: Panel} with at least one panel.")
    if len(start) != 2 or not all(0.025 <= u <= 0.975 for u in start):
        raise ValueError(f"start must be two quantile coordinates from 0.025 to 0.975, got {start!r}.")
    packed = [_pack(str(title), panel) for title, panel in panels.items()]
    points = {title: panel.gaussian.at(start) for title, panel in panels.items()}
    alt = _describe(packed, points.values())
    png = _still(panels, points, alt)
    low, high = torch.tensor([panel["view"] for panel in packed]).unbind(dim=-1)  # each (panels, 2)
    view = torch.stack([low.min(dim=0).values, high.max(dim=0).values], dim=-1)  # one that shows every plane
    data = {"start": list(start), "view": view.tolist(), "panels": packed, "digits": DIGIT_COLORS, "colors": COLORS}
    return View(_block(data, png, alt), png, alt)


def save(path, view, *, title="Latent planes under one cursor"):
    """Write `view` as a page that needs nothing but itself; an older file stays until the page is complete."""
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n</head>\n"
        '<body style="margin: 0; background: #f2f2f2; color: #111; font-family: system-ui, Arial, sans-serif">\n'
        '<main style="max-width: 1240px; margin: 0 auto; padding: 10px">\n'
        f'<h1 style="font-size: 22px; margin: 6px 0 12px">{html.escape(title)}</h1>\n{view.html}\n'
        "</main>\n</body>\n</html>\n"
    )
    write_whole(path, page.encode())


def _block(data, png, alt):
    """The HTML: a still with its description, which the script replaces by the live planes."""
    script = resources.files("vae_helpers").joinpath("view", "web", "explorer.js").read_text(encoding="utf-8")
    payload = _json(data)
    name = hashlib.sha256((script + payload).encode()).hexdigest()[:16]
    text = html.escape(alt)
    return (
        f'<div data-vae-explorer="{name}"><figure style="margin: 0; padding: 8px; background: #fff; color: #111">'
        f'<img src="data:image/png;base64,{b64encode(png).decode()}" alt="{text}" style="max-width: 100%">'
        f"<figcaption>{text} A still picture: where scripts run, the cursor moves.</figcaption></figure></div>\n"
        f'<script>(function () {{\n{script}\nstartExplorer("{name}", {payload});\n}})();</script>'
    )


def _still(panels, points, alt):
    figure = show_cursors(panels, points, alt=alt)
    figure.set_figheight(3.2)
    figure.set_layout_engine("constrained")  # the same look, whether or not the notebook has set its style sheet
    for ax in figure.axes:
        for image in ax.images:
            image.set_cmap("gray")
        for cursor in ax.lines[-1:]:
            cursor.set_zorder(9)  # above the digits
    return figure.png()


def _json(data):
    """JSON that is safe inside a script element: no <, > or &, and nothing outside ASCII."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pack(title, panel):
    """What the script needs of one panel, as JSON types; checks everything that it relies on."""
    sizes, weights = _decoder(title, panel.model)
    codes, labels = _codes(title, panel)
    mean, scale = _gaussian(title, panel.gaussian)
    unit = max(codes.abs().max().item(), 1e-6) / 32767
    digits = [] if labels is None else labels.unique().tolist()
    medians = [[digit, *_rounded(codes[labels == digit].quantile(0.5, dim=0))] for digit in digits]
    view = _view(codes, mean, scale)
    return {
        "title": title,
        "note": _note(codes, view),
        "view": view.T.tolist(),
        "sizes": sizes,
        "weights": _base64(weights),
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "codes": _base64((codes[:LIMIT] / unit).round().to(torch.int16)),
        "unit": unit,
        "labels": "" if labels is None else _base64(labels[:LIMIT].to(torch.uint8)),
        "medians": medians,
    }


def _decoder(title, model):
    """Layer sizes [2, …, 784], and all weights and biases in half precision, in the order in which they are used."""
    layers = list(getattr(model, "decoder", ()))
    alternate = all(isinstance(layer, (nn.Linear, nn.SiLU)[i % 2]) for i, layer in enumerate(layers))
    if len(layers) % 2 == 0 or not alternate or any(layer.bias is None for layer in layers[::2]):
        found = ", ".join(type(layer).__name__ for layer in layers) or "no decoder"
        raise ValueError(f"panel {title!r}: the decoder must be Linear layers with SiLU between them, got {found}.")
    sizes = [layers[0].in_features, *(layer.out_features for layer in layers[::2])]
    if sizes[0] != 2 or sizes[-1] != SIDE * SIDE:
        raise ValueError(f"panel {title!r}: the decoder must lead from 2 to {SIDE * SIDE} numbers, got {sizes}.")
    parts = [part.detach().reshape(-1) for layer in layers[::2] for part in (layer.weight, layer.bias)]
    weights = torch.cat(parts).to("cpu", torch.float16)
    if not torch.isfinite(weights).all():
        raise ValueError(f"panel {title!r}: a weight is not finite, or too large for half precision (65,504).")
    return sizes, weights


def _codes(title, panel):
    codes = torch.as_tensor(panel.codes).detach().float().cpu()
    if codes.ndim != 2 or codes.shape[1] != 2 or not len(codes) or not torch.isfinite(codes).all():
        raise ValueError(f"panel {title!r}: codes must be finite and of shape (n, 2), got {tuple(codes.shape)}.")
    if panel.labels is None:
        return codes, None
    labels = torch.as_tensor(panel.labels).cpu()
    if labels.shape != codes.shape[:1] or labels.is_floating_point() or not ((labels >= 0) & (labels <= 9)).all():
        raise ValueError(f"panel {title!r}: labels must be {len(codes)} integers in 0 … 9, one per code.")
    return codes, labels


def _gaussian(title, gaussian):
    mean, scale = (torch.as_tensor(part).detach().double().cpu() for part in (gaussian.mean, gaussian.scale))
    if mean.shape != (2,) or scale.shape != (2, 2):
        raise ValueError(f"panel {title!r}: the Gaussian must be 2-D, got {mean.numel()} dimensions.")
    if not torch.isfinite(mean).all() or not torch.isfinite(scale).all() or not torch.linalg.det(scale).abs() > 0:
        raise ValueError(f"panel {title!r}: the Gaussian must have a finite mean and an invertible scale.")
    return mean, scale


def _view(codes, mean, scale):
    """What a plane shows, (low, high) × (z₁, z₂): the prior's and the cursor's box, and 99 % of the codes per axis."""
    box = 1.96 * torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64)
    middle = codes.double().quantile(torch.tensor([0.005, 0.995], dtype=torch.float64), dim=0)
    points = torch.cat([box, mean + box @ scale.T, middle])
    low, high = points.min(dim=0).values, points.max(dim=0).values
    margin = 0.04 * (high - low).max()
    return torch.stack([low - margin, high + margin])


def _note(codes, view):
    """How far the codes reach, and how many of them lie outside the view."""
    spans = (codes.max(dim=0).values - codes.min(dim=0).values).tolist()
    reach = " × ".join(f"{span:.0f}" if span >= 10 else f"{span:.1f}" for span in spans)
    middle, half = view.mean(dim=0), (view[1] - view[0]).max() / 2  # the view is drawn square
    outside = ((codes[:LIMIT] - middle).abs() > half).any(dim=1).sum().item()
    return f"Codes span {reach} latent units" + (
        f"; {outside} of {len(codes[:LIMIT])} lie outside this view." if outside else "."
    )


def _describe(packed, points):
    """The alt text: what is drawn, with the numbers of each plane."""
    names = "Latent planes" if len(packed) > 1 else "A latent plane"
    parts = [
        f"{panel['title']}: {panel['note'][0].lower()}{panel['note'][1:-1]}, cursor at z = ({z[0]:.2f}, {z[1]:.2f})"
        for panel, z in zip(packed, points, strict=True)
    ]
    return f"{names} with one cursor, and the image decoded there. {'; '.join(parts)}."


def _rounded(values):
    return [round(value, 4) for value in values.tolist()]


def _base64(tensor):
    array = tensor.contiguous().numpy()
    return b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
