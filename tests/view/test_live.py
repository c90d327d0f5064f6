"""The loss while it falls: shown to a reader in front of a kernel, within its time, and to nobody else."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from vae_helpers.losses import squared_error
from vae_helpers.models import Autoencoder
from vae_helpers.training import fit
from vae_helpers.view import live


class Handle:
    """What IPython returns for a place on the page; collects what is shown there."""

    def __init__(self, shown):
        self.shown = shown

    def update(self, bundle, raw):
        self.shown.append(bundle)


@pytest.fixture
def shown(monkeypatch):
    """The bundles that one place received, where a reader watches."""
    bundles = []

    def display(bundle, raw, display_id):
        assert not bundles, "a second place was opened"
        bundles.append(bundle)
        return Handle(bundles)

    monkeypatch.setattr(live, "display", display)
    monkeypatch.setattr(live, "is_live", lambda: True)
    return bundles


def train(epochs=3, **kwargs):
    x = torch.rand(40, 784, generator=torch.Generator().manual_seed(0))
    model = Autoencoder(hidden=(8,))
    fit(model, x, lambda model, x: {"loss": squared_error(x, model(x)).mean()}, epochs=epochs, test=x[:10], **kwargs)
    return model, x


def test_all_looks_go_to_one_place_and_the_last_is_drawn_at_the_end(shown, monkeypatch):
    monkeypatch.setattr(live, "SHARE", 1e9)
    train(watch=live.watch())
    assert len(shown) == 3 and "epoch 3, 100% of the training" in shown[-1]["text/plain"]


def test_without_time_to_spare_only_the_first_and_the_last_look_are_drawn(shown, monkeypatch):
    monkeypatch.setattr(live, "SHARE", 0.0)
    train(epochs=20, watch=live.watch())
    assert ["epoch 1," in shown[0]["text/plain"], "epoch 20," in shown[-1]["text/plain"]] == [True, True]
    assert len(shown) == 2


def test_train_and_test_are_told_apart_and_the_strip_holds_images_and_reconstructions():
    model, x = train()
    fig = live.watch(x[:5]).draw(model, {"loss": [3.0, 2.0], "test loss": [4.0, 3.5]}, 0.5)
    curves, strip = fig.axes
    assert [line.get_label() for line in curves.lines] == ["loss", "test loss"]
    assert [line.get_linestyle() for line in curves.lines] == ["-", "--"] and curves.get_xlim() == (1, 4)
    grid = np.asarray(strip.images[0].get_array())
    tile = grid[30:58, 1:29]  # second row, first column, within one grey pixel of frame
    assert np.allclose(tile, model(x[:1]).detach().reshape(28, 28), atol=1e-6)


def test_nobody_watches_a_script_or_a_quiet_kernel(monkeypatch):
    monkeypatch.setattr(live, "display", lambda *args, **kwargs: pytest.fail("something was shown"))
    monkeypatch.setitem(live.sys.modules, "ipykernel", object())
    monkeypatch.setenv("TQDM_DISABLE", "1")
    train(watch=live.watch())
    monkeypatch.delenv("TQDM_DISABLE")
    assert live.is_live()
    monkeypatch.delitem(live.sys.modules, "ipykernel")
    train(watch=live.watch())


def test_the_picture_is_a_png_with_its_sentence(shown):
    train(epochs=1, watch=live.watch())
    png = base64.b64decode(shown[0]["image/png"])
    assert Image.open(io.BytesIO(png)).width > 300 and shown[0]["text/plain"].startswith("Loss ")
