"""Controls in JupyterLab, moved by keyboard in a real browser, compared with what torch decodes."""

import numpy as np
import pytest
import torch
from browser import notebook_page, output

from vae_helpers import latent
from vae_helpers.models import VAE

CELLS = [
    """import torch
from vae_helpers import latent
from vae_helpers.view import controls, widgets
from vae_helpers.view.plots import png_bytes
from vae_helpers.models import VAE
model, codes = VAE(seed=1), latent.standard_normal().sample(300)
controls.latent_sliders(model.decode, [-40, -40], [40, 40], name="one", scale=3)""",
    """panels = {f"seed {s}": latent.Panel(VAE(seed=s), latent.fit_gaussian(s * codes), s * codes) for s in (1, 2)}
controls.plane_sliders(panels, name="two")""",
    """def fail(a):
    raise RuntimeError("shown beneath")
widgets.Control(fail, a=widgets.slider("a", 0, 1, 0))""",
    """calls = []

def counted(a, b, c):
    calls.append(a)
    return png_bytes(torch.full((28, 28), a)), f"counted at {a:.1f}, {b}, {c}"
widgets.Control(
    counted,
    a=widgets.slider("a", 0, 1, 0, step=0.1),
    b=widgets.choice("b", ["left", "middle", "right"]),
    c=widgets.choice("c", ["on", "off"]),
)""",
    """from vae_helpers.view.picture import picture
fig, ax = picture("wide", alt="a field")
ax.set(xlim=(0, 1), ylim=(0, 1))

@fig.moving
def mark(ax, x):
    ax.plot([x], [0.5], "s", color="#ff0000", ms=9)
    return f"marked at {x:.1f}"
widgets.Control(mark, x=widgets.slider("x", 0, 1, 0.2, step=0.1))""",
    """from ipywidgets.widgets import widget
print(len(widget._instances), calls)""",
]
RUN_CELL = """async number => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = number;
    await window.jupyterapp.commands.execute("notebook:run-cell");
    return notebook.widgets[number].model.outputs.toJSON().map(output => output.text ?? "").join("");
}"""
READ_PIXELS = """image => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data).filter((_, i) => i % 4 == 0);
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The notebook after Run All, with the errors of the page in page.errors."""
    with notebook_page(tmp_path_factory.mktemp("lab"), CELLS, done="text=/^[0-9]+ \\[/") as page:
        yield page


def shown(image):
    return np.array(image.evaluate(READ_PIXELS)).reshape(28, 28)


def decoded(model, z):
    with torch.inference_mode():
        return model.decode(torch.as_tensor(z, dtype=torch.float32)[None]).reshape(28, 28).numpy() * 255


def press(page, handle, key, times, sentence):
    """Press a key on a slider's handle, then wait until the sentence beneath the picture holds the given words."""
    handle.focus()
    for _ in range(times):
        page.keyboard.press(key)
    page.wait_for_selector(f"text={sentence}")


def test_one_decoder_moves_with_the_arrow_keys(page):
    control = output(page, 0)
    image, handles = control.locator("img"), control.locator(".noUi-handle")
    before = shown(image)
    assert image.evaluate("image => [image.clientWidth, image.clientHeight]") == [84, 84]  # not stretched over the cell
    assert np.abs(before - decoded(VAE(seed=1), [0.0, 0.0])).max() <= 1
    press(page, handles.nth(0), "ArrowRight", 25, "z₁ = 10.00, z₂ = 0.00")
    press(page, handles.nth(1), "ArrowLeft", 50, "z₁ = 10.00, z₂ = -20.00")
    after = shown(image)
    assert np.abs(after - decoded(VAE(seed=1), [10.0, -20.0])).max() <= 1
    assert np.abs(after - before).max() > 1


def test_two_decoders_follow_one_cursor(page):
    control, codes = output(page, 1), latent.standard_normal().sample(300)
    press(page, control.locator(".noUi-handle").nth(0), "ArrowRight", 40, "Quantiles 70.0 % and 50.0 %")
    images = control.locator("img")  # codes, decoded, codes, decoded
    for seed, number in ((1, 1), (2, 3)):
        z = latent.fit_gaussian(seed * codes).at([0.7, 0.5])
        assert np.abs(shown(images.nth(number)) - decoded(VAE(seed=seed), z)).max() <= 1
    circles = control.locator("circle")
    assert circles.count() == 2 and all(150 < float(circles.nth(i).get_attribute("cx")) < 300 for i in (0, 1))


def test_an_error_in_a_callback_is_shown_beneath_the_control(page):
    assert "RuntimeError" in output(page, 2).inner_text()


def test_cells_run_again_and_again_leave_nothing_behind(page):
    counts = []
    for _ in range(8):
        for number in (0, 1, 3):
            page.evaluate(RUN_CELL, number)
        counts.append(page.evaluate(RUN_CELL, 5).split()[0])
    assert counts[-1] == counts[0]
    assert [output(page, number).locator("img").count() for number in (0, 1, 3)] == [1, 4, 1]
    press(page, output(page, 3).locator(".noUi-handle").first, "ArrowRight", 1, "counted at 0.1, left")
    assert page.evaluate(RUN_CELL, 5).split(maxsplit=1)[1].strip() == "[0.0, 0.1]"  # one callback, called once


