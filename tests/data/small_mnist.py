"""Small files in MNIST's format, and what the tests of all three modules say about loaded data."""

import gzip
import os
import re
import struct
from pathlib import Path

import numpy as np
import torch

from vae_helpers.data import download, files

# before a fixture replaces them
REAL_FILES, REAL_MOUNT, REAL_MIRRORS, REAL_PATIENCE = (
    dict(files.FILES),
    files.MOUNT,
    download.MIRRORS,
    download.PATIENCE,
)
TRAIN, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
HOME = str(Path.home())  # a test takes it away
HTML = b"<!DOCTYPE html><title>Sign in</title>"


def idx(array):
    """The bytes of an IDX file of uint8: magic number, big-endian sizes, values."""
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def small_mnist(train=600, test=100):
    """{name: bytes} with `train` and `test` images of sparse noise, which packs well, as MNIST does."""
    random = np.random.RandomState(0)
    images = {part: random.randint(0, 256, (n, 28, 28), np.uint8) for part, n in (("train", train), ("t10k", test))}
    for pixels in images.values():
        pixels[pixels < 200] = 0
    images["train"][0, 0, :2] = 0, 255
    raw = {f"{part}-images-idx3-ubyte": idx(pixels) for part, pixels in images.items()}
    labels = {part: random.randint(0, 10, len(pixels)).astype(np.uint8) for part, pixels in images.items()}
    return raw | {f"{part}-labels-idx1-ubyte": idx(y) for part, y in labels.items()}


SMALL = small_mnist()
PACKED = {f"{name}.gz": gzip.compress(content) for name, content in SMALL.items()}


def put(folder, contents):
    """Writes {name: bytes} into the folder, which is made, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def tree(folder):
    """Everything below a folder with size, time and mode: equal before and after when nothing was written."""
    paths = sorted([folder, *folder.rglob("*")])
    return [(path, os.lstat(path).st_size, os.lstat(path).st_mtime_ns, os.lstat(path).st_mode) for path in paths]


def cached(tmp_path):
    """Names of the files in the cache that the fixture `files` has chosen."""
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def assert_is_the_small_mnist(loaded, files):
    assert loaded.name == "mnist" and loaded.epochs == 15
    assert loaded.train.x.shape == (600, 784) and loaded.test.x.shape == (100, 784)
    assert loaded.train.x.dtype == torch.float32 and loaded.train.y.dtype == torch.int64
    pixels = np.frombuffer(files[TRAIN], np.uint8, offset=16).reshape(600, 784)
    assert np.array_equal(loaded.train.x.numpy(), pixels.astype(np.float32) / np.float32(255))
    assert loaded.train.y.tolist() == list(files[LABELS][8:])
    assert loaded.test.y.tolist() == list(files[LABELS.replace("train", "t10k")][8:])
    assert_note_is_public(loaded.note)


def assert_is_digits(loaded, *mentioned):
    assert loaded.name == "digits" and loaded.epochs == 400 and len(loaded.train.y) == 1500
    assert_note_is_public(loaded.note)
    for text in mentioned:
        assert text in loaded.note


def assert_note_is_public(note):
    """Notes are stored in notebooks: no absolute path, home folder or host; one line, one full stop."""
    assert not re.search(r"(^|[\s'\"(])(/|~|[A-Za-z]:\\)|127\.0\.0\.1|localhost|https?:", note), note
    assert HOME not in note and "\n" not in note and note.endswith(".")
