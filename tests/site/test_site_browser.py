"""The site in a real browser, from a folder, with the network off: as a reader on a laptop or a phone uses it."""

import io
import itertools
import re
from urllib.parse import parse_qsl

import numpy as np
import pytest
from browser import offline_page
from PIL import Image
from site_parts import ROOT, show_me_links

CHAPTERS = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
LINKS = show_me_links()
WAYS = list(
    itertools.product((1300, 700, 390), ("light", "dark"))
)  # each page is seen in one of these, the front page in all
FRAMES = "[data-vae-frames]"
COMPOSED = {"between", "slide"}  # bare pixels, while their still is a figure with titles
ALIVE = "[data-vae-frames], [data-vae-explorer], [data-vae-playground]"


@pytest.fixture
def visit(chromium, site):
    """visit(file, …) → a page of the site, offline, with its controls alive; no error may be logged."""
    opened = []

    def go(file, width=1300, theme="light"):
        context = offline_page(chromium, viewport={"width": width, "height": 900}, color_scheme=theme)
        page, log = context.__enter__()
        page.set_default_timeout(30_000)
        opened.append((context, log))
        page.goto((site / file.partition("#")[0]).as_uri() + "#" * ("#" in file) + file.partition("#")[2])
        until(page, f"() => [...document.querySelectorAll('{ALIVE}')].every((host) => host.shadowRoot)")
        settle(page)
        return page

    yield go
    for context, log in opened:
        context.__exit__(None, None, None)
        assert log == []


WAITED = """arg => new Promise((done, stop) => {
    const condition = CONDITION, start = performance.now();
    (function look() {
        if (condition(arg)) done();
        else if (performance.now() - start > 30000) stop(new Error("waited in vain for " + condition));
        else setTimeout(look, 20);
    })();
})"""


def until(page, condition, arg=None):
    """Wait until a function of the page says yes; wait_for_function evaluates text there, which the policy forbids."""
    page.evaluate(WAITED.replace("CONDITION", condition), arg)


