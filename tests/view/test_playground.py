"""The playground as text: what is in it, what is never in it, and what a notebook keeps of it."""

import base64
import json
import re

import numpy as np
import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from vae_helpers.data import load_digit_images, load_small_digits
from vae_helpers.models import VAE, Autoencoder
from vae_helpers.view import playground as module
from vae_helpers.view.block import read
from vae_helpers.view.packing import pack_encoder
from vae_helpers.view.page import save
from vae_helpers.weights import shipped_pair


@pytest.fixture(scope="module")
def block():
    return module.playground()


@pytest.fixture(scope="module")
def html(block):
    return block.html


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_it_is_one_small_file_without_a_network(block, html, tmp_path):
    save(tmp_path / "page.html", block, title="A VAE in one page")
    assert (tmp_path / "page.html").stat().st_size < 5e6
    text = re.sub(r"[A-Za-z0-9+/=]{150,}", "", html)  # base64, in which any letters can meet
    assert all(read(name) in text for name in module.SCRIPTS)
    pattern = r"https?:|//[a-z]|\bfetch\(|XMLHttpRequest|\bimport\b|importScripts|WebSocket|<iframe|<link|eval\(|url\("
    assert not re.search(pattern, text)
    assert {start for start in re.findall(r'\b(?:src|href)="(.{10})', html)} == {"data:image"}
    assert html.count("<script") == html.count("</script") == 1


def test_the_page_holds_the_pair_in_half_precision(block):
    for sent, panel in zip(block.data["models"], shipped_pair().values(), strict=True):
        for part, name in ((sent, "decoder"), (sent["encoder"], "encoder")):
            own = torch.cat([p.detach().reshape(-1) for p in getattr(panel.model, name).parameters()])
            assert np.array_equal(numbers(part["weights"], "<f2"), own.half().numpy())
        assert sent["encoder"]["sizes"] == [784, 128, 128, 128, 4] and sent["sizes"] == [2, 128, 128, 128, 784]
    assert [sent["title"] for sent in block.data["models"]] == ["without the KL term", "with the KL term"]


def test_the_page_holds_the_small_digits_exactly(block):
    digits = load_small_digits()
    pixels = numbers(block.data["small"]["pixels"], "u1").reshape(1797, 64) / 16
    assert np.array_equal(pixels, digits.x.numpy()) and pixels.max() == 1
    assert np.array_equal(numbers(block.data["small"]["labels"], "u1"), digits.y.numpy())


def test_the_test_images_are_three_of_each_class_and_those_that_come_back_first(block):
    labels = numbers(block.data["images"]["labels"], "u1")
    assert labels.tolist() == [digit for digit in range(10) for _ in range(3)]
    sent = numbers(block.data["images"]["pixels"], "u1").reshape(30, 784)
    data = load_digit_images()
    x = data.test.x if data.name == "mnist" else module.centred(data.test.x)
    assert block.data["images"]["source"] == module.SOURCES[data.name]
    every = (255 * x).round().to(torch.uint8).numpy()
    assert all(
        (every[data.test.y.numpy() == digit] == image).all(axis=1).any()
        for digit, image in zip(labels, sent, strict=True)
    )
    with torch.no_grad():
        judge = module.shipped_classifier("mnist")
        images = [panel.model(torch.tensor(sent / 255, dtype=torch.float32)) for panel in shipped_pair().values()]
        kept = torch.stack([judge(image).argmax(dim=1) == torch.tensor(labels) for image in images]).all(dim=0)
    assert kept[::3].float().mean() >= kept[2::3].float().mean() and kept[::3].sum() >= 8


def test_images_are_centred_by_their_mass():
    x = torch.zeros(2, 28, 28)
    x[0, 3:9, 20:24], x[1, 13:15, 13:15] = 1, 0.5
    out = module.centred(x.flatten(1)).view(2, 28, 28)
    assert torch.equal(out[1], x[1]) and out[0, 11:17, 12:16].min() == 1 and out[0].sum() == 24


def test_the_prediction_is_twice_the_largest_variances(html):
    from sklearn.decomposition import PCA

    variances = PCA(2).fit(load_small_digits().x.double().numpy()).explained_variance_ * 1796 / 1797
    assert module.collapse_lines() == pytest.approx(2 * variances, rel=1e-6)
    assert html.count(f"{2 * variances[0]:.2f}") >= 2 and f"λ₁ = {variances[0]:.2f} and λ₂ = {variances[1]:.2f}" in html


def test_the_text_without_scripts_has_every_part(html):
    inside = html.split("<script>")[0]
    assert len(re.findall(r'<h2 id="[\w-]+">', inside)) == 3 and inside.count("<details") == 3
    assert inside.count("<img") == 2 and inside.count(" nats<") == 3 and "$" not in inside
    slots = set(re.findall(r'slot="([\w-]+)"', inside))
    used = {
        name for script in module.SCRIPTS for name in re.findall(r'make\("slot", \{ name: "([\w-]+)"', read(script))
    }
    assert slots == used  # no text is lost when the script takes over


def shown(block, monkeypatch, frames):
    """What a notebook gets of it."""
    monkeypatch.delenv("VAE_FRAMES", raising=False)
    if frames:
        monkeypatch.setenv("VAE_FRAMES", "1")
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "display_pub", CapturingDisplayPublisher())
    block._ipython_display_()
    return shell.display_pub.outputs


def test_a_notebook_shows_it_and_stores_a_still(block, monkeypatch):
    [output] = shown(block, monkeypatch, frames=False)
    assert "data-vae-playground" in output["data"]["text/html"]
    [output] = shown(block, monkeypatch, frames=True)
    assert set(output["data"]) == {"image/png", "text/plain"}
    assert output["metadata"]["image/png"]["alt"] == output["data"]["text/plain"]
    assert base64.b64decode(output["data"]["image/png"]).startswith(b"\x89PNG")


def test_the_still_says_what_both_encoders_answer(block):
    for name, panel in shipped_pair().items():
        with torch.no_grad():
            mu, logvar = panel.model.encode(block.x)
        said = re.search(rf"{name}, μ = \((.*?)\), σ = \((.*?)\)", block.still.alt)
        found = [float(part.replace("−", "-")) for group in said.groups() for part in group.split(", ")]
        assert found == pytest.approx([*mu.tolist(), *(logvar / 2).exp().tolist()], rel=5e-3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (VAE(latent_dim=3, hidden=(8,)), "the encoder must lead from 784 to 4 numbers, got [784, 8, 6]"),
        (Autoencoder(hidden=(8,)), "the encoder must lead from 784 to 4 numbers, got [784, 8, 2]"),
        (object(), "the encoder must be Linear layers with SiLU between them, got no encoder"),
    ],
)
def test_an_encoder_that_does_not_fit_is_named(model, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pack_encoder("it", model)


def test_json_is_all_that_travels(block):
    assert json.loads(json.dumps(block.data, allow_nan=False)) == block.data