def test_a_choice_is_made_with_the_arrow_keys_and_a_choice_of_two_by_its_buttons(page):
    press(page, output(page, 3).locator(".noUi-handle").last, "ArrowRight", 1, "counted at 0.1, middle, on")
    output(page, 3).locator("button", has_text="off").focus()
    page.keyboard.press("Space")
    page.wait_for_selector("text=counted at 0.1, middle, off")


def state(page):
    """What a stray key changes: where the notebook is scrolled, which cell is active, what is folded."""
    return page.evaluate(
        """() => { const notebook = window.jupyterapp.shell.currentWidget.content;
        return [notebook.outerNode?.scrollTop ?? notebook.node.scrollTop, notebook.activeCellIndex, notebook.mode,
            document.querySelectorAll(".jp-Cell:not(.jp-mod-noOutputs)").length]; }"""
    )


@pytest.mark.parametrize(("number", "sliders"), [(0, 2), (1, 2), (3, 1), (4, 1)])
def test_a_click_on_the_track_then_arrow_keys_move_the_slider_and_nothing_else(page, number, sliders):
    tracks = output(page, number).locator(".noUi-target")
    for track in (tracks.nth(i) for i in range(sliders)):
        track.scroll_into_view_if_needed()
        box = track.bounding_box()
        page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
        page.wait_for_function("document.activeElement.getAttribute('role') == 'slider'")
        handle = page.locator(".noUi-handle:focus")
        before, low = state(page), float(handle.get_attribute("aria-valuemin"))
        handle.evaluate("handle => handle.id = 'watched'")
        page.keyboard.press("Home")
        for _ in range(2):
            page.keyboard.press("ArrowRight")
        two = float(handle.get_attribute("aria-valuenow"))
        for _ in range(2):
            page.keyboard.press("ArrowRight")
        four = float(handle.get_attribute("aria-valuenow"))
        assert four - low == pytest.approx(2 * (two - low)) and two > low  # two steps, then two more
        assert state(page) == before and page.evaluate("document.activeElement.id") == "watched"
        handle.evaluate("handle => handle.id = ''")


def test_a_cursor_is_dragged_on_its_map_and_moved_by_keys(page):
    control = output(page, 1)
    surface = control.locator(".vae-pad").nth(1)
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_function("document.activeElement.classList.contains('vae-pad')")
    goal = 0.6 * 300, 0.4 * 300
    page.wait_for_function(
        """([surface, x, y]) => { const circle = surface.querySelector("circle");
        return Math.hypot(circle.cx.baseVal.value - x, circle.cy.baseVal.value - y) < 3; }""",
        arg=[surface.element_handle(), *goal],
    )
    before = control.locator(".widget-readout").first.inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([element, text]) => parseFloat(element.textContent) == parseFloat(text) + 0.5",
        arg=[control.locator(".widget-readout").first.element_handle(), before],
    )


def test_every_handle_and_map_has_a_name_and_readouts_are_no_tab_stops(page):
    names = page.evaluate(
        """() => [...document.querySelectorAll(".vae-control [role=slider], .vae-control .vae-pad")]
        .map(part => part.getAttribute("aria-label"))"""
    )
    assert len(names) >= 9 and all(names) and "z₁ quantile, %" in names
    assert page.evaluate("[...document.querySelectorAll('.vae-control .widget-readout')].every(e => e.tabIndex == -1)")


def test_two_planes_stay_side_by_side_in_560_pixels(page):
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.set_viewport_size({"width": 560, "height": 1200})
    left, right = (output(page, 1).locator(".vae-pad").nth(i) for i in (0, 1))
    page.wait_for_function("e => e.getBoundingClientRect().width < 300", arg=left.element_handle())
    a, b = left.bounding_box(), right.bounding_box()
    assert a["y"] == b["y"] and a["x"] + a["width"] < b["x"] and a["width"] > 170
    assert output(page, 1).evaluate("e => e.scrollWidth - e.clientWidth") <= 2
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")


def boxes(control):
    """Where the ground of a figure, the layer over it, and the red square in that layer stand on the page."""
    parts = (control.locator("img"), control.locator(".vae-layer svg"), control.locator(".vae-layer svg use"))
    return [part.bounding_box() for part in parts]


@pytest.mark.parametrize("width", [1300, 700])
def test_what_moves_in_a_figure_lies_over_what_stands_still(page, width):
    page.set_viewport_size({"width": width, "height": 1600})
    control = output(page, 4)
    handle, ground = control.locator(".noUi-handle"), control.locator("img").get_attribute("src")
    handle.focus()
    page.keyboard.press("Home")
    page.wait_for_selector("text=marked at 0.0")
    left = boxes(control)[2]["x"]
    press(page, handle, "ArrowRight", 10, "marked at 1.0")
    below, above, mark = boxes(control)
    assert all(abs(below[side] - above[side]) <= 1 for side in below)
    axes = 0.9 * below["width"]  # nearly all of the picture's width
    assert axes < mark["x"] - left < below["width"] and mark["x"] + mark["width"] <= below["x"] + below["width"]
    assert control.locator("img").get_attribute("src") == ground  # sent once


def test_nothing_overflows_at_700_pixels(page):
    page.set_viewport_size({"width": 700, "height": 1200})
    for number in (0, 1, 4):
        box = output(page, number)
        assert box.evaluate("e => e.scrollWidth - e.clientWidth") <= 2


def test_no_question_lies_over_the_page(page):
    assert page.locator(".Toastify__toast").count() == 0


def test_the_console_stayed_clean(page):
    assert page.errors == []
