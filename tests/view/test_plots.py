"""Pictures: what is drawn is what was given, and every picture describes itself."""

import io
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vae_helpers.latent import Panel, standard_normal
from vae_helpers.view import plots
from vae_helpers.view.picture import picture
from vae_helpers.view.style import SIZES


def test_image_grid_keeps_every_pixel_in_reading_order():
    x = torch.rand(6, 784, generator=torch.Generator().manual_seed(0))
    grid = plots.image_grid(x, columns=3, pad=0)
    assert grid.shape == (56, 84)
    assert torch.equal(grid[28:56, 28:56], x[4].reshape(28, 28))


@pytest.mark.parametrize(("n", "columns"), [(0, 3), (3, 0), (3, -1)])
def test_a_picture_of_nothing_is_refused(n, columns):
    with pytest.raises(ValueError, match=f"one image and one column or more, got {n} and {columns}"):
        plots.image_grid(torch.zeros(n, 784), columns)


@pytest.mark.parametrize("error", [ImportError("no module"), RuntimeError("operator torchvision::nms does not exist")])
def test_row_35_a_broken_torchvision_comes_with_its_repair(monkeypatch, error):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name.startswith("torchvision"):
                raise error

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"torchvision is missing or does not fit.*pip install --upgrade torch torch"):
        plots.image_grid(torch.zeros(1, 784), 1)


