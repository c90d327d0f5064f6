"""Controls, tested as functions: state, errors, replacement, and what a reader without a kernel gets."""

import base64
import io

import ipywidgets as ipw
import numpy as np
import pytest
import torch
from PIL import Image

from vae_helpers.view import widgets
from vae_helpers.view.picture import Picture, picture
from vae_helpers.view.plots import png_bytes


def grey(value, text="a sentence"):
    return png_bytes(torch.full((4, 4), float(value))), text


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


def test_a_move_redraws_the_picture_and_the_sentence():
    control = widgets.Control(lambda a: grey(a, f"grey {a:.1f}"), name="move", a=widgets.slider("a", 0, 1, 0.0))
    assert pixels(control.image.value).max() == 0 and control.text.value == "grey 0.0"
    control.set(a=1.0)
    assert pixels(control.image.value).min() == 255
    assert control.values == {"a": 1.0} and control.sentence == control.text.value == "grey 1.0"


def test_unknown_input_is_named():
    control = widgets.Control(grey, name="unknown", value=widgets.slider("a", 0, 1, 0.0))
    with pytest.raises(ValueError, match="'b' is not an input of this control; it has value"):
        control.set(b=1)


def test_a_place_that_is_no_number_is_refused_and_nothing_moves():
    control = widgets.Control(grey, name="nan", value=widgets.slider("a", 0, 1, 0.5))
    with pytest.raises(ValueError, match="value must be a number within its slider, got nan"):
        control.set(value=float("nan"))
    assert control.values == {"value": 0.5}


def test_two_lambdas_with_names_live_side_by_side():
    made = [
        widgets.Control(lambda a: grey(a), name=name, a=widgets.slider("a", 0, 1, 0.0)) for name in ("first", "second")
    ]
    for control in made:
        control.set(a=1.0)
        assert pixels(control.image.value).min() == 255


def test_an_error_is_shown_escaped_and_the_control_recovers():
    def draw(a):
        if a > 0.5:
            raise RuntimeError("<script>no</script>")
        return grey(a)

    control = widgets.Control(draw, a=widgets.slider("a", 0, 1, 0.0))
    control.set(a=0.9)
    assert "&lt;script&gt;no" in control.error.value and "<script>" not in control.error.value
    control.set(a=0.1)
    assert control.error.value == ""


def test_text_is_escaped():
    control = widgets.Control(lambda a: grey(0, "<b>&"), name="escape", a=widgets.slider("a", 0, 1, 0.0))
    assert control.text.value == "&lt;b&gt;&amp;"


def test_without_a_kernel_there_is_a_picture_and_a_sentence(monkeypatch):
    shown = {}
    monkeypatch.setattr(widgets, "display", lambda bundle, **kwargs: shown.update(bundle, **kwargs))
    control = widgets.Control(lambda a: grey(a), name="still", width=224, a=widgets.slider("a", 0, 1, 0.5))
    control._ipython_display_()
    assert pixels(base64.b64decode(shown["image/png"])).shape == (224, 224)
    assert shown["text/plain"] == shown["metadata"]["image/png"]["alt"] == control.sentence != ""


def test_a_control_of_a_moving_figure_sends_the_ground_once():
    fig, ax = picture("small", alt="axes")
    ax.set(xlim=(0, 1), ylim=(0, 1))

    @fig.moving
    def draw(ax, height):
        ax.plot([0, 1], [height, height], color="red")
        ax.set_title(f"height {height:.1f}")
        return f"A line at {height:.1f}."

    control = widgets.Control(draw, height=widgets.slider("height", 0, 1, 0.2))
    ground, over = control.image.value, control.layer.value
    sent = []
    control.image.observe(lambda change: sent.append(change), names="value")
    control.set(height=0.7)
    assert not sent and bytes(control.image.value) == bytes(ground) and control.layer.value != over
    assert control.sentence == "A line at 0.7."
    draw(0.4)  # the figure is shown elsewhere; the control still knows its own state
    assert np.array_equal(pixels(control.still()), pixels(draw(0.7).png()))
    assert not np.array_equal(pixels(draw(0.4).png()), pixels(control.still()))


def test_a_control_that_stops_drawing_figures_clears_the_layer():
    fig, _ = picture("small", alt="axes")
    moving = fig.moving(lambda ax, height: ax.plot([0, height], color="red") and "a line")
    control = widgets.Control(lambda a: moving(a) if a < 0.5 else grey(a), a=widgets.slider("a", 0, 1, 0.0))
    assert "<path" in control.layer.value
    control.set(a=1.0)
    assert "<path" not in control.layer.value and pixels(control.image.value).min() == 255


