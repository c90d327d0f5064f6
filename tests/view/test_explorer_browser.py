"""The explorer in a real browser, from a file, with no network: pictures, keys, layout, accessibility."""

import base64

import nbformat
import pytest
import torch
from browser import browser, offline_page

from vae_helpers.latent import Gaussian, Panel
from vae_helpers.models import VAE
from vae_helpers.view.explorer import explore, save
from vae_helpers.weights import shipped_pair

PLACES = [(0.5, 0.5), (0.025, 0.975), (0.2, 0.8), (0.77, 0.31), (0.975, 0.025), (0.9, 0.9)]
HOST = "[data-vae-explorer]"
GREY = "host => [...host.shadowRoot.querySelectorAll('.image')].map(c => [...c.getContext('2d')" + (
    ".getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0))"
)


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def panels():
    return shipped_pair()


@pytest.fixture(scope="module")
def view(panels):
    return explore(panels)


@pytest.fixture(scope="module")
def address(view, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    save(path, view)
    return path.as_uri()


@pytest.fixture
def page(chromium, address):
    with offline_page(chromium, viewport={"width": 1300, "height": 800}) as (page, log):
        page.goto(address)
        page.get_by_label("z1 quantile").wait_for()
        yield page
        assert log == []


def grey(page, nth=0):
    return torch.tensor(page.locator(HOST).nth(nth).evaluate(GREY)) / 255


def state(page, nth=0):
    return page.locator(HOST).nth(nth).evaluate("host => host.explorer.state()")


def decoded(panels, u):
    """What torch shows at u, with the weights rounded as the block holds them."""
    with torch.inference_mode():
        return torch.cat([panel.model.half().float().decode(panel.gaussian.at(u)[None]) for panel in panels.values()])


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
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(f"""() => {{
                const node = document.querySelector('{HOST}').shadowRoot.activeElement, style = getComputedStyle(node);
                return [node.getAttribute('role') || node.type, style.outlineStyle, style.outlineWidth];
            }}""")
        )
    assert [kind for kind, *_ in reached] == ["application", "application", "range", "range", "checkbox"]
    assert all(outline == ["solid", "3px"] for _, *outline in reached)


def test_the_spoken_line_tells_quantiles_places_and_nearest_class(page, panels):
    page.get_by_label("z1 quantile").press("Shift+ArrowRight")
    spoken = page.get_by_role("status")
    page.wait_for_timeout(500)
    text = spoken.inner_text().replace("−", "-")
    z = panels["with KL"].gaussian.at((0.55, 0.5)).tolist()
    assert spoken.get_attribute("aria-live") == "polite"
    assert text.startswith("Cursor at quantiles 55.0 % and 50.0 %. without KL: z = (")
    assert f"with KL: z = ({z[0]:.2f}, {z[1]:.2f}), nearest class median: " in text
    labels, codes = panels["with KL"].labels, panels["with KL"].codes
    medians = torch.stack([codes[labels == digit].quantile(0.5, dim=0) for digit in range(10)])
    assert f"nearest class median: {(medians - torch.tensor(z)).norm(dim=1).argmin()}," in text.split("with KL: ")[1]


@pytest.mark.parametrize(("width", "height", "side_by_side"), [(1300, 800, True), (700, 800, True), (390, 844, False)])
def test_the_page_fits_its_window(chromium, address, width, height, side_by_side):
    with offline_page(chromium, viewport={"width": width, "height": height}) as (page, log):
        page.goto(address)
        first, second = (plane.bounding_box() for plane in page.get_by_role("application").all())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (first["y"] == second["y"]) is side_by_side
        sizes = page.locator(HOST).evaluate(
            "host => [...host.shadowRoot.querySelectorAll('.box *')].map(n => parseFloat(getComputedStyle(n).fontSize))"
        )
        assert min(sizes) >= 13
        assert all(
            box["height"] >= 24 for box in (slider.bounding_box() for slider in page.get_by_role("slider").all())
        )
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
        assert page.get_by_role("slider").count() == 0 and log == []


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
        page.get_by_role("slider").first.wait_for(timeout=5000)
        assert log == []


def test_axe_finds_nothing_serious(page):
    axe = pytest.importorskip("axe_core_python.sync_playwright").Axe()
    found = axe.run(page)
    assert len(found["passes"]) > 10
    assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []


def test_the_block_keeps_its_colours_on_a_dark_page(page):
    page.evaluate("document.body.style.cssText = 'background: #000; color: #fff; color-scheme: dark'")
    colours = page.locator(HOST).evaluate(
        """host => { const style = getComputedStyle(host.shadowRoot.querySelector('.box'));
        return [style.color, style.backgroundColor]; }"""
    )
    assert colours == ["rgb(17, 17, 17)", "rgb(255, 255, 255)"]


def test_it_slides_in_the_html_that_nbconvert_makes(chromium, view, panels, tmp_path):
    exporters = pytest.importorskip("nbconvert").HTMLExporter
    data, metadata = view._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("view", outputs=[output])])
    nbformat.validate(notebook)
    html, _ = exporters(mathjax_url="", require_js_url="", jquery_url="").from_notebook_node(notebook)
    (tmp_path / "notebook.html").write_text(html, encoding="utf-8")
    with offline_page(chromium, viewport={"width": 1300, "height": 800}) as (page, log):
        page.goto((tmp_path / "notebook.html").as_uri())
        page.get_by_role("application").first.press("Shift+ArrowRight")
        assert state(page) == pytest.approx([0.55, 0.5])
        assert (grey(page) - decoded(panels, (0.55, 0.5))).abs().max() <= 1 / 255
        assert not [line for line in log if line.startswith("error")]  # nbconvert's own page may ask for its scripts
        assert page.evaluate("document.documentElement.scrollWidth") <= 1300
    assert base64.b64encode(view.png).decode() in html
