"""MNIST files are found under any spelling, proved, and named when they fail (fault rows 1–5, 12 and 17)."""

import contextlib
import gzip
import os
import re
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from small_mnist import (
    HTML,
    LABELS,
    PACKED,
    REAL_MOUNT,
    TRAIN,
    assert_is_digits,
    assert_is_the_small_mnist,
    assert_note_is_public,
    cached,
    put,
    tree,
)
from somebody import as_somebody, open_folder

from vae_helpers.data import download, files as mnist, load_digit_images

GZ = f"{TRAIN}.gz"


def found_below(folder):
    """Paths of the candidates in the order in which they are looked at, and the problems on the way."""
    problems = []
    return [Path(path) for _, path in mnist.candidates(folder, "the place", problems)], problems


# Spellings and paths


@pytest.mark.parametrize("spelling", ["{}", "{}.gz", "{0}/{0}", "{0}.gz/{0}.gz"])
@pytest.mark.parametrize("spelled", ["train-images-idx3", "train-images.idx3", "TRAIN-IMAGES-IDX3"])
def test_spellings_of_attached_files(files, tmp_path, monkeypatch, spelling, spelled):
    for name, content in files.items():
        name_there = name.upper() if spelled.isupper() else name.replace("-idx", spelled[-5] + "idx")
        path = tmp_path / "input" / spelling.format(name_there)
        put(path.parent, {path.name: PACKED[f"{name}.gz"] if path.suffix == ".gz" else content})
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "input"))
    before = tree(tmp_path)
    assert_is_the_small_mnist(load_digit_images("mnist"), files)
    assert tree(tmp_path) == before


def test_a_mount_with_both_spellings_and_folders_named_like_files(files, tmp_path, monkeypatch):
    """As a well-known data set on Kaggle is laid out."""
    for name, content in files.items():
        put(tmp_path / "input" / "mnist" / name, {name: content})
        put(tmp_path / "input" / "mnist", {name.replace("-idx", ".idx") + ".GZ": PACKED[f"{name}.gz"]})
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "input"))
    loaded = load_digit_images("mnist")
    assert_is_the_small_mnist(loaded, files)
    assert loaded.note.endswith("from an attached data set.")
    assert REAL_MOUNT == "/kaggle/input"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_keras_file_on_a_mount(files, tmp_path, monkeypatch, save):
    put(tmp_path / "input" / "mnist-npz", {"train.csv": b"label,pixel0\n1,0\n"})
    arrays = {name: np.frombuffer(files[file], np.uint8, offset=16 if name[0] == "x" else 8)
              for file, name in mnist.ARRAYS.items()}  # fmt: skip
    arrays = {name: array.reshape(-1, 28, 28) if name[0] == "x" else array for name, array in arrays.items()}
    save(tmp_path / "input" / "mnist-npz" / "mnist.npz", **arrays)
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "input"))
    loaded = load_digit_images("mnist")
    assert_is_the_small_mnist(loaded, files)
    assert loaded.note.endswith("from an attached data set.")
    arrays["x_train"] = arrays["x_train"] ^ (np.arange(600)[:, None, None] == 599)  # one bit in each last pixel
    save(tmp_path / "input" / "mnist-npz" / "mnist.npz", **arrays)
    assert_is_digits(load_digit_images(), "mnist.npz in an attached data set has the wrong content")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PK\x03\x04 cut", "holds no x_train that can be read"),
        (HTML, "holds no x_train that can be read"),
        (b"", "holds no x_train that can be read"),
    ],
)
def test_a_keras_file_that_is_none(tmp_path, monkeypatch, content, problem):
    put(tmp_path / "input", {"mnist.npz": content})
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "input"))
    assert_is_digits(load_digit_images(), f"mnist.npz in an attached data set {problem}")


@pytest.mark.parametrize("kind", ["pickled", "bomb", "other names"])
def test_a_keras_file_of_somebody_with_bad_intent(tmp_path, monkeypatch, kind):
    class Pwned:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    arrays = {
        "pickled": {"x_train": np.array([Pwned()], dtype=object)},
        "bomb": {"x_train": np.zeros(300_000_000, np.uint8)},
        "other names": {"images": np.zeros(3, np.uint8)},
    }
    (tmp_path / "input").mkdir()
    np.savez_compressed(tmp_path / "input" / "mnist.npz", **arrays[kind])
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "input"))
    tracemalloc.start()
    try:
        assert_is_digits(load_digit_images(), "mnist.npz in an attached data set")
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()
    assert not (tmp_path / "ran").exists()


