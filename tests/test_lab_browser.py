"""Controls in JupyterLab, moved by keyboard in a real browser, compared with what torch decodes."""

import os
import secrets
import socket
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from browser import browser

from vae_helpers import latent
from vae_helpers.models import VAE

CELLS = [
    """import torch
from vae_helpers import latent, widgets
from vae_helpers.models import VAE
model, codes = VAE(seed=1), latent.standard_normal().sample(300)
widgets.latent_sliders(model.decode, [-40, -40], [40, 40], name="one", scale=1)""",
    """panels = {f"seed {s}": latent.Panel(VAE(seed=s), latent.fit_gaussian(s * codes), s * codes) for s in (1, 2)}
widgets.plane_sliders(panels, name="two")""",
    """def fail(a):
    raise RuntimeError("shown beneath")
widgets.Control(fail, a=widgets.slider("a", 0, 1, 0))""",
]
READ_PIXELS = """image => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data).filter((_, i) => i % 4 == 0);
}"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """URL of the test notebook in a JupyterLab that runs until the module's tests are done."""
    folder, port, token = tmp_path_factory.mktemp("lab"), free_port(), secrets.token_hex(16)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "controls.ipynb")
    options = ["--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options += [f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True", f"--notebook-dir={folder}"]
    options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    homes = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    command = [sys.executable, "-m", "jupyterlab", *options]
    with subprocess.Popen(command, env=os.environ | homes, stderr=subprocess.PIPE, text=True) as server:
        said = []
        for line in server.stderr:  # ends when the server does
            said.append(line)
            if "is running at" in line:
                break
        else:
            pytest.fail("JupyterLab did not start: " + "".join(said[-20:]))
        yield f"http://127.0.0.1:{port}/lab/tree/controls.ipynb?token={token}"
        server.terminate()
        server.stderr.read()


@pytest.fixture(scope="module")
def page(lab):
    """The notebook after Run All, with the errors of its console in page.errors."""
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1300, "height": 1600})
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.set_default_timeout(120_000)
        page.goto(lab)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
        )
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_selector(".jp-OutputArea-output >> text=RuntimeError")
        yield page


def output(page, number):
    return page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea-output")


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
    assert np.abs(before - decoded(VAE(seed=1), [0.0, 0.0])).max() <= 1
    press(page, handles.nth(0), "ArrowRight", 25, "z1 = 10.00, z2 = 0.00")
    press(page, handles.nth(1), "ArrowLeft", 50, "z1 = 10.00, z2 = -20.00")
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


def test_nothing_overflows_at_700_pixels(page):
    page.set_viewport_size({"width": 700, "height": 1200})
    for number in (0, 1):
        box = output(page, number).first
        assert box.evaluate("e => e.scrollWidth - e.clientWidth") <= 2


def test_the_console_stayed_clean(page):
    assert page.errors == []
