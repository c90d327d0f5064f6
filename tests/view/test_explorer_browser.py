"""The explorer in a real browser, from a file, with no network: pictures, keys, layout, accessibility."""

import base64
import json
import re
from importlib import resources

import nbformat
import numpy as np
import pytest
import torch
from browser import offline_page

from vae_helpers.latent import Gaussian, Panel
from vae_helpers.models import VAE
from vae_helpers.view.explorer import UNTIL, explore
from vae_helpers.view.page import save
from vae_helpers.weights import shipped_pair

PLACES = [(0.5, 0.5), (0.025, 0.975), (0.2, 0.8), (0.77, 0.31), (0.975, 0.025), (0.9, 0.9)]
PATH = [(0.1, 0.2), (0.4, 0.6), (0.4, 0.3), (0.9, 0.3)]
HOST = "[data-vae-explorer]"
GREY = """(host, kind) => [...host.shadowRoot.querySelectorAll(kind)].map(c =>
    [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0))"""
LEFT, RIGHT, TOP = 40, 8, 24  # CSS pixels around a plot


@pytest.fixture(scope="module")
def panels():
    return shipped_pair()


@pytest.fixture(scope="module")
def view(panels):
    return explore(panels, path=PATH)


@pytest.fixture(scope="module")
def address(view, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    save(path, view)
    return path.as_uri()


@pytest.fixture
def page(chromium, address):
    with offline_page(chromium, viewport={"width": 1300, "height": 800}) as (page, log):
        page.goto(address)
        page.get_by_label("z₁ quantile").wait_for()
        yield page
        assert log == []


def grey(page, kind=".image"):
    return torch.tensor(page.locator(HOST).first.evaluate(GREY, kind)) / 255


def state(page, nth=0):
    return page.locator(HOST).nth(nth).evaluate("host => host.explorer.state()")


def decoded(panels, u):
    """What torch shows at u, with the weights rounded as the block holds them."""
    with torch.inference_mode():
        return torch.cat([panel.model.half().float().decode(panel.gaussian.at(u)[None]) for panel in panels.values()])


class Codes:
    """Where the codes of one plane lie in its canvas, in CSS pixels, from the view that the page was sent."""

    def __init__(self, page, view, panel, nth):
        sent = json.loads(re.search(r'begin\(".*?", (\{.*\})\);', view.html)[1])["panels"][nth]
        low, high = np.array(sent["view"]).T
        self.map, self.labels = page.get_by_role("application").nth(nth), panel.labels
        self.box, half = self.map.bounding_box(), (high - low).max() / 2
        zoom = (self.box["width"] - LEFT - RIGHT) / (2 * half)
        right_and_down = (panel.codes.numpy() - (low + high) / 2 + [half, -half]) * [zoom, -zoom]
        self.places = right_and_down + np.array([LEFT, TOP])
        seen = ((right_and_down > 12) & (right_and_down < 2 * half * zoom - 12)).all(axis=1)
        gaps = np.linalg.norm(self.places[:, None] - self.places, axis=-1) + np.diag(np.full(len(seen), np.inf))
        self.alone = gaps.min(axis=0) * seen  # distance to the next code

    def lonely(self, digit=None):
        """Numbers of the codes (of this class), that which is farthest from all others first."""
        return (self.alone * (1 if digit is None else self.labels.numpy() == digit)).argsort()[::-1]

    def point(self, i, beside=0):
        x, y = self.places[i]
        self.map.page.mouse.move(self.box["x"] + x + beside, self.box["y"] + y)

    def darkest(self, i):
        """The darkest value, 0 to 255, within 5 pixels around a code."""
        look = "(c, [x, y]) => Math.min(...c.getContext('2d').getImageData(x - 5, y - 5, 11, 11).data)"
        return self.map.evaluate(look, self.places[i].round().tolist())


@pytest.fixture
def codes(page, view, panels):
    return Codes(page, view, panels["with KL"], 1)


@pytest.mark.parametrize("u", PLACES)
def test_pictures_agree_with_torch(page, panels, u):
    page.locator(HOST).evaluate("(host, u) => host.explorer.move(u)", list(u))
    assert (grey(page) - decoded(panels, u)).abs().max() <= 1 / 255


def test_another_net_with_a_tilted_plane_agrees_too(chromium, tmp_path):
    model = VAE(hidden=(40, 24, 16, 8), seed=3)
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight *= 3  # untrained, it would be grey everywhere
        model.decoder[0].weight *= 1e-5  # subnormal in half precision: stored by another rule
    gaussian = Gaussian(1e5 * torch.tensor([30.0, -7.0]), 1e5 * torch.tensor([[12.0, 0.0], [-9.0, 5.0]]))
    panels = {"only": Panel(model, gaussian, gaussian.sample(50))}
    save(tmp_path / "page.html", explore(panels, start=(0.9, 0.2)))
    with offline_page(chromium) as (page, log):
        page.goto((tmp_path / "page.html").as_uri())
        picture = grey(page)
        assert picture.std() > 0.1
        assert (picture - decoded(panels, (0.9, 0.2))).abs().max() <= 1 / 255
        assert page.get_by_role("toolbar").count() == page.get_by_role("button").count() == 0  # no classes, no path
        assert log == []


def test_keys_move_the_cursor_and_the_picture(page):
    plane, before = page.get_by_role("application").first, grey(page)
    for key, u in [
        ("ArrowRight", [0.51, 0.5]),
        ("ArrowUp", [0.51, 0.51]),
        ("Shift+ArrowLeft", [0.46, 0.51]),
        ("Shift+ArrowDown", [0.46, 0.46]),
    ]:
        plane.press(key)
        assert state(page) == pytest.approx(u)
    assert ((grey(page) - before).abs().amax(dim=1) > 0.05).all()
    plane.press("Home")
    assert state(page) == [0.5, 0.5] and torch.equal(grey(page), before)
    for _ in range(12):
        plane.press("Shift+ArrowRight")
    assert state(page) == pytest.approx([0.975, 0.5])  # the edge of the box


def test_sliders_alone_are_enough(page, panels):
    first, second = page.get_by_role("slider").all()
    first.press("ArrowLeft")
    second.press("Shift+ArrowUp")
    assert state(page) == pytest.approx([0.49, 0.55])
    assert first.get_attribute("aria-valuetext") == "49.0 %" and second.input_value() == "0.55"
    second.fill("0.8")
    assert state(page) == pytest.approx([0.49, 0.8])
    assert (grey(page) - decoded(panels, (0.49, 0.8))).abs().max() <= 1 / 255
    second.press("Home")
    assert state(page) == [0.5, 0.5]


@pytest.mark.parametrize("nth", [0, 1])
def test_dragging_on_a_plane_moves_both(page, panels, nth):
    plane = page.get_by_role("application").nth(nth)
    box, before = plane.bounding_box(), grey(page)
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 240, box["y"] + 150)
    u = state(page)
    assert not torch.equal(grey(page), before)
    assert (grey(page) - decoded(panels, u)).abs().max() <= 1 / 255
    page.mouse.move(box["x"] + 5000, box["y"] - 5000)
    assert max(state(page)) <= 0.975 and state(page)[0] == pytest.approx(0.975)
    page.mouse.up()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    assert state(page)[0] == pytest.approx(0.975)  # only a pressed pointer drags
    assert page.evaluate(f"document.querySelector('{HOST}').shadowRoot.activeElement.className") == "map"