def test_a_table_on_a_mount_is_no_mnist_and_the_digits_come_with_advice(tmp_path, monkeypatch):
    """Kaggle's train.csv holds 42,000 of the images in an order of its own: nothing proves them, so they are left."""
    put(tmp_path / "input" / "digit-recognizer", {"train.csv": b"label,pixel0\n1,0\n", "test.csv": b"pixel0\n0\n"})
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "input"))
    assert_is_digits(load_digit_images(), "no MNIST was found", "set VAE_DATA to a folder")


def test_row_17_any_path_and_any_working_folder(files, tmp_path, monkeypatch):
    folder = put(tmp_path / "mit Leerzeichen" / "ü 中", files)
    monkeypatch.chdir(folder.parent)
    for root in (folder, str(folder), "ü 中", Path("ü 中")):
        assert_is_the_small_mnist(load_digit_images(root=root), files)
    monkeypatch.setenv("VAE_DATA", "ü 中")
    assert_is_the_small_mnist(load_digit_images(), files)


@pytest.mark.parametrize("place", ["root", "VAE_DATA", "VAE_CACHE"])
def test_row_17_a_path_from_the_home_folder(files, tmp_path, monkeypatch, place):
    put(tmp_path / "home" / "data", files)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    if place != "root":
        monkeypatch.setenv(place, "~/data")
    assert_is_the_small_mnist(load_digit_images(root="~/data" if place == "root" else None), files)


def test_row_12_a_complete_cache_is_not_written(files, tmp_path, monkeypatch, mirrors, server):
    cache = put(tmp_path / "cache" / "MNIST" / "raw", files)
    before = tree(tmp_path / "cache")
    for module, name in ((download, "write_whole"), (tempfile, "TemporaryFile"), (os, "mkdir")):
        monkeypatch.setattr(module, name, lambda *args, **kwargs: pytest.fail("something was written"))
    mirrors("ok")
    for path in (*cache.iterdir(), cache, cache.parent):
        path.chmod(0o555)
    before = tree(tmp_path / "cache")
    assert_is_the_small_mnist(load_digit_images("mnist"), files)
    assert tree(tmp_path / "cache") == before and server.hits == []
    for path in (cache.parent, cache):
        path.chmod(0o755)


@pytest.mark.parametrize("temporary", ["absent", "full"])
def test_packed_files_need_no_temporary_folder(files, tmp_path, monkeypatch, temporary):
    resource = pytest.importorskip("resource", reason="limits on file sizes need a POSIX system")
    root = put(tmp_path / "root", PACKED)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent" if temporary == "absent" else tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        loaded = load_digit_images(root=root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_is_the_small_mnist(loaded, files)


# Rows 1–5: files that are not what their name says


def flip(content):
    return content[:-100] + bytes([content[-100] ^ 4]) + content[-99:]


def of_count(n):
    """TRAIN with n images in the header, and in the body as far as it goes."""
    return lambda content: content[:4] + struct.pack(">I", n) + content[8 : 16 + n * 784]


BAD = {
    "truncated": (lambda content: content[:20_000], "has the wrong size (20,000 bytes, expected 470,416)"),
    "empty": (lambda content: b"", "has the wrong size (0 bytes, expected 470,416)"),
    "15 bytes": (lambda content: content[:15], "has the wrong size (15 bytes, expected 470,416)"),
    "longer": (lambda content: content + b"\0\0", "has the wrong size (over 470,416 bytes, expected 470,416)"),
    "web page": (lambda content: HTML, f"is not an IDX file ({len(HTML)} bytes, expected 470,416)"),
    "long web page": (lambda content: HTML.ljust(len(content)), "is not an IDX file (470,416 bytes"),
    "zeros, as a copy leaves them that was cut short": (lambda content: bytes(len(content)), "is not an IDX file"),
    "packed": (gzip.compress, "is not an IDX file"),
    "one bit": (flip, "has the wrong content: its SHA-256 is not MNIST's (470,416 bytes"),
    "one image less": (of_count(599), "has the wrong size (469,632 bytes, expected 470,416)"),
    "2³¹ images": (of_count(2**31), "has the wrong content"),
}


