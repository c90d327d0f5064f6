"""What `load_digit_images` gives and refuses: the order of the places, wishes, formats (fault rows 15 and 35)."""

import ast
import hashlib
import os
import re
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from small_mnist import (
    LABELS,
    REAL_FILES,
    TRAIN,
    assert_is_digits,
    assert_is_the_small_mnist,
    put,
    small_mnist,
)

from vae_helpers.data import download, files as mnist, images, load_digit_images

REAL_DATA = os.environ.get("VAE_DATA")  # read before the fixture `files` clears it


def test_order_of_the_places(files, tmp_path, monkeypatch, mirrors, server):
    mirrors("ok")
    expected = ["a download", "the cache", "an attached data set", "VAE_DATA", "the folder given as root"]
    loaded = [load_digit_images()]
    loaded.append(load_digit_images())
    put(tmp_path / "input" / "datasets" / "owner" / "slug" / "MNIST" / "raw", files)
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "input"))
    loaded.append(load_digit_images())
    monkeypatch.setenv("VAE_DATA", str(put(tmp_path / "data" / "MNIST" / "raw", files).parents[1]))
    loaded.append(load_digit_images())
    loaded.append(load_digit_images(root=put(tmp_path / "root", files)))
    for one, place in zip(loaded, expected, strict=True):
        assert_is_the_small_mnist(one, files)
        assert one.note == f"MNIST: 600 training and 100 test images, verified by SHA-256, from {place}."
    assert len(server.hits) == 4


def test_files_from_two_places_are_joined(files, tmp_path, monkeypatch):
    put(tmp_path / "cache", {name: files[name] for name in files if name != LABELS})
    monkeypatch.setenv("VAE_DATA", str(put(tmp_path / "data", {LABELS: files[LABELS]})))
    loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert "from VAE_DATA and the cache." in loaded.note


def test_a_place_behind_a_complete_one_is_not_looked_at(files, tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_DATA", str(put(tmp_path / "data", files)))
    monkeypatch.setenv("VAE_CACHE", str(put(tmp_path / "file", {"cache": b""}) / "cache"))
    assert "passed over" not in load_digit_images().note


@pytest.mark.parametrize("by_variable", [False, True])
def test_digits_by_name_touch_nothing(monkeypatch, mirrors, by_variable):
    mirrors("ok")
    for module, name in ((mnist, "gather"), (download, "complete"), (socket, "create_connection")):
        monkeypatch.setattr(module, name, lambda *args, **kwargs: pytest.fail("digits need no search"))
    monkeypatch.setenv("VAE_DATASET", "digits" if by_variable else "mnist")
    loaded = load_digit_images() if by_variable else load_digit_images("digits")
    assert_is_digits(loaded, f'{"VAE_DATASET" if by_variable else "dataset"}="digits"')


@pytest.mark.parametrize("by_variable", [False, True])
def test_row_15_mnist_by_name_is_never_replaced(tmp_path, monkeypatch, mirrors, by_variable):
    mirrors("404")
    monkeypatch.setenv("VAE_DATASET", "mnist" if by_variable else "digits")
    with pytest.raises(FileNotFoundError) as caught:
        load_digit_images(*([] if by_variable else ["mnist"]))
    for text in ("no MNIST was found", "mirror 1 answered with status 404", "set VAE_DATA", 'dataset="digits"'):
        assert text in str(caught.value)
    assert repr(str(tmp_path / "cache")) in str(caught.value)


@pytest.mark.parametrize("exists", [False, True])
def test_row_15_a_root_without_mnist_is_never_replaced(files, tmp_path, monkeypatch, mirrors, server, exists):
    root = tmp_path / "ein Ort"
    if exists:
        root.mkdir()
    monkeypatch.setenv("VAE_DATA", str(put(tmp_path / "data", files)))
    mirrors("ok")
    with pytest.raises(FileNotFoundError, match=f"looked in {re.escape(repr(str(root)))}; set VAE_DATA") as caught:
        load_digit_images(root=root)
    assert ("; the folder given as root cannot be read (" in str(caught.value)) != exists
    assert server.hits == []


def test_a_root_with_a_part_is_completed_from_the_other_places(files, tmp_path):
    root = put(tmp_path / "root", {TRAIN: files[TRAIN]})
    put(tmp_path / "cache", {name: files[name] for name in files if name != TRAIN})
    loaded = load_digit_images(root=root)
    assert_is_the_small_mnist(loaded, files)
    assert loaded.note.endswith("from the folder given as root and the cache.")


def test_an_empty_variable_names_no_folder(files, tmp_path, monkeypatch):
    monkeypatch.chdir(put(tmp_path / "here", files))
    monkeypatch.setenv("VAE_DATA", "")
    put(tmp_path / "cache", files)
    assert load_digit_images().note.endswith("from the cache.")


def test_a_root_with_a_part_is_completed_or_an_error(files, tmp_path, mirrors):
    root = put(tmp_path / "root", files | {TRAIN: b""})
    with pytest.raises(FileNotFoundError, match=f"no good copy of {TRAIN} was found; {TRAIN} in the folder") as caught:
        load_digit_images(root=root)
    assert repr(str(root)) in str(caught.value) and repr(str(tmp_path / "cache")) in str(caught.value)
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(root=root), files)