CODES = torch.rand(30, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("codes", "labels"),
    [
        (CODES.clone().requires_grad_(), None),
        (CODES, CODES[:, 0] > 0.5),
        (torch.zeros(30, 2), torch.arange(30) % 10),
        (CODES * torch.tensor([1.0, 0.0]), torch.arange(30) % 10),
    ],
    ids=["codes with a gradient", "labels that are true or false", "equal codes", "codes on a line"],
)
def test_unusual_codes_are_drawn_without_a_word(codes, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of an old matplotlib, about its own parts
        assert plots.show_codes({"codes": codes}, labels=labels, alt="Codes.").png()


def test_png_bytes_round_trip():
    image = torch.linspace(0, 1, 28 * 28).reshape(28, 28)
    png = plots.png_bytes(image[:20])  # not square
    Image.open(io.BytesIO(png)).verify()  # checks the sums of the chunks
    back = np.asarray(Image.open(io.BytesIO(png))) / 255
    assert back.shape == (20, 28)
    assert np.abs(back - image[:20].numpy()).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("image", [torch.zeros(3, 4, 4), torch.zeros(0, 4), torch.zeros(4, 4, dtype=torch.uint8)])
def test_only_grey_floats_make_a_png(image):
    with pytest.raises(ValueError, match=r"image must be \(height, width\) of floats in \[0, 1\]"):
        plots.png_bytes(image)


def test_enlarged_pixels_are_squares():
    image = torch.rand(4, 6, generator=torch.Generator().manual_seed(0))
    png = plots.png_bytes(image)
    small, large = (np.asarray(Image.open(io.BytesIO(b))) for b in (png, plots.enlarged(png, 18)))
    assert np.array_equal(large, small.repeat(3, 0).repeat(3, 1))
    assert plots.enlarged(png) == png and plots.enlarged(b"", 18) == b""


def test_pixels_outside_the_range_become_black_and_white():
    back = np.asarray(Image.open(io.BytesIO(plots.png_bytes(torch.tensor([[-1.0, 2.0]])))))
    assert back.tolist() == [[0, 255]]


def test_a_picture_needs_a_size_and_a_description():
    with pytest.raises(ValueError, match="size must be one of small, wide, got 'huge'"):
        picture("huge", alt="x")
    with pytest.raises(ValueError, match="alt must be a sentence that describes the figure, got ''"):
        picture("small", alt="")


def test_pictures_do_not_pile_up_in_pyplot():
    for _ in range(50):
        plots.show_images(torch.rand(4, 784), alt="noise")
    assert plt.get_fignums() == []


def test_stored_picture_carries_its_alt_text(monkeypatch):
    shown = {}
    monkeypatch.setattr("vae_helpers.view.picture.display", lambda bundle, **kwargs: shown.update(bundle, **kwargs))
    fig, _ = picture("small", alt="An empty plot.")
    fig._ipython_display_()
    assert shown["metadata"]["image/png"]["alt"] == shown["text/plain"] == "An empty plot."
    assert shown["raw"] is True


@pytest.mark.parametrize("size", SIZES)
def test_sizes(size):
    fig, _ = picture(size, alt="x")
    assert tuple(fig.get_size_inches()) == SIZES[size]


def test_planes_put_row_zero_on_top():
    images = torch.zeros(2, 2, 784)
    images[0, 0] = 1  # top left
    fig = plots.show_planes({"a": (images, (0, 1, 0, 1))}, alt="x")
    drawn = fig.axes[0].images[0]
    assert drawn.get_array()[:28, :28].min() == 1 and drawn.get_extent() == [0, 1, 0, 1] and drawn.origin == "upper"


def test_an_interval_that_leaves_zero_out_has_a_filled_dot():
    fig = plots.show_intervals(
        {"a": (2.0, 1.0, "b → c"), "d": (-0.5, 1.0)}, xlabel="x", title="t", alt="Two intervals."
    )
    ax = fig.axes[0]
    dots = [container.lines[0] for container in ax.containers]
    assert [dot.get_markerfacecolor() for dot in dots] == ["#000000", "white"]
    assert [float(dot.get_xdata()[0]) for dot in dots] == [2.0, -0.5]
    ends = [container.lines[2][0].get_segments()[0][:, 0].tolist() for container in ax.containers]
    assert ends == [[1.0, 3.0], [-1.5, 0.5]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "d"] and ax.texts[0].get_text() == "b → c"


def test_the_middle_of_a_panel_fills_the_axes():
    panel = Panel(None, standard_normal(), standard_normal().sample(500))
    fig = plots.show_middles({"a": panel, "b": panel}, images=True, alt="Two maps, each with a place for images.")
    assert len(fig.axes) == 4 and [ax.get_title() for ax in fig.axes] == ["a", "", "b", ""]
    ax = fig.axes[2]
    assert ax.get_xlim() == pytest.approx((-1.96, 1.96), abs=0.01) == ax.get_ylim()


def test_names_of_curves_that_end_together_do_not_cover_each_other():
    curves = {"a": ([0, 1], [0, 5]), "b": ([0, 1], [3, 5]), "c": ([0, 1], [9, 0])}
    fig = plots.show_curves(curves, xlabel="x", ylabel="y", title="t", alt="Three curves, two of which end together.")
    a, b, c = fig.axes[0].texts
    assert [text.get_text() for text in (a, b, c)] == ["c", "a", "b"]
    fig.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in (a, b, c)), key=lambda box: box.y0)
    assert boxes[0].y1 < boxes[1].y0 and boxes[1].y1 <= boxes[2].y0 + 1


def test_a_threshold_shows_both_errors():
    usual, strange = np.arange(100.0), np.arange(50.0, 150)
    fig = plots.show_scores(usual, xlabel="nats", alt="Scores.")
    left, right = fig.axes
    accepted = plots.draw_threshold(left, right, usual, strange, 0.2)
    assert accepted == pytest.approx(0.3, abs=0.011)  # the limit is 79.2, and 50 … 79 lie below it
    dot = right.lines[-1]
    assert dot.get_xdata()[0] == 0.2 and dot.get_ydata()[0] == accepted
    shares, missed = right.lines[0].get_data()
    assert (np.diff(missed) <= 0).all() and missed[0] == pytest.approx(0.5, abs=0.02) and missed[-1] == 0
    assert left.lines[-1].get_xdata()[0] == pytest.approx(np.quantile(usual, 0.8)) and len(shares) == 99
