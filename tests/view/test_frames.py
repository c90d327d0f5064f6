"""Frames as data: what is kept of a control, how it is thinned, what it refuses. The browser has its own file."""

import base64
import io
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from vae_helpers.view import widgets
from vae_helpers.view.frames import LIMIT, frames
from vae_helpers.view.picture import picture


def grey(value, sentence="A picture."):
    image = Image.new("L", (2, 2), round(255 * value))
    image.save(out := io.BytesIO(), format="png")
    return out.getvalue(), sentence


def sheet(found):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found["sheet"]))).convert("L"))


def said(found):
    return zlib.decompress(base64.b64decode(found["said"])).decode().split("\n")


def shade(a, b=0.0):
    return grey((a + b) / 2, f"a {a:g}, b {b:g}")


def names(found):
    return [input["names"] for input in found["inputs"]]


def test_every_combination_is_kept_with_its_sentence_and_its_image():
    control = widgets.Control(
        shade, name="all", a=widgets.slider("a", 0, 1, 0.5, step=0.25), b=widgets.option_slider("b", [0.0, 1.0])
    )
    found = frames(control)
    assert not found["alone"] and names(found) == [["0.00", "0.25", "0.50", "0.75", "1.00"], ["0.0", "1.0"]]
    assert [input["start"] for input in found["inputs"]] == [2, 0]
    assert said(found)[5] == "a 0.5, b 1" and len(said(found)) == 10
    left, top, width, height = found["tiles"][5]
    assert (sheet(found)[top : top + height, left : left + width] == round(255 * 0.75)).all()
    assert control.values == {"a": 0.5, "b": 0.0}  # as it was


def test_too_many_combinations_move_one_at_a_time():
    sliders = {name: widgets.slider(name, 0, 1, 0.5, step=0.01) for name in "abcd"}
    control = widgets.Control(lambda **at: grey(at["a"], str(at)), name="many", **sliders)
    found = frames(control)
    assert found["alone"] and 4 * 90 < len(said(found)) <= LIMIT
    assert [names(found)[i][input["start"]] for i, input in enumerate(found["inputs"])] == ["0.50"] * 4
    ends = names(found)[0]
    assert said(found)[len(ends)].startswith("{'a': 0.5, 'b': 0.0")  # the second input, the first at its start


def test_a_fine_grid_is_thinned_around_where_it_stands():
    sliders = {name: widgets.slider(name, 0, 1, 0.5, step=0.01) for name in "ab"}
    found = frames(widgets.Control(shade, name="fine", **sliders))
    assert not found["alone"] and 300 < len(said(found)) <= LIMIT
    places = [float(name) for name in names(found)[0]]
    assert places[0] == 0 and places[-1] == 1 and names(found)[0][found["inputs"][0]["start"]] == "0.50"
    assert {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9} <= set(places)  # round numbers


def test_a_slider_without_round_numbers_is_thinned_evenly():
    step = 1 / 7
    sliders = {name: widgets.slider(name, 0.01, 0.01 + 100 * step, 0.01 + 50 * step, step=step) for name in "ab"}
    found = frames(widgets.Control(shade, name="odd", **sliders))
    steps = np.diff([float(name) for name in names(found)[0]])
    assert not found["alone"] and np.allclose(steps, steps[0], atol=0.011)
    assert names(found)[0][found["inputs"][0]["start"]] == "7.15"


def test_the_budget_is_kept():
    rng = np.random.default_rng(0)

    def noise(a, b):
        Image.fromarray(rng.integers(0, 255, (20, 20), np.uint8)).save(out := io.BytesIO(), format="png")
        return out.getvalue(), "Noise."

    sliders = {name: widgets.slider(name, 0, 1, 0.5, step=0.02) for name in "ab"}
    control = widgets.Control(noise, name="noise", **sliders)
    control.budget = 60_000
    found = frames(control)
    assert 20_000 < len(repr(found)) <= 60_000 and not found["alone"]
    control.budget = 20_000  # too little for seven times seven
    assert (found := frames(control))["alone"] and 9_000 < len(repr(found)) <= 20_000
    assert [input["names"][input["start"]] for input in found["inputs"]] == ["0.50", "0.50"]
    control.budget = 1_000
    with pytest.raises(ValueError, match="not even three pictures"):
        frames(control)


def test_an_input_that_moves_others_shows_where_they_went():
    b = widgets.slider("b", 0, 10, 0.0, step=1)
    a = widgets.option_slider("a", list(range(4)))
    many = {name: widgets.slider(name, 0, 1, 0.0, step=0.01) for name in "cde"}
    a.observe(lambda change: setattr(b, "value", 2 * change.new), names="value")
    control = widgets.Control(lambda **at: grey(0, f"{at['a']} {at['b']:g}"), name="linked", a=a, b=b, **many)
    found = frames(control)
    assert found["alone"] and said(found)[3] == "3 6"
    assert found["moved"] == {1: [1, 2, 0, 0, 0], 2: [2, 4, 0, 0, 0], 3: [3, 6, 0, 0, 0]}


def test_an_error_in_a_drawing_is_not_stored():
    def fail(a):
        if a > 0.5:
            raise ValueError("no such thing")
        return grey(a)

    control = widgets.Control(fail, name="fails", a=widgets.slider("a", 0, 1, 0.0, step=0.5))
    with pytest.raises(RuntimeError, match="no such thing"):
        frames(control)


def test_only_numbers_that_differ_are_kept():
    fig, ax = picture("small", alt="A line.")
    ax.axis((0, 1, 0, 1))

    @fig.moving
    def line(ax, height):
        ax.plot([0, 1], [height, height], color="C0")
        return f"At {height:.2f}."

    found = frames(widgets.Control(line, height=widgets.slider("height", 0, 1, 0.5, step=0.1)))
    (layer,) = found["layers"]
    kept = zlib.decompress(base64.b64decode(layer["numbers"]))
    assert len(layer["used"]) == 11 and len(kept) == 2 * 11 * 2  # the heights of both ends, 16 bits each
    assert found["ground"] and "sheet" not in found


def test_what_reaches_too_far_is_refused():
    fig, ax = picture("small", alt="A line.")
    ax.axis((0, 1, 0, 1))

    @fig.moving
    def far(ax, height):
        ax.annotate("", (0.5, height), (0.5, 0), arrowprops={"arrowstyle": "-"}, annotation_clip=False)
        return "Far."

    control = widgets.Control(far, height=widgets.slider("height", 0, 1e5, 1e3, step=1e4))
    with pytest.raises(ValueError, match="reaches too far"):
        frames(control)


def test_the_block_is_stored_only_when_asked(monkeypatch):
    shown = []
    monkeypatch.setattr(widgets, "display", lambda bundle, **_: shown.append(bundle))
    control = widgets.Control(shade, name="asked", a=widgets.slider("a", 0, 1, 0.5, step=0.5))
    monkeypatch.delenv("VAE_FRAMES", raising=False)
    control._ipython_display_()
    assert ["text/html" in bundle for bundle in shown] == [False]
    monkeypatch.setenv("VAE_FRAMES", "1")
    control._ipython_display_()
    assert ["text/html" in bundle for bundle in shown] == [False, False, True]
    html = shown[-1]["text/html"]
    assert re.match(r'<div data-vae-frames="[0-9a-f]{16}"></div>\n<script>', html) and html.count("<script") == 1
    assert control.block() == html  # the same input, the same bytes