def test_vae_data_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_DATA", str(tmp_path / "missing"))
    assert_is_digits(load_digit_images(), "no MNIST was found; VAE_DATA cannot be read (")
    with pytest.raises(FileNotFoundError, match=re.escape(repr(str(tmp_path / "missing")))):
        load_digit_images("mnist")


@pytest.mark.parametrize("error", ["ImportError", "RuntimeError"])
def test_row_35_mnist_needs_no_torchvision(files, tmp_path, monkeypatch, error):
    fake = f"raise {error}('operator torchvision::nms does not exist')".encode()
    monkeypatch.syspath_prepend(put(tmp_path / "site" / "torchvision", {"__init__.py": fake}).parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    put(tmp_path / "cache", files)
    for arguments in ({}, {"dataset": "mnist"}, {"root": tmp_path / "cache"}):
        assert_is_the_small_mnist(load_digit_images(**arguments), files)


@pytest.mark.parametrize("module", [images, mnist, download])
def test_row_35_importing_needs_only_torch_and_numpy(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {(n.module if isinstance(n, ast.ImportFrom) else n.names[0].name).partition(".")[0] for n in imports}
    assert names <= {"numpy", "torch", "vae_helpers"} | sys.stdlib_module_names


@pytest.mark.parametrize("dataset", ["cifar", "MNIST", "", None, 3, ["mnist"]])
def test_unknown_data_set(dataset):
    with pytest.raises(
        ValueError, match=f'dataset must be "auto", "mnist" or "digits", got {re.escape(repr(dataset))}'
    ):
        load_digit_images(dataset)


def test_unknown_data_set_in_the_environment(monkeypatch):
    monkeypatch.setenv("VAE_DATASET", "cifar")
    with pytest.raises(ValueError, match="VAE_DATASET must be"):
        load_digit_images()


def test_the_pixels_are_made_once(tmp_path, monkeypatch):
    """No second copy of the float pixels, and the bytes of the training images are gone when the test images come."""
    raw = small_mnist(6000, 3000)
    for name, content in raw.items():
        monkeypatch.setitem(mnist.FILES, name, (len(content), hashlib.sha256(content).hexdigest()))
    put(tmp_path / "cache", raw)
    load_digit_images("mnist")  # what is imported on the way is not counted
    tracemalloc.start()
    try:
        assert load_digit_images("mnist").train.x.shape == (6000, 784)
        assert tracemalloc.get_traced_memory()[1] < (6000 * 4 + 3000 * (1 + 4)) * 784 * 1.05
    finally:
        tracemalloc.stop()


def test_digits_are_formatted_like_mnist():
    loaded = load_digit_images("digits")
    assert loaded.train.x.shape == (1500, 784) and loaded.test.x.shape == (297, 784)
    assert loaded.train.x.dtype == torch.float32 and loaded.train.y.dtype == torch.int64
    frame = loaded.train.x.view(-1, 28, 28)
    assert frame[:, 4:24, 4:24].min() == 0 and frame.max() == 1
    frame[:, 4:24, 4:24] = 0
    assert frame.eq(0).all()  # the margin of four pixels that MNIST has
    for part in (loaded.train, loaded.test):
        assert part.y.unique().tolist() == list(range(10))
        assert part.y.bincount().min() > 0.07 * len(part.y)


def test_digits_are_all_there_once_and_always_in_the_same_order():
    from sklearn.datasets import load_digits

    first, second = load_digit_images("digits"), load_digit_images("digits")
    assert torch.equal(first.train.x, second.train.x) and torch.equal(first.test.y, second.test.y)
    everything = torch.cat([first.train.x, first.test.x]).view(-1, 28, 28)[:, 4:24, 4:24]
    small = torch.nn.functional.adaptive_avg_pool2d(everything, 4).flatten(1)
    pixels = torch.tensor(load_digits().images, dtype=torch.float32) / 16
    original = torch.nn.functional.avg_pool2d(pixels, 2).flatten(1)
    order = torch.from_numpy(np.random.RandomState(0).permutation(1797))
    assert (small - original[order]).abs().mean() < 0.03  # blurred alike; two different digits are 0.3 apart
    labels = torch.tensor(load_digits().target)[order]
    assert torch.equal(torch.cat([first.train.y, first.test.y]), labels)


def test_real_mnist(monkeypatch):
    folder = REAL_DATA
    if not folder or not all(any(Path(folder).rglob(name)) for name in REAL_FILES):
        pytest.skip("VAE_DATA does not name a folder with the four MNIST files, so the real ones are not tested")
    for name, value in REAL_FILES.items():
        monkeypatch.setitem(mnist.FILES, name, value)
    loaded = load_digit_images("mnist", root=folder)
    assert loaded.train.x.shape == (60_000, 784) and loaded.test.x.shape == (10_000, 784)
    assert loaded.train.x.min() == 0 and loaded.train.x.max() == 1
    assert loaded.train.x.mean().item() == pytest.approx(0.1307, abs=1e-4)  # the constant of every MNIST example
    assert loaded.train.y[:5].tolist() == [5, 0, 4, 1, 9] and loaded.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert "60,000 training and 10,000 test images, verified by SHA-256" in loaded.note


LINUX = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux tells the memory of a process")
MEMORY = """
import resource, torch
from vae_helpers.data import images
from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import VAE, reparameterize
from vae_helpers.training import fit

def megabytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) // 1000

files = {"train-images-idx3-ubyte": bytes(16 + 60_000 * 784), "train-labels-idx1-ubyte": bytes(60_008)}
found = {name: (raw, "here") for name, raw in files.items()}
"""


def told_by(code):
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", MEMORY + code], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-1500:]
    return done.stdout.strip()


@LINUX
def test_row_37_one_epoch_holds_the_images_once_and_little_more():
    """188 MB of pixels; the rest is 10,000 test images at once and torch's first use: 460 to 500 over 15 runs.

    A second copy of the pixels is 188 more, so the limit lies in the middle between none and one.
    """
    code = """
before = megabytes("VmRSS")
x = images._images(found, "train").x
def loss(model, x):
    mu, logvar = model.encode(x)
    x_hat = model.decode(reparameterize(mu, logvar))
    return {"loss": (squared_error(x, x_hat) + kl_to_standard_normal(mu, logvar)).mean()}
fit(VAE(), x, loss, epochs=1, batch_size=512, quiet=True, test=x[:10_000])
print(megabytes("VmHWM") - before)
"""
    assert int(told_by(code)) < 570


@LINUX
def test_row_37_too_little_memory_for_mnist_comes_with_advice():
    code = """
resource.setrlimit(resource.RLIMIT_DATA, ((megabytes("VmData") + 100) * 1000 * 1024,) * 2)
try:
    images._images(found, "train")
except MemoryError as error:
    print(error)
"""
    assert "close other notebooks, or set VAE_DATASET=digits" in told_by(code)