def test_the_cursor_is_drawn_where_the_pointer_is(page):
    plane = page.get_by_role("application").first
    box = plane.bounding_box()
    page.mouse.click(box["x"] + 180, box["y"] + 130)
    dark = "(c, p) => Math.max(...c.getContext('2d').getImageData(p[0], p[1], 1, 1).data.slice(0, 3))"
    assert plane.evaluate(dark, [180, 130]) < 60  # the crossing of the cursor's lines
    assert plane.evaluate(dark, [180 + 6, 130 + 20]) > 60


def test_touch_drags_too(chromium, address):
    with offline_page(chromium, viewport={"width": 390, "height": 844}, has_touch=True) as (page, log):
        page.goto(address)
        plane = page.get_by_role("application").first
        assert plane.evaluate("c => getComputedStyle(c).touchAction") == "none"
        box = plane.bounding_box()
        page.touchscreen.tap(box["x"] + 90, box["y"] + 110)
        assert state(page) != [0.5, 0.5] and log == []


def test_every_control_is_reached_by_tab_and_shows_its_focus(page):
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(f"""() => {{
                const node = document.querySelector('{HOST}').shadowRoot.activeElement, style = getComputedStyle(node);
                return [node.getAttribute('role') || node.type, style.outlineStyle, style.outlineWidth];
            }}""")
        )
    kinds = ["application", "application", "range", "range", "button", "button", "checkbox"]  # ten digits are one stop
    assert [kind for kind, *_ in reached] == kinds
    assert all(outline == ["solid", "3px"] for _, *outline in reached)


