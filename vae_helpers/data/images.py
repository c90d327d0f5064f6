"""Digit images with proof of what they are: MNIST from verified files, or scikit-learn's own digits."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from vae_helpers.data import download, files

EPOCHS = {"mnist": 15, "digits": 400}  # passes that train a small model well: the digits have 40 times fewer images


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
    cannot be had (a `root` without one good file is not replaced).
    Sources: LeCun, Cortes, Burges (MNIST); Alpaydin, Kaynak 1998 (scikit-learn's digits).
    """
    wish, reason = _wish(dataset)
    if wish == "digits":
        return _digits(reason)
    places = files.places(root)
    found, problems = files.gather(places)
    if len(found) < len(files.FILES) and (found or root is None):
        problems += download.complete(found, places.get(files.CACHE))
    missing = ", ".join(name for name in files.FILES if name not in found)
    if not missing:
        return _mnist(found, problems)
    reason = "; ".join([f"no good copy of {missing} was found" if found else "no MNIST was found", *problems])
    advice = "set VAE_DATA to a folder that holds the four MNIST files"
    if wish == "auto" and root is None:
        return _digits(f"{reason}; {advice}")
    looked = places.values() if found or root is None else [places[files.ROOT]]
    reason += f"; looked in {', '.join(repr(str(folder)) for folder in looked)}"
    raise FileNotFoundError(f'MNIST was asked for and cannot be had: {reason}; {advice}, or ask for dataset="digits".')


def load_small_digits():
    """scikit-learn's 1,797 digits as they are: x (1797, 64) float32 pixels, sixteenths in [0, 1], y (1797,) int64.

    They come with scikit-learn, so nothing is fetched. Source: Alpaydin, Kaynak 1998.
    """
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)  # grey levels 0 … 16
    return DigitImages(torch.tensor(pixels, dtype=torch.float32) / 16, torch.tensor(classes, dtype=torch.int64))


def _wish(dataset):
    """(data set, why) as the argument and $VAE_DATASET ask for them; raises ValueError that names the culprit."""
    variable = os.environ.get("VAE_DATASET")
    asked, value = ("VAE_DATASET", variable) if dataset == "auto" and variable else ("dataset", dataset)
    if value not in ("auto", "mnist", "digits"):
        raise ValueError(f'{asked} must be "auto", "mnist" or "digits", got {value!r}.')
    return value, f'{asked}="digits" asks for them'


def _mnist(found, problems):
    """DigitData from {name: (proved bytes, place)}, which is emptied on the way to free the memory."""
    used = " and ".join(dict.fromkeys(place for _, place in found.values()))
    train, test = _images(found, "train"), _images(found, "t10k")
    passed = f"; passed over: {'; '.join(problems)}" if problems else ""
    note = f"{len(train.y):,} training and {len(test.y):,} test images, verified by SHA-256, from {used}{passed}."
    return DigitData(train, test, "mnist", f"MNIST: {note}", EPOCHS["mnist"])


def _images(found, part):
    """DigitImages of one part ("train" or "t10k"); the float32 pixels are made once, as 188 MB for training."""
    pixels = np.frombuffer(found.pop(f"{part}-images-idx3-ubyte")[0], np.uint8, offset=16).reshape(-1, 784)
    labels = np.frombuffer(found.pop(f"{part}-labels-idx1-ubyte")[0], np.uint8, offset=8)  # both behind their headers
    try:
        x = np.divide(pixels, np.float32(255), dtype=np.float32)
    except MemoryError as error:
        advice = "close other notebooks, or set VAE_DATASET=digits"
        raise MemoryError(f"MNIST does not fit into the memory that is left ({error}): {advice}.") from error
    return DigitImages(torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64)))


def _digits(reason):
    """scikit-learn's 1,797 digits in MNIST's format: 8×8 → 20×20 (bicubic) centred in 28×28, 1,500 for training."""
    small = load_small_digits()
    images, classes = small.x.view(-1, 1, 8, 8), small.y
    images = F.interpolate(images, size=20, mode="bicubic", align_corners=False).clamp(0, 1)  # bicubic overshoots
    x, y = F.pad(images, (4, 4, 4, 4)).flatten(1), classes
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(y)))  # a stream that NumPy promises to keep
    train, test = (DigitImages(x[part], y[part]) for part in (order[:1500], order[1500:]))
    note = (
        f"digits: scikit-learn's {len(y):,} real digits, 8×8 enlarged to 20×20 and centred in 28×28, "
        f"{len(train.y):,} for training and {len(test.y):,} for testing, because {reason}."
    )
    return DigitData(train, test, "digits", note, EPOCHS["digits"])
