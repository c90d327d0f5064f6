"""Digit images with proof of what they are: MNIST from verified files, or scikit-learn's own digits."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from vae_helpers.data import download, files

DATASETS = ("auto", "mnist", "digits")
EPOCHS = {"mnist": 8, "digits": 200}  # passes that train a small model well: digits has 40 times fewer images


@dataclass(frozen=True, eq=False)
class DigitImages:
    """Images and their classes: x (n, 784) float32 pixels in [0, 1], y (n,) int64 in 0 … 9."""

    x: torch.Tensor
    y: torch.Tensor


@dataclass(frozen=True, eq=False)
class DigitData:
    """Training and test images; name: "mnist" or "digits"; note: one sentence on source and reason; epochs: passes."""

    train: DigitImages
    test: DigitImages
    name: str
    note: str
    epochs: int


def load_digit_images(dataset="auto", root=None):
    """Handwritten digits, 28×28 flattened: x (n, 784) float32 pixels in [0, 1], y (n,) int64.

    dataset: "mnist", "digits", or "auto" (what $VAE_DATASET names; else MNIST where it can be had, else digits).
    root: a folder that holds the MNIST files, raw or .gz. Then come $VAE_DATA, attached data sets, the cache
    ($VAE_CACHE) and a download; each file is proved by SHA-256, and one that fails is named in the note.
    Raises ValueError for another `dataset`; FileNotFoundError when MNIST was asked for, by name or by `root`, and
    cannot be had (a `root` without one good file is not replaced); ImportError when torchvision is broken then.
    Sources: LeCun, Cortes, Burges (MNIST); Alpaydin, Kaynak 1998 (scikit-learn's digits).
    """
    wish, reason = _wish(dataset)
    if wish == "digits":
        return _digits(reason)
    try:
        return _mnist(root)
    except (_NoMnist, ImportError) as error:
        if wish == "auto" and root is None:
            return _digits(f"{error}; {_ADVICE}")
        if isinstance(error, ImportError):
            raise
        asked = "MNIST was asked for" if root is None else f"MNIST was asked for in root={os.fspath(root)!r}"
        looked = ", ".join(repr(str(folder)) for _, folder in files.places(root)) or "no folder"
        text = f'{asked} and cannot be had: {error}; looked in {looked}; {_ADVICE}, or ask for dataset="digits".'
        raise FileNotFoundError(text) from None


_ADVICE = "set VAE_DATA to a folder that holds the four MNIST files"


class _NoMnist(Exception):
    """Why MNIST cannot be had, without paths or host names: the note prints it in stored notebooks."""


def _wish(dataset):
    """(one of DATASETS, why) from the argument and $VAE_DATASET; raises ValueError that names the culprit."""
    variable = os.environ.get("VAE_DATASET")
    asked, value = "dataset", dataset
    if dataset == "auto" and variable:
        asked, value = "VAE_DATASET", variable
    if value not in DATASETS:
        raise ValueError(f'{asked} must be "auto", "mnist" or "digits", got {value!r}.')
    return value, f'{asked}="digits" asks for them'


def _mnist(root):
    """MNIST as DigitData; raises _NoMnist, or ImportError when torchvision is broken."""
    found, used, problems = files.gather(root)
    missing = [name for name in files.FILES if name not in found]
    if missing and (found or root is None):
        new, failed = download.download(files.cache_folder(), missing)
        found, problems = found | new, problems + failed
        used += ["a download"] if new else []
    missing = [name for name in missing if name not in found]
    if missing:
        lacking = f"no good copy of {', '.join(missing)} was found" if found else "no MNIST was found"
        raise _NoMnist("; ".join([lacking, *problems]))
    train, test = _read_images(found, "train"), _read_images(found, "t10k")
    counts = f"{len(train.y):,} training and {len(test.y):,} test images"
    passed = f"; passed over: {'; '.join(problems)}" if problems else ""
    note = f"MNIST: {counts}, verified by SHA-256, from {' and '.join(used)}{passed}."
    return DigitData(train, test, "mnist", note, EPOCHS["mnist"])


def _torchvision_reader():
    """torchvision's module that reads IDX files; raises ImportError with one sentence on how to repair it."""
    try:
        from torchvision.datasets import mnist
    except Exception as error:  # a mismatched build raises RuntimeError or OSError, not only ImportError
        raise ImportError(
            "torchvision cannot be imported; torch and torchvision must come from the same build: "
            "reinstall both from one index, or run `make lab` for the versions in requirements.lock"
        ) from error
    return mnist


def _read_images(found, part):
    """DigitImages of one part ("train" or "t10k"); the float32 pixels are made once, as 188 MB for training."""
    mnist = _torchvision_reader()
    images = _read(found, f"{part}-images-idx3-ubyte", mnist.read_image_file)
    labels = _read(found, f"{part}-labels-idx1-ubyte", mnist.read_label_file)
    return DigitImages(images.flatten(1).float().div_(255), labels)


def _read(found, name, reader):
    path = found[name]
    if path.suffix.lower() != ".gz":
        return reader(str(path))
    with tempfile.TemporaryDirectory() as scratch:  # torchvision opens paths only, and the cache is not to be written
        return reader(str(download.store(Path(scratch), name, files.read_verified(path, name))))


def _digits(reason):
    """scikit-learn's 1,797 digits in MNIST's format: 8×8 → 20×20 (bicubic) centred in 28×28, 1,500 for training."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16  # grey levels 0 … 16
    images = F.interpolate(images, size=20, mode="bicubic", align_corners=False).clamp(0, 1)  # bicubic overshoots
    x, y = F.pad(images, (4, 4, 4, 4)).flatten(1), torch.tensor(classes, dtype=torch.int64)
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(y)))  # a stream that NumPy promises to keep
    train, test = (DigitImages(x[part], y[part]) for part in (order[:1500], order[1500:]))
    note = (
        f"digits: scikit-learn's {len(y):,} real digits, 8×8 enlarged to 20×20 and centred in 28×28, "
        f"{len(train.y):,} for training and {len(test.y):,} for testing, because {reason}."
    )
    return DigitData(train, test, "digits", note, EPOCHS["digits"])