@pytest.mark.parametrize("fault", BAD)
def test_rows_1_to_5_bad_raw_file(files, tmp_path, monkeypatch, mirrors, fault):
    spoil, finding = BAD[fault]
    folder = put(tmp_path / "data", files | {TRAIN: spoil(files[TRAIN])})
    monkeypatch.setenv("VAE_DATA", str(folder))
    before = tree(folder)
    assert_is_digits(load_digit_images(), f"{TRAIN} in VAE_DATA {finding}", "set VAE_DATA")
    with pytest.raises(FileNotFoundError, match=re.escape(finding)):
        load_digit_images("mnist")
    mirrors("ok")
    repaired = load_digit_images()
    assert_is_the_small_mnist(repaired, files)
    assert f"from VAE_DATA and a download; passed over: {TRAIN} in VAE_DATA {finding}" in repaired.note
    assert tree(folder) == before and cached(tmp_path) == [TRAIN]


def test_row_5_no_more_is_read_or_unpacked_than_expected(files, tmp_path):
    """A raw file far larger than memory (a hole of 1 TB), and a packed one with 100 MB too much in it."""
    root = put(tmp_path / "root", {GZ: gzip.compress(files[TRAIN] + bytes(10**8))})
    with (root / TRAIN).open("wb") as file:
        file.write(files[TRAIN])
        file.truncate(2**40)
    tracemalloc.start()
    try:
        with pytest.raises(FileNotFoundError) as caught:
            load_digit_images(root=root)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()
    for name in (TRAIN, GZ):
        assert f"{name} in the folder given as root has the wrong size (over 470,416 bytes" in str(caught.value)


def test_a_bad_packed_file_is_named(files, tmp_path):
    packed = PACKED[GZ]
    cases = {
        "is not a gzip file, or a damaged one": (HTML, packed[:500] + HTML + packed[500:], packed[:-8] + bytes(8)),
        "has the wrong size (0 bytes unpacked, expected 470,416)": (b"", gzip.compress(b"")),
        "has the wrong size (": (packed[:1000], packed[:-500] + bytes(500)),
        "is not an IDX file": (gzip.compress(HTML), gzip.compress(packed)),
    }
    for finding, contents in cases.items():
        for content in contents:
            folder = put(tmp_path / "root", files | {GZ: content})
            (folder / TRAIN).unlink()
            expected = re.escape(f"{GZ} in the folder given as root {finding}")
            with pytest.raises(FileNotFoundError, match=expected):
                load_digit_images(root=folder)


def test_a_good_copy_beside_a_bad_one_is_used(files, tmp_path):
    folder = put(tmp_path / "root", files | {TRAIN: HTML})
    put(folder / "MNIST" / "raw", {TRAIN: files[TRAIN]})
    loaded = load_digit_images(root=folder)
    assert_is_the_small_mnist(loaded, files)
    assert "passed over" in loaded.note


def test_a_copy_behind_a_good_one_is_not_read(files, tmp_path):
    root = put(tmp_path / "root", {name: files[name] for name in files if name != LABELS})
    put(root / "a", {TRAIN: HTML})
    put(root / "b", {LABELS: files[LABELS]})
    loaded = load_digit_images(root=root)
    assert_is_the_small_mnist(loaded, files)
    assert "passed over" not in loaded.note


# The search


def test_the_nearest_come_first_and_in_order(tmp_path):
    put(tmp_path / "a" / "deep", {LABELS: b""})
    put(tmp_path / "b", {GZ: b"", TRAIN: b"", "other": b""})
    put(tmp_path, {LABELS: b""})
    expected = [tmp_path / LABELS, tmp_path / "b" / TRAIN, tmp_path / "b" / GZ, tmp_path / "a" / "deep" / LABELS]
    assert found_below(tmp_path) == (expected, [])


def test_the_search_ends_at_a_depth_also_in_a_circle(files, tmp_path):
    put(tmp_path.joinpath("top", *"123456"), files)
    put(tmp_path.joinpath("deep", *"1234567"), files)
    os.symlink(tmp_path / "circle", put(tmp_path / "circle", {LABELS: HTML}) / "loop")
    os.symlink("itself", tmp_path / "circle" / "itself")
    assert len(found_below(tmp_path / "top")[0]) == 4
    assert found_below(tmp_path / "deep") == ([], [])
    with pytest.raises(FileNotFoundError) as caught:
        load_digit_images(root=tmp_path / "circle")
    assert str(caught.value).count("is not an IDX file") == 1


