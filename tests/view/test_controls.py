"""Controls over latent spaces: what they decode, where the cursor lies, what pointer and arrow keys do."""

import io

import ipywidgets as ipw
import numpy as np
import pytest
import torch
from PIL import Image

from vae_helpers import latent
from vae_helpers.models import VAE, Autoencoder
from vae_helpers.view import controls, widgets
from vae_helpers.view.picture import picture
from vae_helpers.view.plots import codes_map, png_bytes


def grey(value, text="a sentence"):
    return png_bytes(torch.full((4, 4), float(value))), text


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


@pytest.fixture
def model():
    return VAE(hidden=(8,), seed=1)


def test_making_it_twenty_times_keeps_widgets_and_callbacks_constant(model):
    calls = []

    def draw(a):
        calls.append(a)
        return grey(a)

    def live():
        return len(getattr(ipw.widget, "_instances", None) or ipw.Widget.widgets)  # of ipywidgets 8, or of 7

    panel = latent.Panel(model, latent.standard_normal(), torch.randn(50, 2), torch.arange(50) % 10)
    counts = []
    for _ in range(20):
        control = widgets.Control(draw, play="a", name="again", a=widgets.option_slider("a", range(10)))
        controls.plane_sliders({"<b>": panel}, name="planes")
        controls.latent_sliders(model.decode, [-1, -1], [1, 1], name="sliders")
        counts.append(live())
    assert counts[-1] == counts[1]
    calls.clear()
    control.set(a=5)
    assert calls == [5]


def texts(widget):
    """The HTML of every part of a control."""
    own = [widget.value] if isinstance(widget, ipw.HTML) else []
    return own + [text for part in getattr(widget, "children", ()) for text in texts(part)]


@pytest.mark.parametrize("kind", ["planes", "between"])
def test_markup_in_a_title_stays_text(model, kind):
    title = "<img src=x onerror=1>"
    if kind == "planes":
        panel = latent.Panel(model, latent.standard_normal(), torch.randn(50, 2), None)
        shown = texts(controls.plane_sliders({title: panel}, name="marked"))
    else:
        shown = texts(controls.interpolation({title: model}, torch.rand(3, 784), name="marked"))
    assert any("&lt;img src=x" in text for text in shown) and not any("<img src=x" in text for text in shown)


def test_latent_sliders_show_the_decoded_image(model):
    control = controls.latent_sliders(model.decode, [-2, -3], [2, 3], name="decode", scale=2)
    control.set(z1=1.0, z2=-0.5)
    expected = model.decode(torch.tensor([[1.0, -0.5]])).detach().reshape(28, 28).numpy() * 255
    assert np.abs(pixels(control.image.value) - expected).max() <= 1
    still = pixels(control.still())
    assert still.shape == (56, 56) and np.abs(still[1::2, 1::2] - expected).max() <= 1
    assert "z₁ = 1.00, z₂ = -0.50" in control.text.value


def test_plane_sliders_decode_each_model_at_its_own_quantile(model):
    far = latent.Gaussian(torch.tensor([10.0, -5.0]), torch.tensor([[3.0, 0.0], [1.0, 2.0]]))
    codes = far.sample(200)
    other = VAE(hidden=(8,), seed=2)
    panels = {
        "near": latent.Panel(model, latent.standard_normal(), torch.randn(200, 2), None),
        "far": latent.Panel(other, far, codes, torch.arange(200) % 10),
    }
    control = controls.plane_sliders(panels, name="two")
    control.set(u1=84.13, u2=50)
    for image, panel, z in zip(control.images, panels.values(), ([1.0, 0.0], [13.0, -4.0]), strict=True):
        expected = panel.model.decode(torch.tensor([z])).detach().reshape(28, 28).numpy() * 255
        assert np.abs(pixels(image.value) - expected).max() <= 1.5
    assert "z = (1.00, 0.00)" in control.text.value and "z = (13.00, -4.00)" in control.text.value


def test_the_cursor_sits_on_the_code_it_names(model):
    codes = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]).repeat(30, 1)
    panel = latent.Panel(model, latent.fit_gaussian(codes), codes, None)
    png, place, _ = codes_map(panel)
    picture_pixels = pixels(png)
    height, width = picture_pixels.shape
    for z in codes[:4]:
        x, y = place(*z.tolist())
        around = picture_pixels[int(y * height) - 2 : int(y * height) + 3, int(x * width) - 2 : int(x * width) + 3]
        assert around.min() < 200  # a dot was drawn there
    assert place(-1, -1)[0] < place(1, 1)[0] and place(-1, -1)[1] > place(1, 1)[1]


