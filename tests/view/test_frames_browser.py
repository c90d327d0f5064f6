"""Controls without a kernel, in a real browser from a file: every picture against what Python draws there."""

import base64
import io
import itertools

import numpy as np
import pytest
import torch
from browser import offline_page
from PIL import Image

from vae_helpers.models import seeded
from vae_helpers.view import controls, plots, widgets
from vae_helpers.view.picture import COLORS, picture
from vae_helpers.weights import shipped_pair

HOST = "[data-vae-frames]"
GROUND = np.linspace(0, 6, 200)


def curves():
    """Lines, an area, text, a title and the frame of the axes, all of which move."""
    fig, (left, right) = picture("wide", 1, 2, alt="Two waves.")
    left.axis((0, 6, -2, 2))
    right.axis((0, 6, -2, 2))

    @fig.moving
    def wave(left, right, a, b):
        y = a * np.sin(GROUND + b)
        left.plot(GROUND, y, color=COLORS["data"])
        left.fill_between(GROUND, y, where=y > 0, color=COLORS["kl"], alpha=0.4)
        left.text(0.3, 1.6, f"a is {a:.2f}")
        right.plot(GROUND[::20], y[::20], "o", color=COLORS["prior"])
        right.set_title(f"b = {b:.1f}")
        return f"A wave of height {a:.2f}, shifted by {b:.1f}."

    return widgets.Control(
        wave, a=widgets.slider("a", -1.5, 1.5, 1.0, step=0.25), b=widgets.slider("b", -3, 3, 0.0, step=0.5)
    )


def images():
    """A grey image inside a figure, whose shape of dots changes in number."""
    fig, (left, right) = picture("wide", 1, 2, alt="Dots and an image.")
    left.axis((0, 1, 0, 1))
    right.imshow(np.zeros((8, 8)), cmap="gray", vmin=0, vmax=1)
    with seeded(0):
        noise = torch.rand(12, 8, 8)

    @fig.moving
    def dots(left, right, count):
        left.plot(np.linspace(0.1, 0.9, count), np.full(count, 0.5), "o", color=COLORS["data"])
        plots.draw_grey(right, noise[count])
        return f"{count} dots."

    return widgets.Control(dots, play="count", count=widgets.option_slider("count", list(range(1, 12))))


def tiles():
    """An image that the page enlarges, four inputs at a time too many."""
    sliders = {name: widgets.slider(name, 0, 1, 0.5, step=0.05) for name in "abcd"}

    def shade(**values):
        image = torch.tensor(list(values.values())).reshape(2, 2)
        return plots.png_bytes(image), ", ".join(f"{name} {value:.2f}" for name, value in values.items())

    return widgets.Control(shade, name="tiles", width=100, **sliders)


def plane():
    panel = shipped_pair()["with KL"]
    low, high = panel.codes.quantile(0.025, dim=0), panel.codes.quantile(0.975, dim=0)
    drawn = {"codes": panel.codes, "labels": panel.labels}
    return controls.latent_sliders(panel.model.decode, low, high, name="plane", **drawn)


def between():
    models = {title: panel.model for title, panel in shipped_pair().items()}
    with torch.no_grad():
        x = models["with KL"].decode(shipped_pair()["with KL"].codes[:5])
    return controls.interpolation(models, x, name="between")


def scrub():
    def at(epoch):
        fig, ax = picture("small", alt=f"Epoch {epoch}.")
        ax.bar([0, 1], [epoch, 5 - epoch], color=COLORS["data"])
        return fig

    return controls.scrubber(at, [1, 2, 4])