def test_only_ordinary_files_are_read(files, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs a POSIX system")
    (tmp_path / "root").mkdir()
    os.mkfifo(tmp_path / "root" / TRAIN)
    os.symlink(tmp_path / "nowhere", tmp_path / "root" / LABELS)
    assert found_below(tmp_path / "root") == ([], [])


def test_four_files_behind_twelve_thousand_others(files, tmp_path, monkeypatch):
    root = put(tmp_path / "root", files | {f"{i:05}.png": b"" for i in range(12_000)})
    scan = os.scandir

    def files_last(folder):  # a file system lists them in any order
        with scan(folder) as entries:
            return contextlib.nullcontext(iter(sorted(entries, key=lambda entry: entry.name in files)))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", files_last)
        loaded = load_digit_images(root=root)
    assert_is_the_small_mnist(loaded, files)


def test_a_search_that_was_cut_is_told(files, tmp_path, monkeypatch):
    put(tmp_path / "data" / "a", {f"{i}.png": b"" for i in range(50)})
    put(tmp_path / "data" / "b", files)
    monkeypatch.setenv("VAE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(mnist, "LIMIT", 56)
    loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert "passed over" not in loaded.note
    monkeypatch.setattr(mnist, "LIMIT", 50)
    scan, scanned = os.scandir, []
    monkeypatch.setattr(os, "scandir", lambda folder: scanned.append(Path(folder).name) or scan(folder))
    assert_is_digits(load_digit_images(), "VAE_DATA holds too many files to look at all of them")
    assert "a" in scanned and "b" not in scanned


def test_a_large_neighbour_neither_hides_the_files_nor_is_looked_at(files, tmp_path, monkeypatch):
    put(tmp_path / "data" / "a" / "images", {f"{i}.png": b"" for i in range(50)})
    monkeypatch.setenv("VAE_DATA", str(put(tmp_path / "data" / "mnist", files).parent))
    monkeypatch.setattr(mnist, "LIMIT", 20)
    loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert "passed over" not in loaded.note


# Folders of other users


@pytest.fixture
def shared(monkeypatch):
    """A folder that all may enter, without a cache in the way."""
    load_digit_images("digits")  # what is imported later may lie in a folder of the administrator
    import requests.utils  # noqa: F401

    with open_folder() as folder:
        monkeypatch.setenv("VAE_CACHE", str(folder / "cache"))
        monkeypatch.setattr(mnist, "MOUNT", str(folder / "no mount"))
        yield folder


def test_a_home_that_cannot_be_entered(shared, monkeypatch):
    (shared / "private" / "home").mkdir(parents=True)
    (shared / "private").chmod(0)
    for variable in ("VAE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(shared / "private" / "home"))
    with as_somebody():
        loaded = load_digit_images()
    assert_is_digits(loaded, "the cache cannot be read (Permission denied)", "cannot be written: Permission denied")


@pytest.mark.parametrize("below", [".", "data"])
def test_vae_data_that_cannot_be_read_is_named_and_the_next_place_used(files, shared, monkeypatch, below):
    put(shared / "private" / "data", files)
    (shared / "private").chmod(0)
    monkeypatch.setenv("VAE_DATA", str(shared / "private" / below))
    with as_somebody():
        assert_is_digits(load_digit_images(), "; VAE_DATA cannot be read (Permission denied); ")
        with pytest.raises(FileNotFoundError, match=re.escape("VAE_DATA cannot be read (Permission denied)")):
            load_digit_images("mnist")
    put(shared / "cache", files)
    with as_somebody():
        loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert loaded.note.endswith("from the cache; passed over: VAE_DATA cannot be read (Permission denied).")


def test_what_in_vae_data_cannot_be_read_is_named(files, shared, monkeypatch):
    data = put(shared / "data", {name: files[name] for name in files if name != LABELS})
    put(data / "private", {LABELS: files[LABELS]}).chmod(0)
    os.symlink(data / "private" / LABELS, data / LABELS)
    (data / TRAIN).chmod(0)
    monkeypatch.setenv("VAE_DATA", str(data))
    with as_somebody():
        loaded = load_digit_images()
    told = f"{TRAIN} in VAE_DATA cannot be read (Permission denied); a folder in VAE_DATA cannot be read (Permission"
    assert_is_digits(loaded, told)
    assert_note_is_public(loaded.note)