def settle(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picture(place):
    return np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB")).astype(int)


def seen(host):
    settle(host.page)
    return picture(host.locator(".view"))


FILES = [f"{stem}.html" for stem in CHAPTERS]
FILES += ["index.html", "playground.html", "teaching.html", "teaching_work_sheet.html", "errata.html"]


SEEN = [(file, *WAYS[i % len(WAYS)]) for i, file in enumerate(FILES)] + [("index.html", *way) for way in WAYS]


@pytest.mark.parametrize(("file", "width", "theme"), SEEN)
def test_a_page_is_for_everybody(visit, file, width, theme):
    page = visit(file, width, theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    flat = "all => all.filter((one) => one.checkVisibility() && !one.getBoundingClientRect().width).length"
    assert page.locator("math").evaluate_all(flat) == 0
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    only = {"resultTypes": ["violations"]}  # a third of the time, as what is right is not listed
    found = axe.Axe().run(page, options=only)["violations"]
    found = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found] == []


@pytest.mark.parametrize("stem", CHAPTERS)
def test_every_control_moves_by_keys_and_mouse_and_starts_as_its_still(visit, stem):
    page = visit(f"{stem}.html")
    for host in page.locator(FRAMES).all():
        host.scroll_into_view_if_needed()
        shown = seen(host)
        still = page.evaluate_handle("host => host.closest('.outputs').querySelector('img')", host.element_handle())
        assert not still.as_element().is_visible()
        cell = host.evaluate("host => host.closest('section').id")
        assert cell in COMPOSED or looks_like(shown, still.as_element(), host), cell
        slider, said = host.locator("input").first, host.locator(".said").inner_text()
        start = int(slider.input_value())
        slider.press("ArrowLeft" if start else "ArrowRight")
        settle(page)
        assert abs(int(slider.input_value()) - start) == 1
        box = slider.bounding_box()
        goal = 0.02 if start > int(slider.get_attribute("max")) / 2 else 0.98
        page.mouse.click(box["x"] + goal * box["width"], box["y"] + box["height"] / 2)
        moved = seen(host)
        assert np.abs(moved - shown).max() > 64 and host.locator(".said").inner_text() != said


def looks_like(shown, still, host):
    """Is the picture of the block the stored still, which matplotlib drew by another renderer? On average, in greys."""
    width, height = shown.shape[1], shown.shape[0]
    source = still.evaluate("img => img.src")
    handle = host.page.evaluate_handle(
        """([src, w, h]) => { const img = new Image(); img.src = src; img.id = "truth";
          img.style = `position: fixed; left: 0; top: 0; width: ${w}px; height: ${h}px; z-index: 99; margin: 0`;
          document.body.append(img); return img.decode().then(() => img); }""",
        [source, width, height],
    )
    truth = picture(handle.as_element())
    handle.evaluate("img => img.remove()")
    rows, columns = (size // 12 for size in (height, width))  # small images are enlarged in different ways
    blocks = (shown - truth)[: 12 * rows, : 12 * columns]
    return np.abs(blocks.reshape(rows, 12, columns, 12, 3).mean(axis=(1, 3))).mean() < 5


@pytest.mark.parametrize("stem", ["00_start_here", "06_without_and_with_kl"])
def test_both_planes_slide_under_one_cursor(visit, stem):
    page = visit(f"{stem}.html")
    host = page.locator("[data-vae-explorer]")
    planes, before = host.get_by_role("application"), host.locator(".readout").all_inner_texts()
    assert planes.count() == 2
    planes.first.press("Shift+ArrowRight")
    after = host.locator(".readout").all_inner_texts()
    assert all(a != b for a, b in zip(before, after, strict=True))
    box = planes.last.bounding_box()
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"])
    assert all(a != b for a, b in zip(after, host.locator(".readout").all_inner_texts(), strict=True))


def test_the_scrubber_of_chapter_06_runs(visit):
    page = visit("06_without_and_with_kl.html")
    host = page.locator("#scrub").locator(FRAMES)
    last = host.locator("input").input_value()
    host.get_by_role("button", name="Play").click()
    host.get_by_role("button", name="Pause").wait_for()
    assert host.locator("input").input_value() != last
    host.get_by_role("button", name="Play").wait_for(timeout=30_000)
    assert host.locator("input").input_value() == last


def test_there_are_at_least_thirty_ways_to_be_shown():
    assert len(LINKS) >= 30 and len({(name, place) for name, place, _ in LINKS}) >= 15


@pytest.mark.parametrize("stem", sorted({stem for stem, _, _ in LINKS}))
def test_a_link_shows_what_it_says(visit, stem):
    """Each followed in a fresh page, and compared with the same control after its sliders were moved there by hand."""
    other, starts = visit(f"{stem}.html"), {}
    for place, state in [(place, state) for name, place, state in LINKS if name == stem]:
        wanted = dict(parse_qsl(state))
        page = visit(f"{stem}.html#{place}?{state}")
        host = page.locator(f"#{place}").locator(ALIVE)
        until(page, "host => host.vae.state", host.element_handle())
        reached = host.evaluate("host => host.vae.state()")
        for name, asked in wanted.items():
            assert same(asked, reached[name]), (place, asked, reached[name])
        assert 0 <= host.bounding_box()["y"] < 900  # in sight
        if host.get_attribute("data-vae-explorer"):
            continue
        by_link, said = seen(host), host.locator(".said").inner_text()
        by_hand = other.locator(f"#{place}").locator(FRAMES)
        if place not in starts:
            starts[place] = seen(by_hand)
        assert np.abs(starts[place] - by_link).max() > 64, (place, state)  # there is something to be shown
        for name in sorted(reached, key=wanted.__contains__):  # last those of the link: some move one at a time
            slider = by_hand.locator("input").nth(list(reached).index(name))
            assert slider.evaluate(SLIDE, reached[name]), (place, state)
        settle(other)
        assert by_hand.locator(".said").inner_text() == said
        assert np.abs(seen(by_hand) - by_link).mean() < 1, (place, state)


SLIDE = """(slider, goal) => { // through all places, as with the arrow keys, to the one of this name
    const number = (text) => parseFloat(text.replace("−", "-"));
    const there = (text) => text === goal || number(text) === number(goal); // the page writes a true minus
    for (let k = 0; k <= Number(slider.max); k++) {
        slider.value = k;
        slider.dispatchEvent(new Event("input"));
        if (there(slider.getAttribute("aria-valuetext"))) return true;
    }
    return false;
}"""


def same(asked, found):
    try:
        return abs(float(asked) - float(found.replace("−", "-"))) < 1e-6
    except ValueError:
        return asked == found


def test_where_a_control_stands_is_in_the_address_and_a_link_on_the_same_page_moves_it(visit):
    page = visit("05_kl_term.html")
    host = page.locator("#control").locator(FRAMES)
    slider = host.locator("input").first
    slider.press("Home")
    until(page, "() => location.hash.startsWith('#control?mu=')")
    address, said = page.evaluate("location.hash"), host.locator(".said").inner_text()
    page.locator("#control a.here").click()
    assert page.locator("#site-said").inner_text().startswith("The address of this place")
    fresh = visit(f"05_kl_term.html{address}")
    until(fresh, "said => document.querySelector('#control [data-vae-frames]').shadowRoot"
                            ".querySelector('.said').textContent === said", arg=said)  # fmt: skip
    link = fresh.locator("a[href^='#control?']").first
    fresh.locator("details", has=link).first.evaluate("fold => { fold.open = true; }")
    link.click()
    settle(fresh)
    assert fresh.evaluate("document.activeElement.shadowRoot.activeElement.type") == "range"  # the keys move it on
    assert fresh.locator("#control").locator(".said").inner_text() != said


@pytest.mark.parametrize("hash", ["#50%", "#%e0%a4%a", "#__proto__?constructor=1", "#%"])
def test_an_address_that_is_none_stops_nothing(visit, hash):
    page = visit(f"05_kl_term.html{hash}")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "site-search"
    folded = page.locator("details:not([open])").count()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")  # what is listened for last
    assert page.locator("details:not([open])").count() < folded - 10


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        ("posterior collapse", "03 "),
        ("five lines that prove", "05 Five lines that prove it"),
        ("blurry", "15 "),
        ("same picture for every input", "15 Why does my VAE give the same picture for every input?"),
        ("reparameterization trick", "15 "),
        ("work sheet", "Work sheet"),
    ],
)
def test_search_finds_words_titles_and_questions(visit, words, heading):
    page = visit("01_autoencoder.html")
    page.keyboard.press("/")
    page.keyboard.type(words)
    hits = page.locator("#site-results a")
    hits.first.wait_for()
    found = [text for text in hits.all_inner_texts() if text.startswith(heading)]
    assert found, hits.all_inner_texts()
    assert not [text for text in page.locator("#site-results p").all_inner_texts() if "3>" in text]
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == hits.first.inner_text()
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "site-search"
    assert page.locator("#site-found").inner_text().endswith("found.")
    page.locator("#site-results a", has_text=found[0]).first.click()
    until(page, "() => !document.getElementById('site-results') || document.getElementById('site-results').hidden")


