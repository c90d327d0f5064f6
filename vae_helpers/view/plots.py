"""Arrays in, Picture out. Nothing here knows a model or trains one."""

import io
import struct
import zlib

import numpy as np
import torch
from matplotlib import patheffects
from PIL import Image

from vae_helpers.models import SIDE
from vae_helpers.view.picture import COLORS, picture
from vae_helpers.view.style import DIGIT_COLORS

_pack = struct.Struct(">I").pack  # a length or a sum in a PNG


def image_grid(x, columns, pad=1):
    """Images as one grey picture.

    x: (n, 784) pixels in [0, 1]. Returns a (height, width) tensor in [0, 1], `pad` grey pixels between the images.
    Raises ValueError without an image or a column, ImportError where torchvision does not work.
    """
    try:
        from torchvision.utils import make_grid
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"torchvision is missing or does not fit this torch ({error})"
        raise ImportError(f"{reason}; install both from one place: pip install --upgrade torch torchvision.") from error
    tiles = torch.as_tensor(x).detach().float().reshape(-1, 1, SIDE, SIDE)
    if not len(tiles) or columns < 1:
        raise ValueError(f"a picture needs one image and one column or more, got {len(tiles)} and {columns}.")
    return make_grid(tiles, nrow=columns, padding=pad, pad_value=0.35)[0]


