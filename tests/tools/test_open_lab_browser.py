"""What a reader finds who has just typed `make lab`: in a real browser, in a fresh home, with nothing run yet."""

import hashlib
import os
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from browser import server, skip_without_controls

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = (ROOT / "notebooks" / "00_start_here.ipynb").read_bytes()
FRAMES = (ROOT / "notebooks" / "03_reconstruction_term.ipynb").read_bytes()
HOST = "[data-vae-explorer]"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Address that tools/open_lab.py names, in a project with chapter 00 and a copy with one byte changed."""
    project = tmp_path_factory.mktemp("a project") / "clöne"
    for name in (".jupyter", "tools"):
        shutil.copytree(ROOT / name, project / name)
    shutil.copy(ROOT / "README.md", project)
    (project / "notebooks").mkdir()
    (project / "notebooks" / "00_start_here.ipynb").write_bytes(CHAPTER)
    changed = CHAPTER.replace(b"Two planes, one cursor", b"Two planes, one Cursor", 1)
    assert changed != CHAPTER
    (project / "notebooks" / "01_changed.ipynb").write_bytes(changed)
    (project / "notebooks" / "03_frames.ipynb").write_bytes(FRAMES)
    listed = {"00_start_here": CHAPTER, "01_changed": CHAPTER, "03_frames": FRAMES}
    lines = [f"{hashlib.sha256(was).hexdigest()}  notebooks/{name}.ipynb\n" for name, was in listed.items()]
    (project / "tools" / "chapters.sha256").write_text("".join(lines), encoding="utf-8")
    home = tmp_path_factory.mktemp("home")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "XDG", "IPYTHON"))}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(project / "tools" / "open_lab.py"), "--no-browser", "--ServerApp.port=0"]
    with server(command, env) as address:
        yield address


@pytest.fixture
def page(chromium, address):
    page = chromium.new_page(viewport={"width": 1600, "height": 1200})
    page.set_default_timeout(60_000)
    yield page
    page.close()


def cell_of_the_explorer(page, url):
    """The output beneath the explorer's cell, once the notebook at `url` shows it."""
    page.goto(url)
    cell = page.locator(".jp-CodeCell", has_text="explore(pair")
    cell.locator("img").first.wait_for(state="attached")  # hidden where the block is alive
    cell.scroll_into_view_if_needed()
    return cell


def test_the_explorer_moves_before_anything_is_run(page, address):
    cell = cell_of_the_explorer(page, address)
    plane = cell.get_by_role("application").first
    before = cell.locator(HOST).evaluate("host => host.explorer.state()")
    plane.press("ArrowRight")
    after = cell.locator(HOST).evaluate("host => host.explorer.state()")
    assert after == pytest.approx([before[0] + 0.01, before[1]])
    assert cell.locator(".jp-InputPrompt").inner_text() == "[2]:"  # as stored


SCROLL = """words => { // is there a cell of these words? A long notebook renders what is in sight, so it moves on
    if ([...document.querySelectorAll(".jp-CodeCell")].some(cell => cell.textContent.includes(words))) return true;
    const panel = document.querySelector(".jp-WindowedPanel-outer, .jp-Notebook");
    const end = panel.scrollTop + panel.clientHeight >= panel.scrollHeight - 1;
    panel.scrollTop = end ? 0 : panel.scrollTop + 700;
    return false;
}"""


def test_a_stored_control_moves_until_its_cell_is_run(page, address):
    skip_without_controls()
    page.goto(address.replace("00_start_here", "03_frames") + "&reset")
    page.locator(".jp-CodeCell").first.wait_for()
    cell = page.locator(".jp-CodeCell", has_text="draw_clinic,")
    page.wait_for_function(SCROLL, arg="draw_clinic,", polling=100)
    cell.scroll_into_view_if_needed()
    host = cell.locator("[data-vae-frames]")
    host.locator(".view").wait_for()
    assert not cell.locator("img").first.is_visible()  # the still has made room
    said = host.locator(".said").inner_text()
    host.locator("input").nth(1).press("End")
    page.wait_for_function("([host, said]) => host.shadowRoot.querySelector('.said').textContent !== said",
                           arg=[host.element_handle(), said])  # fmt: skip
    assert cell.locator(".jp-mod-active").count() or page.locator(".jp-Notebook.jp-mod-editMode").count() == 0


def test_a_changed_chapter_is_not_trusted_and_shows_its_still(page, address):
    cell = cell_of_the_explorer(page, address.replace("00_start_here", "01_changed") + "&reset")  # no other tab
    still = cell.locator("img").first
    still.wait_for()
    page.wait_for_function("image => image.complete && image.naturalWidth > 500", arg=still.element_handle())
    assert cell.locator(f"{HOST}, script").count() == 0 and cell.get_by_role("application").count() == 0


def test_the_whole_project_is_in_the_file_browser(page, address):
    page.goto(address)
    files = page.locator(".jp-FileBrowser")
    files.locator(".jp-DirListing-item", has_text="00_start_here.ipynb").wait_for()
    files.locator(".jp-BreadCrumbs-home").click()
    files.locator(".jp-DirListing-item", has_text="README.md").wait_for()


def test_nobody_gets_in_without_the_token(address):
    files = address.split("/lab")[0] + "/api/contents"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(files, timeout=60)
    with urllib.request.urlopen(f"{files}?{address.split('?')[1]}", timeout=60) as answer:
        assert b"README.md" in answer.read()