TRUTH = """([png, layer]) => {
    const view = document.querySelector("[data-vae-frames]").shadowRoot.querySelector(".view");
    const box = view.getBoundingClientRect(), truth = document.createElement("div");
    truth.id = "truth";
    truth.style = `position: absolute; left: ${box.left}px; top: ${box.top}px; width: ${box.width}px;
      height: ${box.height}px; line-height: 0; background: #fff; color: #000; font: 15px/1.4 system-ui, Arial`;
    const style = "width: 100%; height: 100%; image-rendering: " + (layer ? "auto" : "pixelated");
    truth.innerHTML = `<style>#truth svg { width: 100%; height: 100%; stroke-linejoin: round; stroke-linecap: butt; }
      #truth svg image { image-rendering: pixelated }</style>
      <img src="data:image/png;base64,${png}" style="${style}">
      <div style="position: absolute; inset: 0">${layer}</div>`;
    document.body.append(truth);
    return truth.querySelector("img").decode();
}"""
SPOKEN = "said => document.querySelector('[data-vae-frames]').shadowRoot.querySelector('.live').textContent === said"
KINDS = {"curves": curves, "images": images, "tiles": tiles, "plane": plane, "between": between, "scrub": scrub}


@pytest.fixture(scope="module", params=KINDS)
def control(request):
    control = KINDS[request.param]()
    control.first, control.drawn_block = control.values, control.block()  # drawing all frames takes seconds
    return control


@pytest.fixture
def address(control, tmp_path):
    """A page with the control as one made from a notebook has it: the still, then its block."""
    control.set(**control.first)
    (tmp_path / "page.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Control</title><main><h1>Control</h1>'
        f'<div class="outputs"><div id="still"><img src="data:," alt="{control.sentence}"></div>'
        f"<div>{control.drawn_block}</div></div></main>",
        encoding="utf-8",
    )
    return (tmp_path / "page.html").as_uri()


@pytest.fixture
def page(chromium, address):
    with offline_page(chromium, viewport={"width": 1000, "height": 900}) as (page, log):
        page.goto(address)
        page.locator(".view").wait_for()
        yield page
        assert log == []