def test_a_slider_kept_outside_its_control_survives_the_next_run():
    a, calls = widgets.slider("a", 0, 1, 0.3), []

    def draw(a):
        calls.append(a)
        return grey(a)

    widgets.Control(draw, name="kept", a=a)
    widgets.Control(draw, name="kept", a=a)
    calls.clear()
    a.value = 0.9
    assert calls == [0.9] and a.comm is not None


def test_two_lambdas_are_two_controls():
    first = widgets.Control(lambda a: grey(a, "first"), a=widgets.slider("a", 0, 1, 0.0))
    second = widgets.Control(lambda b: grey(b, "second"), b=widgets.slider("b", 0, 1, 0.0))
    assert first.comm is not None and second.comm is not None


def test_what_cannot_be_shown_is_named():
    control = widgets.Control(lambda a: None, name="nothing", a=widgets.slider("a", 0, 1, 0.0))
    assert "draw must return a Picture, or PNG bytes and a sentence, got NoneType." in control.error.value
    with pytest.raises(ValueError, match="play needs an option_slider to run through, got a FloatSlider"):
        widgets.Control(grey, play="value", value=widgets.slider("a", 0, 1, 0.0))


def test_a_figure_that_does_not_move_is_drawn_whole():
    def draw(a):
        fig, ax = picture("small", alt=f"up to {a}")
        ax.plot([0, a])
        return fig

    control = widgets.Control(draw, a=widgets.slider("a", 0, 1, 1.0))
    assert np.array_equal(pixels(control.image.value), pixels(draw(1.0).png()))
    assert "<path" not in control.layer.value and isinstance(control.drawn, Picture)


def test_a_draw_without_a_sentence_is_named_and_the_control_goes_on():
    control = widgets.Control(
        lambda a: (grey(a)[0], None) if a > 0.5 else grey(a), name="mute", a=widgets.slider("a", 0, 1, 0.0)
    )
    control.set(a=0.9)
    assert "got a tuple that ends in (None,)" in control.error.value and control.error.layout.display is None
    control.set(a=0.2)
    assert control.error.value == "" and control.error.layout.display == "none"


def test_several_inputs_are_set_with_one_drawing():
    calls = []

    def draw(a, b):
        calls.append((a, b))
        return grey(a)

    control = widgets.Control(draw, a=widgets.slider("a", 0, 1, 0.0), b=widgets.slider("b", 0, 1, 0.0))
    control.set(a=0.5, b=0.25)
    assert calls == [(0.0, 0.0), (0.5, 0.25)]
    with pytest.raises(ValueError, match="'c' is not an input"):
        control.set(a=0.1, c=1)
    assert control.values == {"a": 0.5, "b": 0.25}


@pytest.mark.parametrize(("options", "kind"), [("ab", ipw.ToggleButtons), ("abc", ipw.SelectionSlider)])
def test_a_choice_of_two_is_a_toggle(options, kind):
    made = widgets.choice("which", options)
    assert isinstance(made, kind) and made.description == "which"
    made.value = "b"
    assert made.index == 1


def test_a_pad_hears_points_and_steps():
    heard = []
    image, layer = widgets.image_box("10px"), widgets.layer_box()
    made = widgets.pad(image, layer, "name", lambda x, y: heard.append((x, y)), lambda dx, dy: heard.append((dx, dy)))
    said = made.children[-1]
    said.value = "point 0.2500 1.0000 1"
    said.value = "step -5 0 2"
    assert heard == [(0.25, 1.0), (-5.0, 0.0)] and said.description == "name"


def test_the_script_goes_only_to_a_reader_in_front_of_a_kernel(monkeypatch):
    shown = []
    monkeypatch.setattr(widgets, "display", lambda bundle, **kwargs: shown.append(list(bundle)))
    control = widgets.Control(grey, name="script", value=widgets.slider("a", 0, 1, 0.0))
    for live in (False, True):
        monkeypatch.setattr(widgets, "is_live", lambda live=live: live)
        control._ipython_display_()
    assert [kinds[0] for kinds in shown] == [VIEW, "text/html", VIEW]


VIEW = "application/vnd.jupyter.widget-view+json"