def test_search_says_when_nothing_fits_and_escape_closes_it(visit):
    page = visit("index.html")
    page.locator("#site-search").fill("xylophone")
    page.get_by_text("Nothing holds all these words").wait_for()
    page.locator("#site-search").press("Escape")
    assert not page.locator("#site-results").is_visible()


def test_without_scripts_everything_is_there_to_be_read(chromium, site):
    with offline_page(chromium, viewport={"width": 1000, "height": 800}, java_script_enabled=False) as (page, log):
        page.goto((site / "05_kl_term.html").as_uri())
        still = page.locator("#control img")
        assert still.is_visible() and len(still.get_attribute("alt")) > 40
        assert page.locator("math").first.bounding_box()["width"] > 0
        assert log == []


def test_the_theme_is_kept_and_the_menu_folds_on_a_phone(visit):
    page = visit("05_kl_term.html", 390)
    assert not page.locator("nav li").first.is_visible()
    page.locator("#site-menu > summary").click()
    assert page.locator("nav li").first.is_visible()
    page.locator("#site-theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("nav li a").nth(3).click()
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_results_are_hidden_for_a_poll(visit, site):
    expect = pytest.importorskip("playwright.sync_api").expect
    page = visit("05_kl_term.html")
    page.goto((site / "05_kl_term.html").as_uri() + "?poll")
    output = page.locator("#control .outputs")
    assert not output.is_visible()
    page.locator("#control details > summary").click()
    assert output.is_visible()
    assert page.locator("#price-curve .outputs details").count() == 1  # a prediction is folded already, and only once
    page.locator("main a[href*='06_without'][href*='#'], a[rel=next]").last.click()
    expect(page).to_have_url(re.compile(r"/(05a|06)_.*\?poll"))
    page.locator("#site-search").fill("coverage")
    page.locator("#site-results a[href*='07_']").first.click()
    expect(page).to_have_url(re.compile(r"/07_.*\?poll#"))


def test_keys_alone_reach_the_text_and_a_control(visit):
    page = visit("08_turning_beta.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the text"
    page.keyboard.press("Enter")
    reached = ""
    for _ in range(200):
        page.keyboard.press("Tab")
        reached = page.evaluate("document.activeElement.shadowRoot ? document.activeElement.shadowRoot"
                                ".activeElement.type : ''")  # fmt: skip
        if reached == "range":
            break
    assert reached == "range"
    before = page.locator("#exact-control .said").inner_text()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.locator("#exact-control .said").inner_text() != before


def test_the_playground_is_two_clicks_from_the_front_page_and_from_chapter_00(visit):
    page = visit("index.html")
    for start in ("index.html", "00_start_here.html"):
        page = visit(start)
        page.locator("main a[href='playground.html']").first.click()
        until(page, "() => document.querySelector('[data-vae-playground]')?.shadowRoot")
        host = page.locator("[data-vae-playground]")
        host.locator(".pad").press("6")
        assert host.locator(".readout").first.inner_text().startswith("μ = (")
        until(page, "() => location.hash.startsWith('#playground?image=6&')")
    fresh = visit("playground.html#playground?image=2&beta=1.5")
    until(fresh, "() => document.querySelector('[data-vae-playground]').vae.state().image === 2")
    assert fresh.locator("[data-vae-playground]").evaluate("host => host.vae.state().beta") == "1.5"


WAYS_IN = {
    "a script element": "<script>window.hit = 1</script>",
    "a handler": '<img src="data:," alt="" onerror="window.hit = 1">',
    "an address that is code": '<a id="bait" href="javascript:window.hit = 1">here</a>',
    "a script as data": '<script src="data:text/javascript,window.hit = 1"></script>',
    "a frame": '<iframe srcdoc="<script>parent.hit = 1</script>" title="bait"></iframe>',
    "another base": '<base href="https://elsewhere.example/"><script src="site.js"></script>',
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_page_runs_no_script_that_was_not_built_into_it(chromium, site, tmp_path, way):
    text = (site / "index.html").read_text(encoding="utf-8").replace("</main>", f"{WAYS_IN[way]}</main>")
    (tmp_path / "site.js").write_text("window.own = 1")
    with offline_page(chromium) as (page, log):
        for policy, runs in (("content=", False), ("data-content=", True)):  # without the policy it does run
            (tmp_path / "page.html").write_text(text.replace("content=", policy, 1), encoding="utf-8")
            page.goto((tmp_path / "page.html").as_uri())
            for bait in page.locator("#bait").all():
                bait.dispatch_event("click")
            settle(page)
            hit = page.evaluate("window.hit === 1") or any(line.startswith("request: https:") for line in log)
            assert hit == runs and page.evaluate("window.own === 1")
