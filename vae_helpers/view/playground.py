"""The playground: draw a digit, follow it to the loss, and train two VAEs, all in one page and with no kernel.

`playground` makes the page's block. Its text and its still pictures stand in the page itself, so that they show where
no script runs; the script, in small files of web/, puts the text into its own frame and replaces the stills.
"""

import os
from functools import cached_property
from string import Template

import numpy as np
import torch
from IPython.display import display
from matplotlib import style
from matplotlib.patches import Ellipse

from vae_helpers.data import load_digit_images, load_small_digits
from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import SIDE, VAE, mlp, reparameterize, seeded, start_at
from vae_helpers.training import fit
from vae_helpers.view.block import block, figure, read
from vae_helpers.view.packing import pack, pack_encoder, to_base64
from vae_helpers.view.picture import picture
from vae_helpers.view.plots import draw_codes, draw_grey, show_codes
from vae_helpers.view.style import COLORS
from vae_helpers.weights import shipped_classifier, shipped_pair

WORKER = ("numbers.js", "network.js", "losses.js", "random.js", "training.js", "session.js")
DRAWN = ("parts.js", "theme.js", "draw.js", "marks.js", "map.js", "legend.js", "charts.js")
PARTS = ("strokes.js", "pad.js", "answer.js", "drawing.js", "steps.js", "arrows.js", "graph.js")
STUDY = ("port.js", "study_plane.js", "study_charts.js", "study.js")
SCRIPTS = (*WORKER, *DRAWN, *PARTS, *STUDY, "playground.js")
STYLES = ("base.css", "playground.css")
TITLES = {"without KL": "without the KL term", "with KL": "with the KL term"}
SOURCES = {"mnist": "of the test set of MNIST", "digits": "of scikit-learn's digits, enlarged"}
FIRST = 3  # the digit of the still and of the table
BETA = 0.1  # of the reader's model, when the page opens
EACH = 3  # test images of each class


class Playground:
    """What `playground` returns: `html`, the whole block with its text and stills; in a notebook it shows itself.

    Where VAE_FRAMES asks for what can be stored, the notebook keeps a still in place of two megabytes.
    """

    def __init__(self, data, pair, x):
        self.data, self.pair, self.x = data, pair, x

    @property
    def html(self):
        stills = {
            name: figure(each.png(colors=128), each.alt) for name, each in (("draw", self.still), ("train", _trained()))
        }
        said = {"graph": self._table(), "prediction": _line(), "line": f"{collapse_lines()[0]:.2f}"}
        inside = Template(read("playground.html")).substitute(stills | said)
        return block("playground", SCRIPTS, self.data, styles=STYLES, inside=inside)

    @cached_property
    def still(self):
        """Both planes with the posterior of the first image, and what its mean decodes to."""
        with torch.no_grad(), style.context("vae_helpers.view.vae"):
            codes = {name: panel.model.encode(self.x) for name, panel in self.pair.items()}
            said = "; ".join(f"{name}, {_place(mu, logvar)}" for name, (mu, logvar) in codes.items())
            alt = f"Two latent planes with the posterior of one image, a {FIRST}, and its reconstruction: {said}."
            fig, axes = picture("wide", 1, 4, alt=alt, width_ratios=[3, 2] * 2)
            for left, right, (name, (mu, logvar)) in zip(axes[::2], axes[1::2], codes.items(), strict=True):
                panel = self.pair[name]
                draw_codes(left, panel.codes)
                left.plot(*mu.tolist(), "o", color=COLORS["data"], ms=18, mfc="none", zorder=9)
                oval = {"lw": 2, "fc": "none", "ec": COLORS["recon"], "zorder": 10}
                left.add_patch(Ellipse(mu, *(4 * (logvar / 2).exp()).tolist(), **oval))
                left.set(title=name, xlabel="$z_1$", ylabel="$z_2$")
                draw_grey(right, panel.model.decode(mu).reshape(SIDE, SIDE))
            fig.set_figheight(3.0)
            return fig

    def _table(self):
        """The steps from the image to the loss in numbers, for the model with the KL term."""
        model = self.pair["with KL"].model
        with torch.no_grad(), seeded(0):
            mu, logvar = model.encode(self.x)
            z = reparameterize(mu, logvar)
            recon = squared_error(self.x, model.decode(z)).item()
            kl = kl_to_standard_normal(mu, logvar).item()
        rows = [("μ", mu), ("log σ²", logvar), ("σ", (logvar / 2).exp()), ("z = μ + σ ε", z)]
        rows = [(name, ", ".join(f"{v:.2f}" for v in values.tolist())) for name, values in rows]
        rows += [("recon = Σ (x − x̂)²", f"{recon:.2f} nats"), ("KL = ½ Σ (μ² + σ² − 1 − log σ²)", f"{kl:.2f} nats")]
        rows += [("loss = recon + β · KL, β = 1", f"{recon + kl:.2f} nats")]
        body = "".join(f"<tr><td>{name}</td><td>{value.replace('-', '−')}</td></tr>" for name, value in rows)
        return f"<table>{body}</table>"

    def _ipython_display_(self):
        if os.environ.get("VAE_FRAMES"):
            self.still._ipython_display_()
        else:
            display({"text/html": self.html, "text/plain": self.still.alt}, raw=True)