def png_bytes(image):
    """A grey image as PNG bytes; image: (height, width) in [0, 1]. Written here since PIL takes a fifth of a move."""
    image = torch.as_tensor(image).detach()
    if image.ndim != 2 or not image.numel() or not image.is_floating_point():
        raise ValueError(
            f"image must be (height, width) of floats in [0, 1], got {tuple(image.shape)} of {image.dtype}."
        )
    height, width = image.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = (image.clamp(0, 1) * 255 + 0.5).numpy()
    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    parts = (_pack(len(data)) + kind + data + _pack(zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def enlarged(png, width=None):
    """The picture in PNG bytes, its pixels made squares so that it becomes `width` pixels wide, or as it is."""
    if not png or width is None:
        return png
    image = Image.open(io.BytesIO(png))
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.NEAREST)
    image.save(buffer := io.BytesIO(), format="png", optimize=True)
    return buffer.getvalue()


def show_images(*rows, titles=(), columns=None, alt, title=""):
    """Rows of images, one labelled strip per argument, each (n, 784) in [0, 1]; columns: images per line."""
    columns = columns or len(rows[0])
    fig, axes = picture("wide", len(rows), 1, alt=alt, squeeze=False)
    for ax, x, label in zip(axes[:, 0], rows, list(titles) + [""] * len(rows), strict=False):
        draw_grey(ax, image_grid(x, columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11)
    lines = sum(-(-len(x) // columns) for x in rows)
    fig.set_figheight(min(fig.get_figwidth() * lines / columns * 0.95 + 0.6, 9.0))
    return fig


def show_codes(panels, *, alt, labels=None, limits=None):
    """Scatter plots of 2-D codes side by side; see draw_codes.

    panels: {title: codes (n, 2)}; labels: (n,) digit classes; limits: a (left, right, bottom, top) in latent units
    per panel, to keep axes still while codes move.
    """
    fig, axes = picture("wide", 1, len(panels), alt=alt, squeeze=False)
    fig.set_figheight(fig.get_figwidth() / max(len(panels), 2) * 1.05)
    for i, (ax, (title, codes)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        draw_codes(ax, codes, labels)
        ax.set(title=title, xlabel="$z_1$ (latent units)", ylabel="$z_2$ (latent units)")
        if limits is not None:
            ax.axis(limits[i])
    return fig


def codes_map(panel, inches=3.0):
    """A square scatter of a latent.Panel: PNG bytes, place(z1, z2) of a latent point in it, and the inverse of place.

    Places are fractions of the picture's width and height, from the top left corner.
    """
    fig, ax = picture("small", alt="Codes of one model.")
    fig.set_size_inches(inches, inches)
    draw_panel(ax, panel)
    fig.keep_layout()
    (a, _, left), (_, b, bottom), _ = (ax.transData + fig.transFigure.inverted()).get_matrix().tolist()

    def place(z1, z2):
        return left + a * z1, 1 - bottom - b * z2

    def point(x, y):
        return (x - left) / a, (1 - y - bottom) / b

    return fig.png(), place, point


def draw_panel(ax, panel):
    """Codes of a latent.Panel on `ax`, with the outline of the region in which the cursor moves."""
    draw_codes(ax, panel.codes, panel.labels)
    ax.plot(*panel.outline().numpy().T, color=COLORS["prior"], lw=1.4)
    ax.set(xlabel="$z_1$", ylabel="$z_2$")


def show_middles(panels, *, alt, labels=True, images=False):
    """Codes of each latent.Panel as digits, or as dots; its axes end at its outline, so the few far out are not seen.

    images: leave an empty axes beside each map, for what is decoded from it.
    """
    fig, axes = picture("wide", 1, len(panels) * (1 + images), alt=alt, squeeze=False)
    fig.set_figheight(2.6 if images else 3.9)
    for ax, (title, panel) in zip(axes[0, :: 1 + images], panels.items(), strict=True):
        draw_codes(ax, panel.codes, panel.labels if labels else None, limit=600)
        (left, bottom), (right, top) = (ends.tolist() for ends in panel.outline().aminmax(dim=0))
        ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="$z_1$", ylabel="$z_2$", title=title, box_aspect=1)
    return fig


def show_cursors(panels, points, *, alt):
    """Each latent.Panel with a cursor at its point z, and the image decoded there; panels, points: by title."""
    fig, axes = picture("wide", 1, 2 * len(panels), alt=alt, squeeze=False, width_ratios=[3, 2] * len(panels))
    for (title, panel), left, right in zip(panels.items(), axes[0, ::2], axes[0, 1::2], strict=True):
        draw_panel(left, panel)
        z = points[title]
        left.plot(
            *z.tolist(), "o", color=COLORS["data"], markersize=10, markeredgecolor="white", markeredgewidth=2, zorder=9
        )
        left.set(title=title)
        left.set_box_aspect(1)
        with torch.no_grad():
            draw_grey(right, panel.model.decode(z[None]).reshape(SIDE, SIDE))
    fig.set_figheight(3.0)
    fig.get_layout_engine().set(h_pad=0.12)  # a title above a square axes is not counted by the layout
    return fig


def draw_codes(ax, codes, labels=None, limit=1000):
    """Codes (n, 2) on `ax`, evenly chosen when there are more than `limit`: as points, or with labels (n,) as digits.

    A large digit marks the median of each class.
    """
    codes, few = np.asarray(torch.as_tensor(codes).detach()), slice(None, None, -(-len(codes) // limit))
    if labels is None:
        ax.plot(*codes[few].T, ".", color="0.45", ms=3, alpha=0.6)
        return
    labels = np.asarray(labels).astype(int)
    digits = np.unique(labels)
    medians = np.array([np.median(codes[labels == digit], axis=0) for digit in digits])
    halo = [patheffects.withStroke(linewidth=4, foreground="white")]
    for digit, (x, y) in zip(digits, _apart(medians, np.ptp(codes, axis=0) * 0.05), strict=True):
        color, those = DIGIT_COLORS[digit], codes[few][labels[few] == digit]
        ax.scatter(*those.T, marker=f"${digit}$", s=22, color=color, linewidths=0, alpha=0.8)
        text = {"weight": "bold", "fontsize": 14, "color": color, "path_effects": halo}
        ax.text(x, y, str(digit), ha="center", va="center", zorder=5, **text)


def _apart(points, least):
    """Points (n, 2) moved until each pair differs by about `least` (per axis), so labels do not hide each other."""
    least = np.maximum(least, 1e-9)  # codes may all be equal
    points = points / least
    for _ in range(60):
        gap = points[:, None] - points[None]
        far = np.linalg.norm(gap, axis=-1) + np.eye(len(points)) * 9
        push = np.where(far < 1, (1 - far) / np.maximum(far, 1e-6) * 0.25, 0)
        points = points + (push[..., None] * gap).sum(axis=1)
    return points * least


def show_planes(panels, *, alt):
    """Decoded latent planes side by side.

    panels: {title: images} or {title: (images, (left, right, bottom, top))}; images (n, n, 784) in [0, 1], row 0 at
    the top. The four numbers label the axes in latent units; without them the axes are quantiles, 2.5 % to 97.5 %.
    """
    fig, axes = picture("wide", 1, len(panels), alt=alt, squeeze=False)
    fig.set_figheight(fig.get_figwidth() / max(len(panels), 2) * 1.12)
    for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
        images, extent = panel if isinstance(panel, tuple) else (panel, None)
        grid = image_grid(images.reshape(-1, SIDE * SIDE), len(images), pad=0)
        box = extent or (2.5, 97.5, 2.5, 97.5)
        ax.imshow(np.asarray(grid), cmap="gray", vmin=0, vmax=1, extent=box, aspect="auto")
        unit = "latent units" if extent else "quantile, %"
        ax.set(title=title, xlabel=f"$z_1$ ({unit})", ylabel=f"$z_2$ ({unit})")
        ax.set_box_aspect(1)
    return fig


def show_curves(curves, *, xlabel, ylabel, title, alt, log=False):
    """Lines over a shared horizontal axis, each named where it ends.

    curves: {name: (x, y)} or {name: (x, y, role)}; role picks a colour by meaning: data, recon, kl, prior, total.
    """
    fig, ax = picture("wide", alt=alt)
    styles, ends = ["-", "--", "-.", ":"], {}
    for i, (name, (x, y, *role)) in enumerate(curves.items()):
        color = COLORS[role[0]] if role else f"C{i}"
        ax.plot(x, y, styles[i % 4], color=color)
        ends[name] = (x[-1], y[-1], color)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale="log" if log else "linear")
    ax.axis()  # matplotlib finds the limits when somebody asks
    heights = {name: ax.transData.transform(end[:2])[1] * 72 / fig.dpi for name, end in ends.items()}  # points
    free = -np.inf
    for name in sorted(heights, key=heights.get):
        free = max(heights[name], free + 12)  # so that no name covers the one beneath
        *end, color = ends[name]
        shift = (5, free - heights[name])
        ax.annotate(name, end, xytext=shift, textcoords="offset points", color=color, va="center")
    return fig


def show_intervals(rows, *, xlabel, title, alt):
    """Estimates with their intervals, one row each from the top, beside a line at zero.

    rows: {label: (estimate, half-width)} or {label: (estimate, half-width, words at the right end)}. An interval that
    leaves zero out has a filled dot.
    """
    fig, ax = picture("wide", alt=alt)
    fig.set_figheight(0.9 + 0.31 * len(rows))
    ax.axvline(0, color="0.3", lw=1)
    for y, (mean, half, *words) in enumerate(rows.values()):
        color = COLORS["data"]
        sign = {"markerfacecolor": color if abs(mean) > half else "white", "capsize": 3}
        ax.errorbar(mean, y, xerr=half, fmt="o", color=color, **sign)
        ax.annotate("".join(words), (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    ax.set(xlabel=xlabel, title=title, yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.4, -0.6))
    return fig


def show_scores(usual, *, xlabel, alt):
    """Histogram of the scores of usual images, (n,), and beside it empty axes for the two errors of a threshold."""
    fig, (left, right) = picture("wide", 1, 2, alt=alt)
    usual = np.asarray(usual)
    bins = np.linspace(usual.min(), np.quantile(usual, 0.995) * 1.6, 50)
    left.hist(usual, bins=bins, density=True, color=COLORS["data"], alpha=0.5, label="usual")
    left.set(xlabel=xlabel, ylabel="density", title="Scores", ylim=(0, 2 * left.get_ylim()[1]))
    left.legend(loc="upper right")
    errors = {"xlabel": "sent back, of the usual", "ylabel": "accepted, of the strange", "title": "Errors"}
    right.set(xlim=(0, 1), ylim=(0, 1), **errors)
    return fig


def draw_threshold(left, right, usual, strange, share):
    """On the axes of `show_scores`: strange scores (m,), the threshold that sends a share of the usual back.

    Returns the share of the strange that is accepted.
    """
    usual, strange = np.asarray(usual), np.asarray(strange)
    shares = np.linspace(0.001, 0.999, 99)
    limits = np.quantile(usual, 1 - np.append(shares, share))
    accepted = (strange[:, None] <= limits).mean(axis=0)
    bins = np.linspace(*left.get_xlim(), 50)
    left.hist(strange, bins=bins, density=True, histtype="step", color=COLORS["kl"], lw=1.6)
    left.axvline(limits[-1], color=COLORS["total"], ls="--")
    right.plot(shares, accepted[:-1], color=COLORS["kl"])
    right.plot(share, accepted[-1], "o", color=COLORS["data"])
    return accepted[-1]


def draw_grey(ax, image):
    """A grey image, (height, width) in [0, 1], on `ax`, without ticks or frame."""
    ax.imshow(np.asarray(image), cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