def settle(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def seen(page):
    settle(page)
    return pixels(page.locator(".view").screenshot())


def positions(page):
    """{argument: number of positions} as the page has them."""
    counts = page.locator("input[type=range]").evaluate_all("all => all.map((one) => Number(one.max) + 1)")
    return dict(zip(page.locator(HOST).evaluate("host => Object.keys(host.vae.state())"), counts, strict=True))


def go(page, number, position):
    """Move the slider with this number to a position, as its keys do."""
    page.locator("input[type=range]").nth(number).evaluate(
        "(one, k) => { one.value = k; one.dispatchEvent(new Event('input', { bubbles: true })); }", position
    )
    settle(page)


def asked(control, state):
    """The argument values that the page's names mean."""
    values = {}
    for name, text in state.items():
        widget, number = control.inputs[name], float(text.replace("−", "-"))
        ends = {} if hasattr(widget, "options") else {"step": widget.step, "low": widget.min}
        if ends:
            number = ends["low"] + round((number - ends["low"]) / ends["step"]) * ends["step"]
        values[name] = number if ends else type(widget.options[0])(number)
    return values


def drawn_by_python(page, png, layer):
    """A screenshot of Python's own picture and its own SVG, in the place and size of the page's view."""
    page.evaluate(TRUTH, [base64.b64encode(png).decode(), layer])
    settle(page)
    found = pixels(page.locator("#truth").screenshot())
    page.evaluate("document.getElementById('truth').remove()")
    return found


def places(page, most=30):
    """(slider, position) pairs, spread over all sliders."""
    pairs = [(i, k) for i, count in enumerate(positions(page).values()) for k in range(count)]
    return pairs[:: max(1, len(pairs) // most)]


def test_frames_are_what_python_draws(page, control):
    for number, position in places(page):
        go(page, number, position)
        control.set(**asked(control, page.locator(HOST).evaluate("host => host.vae.state()")))
        png, layer = control.shown()
        shown, truth = seen(page), drawn_by_python(page, png, layer)
        assert shown.shape == truth.shape
        off = np.abs(shown - truth).max(axis=2)
        assert (off > 64).mean() < 0.001, (number, position)  # edges, where tenths of a point are rounded
        assert page.locator(".said").inner_text() == control.sentence
        assert page.locator(".view").get_attribute("aria-label") == control.sentence


def test_a_wrong_frame_would_be_seen(page, control):
    first, second = places(page)[0], places(page)[-2]
    go(page, *first)
    control.set(**asked(control, page.locator(HOST).evaluate("host => host.vae.state()")))
    go(page, *second)
    off = np.abs(seen(page) - drawn_by_python(page, *control.shown())).max(axis=2)
    assert (off > 64).mean() > 0.001


def test_keys_and_mouse_move_it_and_the_still_makes_room(page, control):
    assert not page.locator("#still img").is_visible()
    slider = page.locator("input[type=range]").first
    slider.focus()
    before, start = page.locator(".said").inner_text(), int(slider.input_value())
    page.keyboard.press("ArrowLeft" if start else "ArrowRight")
    settle(page)
    assert abs(int(slider.input_value()) - start) == 1 and page.locator(".said").inner_text() != before
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 0.95 * box["width"], box["y"] + box["height"] / 2)  # the track, not the handle
    settle(page)
    assert int(slider.input_value()) > 0.7 * int(slider.get_attribute("max"))
    page.wait_for_function(SPOKEN, arg=page.locator(".said").inner_text())
    assert slider.get_attribute("aria-valuetext") == page.locator("output").first.inner_text()


def test_a_finger_moves_a_slider(chromium, address):
    with offline_page(chromium, viewport={"width": 390, "height": 844}, has_touch=True) as (page, log):
        page.goto(address)
        page.locator(".view").wait_for()
        slider, before = page.locator("input").first, seen(page)
        box, start = slider.bounding_box(), int(slider.input_value())
        goal = 0.02 if start > int(slider.get_attribute("max")) / 2 else 0.98
        page.touchscreen.tap(box["x"] + goal * box["width"], box["y"] + box["height"] / 2)
        settle(page)
        assert int(slider.input_value()) != start and np.abs(seen(page).astype(int) - before).max() > 64
        assert log == []


def test_one_slider_at_a_time_says_so(page, control):
    alone = "one slider moves at a time" in page.locator(".box").inner_text()
    assert alone == (control.draw.__name__ == "shade")
    counts = list(positions(page).values())
    if len(counts) < 2:
        return
    go(page, 0, 0)
    go(page, 1, 0)
    assert (int(page.locator("input[type=range]").first.input_value()) != 0) == alone


def test_a_state_can_be_taken_and_is_told_when_it_rests(page, control):
    host = page.locator(HOST)
    host.evaluate("host => { window.rests = []; document.addEventListener('vae-rest', (e) => rests.push(e.detail)); }")
    name, goal = next(iter(control.inputs)), next(iter(positions(page).values())) - 1
    go(page, 0, goal)
    state = host.evaluate("host => host.vae.state()")
    go(page, 0, 0)
    page.wait_for_function("rests.length > 0")
    host.evaluate("(host, state) => host.vae.take(state)", {name: state[name].replace("−", "-")})
    settle(page)
    assert host.evaluate("host => host.vae.state()")[name] == state[name]
    page.wait_for_function("([name, value]) => rests[rests.length - 1][name] === value", arg=[name, state[name]])


def test_play_runs_to_the_end_and_can_be_halted(page, control):
    button = page.get_by_role("button", name="Play")
    if control.play is None:
        assert button.count() == 0
        return
    slider, last = page.locator("input[type=range]").first, positions(page)[control.play] - 1
    go(page, 0, last - 2)
    button.click()
    page.get_by_role("button", name="Pause").wait_for()
    page.wait_for_function("last => document.querySelector('[data-vae-frames]').shadowRoot"
                           ".querySelector('input').value == last", arg=last)  # fmt: skip
    button.wait_for()  # it has stopped by itself
    button.click()  # from the start
    page.get_by_role("button", name="Pause").click()
    assert int(slider.input_value()) < last


@pytest.mark.parametrize("width", [390, 700])
def test_it_fits_a_narrow_page(page, control, width):
    page.set_viewport_size({"width": width, "height": 800})
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [page.locator("input[type=range]").nth(i).bounding_box() for i in range(len(control.inputs))]
    assert all(box["width"] > 100 for box in boxes)
    assert all(below["y"] >= above["y"] + 20 for above, below in itertools.pairwise(boxes))


def test_nobody_who_cannot_see_it_is_left_out(page, control):
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    found = axe.Axe().run(page)["violations"]
    assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []
