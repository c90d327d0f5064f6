"""Controls, tested as functions: state, errors, replacement, and what a reader without a kernel gets."""

import base64
import io

import ipywidgets as ipw
import numpy as np
import pytest
import torch
from PIL import Image

from vae_helpers import latent
from vae_helpers.models import VAE, Autoencoder
from vae_helpers.view import widgets
from vae_helpers.view.picture import Picture, picture
from vae_helpers.view.plots import png_bytes


def grey(value, text="a sentence"):
    return png_bytes(torch.full((4, 4), float(value))), text


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


@pytest.fixture
def model():
    return VAE(hidden=(8,), seed=1)


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


def test_making_it_twenty_times_keeps_widgets_and_callbacks_constant(model):
    calls = []

    def draw(a):
        calls.append(a)
        return grey(a)

    def live():
        return len(ipw.widget._instances)

    panel = latent.Panel(model, latent.standard_normal(), torch.randn(50, 2), torch.arange(50) % 10)
    counts = []
    for _ in range(20):
        control = widgets.Control(draw, play="a", name="again", a=widgets.step_slider("a", 0, 9, 0))
        widgets.plane_sliders({"<b>": panel}, name="planes")
        widgets.latent_sliders(model.decode, [-1, -1], [1, 1], name="sliders")
        counts.append(live())
    assert counts[-1] == counts[1]
    calls.clear()
    control.set(a=5)
    assert calls == [5]


def test_latent_sliders_show_the_decoded_image(model):
    control = widgets.latent_sliders(model.decode, [-2, -3], [2, 3], name="decode", scale=2)
    control.set(z1=1.0, z2=-0.5)
    expected = model.decode(torch.tensor([[1.0, -0.5]])).detach().reshape(28, 28).numpy() * 255
    assert np.abs(pixels(control.image.value) - expected).max() <= 1
    still = pixels(control.still())
    assert still.shape == (56, 56) and np.abs(still[1::2, 1::2] - expected).max() <= 1
    assert "z1 = 1.00, z2 = -0.50" in control.text.value


def test_plane_sliders_decode_each_model_at_its_own_quantile(model):
    far = latent.Gaussian(torch.tensor([10.0, -5.0]), torch.tensor([[3.0, 0.0], [1.0, 2.0]]))
    codes = far.sample(200)
    other = VAE(hidden=(8,), seed=2)
    panels = {
        "near": latent.Panel(model, latent.standard_normal(), torch.randn(200, 2), None),
        "far": latent.Panel(other, far, codes, torch.arange(200) % 10),
    }
    control = widgets.plane_sliders(panels, name="two")
    control.set(u1=84.13, u2=50)
    for image, panel, z in zip(control.images, panels.values(), ([1.0, 0.0], [13.0, -4.0]), strict=True):
        expected = panel.model.decode(torch.tensor([z])).detach().reshape(28, 28).numpy() * 255
        assert np.abs(pixels(image.value) - expected).max() <= 1.5
    assert "z = (1.00, 0.00)" in control.text.value and "z = (13.00, -4.00)" in control.text.value


def test_the_cursor_sits_on_the_code_it_names(model):
    codes = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]).repeat(30, 1)
    panel = latent.Panel(model, latent.fit_gaussian(codes), codes, None)
    png, place = widgets.codes_map(panel)
    picture_pixels = pixels(png)
    height, width = picture_pixels.shape
    for z in codes[:4]:
        x, y = place(*z.tolist())
        around = picture_pixels[int(y * height) - 2 : int(y * height) + 3, int(x * width) - 2 : int(x * width) + 3]
        assert around.min() < 200  # a dot was drawn there
    assert place(-1, -1)[0] < place(1, 1)[0] and place(-1, -1)[1] > place(1, 1)[1]


def test_without_a_kernel_there_is_a_picture_and_a_sentence(model, monkeypatch):
    shown = {}
    monkeypatch.setattr(widgets, "display", lambda bundle, **kwargs: shown.update(bundle, **kwargs))
    control = widgets.latent_sliders(model.decode, [-1, -1], [1, 1], name="still")
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
    with pytest.raises(ValueError, match="play needs a step_slider or a choice to run through, got a FloatSlider"):
        widgets.Control(grey, play="value", value=widgets.slider("a", 0, 1, 0.0))
    with pytest.raises(ValueError, match="steps must hold one step or more, got none"):
        widgets.scrubber(grey, iter([]))


def test_a_figure_that_does_not_move_is_drawn_whole():
    def draw(a):
        fig, ax = picture("small", alt=f"up to {a}")
        ax.plot([0, a])
        return fig

    control = widgets.Control(draw, a=widgets.slider("a", 0, 1, 1.0))
    assert np.array_equal(pixels(control.image.value), pixels(draw(1.0).png()))
    assert "<path" not in control.layer.value and isinstance(control.drawn, Picture)


def test_scrubber_draws_each_step_once():
    calls = []

    def at(epoch):
        calls.append(epoch)
        fig, ax = picture("small", alt=f"epoch {epoch}")
        ax.plot([0, epoch])
        return fig

    control = widgets.scrubber(at, [1, 5, 9])
    assert control.sentence == "epoch 9"
    before = control.image.value
    control.set(step=1)
    control.set(step=5)
    assert calls == [1, 5, 9] and control.sentence == "epoch 5" and control.image.value != before
    play = control.parts[0]
    assert (play.min, play.max, play.value) == (0, 2, 2) and play.linked.target == (control.inputs["step"], "index")


def test_interpolation_decodes_the_point_in_between(model):
    x, other = torch.rand(4, 784), Autoencoder(hidden=(8,), seed=3)
    control = widgets.interpolation({"vae": model, "plain": other}, x, name="between", scale=1)
    control.set(first=1, second=3, share=0.25)
    shown = pixels(control.image.value)
    for row, encode, decode in ((0, lambda v: model.encode(v)[0], model.decode), (1, other.encode, other.decode)):
        expected = decode(0.75 * encode(x[1:2]) + 0.25 * encode(x[3:4])).detach().reshape(28, 28).numpy() * 255
        assert np.abs(shown[28 * row : 28 * row + 28, 28:56] - expected).max() <= 1
        assert np.abs(shown[28 * row : 28 * row + 28, 56:] - x[3].reshape(28, 28).numpy() * 255).max() <= 1
