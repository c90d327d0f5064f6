"""Figures that move: what a call drew is replaced, what it left alone stands still, and the layers are the whole."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from vae_helpers.view.picture import picture
from vae_helpers.view.style import SIZES


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.fixture
def still():
    """A figure with axes and a curve that stands still."""
    with plt.style.context("vae_helpers.view.vae"):
        fig, ax = picture("small", alt="axes")
        ax.plot([0, 1], [0, 1], color="black")
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="x", title="at first")
        yield fig, ax


def test_a_call_replaces_what_the_last_one_drew(still):
    fig, ax = still
    lines = []

    @fig.moving
    def draw(ax, height, *, color="red"):
        lines[:] = ax.plot([0, 1], [height] * 2, color=color)
        ax.text(0.5, height, "here")
        return f"A line at {height}."

    assert draw.__name__ == "draw" and draw(0.2) is fig and fig.alt == "A line at 0.2."
    first = fig.png()
    draw(0.9, color="blue")
    assert len(ax.lines) == 2 and len(ax.texts) == 1 and ax.lines[1] is lines[0]
    assert fig.png() != first
    draw(0.2)
    assert np.array_equal(pixels(fig.png()), pixels(first))


def test_the_ground_holds_what_stands_still_and_the_svg_the_rest(still):
    fig, _ = still
    empty = picture("small", alt="axes")[0]
    empty.axes[0].plot([0, 1], [0, 1], color="black")
    empty.axes[0].set(xlim=(0, 1), ylim=(0, 1), xlabel="x", title=" ")
    draw = fig.moving(lambda ax, h: ax.plot([0, 1], [h] * 2, color="#ff0000") and ax.set_title(f"{h:.1f}").get_text())
    ground, over = draw(0.5).layers()
    assert np.array_equal(pixels(ground), pixels(empty.png()))
    assert "#ff0000" in over and ">0.5<" in over and ">x<" not in over
    again, other = draw(0.8).layers()
    assert again is ground and ">0.8<" in other and ">0.5<" not in other


def test_the_svg_has_the_proportions_and_places_of_the_ground(still):
    fig, _ = still
    ground, over = fig.moving(lambda ax: ax.plot([0.25], [0.5], "s", color="#ff0000", ms=6) and "a square")().layers()
    height, width, _ = pixels(ground).shape
    box = [float(n) for n in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', over).groups()]
    assert box == pytest.approx([72 * inches for inches in SIZES["small"]])  # points, as all sizes in the SVG
    assert box[0] / box[1] == pytest.approx(width / height, rel=2e-3)
    x, y = (float(n) for n in re.search(r'<use[^>]* x="([\d.]+)" y="([\d.]+)"', over).groups())
    red = (pixels(fig.png()) == [255, 0, 0]).all(axis=2).nonzero()
    assert red[1].mean() / width == pytest.approx(x / box[0], abs=2e-3)
    assert red[0].mean() / height == pytest.approx(y / box[1], abs=3e-3)


def test_what_a_call_changes_leaves_the_ground(still):
    fig, _ = still
    limit = {"high": 1}

    @fig.moving
    def draw(ax):
        ax.set_ylim(0, limit["high"])
        return "an axis"

    first, _ = draw().layers()
    limit["high"] = 100
    second, over = draw().layers()
    assert ">100<" in over
    third, _ = draw().layers()
    assert second is third and not np.array_equal(pixels(first), pixels(second))


def test_axes_do_not_move_when_a_label_grows(still):
    fig, _ = still
    draw = fig.moving(lambda ax, label: ax.set_ylabel(label).get_text())
    draw("one line").png()
    before = fig.axes[0].get_position().bounds
    draw("one\nand\ntwo\nmore").png()
    assert fig.axes[0].get_position().bounds == before


def test_limits_stand_still():
    fig, ax = picture("small", alt="free limits")
    ax.plot([0, 2], [0, 2])  # not looked at before: matplotlib finds the limits when somebody asks
    fig.moving(lambda ax: ax.plot([0, 9], [0, 9]) and "a long line")().png()
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-0.1, 2.1))


def test_a_drawing_that_fails_leaves_nothing_behind(still):
    fig, ax = still

    @fig.moving
    def draw(ax, height):
        ax.plot([0, 1], [height] * 2, color="red")
        if height > 0.5:
            raise RuntimeError("too high")
        return "a line"

    first = draw(0.1).png()
    with pytest.raises(RuntimeError, match="too high"):
        draw(0.9)
    assert np.array_equal(pixels(draw(0.1).png()), pixels(first)) and len(ax.lines) == 2


def test_a_new_drawing_function_replaces_the_old_one(still):
    fig, ax = still
    fig.moving(lambda ax: ax.plot([0, 1], [0.2, 0.2], color="red") and "red")()
    fig.moving(lambda ax: ax.plot([0, 1], [0.8, 0.8], color="blue") and "blue")()
    assert [line.get_color() for line in ax.lines] == ["black", "blue"]


def test_without_data_the_first_drawing_sets_the_limits():
    fig, ax = picture("small", alt="empty axes")
    fig.moving(lambda ax: ax.imshow(np.zeros((28, 20))) and "an image")().layers()
    assert ax.get_xlim() == (-0.5, 19.5) and ax.get_ylim() == (27.5, -0.5)


@pytest.mark.parametrize(
    "act", [lambda ax: ax.clear(), lambda ax: ax.twinx(), lambda ax: ax.figure.add_axes([0, 0, 1, 1])]
)
def test_axes_may_not_be_cleared_or_added(still, act):
    with pytest.raises(ValueError, match="may not clear or add axes"):
        still[0].moving(lambda ax: str(act(ax)))()


def test_the_ground_follows_scales_and_removals(still):
    fig, ax = still
    do = {"what": lambda: None}

    @fig.moving
    def draw(ax):
        do["what"]()
        return "as asked"

    ax.set_xlim(0.1, 1)
    first = draw().layers()[0]
    do["what"] = lambda: ax.set_xscale("log")
    second = draw().layers()[0]
    do["what"] = lambda: ax.lines and ax.lines[0].remove()
    third = draw().layers()[0]
    assert not np.array_equal(pixels(first), pixels(second)) and not np.array_equal(pixels(second), pixels(third))


def test_bars_are_not_counted_twice(still):
    fig, ax = still
    draw = fig.moving(lambda ax: ax.bar([0.2], [0.5], label="q") and ax.legend() and "a bar")
    for _ in range(3):
        draw()
    assert len(ax.containers) == 1 and len(ax.get_legend().get_texts()) == 1


def test_formulas_keep_their_glyphs(still):
    fig, _ = still
    draw = fig.moving(lambda ax, title: ax.set_title(title).get_text())
    assert ">plain<" in draw("plain").layers()[1]
    assert plt.rcParams["svg.fonttype"] == plt.rcParamsDefault["svg.fonttype"]
    over = draw(r"$\mathcal{N}$").layers()[1]
    assert "<text" not in over and "<use" in over


@pytest.mark.parametrize("said", [None, "", 3])
def test_a_drawing_must_say_what_it_shows(still, said):
    def draw(ax):
        return said

    with pytest.raises(ValueError, match="draw must return a sentence that describes the figure, got"):
        still[0].moving(draw)()


def test_text_that_cannot_be_set_leaves_the_picture_whole(still):
    fig, _ = still
    draw = fig.moving(lambda ax, label: ax.set_title(label).get_text())
    first = draw("fine").png()
    draw("fine").layers()
    with pytest.raises(ValueError, match="frac"):
        draw(r"$\frac$").layers()
    assert np.array_equal(pixels(draw("fine").png()), pixels(first))


def test_a_figure_that_does_not_move_is_one_layer(still):
    fig, _ = still
    assert fig.layers() == (fig.png(), "")
