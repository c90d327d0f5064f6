"""Make the pictures of README and chapters from the shipped models: make images

The reconstructions need digit images (MNIST where it is found); everything else comes from vae_helpers/weights.
"""

import io
import math
from pathlib import Path

import torch
from matplotlib import style
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from vae_helpers import latent
from vae_helpers.data import load_digit_images
from vae_helpers.view import plots
from vae_helpers.view.picture import COLORS, picture
from vae_helpers.weights import shipped_pair

HERE = Path(__file__).parents[1] / "images"
NAMES = ("without_kl", "with_kl")
BOXES = {  # text: (centre x, centre y, width, colour)
    "image x": (0.06, 0.5, 0.10, "data"),
    "encoder": (0.21, 0.5, 0.12, "recon"),
    "μ": (0.36, 0.68, 0.07, "kl"),
    "log σ²": (0.36, 0.32, 0.09, "kl"),
    "z = μ + σ ε": (0.55, 0.5, 0.15, "kl"),
    "ε ~ N(0, I)": (0.55, 0.14, 0.14, "prior"),
    "decoder": (0.74, 0.5, 0.12, "recon"),
    "image x̂": (0.91, 0.5, 0.11, "data"),
}
ARROWS = [
    ("image x", "encoder"),
    ("encoder", "μ"),
    ("encoder", "log σ²"),
    ("μ", "z = μ + σ ε"),
    ("log σ²", "z = μ + σ ε"),
    ("ε ~ N(0, I)", "z = μ + σ ε"),
    ("z = μ + σ ε", "decoder"),
    ("decoder", "image x̂"),
]


def architecture():
    """Encoder, μ, σ, ε, z, decoder, and where the two terms of the loss look."""
    fig, ax = picture(
        "wide", alt="A VAE: encoder, mean and log-variance, noise, code, decoder, and the two loss terms."
    )
    ax.set(xlim=(-0.02, 1), ylim=(-0.1, 1))
    ax.axis("off")
    for text, (x, y, width, role) in BOXES.items():
        corner = (x - width / 2, y - 0.07)
        look = {"boxstyle": "round,pad=0.012", "fc": "white", "ec": COLORS[role], "lw": 1.6}
        ax.add_patch(FancyBboxPatch(corner, width, 0.14, **look))
        ax.text(x, y, text, ha="center", va="center")
    for start, end in ARROWS:
        (x0, y0, w0, _), (x1, y1, w1, _) = BOXES[start], BOXES[end]
        upward = start.startswith("ε")
        tail = (x0, y0 + 0.09) if upward else (x0 + w0 / 2 + 0.015, y0)
        head = (x1, y1 - 0.09) if upward else (x1 - w1 / 2 - 0.015, y1 + 0.25 * (y0 - y1) * (start != "encoder"))
        ax.annotate("", head, tail, arrowprops={"arrowstyle": "->", "lw": 1.3, "color": COLORS["total"]})
    ax.text(0.36, 0.93, "KL(N(μ, σ²) ‖ N(0, I))", ha="center", color=COLORS["kl"])
    ax.annotate("", (0.36, 0.78), (0.36, 0.90), arrowprops={"arrowstyle": "-", "ls": "--", "color": COLORS["kl"]})
    ax.plot([0.06, 0.06, 0.91, 0.91], [0.40, -0.06, -0.06, 0.40], "--", lw=1.2, color=COLORS["recon"])
    ax.text(0.26, -0.02, "reconstruction: −log p(x|z)", ha="center", color=COLORS["recon"])
    return fig


def reconstruction(pair):
    """Test images and what the two models return for them."""
    x = load_digit_images().test.x[:12]
    with torch.no_grad():
        rows = [x, *(panel.model(x) for panel in pair.values())]
    alt = "Twelve test digits and their reconstructions without and with the KL term."
    return plots.show_images(*rows, titles=["test image", "without KL", "with KL"], alt=alt)


def codes(title, panel):
    """The codes of one model, in its own units."""
    spread = panel.codes.std(dim=0).mean()
    finding = f"{title}: spread {spread:.1f}"
    return plots.show_codes({finding: panel.codes}, labels=panel.labels, alt=f"Codes of one model. {finding}.")


def plane(title, panel):
    """The decoded plane of one model over the middle 95 % of its codes."""
    with torch.no_grad():
        images = panel.model.decode(latent.quantile_grid(panel.gaussian, n=15))
    return plots.show_planes({title: images}, alt=f"Decoded plane, {title}.")


def slide(pair, frames=32):
    """One cursor on a closed path through both planes, as frames for a looping GIF."""
    for i in range(frames):
        turn = 2 * math.pi * i / frames
        u = torch.tensor([0.5 + 0.42 * math.cos(turn), 0.5 + 0.42 * math.sin(2 * turn)])
        points = {title: panel.gaussian.at(u) for title, panel in pair.items()}
        png = plots.show_cursors(pair, points, alt="One cursor in two latent planes.").png()
        frame = Image.open(io.BytesIO(png)).convert("RGB")
        yield frame.resize((840, round(frame.height * 840 / frame.width)), Image.Resampling.LANCZOS)


def main():
    """Write every picture into images/."""
    style.use("vae_helpers.view.vae")
    pair = shipped_pair()
    architecture().savefig(HERE / "VAE.svg", metadata={"Date": None})
    reconstruction(pair).savefig(HERE / "reconstruction.png")
    for name, (title, panel) in zip(NAMES, pair.items(), strict=True):
        (HERE / f"{name}.png").write_bytes(codes(title, panel).png(colors=256))
        (HERE / f"{name}_reconstruction.png").write_bytes(plane(title, panel).png(colors=64))
    first, *rest = [frame.quantize(96, method=Image.Quantize.FASTOCTREE, dither=0) for frame in slide(pair)]
    first.save(HERE / "slide.gif", save_all=True, append_images=rest, duration=220, loop=0, optimize=True)
    print(f"wrote {', '.join(sorted(path.name for path in HERE.iterdir()))}")


if __name__ == "__main__":
    main()