def test_the_spoken_line_tells_quantiles_places_and_nearest_class(page, panels):
    page.get_by_label("z₁ quantile").press("Shift+ArrowRight")
    spoken = page.get_by_role("status")
    spoken.filter(has_text="55.0 %").wait_for(state="attached")
    text = spoken.inner_text().replace("−", "-")
    z = panels["with KL"].gaussian.at((0.55, 0.5)).tolist()
    assert spoken.get_attribute("aria-live") == "polite"
    assert text.startswith("Cursor at quantiles 55.0 % and 50.0 %. without KL: z = (")
    assert f"with KL: z = ({z[0]:.2f}, {z[1]:.2f}), nearest class median: " in text
    labels, codes = panels["with KL"].labels, panels["with KL"].codes
    medians = torch.stack([codes[labels == digit].quantile(0.5, dim=0) for digit in range(10)])
    assert f"nearest class median: {(medians - torch.tensor(z)).norm(dim=1).argmin()}," in text.split("with KL: ")[1]


def test_pointing_at_a_dot_shows_its_code_decoded(page, panels, codes):
    i, told, panel = codes.lonely()[0], page.locator(".told"), panels["with KL"]
    codes.point(i)
    assert told.all_inner_texts() == [
        "Point at a dot to see its code decoded.",
        f"code of a {panel.labels[i]}, decoded",
    ]
    with torch.inference_mode():
        want = panel.model.half().float().decode(panel.codes[i][None])[0]
    assert (grey(page, ".code")[1] - want).abs().max() <= 1 / 255
    assert state(page) == [0.5, 0.5]  # pointing does not move the cursor
    codes.point(i, beside=9)
    assert told.last.inner_text().startswith("code of")
    page.mouse.move(0, 0)
    assert told.last.inner_text().startswith("Point at") and grey(page, ".code")[1].max() == 0
    if codes.alone[i] > 24:
        codes.point(i, beside=12)
        assert told.last.inner_text().startswith("Point at")