def test_scrubber_draws_each_step_once():
    calls = []

    def at(epoch):
        calls.append(epoch)
        fig, ax = picture("small", alt=f"epoch {epoch}")
        ax.plot([0, epoch])
        return fig

    control = controls.scrubber(at, [1, 5, 9])
    assert control.sentence == "epoch 9"
    before = control.image.value
    control.set(step=1)
    control.set(step=5)
    assert calls == [1, 5, 9] and control.sentence == "epoch 5" and control.image.value != before
    play = control.parts[0]
    assert (play.min, play.max, play.value) == (0, 2, 2) and play.linked.target == (control.inputs["step"], "index")


def test_interpolation_decodes_the_point_in_between(model):
    x, other = torch.rand(4, 784), Autoencoder(hidden=(8,), seed=3)
    control = controls.interpolation({"vae": model, "plain": other}, x, name="between", scale=1)
    control.set(first=1, second=3, share=0.25)
    for title, encode, decode in (
        ("vae", lambda v: model.encode(v)[0], model.decode),
        ("plain", other.encode, other.decode),
    ):
        shown = pixels(control.images[title].value)
        expected = decode(0.75 * encode(x[1:2]) + 0.25 * encode(x[3:4])).detach()
        for column, image in ((0, x[1]), (1, expected), (2, x[3])):
            left = 1 + 29 * column
            assert np.abs(shown[1:29, left : left + 28] - image.reshape(28, 28).numpy() * 255).max() <= 1


def test_images_are_chosen_by_pointing_at_them(model):
    control = controls.interpolation({"vae": model}, torch.rand(5, 784), name="choose")
    pads = [part for part in control.parts if "vae-pad" in part._dom_classes]
    pads[0].children[-1].value = "point 0.9000 0.5000 1"
    pads[1].children[-1].value = "point 1.0000 0.5000 1"
    assert (control.values["first"], control.values["second"]) == (4, 4)
    pads[1].children[-1].value = "step -1 0 2"
    assert control.values["second"] == 3
    for count in range(9):
        pads[1].children[-1].value = f"step 0 -1 {count + 3}"
    assert control.values["second"] == 0
    frame = pads[0].children[1].value
    assert 'x="117"' in frame  # image 4 of five, 29 pixels each


def far_panel(model):
    far = latent.Gaussian(torch.tensor([10.0, -5.0]), torch.tensor([[3.0, 0.0], [1.0, 2.0]]))
    return latent.Panel(model, far, far.sample(300), torch.arange(300) % 10)


def test_pointing_at_a_map_puts_the_cursor_there(model):
    panel = far_panel(model)
    control = controls.plane_sliders({"far": panel}, name="point")
    said = next(part for part in _below(control) if "vae-said" in part._dom_classes)
    z = panel.gaussian.at(torch.tensor([0.7, 0.2]))
    x, y = control.maps["far"][1](*z.tolist())
    said.value = f"point {x:.4f} {y:.4f} 1"
    assert control.values["u1"] == pytest.approx(70, abs=0.5) and control.values["u2"] == pytest.approx(20, abs=0.5)
    said.value = "step 0 1 2"
    assert control.values["u2"] == pytest.approx(20.5, abs=0.5)
    said.value = "point 0 0 3"  # outside the region: the nearest allowed place
    assert all(2.5 <= value <= 97.5 for value in control.values.values())


def _below(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _below(child)


def test_latent_sliders_with_codes_have_a_map_in_latent_units(model):
    codes = torch.randn(200, 2) * torch.tensor([4.0, 1.0]) + 3
    control = controls.latent_sliders(model.decode, [-5, 0], [11, 6], name="map", codes=codes)
    said = next(part for part in _below(control) if "vae-said" in part._dom_classes)
    x, y = control.maps[""][1](9.0, 1.5)
    said.value = f"point {x:.4f} {y:.4f} 1"
    assert control.values["z1"] == pytest.approx(9, abs=0.1) and control.values["z2"] == pytest.approx(1.5, abs=0.05)
    expected = model.decode(torch.tensor([list(control.values.values())])).detach().reshape(28, 28).numpy() * 255
    assert np.abs(pixels(control.images[0].value) - expected).max() <= 1
    outline = control.panels[""].outline()
    assert torch.allclose(outline.amin(dim=0), torch.tensor([-5.0, 0.0]), atol=1e-3)
    assert torch.allclose(outline.amax(dim=0), torch.tensor([11.0, 6.0]), atol=1e-3)


def test_a_scrubber_needs_a_step():
    with pytest.raises(ValueError, match="steps must hold one step or more, got none"):
        controls.scrubber(lambda step: None, iter([]))