def playground():
    """The playground as a block: the shipped pair, test images to choose from, and the digits that the page trains on.

    The test images are those of MNIST, or of the digits, as load_digit_images finds them.
    Raises FileNotFoundError or ValueError that names the file when a stored model is missing or damaged.
    """
    pair, small = shipped_pair(), load_small_digits()
    x, y, source = examples(pair)
    data = {
        "worker": "\n".join(read(name) for name in (*WORKER, "worker.js")),
        "models": [_model(TITLES[name], panel) for name, panel in pair.items()],
        "images": _images(x, 255, y) | {"source": source},
        "small": _images(small.x, 16, small.y),
        "beta": BETA,
        "thresholds": [round(value, 4) for value in collapse_lines()],
    }
    return Playground(data, pair, x[FIRST * EACH])


@torch.no_grad()
def examples(pair):
    """Three test images of each class that no shipped model has learned from: (30, 784) pixels, classes, a name.

    First come those which both models decode into a digit that the shipped classifier puts into the same class.
    """
    data, judge = load_digit_images(), shipped_classifier("mnist")
    x, y = data.test.x if data.name == "mnist" else centred(data.test.x), data.test.y
    good = torch.stack([judge(panel.model(x)).argmax(dim=1) == y for panel in pair.values()]).all(dim=0)
    order = good.int().argsort(descending=True, stable=True)
    rows = torch.cat([order[y[order] == digit][:EACH] for digit in range(10)])
    return x[rows], y[rows], SOURCES[data.name]


def centred(x):
    """Images (n, 784), each moved by whole pixels so that its centre of mass lies in the middle, as in MNIST."""
    images, places = x.view(-1, SIDE, SIDE), torch.arange(SIDE, dtype=x.dtype)
    mass = images.sum(dim=(1, 2))
    moves = [((SIDE - 1) / 2 - images.sum(dim=axis) @ places / mass).round().int().tolist() for axis in (2, 1)]
    return torch.stack([image.roll(move, (0, 1)) for image, *move in zip(images, *moves, strict=True)]).flatten(1)


def collapse_lines():
    """The two largest β below which an axis of a linear VAE on the small digits is used: twice their variances."""
    x = load_small_digits().x.double()
    return (2 * torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)[:2]).tolist()


def _model(title, panel):
    """A panel with its encoder."""
    return pack(title, panel) | {"encoder": pack_encoder(title, panel.model)}


def _images(x, levels, y):
    """Pixels as whole grey levels from 0 to `levels`, and classes, in bytes."""
    return {"pixels": to_base64((levels * x).round().to(torch.uint8)), "labels": to_base64(y.to(torch.uint8))}


def _line():
    """A sentence on the curve of the third chart."""
    first, second = collapse_lines()
    return (
        "The curve is ½ Σ log(2λ<sub>j</sub> / β) over the axes with 2λ<sub>j</sub> above β, where "
        f"λ₁ = {first / 2:.2f} and λ₂ = {second / 2:.2f} are the largest variances of the images along any direction: "
        "the KL term of the linear VAE with the smallest loss."
    )


def _trained(epochs=20):
    """The planes of two such models, trained here by `fit`, which is not quite the recipe of the page."""
    digits = load_small_digits()
    codes = {}
    for title, beta in {"without the KL term": 0.0, f"with it, β = {BETA}": BETA}.items():
        model = VAE(seed=0)
        with seeded(0):
            model.encoder, model.decoder = mlp(64, 64, 4), mlp(2, 64, 64)
        start_at(model.decoder, digits.x.mean(dim=0))

        def terms(model, x, beta=beta):
            mu, logvar = model.encode(x)
            recon = squared_error(x, model.decode(reparameterize(mu, logvar)))
            return {"loss": (recon + beta * kl_to_standard_normal(mu, logvar)).mean()}

        fit(model, digits.x, terms, epochs=epochs, batch_size=64, quiet=True)
        with torch.no_grad():
            codes[title] = model.encode(digits.x)[0]
    spans = " and ".join(f"{(c.max(dim=0).values - c.min(dim=0).values).max():.0f}" for c in codes.values())
    alt = f"Codes of 1,797 small digits after {epochs} epochs, without and with the KL term; they span {spans} units."
    with style.context("vae_helpers.view.vae"):
        return show_codes(codes, alt=alt, labels=digits.y)


def _place(mu, logvar):
    def pair(values):
        texts = (
            np.format_float_positional(value, precision=3, fractional=False, trim="-") for value in values.tolist()
        )
        return ", ".join(text.replace("-", "−") for text in texts)

    return f"μ = ({pair(mu)}), σ = ({pair((logvar / 2).exp())})"