def test_the_legend_shows_classes_alone_by_mouse_and_by_keys(page, codes):
    bare = [next(i for i in codes.lonely(digit) if codes.darkest(i) > 100) for digit in (0, 1, 2)]  # no line on it
    buttons = page.get_by_role("toolbar", name="show only").get_by_role("button").all()
    assert [button.inner_text() for button in buttons] == list("0123456789")
    page.mouse.move(0, 0)
    before, whole = [codes.darkest(i) for i in bare], codes.map.screenshot()

    def marks():
        """Sign of the change at a code of 0, of 1 and of 2: −1 darker, now a digit; 1 fainter."""
        return [int(np.sign(codes.darkest(i) - was)) for i, was in zip(bare, before, strict=True)]

    buttons[0].click()
    assert marks() == [-1, 1, 1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert marks() == [-1, -1, 1]
    assert [button.get_attribute("aria-pressed") for button in buttons[:3]] == ["true", "true", "false"]
    codes.point(bare[2])
    assert page.locator(".told").last.inner_text() != "code of a 2, decoded"  # what is faint cannot be pointed at
    codes.point(bare[1])
    assert page.locator(".told").last.inner_text() == "code of a 1, decoded"
    page.mouse.move(0, 0)
    page.keyboard.press("Space")
    assert marks() == [-1, 1, 1]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert marks() == [0, 0, 0] and state(page) == [0.5, 0.5]
    page.get_by_label("z₁ quantile").focus()
    assert codes.map.screenshot() == whole  # all classes again


def test_labels_keep_apart_and_in_the_plot(page):
    for name in ("numbers.js", "draw.js"):
        page.add_script_tag(content=resources.files("vae_helpers").joinpath("view", "web", name).read_text("utf-8"))
    rng = np.random.default_rng(0)
    heaps = [np.full((10, 2), 100.0), np.zeros((10, 2)), *(rng.normal(100, s, (10, 2)) for s in (1, 5, 10, 20))]
    for heap in heaps:
        moved = np.array(page.evaluate("p => apart(p, 18, [[20, 20], [180, 180]])", heap.tolist()))
        gaps = np.linalg.norm(moved[:, None] - moved, axis=-1) + 99 * np.eye(10)
        assert gaps.min() >= 18 and moved.min() >= 20 and moved.max() <= 180
    grid = 30.0 + 20 * np.array([divmod(i, 4) for i in range(10)])  # far enough apart: left alone
    still = np.array(page.evaluate("p => apart(p, 18, [[20, 20], [180, 180]])", grid.tolist()))
    assert np.abs(still - grid).max() < 0.1


@pytest.mark.parametrize("width", [1300, 560, 390])
def test_no_label_is_written_over_another(chromium, address, width):
    with offline_page(chromium, viewport={"width": width, "height": 800}) as (page, log):
        page.add_init_script("""window.written = [];
            const write = CanvasRenderingContext2D.prototype.strokeText; // labels alone have an edge
            CanvasRenderingContext2D.prototype.strokeText = function (text, x, y) {
                window.written.push([text, x, y]); write.call(this, text, x, y); };""")
        page.goto(address)
        written = np.array(page.evaluate("written"), dtype=float)
        assert written.shape == (20, 3)  # ten digits in two planes
        for plane in (written[:10, 1:], written[10:, 1:]):
            assert (np.linalg.norm(plane[:, None] - plane, axis=-1) + 99 * np.eye(10)).min() >= 16
        assert log == []


def along(path, length):
    """The place u that lies this far along the path."""
    legs = np.hypot(*np.diff(path, axis=0).T)
    return [np.interp(length, [0, *legs.cumsum()], [u[k] for u in path]) for k in (0, 1)]


def test_the_path_walks_pauses_goes_on_and_ends(chromium, address):
    with offline_page(chromium) as (page, log):
        page.clock.install(time=0)
        page.goto(address)
        page.get_by_label("z₁ quantile").wait_for()
        page.clock.pause_at(1_000_000)
        page.get_by_role("button", name="walk the path").click()
        page.clock.run_for(4500)
        assert state(page) == pytest.approx(along(PATH, 0.45), abs=0.005)  # a tenth of a unit per second
        page.get_by_role("button", name="pause").click()
        resting = state(page)
        page.clock.run_for(3000)
        assert state(page) == resting
        page.get_by_role("button", name="walk the path").click()
        page.clock.run_for(4000)
        assert state(page) == pytest.approx(along(PATH, 0.85), abs=0.01)
        page.get_by_role("application").first.press("ArrowRight")  # a hand on the cursor ends the walk
        resting = state(page)
        page.clock.run_for(1000)
        assert state(page) == resting
        page.get_by_role("button", name="walk the path").click()
        page.clock.run_for(10_000)
        assert state(page) == pytest.approx(PATH[-1])
        page.get_by_role("button", name="walk the path").click()  # once more from the start
        page.clock.run_for(100)
        assert state(page) == pytest.approx(PATH[0], abs=0.02) and log == []


def test_with_less_motion_the_path_goes_by_clicks(chromium, address):
    with offline_page(chromium, reduced_motion="reduce") as (page, log):
        page.goto(address)
        button = page.get_by_role("button", name="next place on the path")
        for place in [*PATH, PATH[0]]:
            button.click()
            assert state(page) == pytest.approx(place)
        assert log == []


OUTSIDE = """host => { const right = host.getBoundingClientRect().right + 0.5;
    return [...host.shadowRoot.querySelectorAll('.box *')].filter(n => n.getBoundingClientRect().right > right)
        .map(n => n.outerHTML); }"""


@pytest.mark.parametrize(
    ("width", "height", "side_by_side"),
    [(1300, 800, True), (847, 800, True), (700, 800, True), (560, 800, True), (450, 800, True), (390, 844, False)],
)
def test_the_page_fits_its_window(chromium, address, width, height, side_by_side):
    with offline_page(chromium, viewport={"width": width, "height": height}) as (page, log):
        page.goto(address)
        first, second = (plane.bounding_box() for plane in page.get_by_role("application").all())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(HOST).evaluate(OUTSIDE) == []
        assert (first["y"] == second["y"]) is side_by_side and first["width"] == second["width"] > 180
        sizes = page.locator(HOST).evaluate(
            "host => [...host.shadowRoot.querySelectorAll('.box *')].map(n => parseFloat(getComputedStyle(n).fontSize))"
        )
        assert min(sizes) >= 13
        aimed_at = page.get_by_role("slider").all() + page.get_by_role("button").all()
        assert all(min(box["width"], box["height"]) >= 24 for box in (node.bounding_box() for node in aimed_at))
        assert log == []


def test_one_scale_for_all_planes(page, panels):
    """With the same scale, one latent unit is as many pixels in both planes: the plane with KL becomes a dot."""
    plane = page.get_by_role("application").nth(1)
    drawn = """c => { const g = c.getContext('2d'), d = g.getImageData(40, 24, c.width - 48, c.height - 66).data;
        let n = 0;
        for (let i = 0; i < d.length; i += 4) n += d[i] + d[i + 1] + d[i + 2] < 700;
        return n; }"""
    own = plane.evaluate(drawn)
    page.get_by_label("same scale on all planes").check()
    assert plane.evaluate(drawn) < own / 4
    page.get_by_label("same scale on all planes").uncheck()
    assert plane.evaluate(drawn) == own


def test_without_scripts_the_still_and_its_caption_show(chromium, address, view):
    with offline_page(chromium, java_script_enabled=False) as (page, log):
        page.goto(address)
        still = page.get_by_role("img", name=view.alt)
        assert still.is_visible() and still.bounding_box()["width"] > 400
        assert page.locator("figcaption").is_visible() and view.alt in page.locator("figcaption").inner_text()
        hint = page.get_by_text(UNTIL)
        assert hint.is_visible() and hint.bounding_box()["y"] < still.bounding_box()["y"]
        assert page.get_by_role("slider").count() == 0 and log == []


def test_the_still_and_its_sentence_go_when_the_script_takes_over(page):
    assert not page.get_by_text(UNTIL).is_visible() and not page.locator("figcaption").is_visible()


def test_two_blocks_on_a_page_and_a_script_that_comes_first(chromium, view, tmp_path):
    block, script = view.html.split("<script>")
    doubled = f"<!doctype html><meta charset=utf-8><script>{script}{block}{block}<script>{script}"
    (tmp_path / "two.html").write_text(doubled, encoding="utf-8")
    with offline_page(chromium) as (page, log):
        page.goto((tmp_path / "two.html").as_uri())
        page.get_by_role("slider").nth(3).wait_for()
        assert page.get_by_role("application").count() == 4  # each block started once
        page.get_by_role("application").nth(2).press("ArrowUp")
        assert state(page, 0) == [0.5, 0.5] and state(page, 1) == pytest.approx([0.5, 0.51])
        assert log == []


def test_a_block_that_comes_after_its_script_has_run(chromium, view, tmp_path):
    block, script = view.html.split("<script>")
    late = f"<script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', {block.strip()!r}), 250)</script>"
    page_text = f"<!doctype html><meta charset=utf-8><body><script>{script}{late}</body>"
    (tmp_path / "late.html").write_text(page_text, encoding="utf-8")
    with offline_page(chromium) as (page, log):
        page.goto((tmp_path / "late.html").as_uri())
        page.get_by_role("slider").first.wait_for()
        assert log == []


GROUND = """host => [getComputedStyle(host.shadowRoot.querySelector('.box')).backgroundColor,
    ...[...host.shadowRoot.querySelectorAll('.map')].map(c => {
        const [red, green, blue] = c.getContext('2d').getImageData(3, 3, 1, 1).data;
        return `rgb(${red}, ${green}, ${blue})`; })]"""
LIGHT, DARK = ["rgb(255, 255, 255)"] * 3, ["rgb(22, 22, 22)"] * 3  # the box and the ground of both planes


@pytest.mark.parametrize(("scheme", "ground"), [("light", LIGHT), ("dark", DARK)])
def test_axe_finds_nothing_serious(chromium, address, view, panels, scheme, ground):
    axe = pytest.importorskip("axe_core_python.sync_playwright").Axe()
    with offline_page(chromium, color_scheme=scheme, viewport={"width": 1300, "height": 800}) as (page, log):
        page.goto(address)
        codes = Codes(page, view, panels["with KL"], 1)
        for digit in (4, 9, 7):  # both hues and ink
            page.get_by_role("button", name=f"digit {digit}").click()
        codes.point(codes.lonely(9)[0])
        assert page.locator(".told").last.inner_text() == "code of a 9, decoded"
        assert page.locator(HOST).evaluate(GROUND) == ground
        found = axe.run(page)
        assert len(found["passes"]) > 10
        assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
        assert log == []


def shows(page, ground):
    """Wait until the block has these colours."""
    same = f"() => ({GROUND})(document.querySelector('{HOST}')).join() === {json.dumps(','.join(ground))}"
    page.wait_for_function(same)


def test_the_block_follows_the_page_between_light_and_dark(page):
    shows(page, LIGHT)
    page.emulate_media(color_scheme="dark")
    shows(page, DARK)
    page.emulate_media(color_scheme="light")
    shows(page, LIGHT)
    page.evaluate("document.body.style.cssText = 'background: #000; color: #fff'")  # as a page's own switch does
    shows(page, DARK)


def test_a_page_that_hides_the_block_while_its_colours_change(page):
    """JupyterLab does so when its theme changes: the transition by which the block notices is then cancelled."""
    page.locator(HOST).evaluate("""host => {
        document.body.style.color = '#fff';
        host.getBoundingClientRect(); getComputedStyle(host.shadowRoot.querySelector('.probe')).color;
        host.style.display = 'none'; host.getBoundingClientRect();
        requestAnimationFrame(() => { host.style.display = ''; }); }""")
    shows(page, DARK)


def test_it_slides_in_the_html_that_nbconvert_makes(chromium, view, panels, tmp_path):
    exporters = pytest.importorskip("nbconvert").HTMLExporter
    outputs = [nbformat.v4.new_output("display_data", data, metadata=meta) for data, meta in view.outputs()]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("view", outputs=outputs)])
    nbformat.validate(notebook)
    html, _ = exporters(mathjax_url="", require_js_url="", jquery_url="").from_notebook_node(notebook)
    (tmp_path / "notebook.html").write_text(html, encoding="utf-8")
    with offline_page(chromium, viewport={"width": 1300, "height": 800}) as (page, log):
        page.goto((tmp_path / "notebook.html").as_uri())
        page.get_by_role("application").first.press("Shift+ArrowRight")
        assert state(page) == pytest.approx([0.55, 0.5])
        assert page.locator(HOST).evaluate(GROUND) == LIGHT  # as the page around it
        assert (grey(page) - decoded(panels, (0.55, 0.5))).abs().max() <= 1 / 255
        assert not page.locator("img").first.is_visible()  # the still has made room
        assert not [line for line in log if line.startswith("error")]  # nbconvert's own page may ask for its scripts
        assert page.evaluate("document.documentElement.scrollWidth") <= 1300
    assert base64.b64encode(view.png).decode() in html
