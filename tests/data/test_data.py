"""Digit images: every row of the fault table that concerns data, on small files and a local server."""

import ast
import gzip
import hashlib
import http.server
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_helpers.data import download, files as mnist, images, load_digit_images

REAL_FILES = dict(mnist.FILES)
REAL_DATA = os.environ.get("VAE_DATA")  # read before the fixture below clears it
TRAIN, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
HTML = b"<!DOCTYPE html><title>Sign in</title>"


def idx(array):
    """The bytes of an IDX file of uint8: magic number, big-endian sizes, values."""
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def small_mnist():
    random = np.random.RandomState(0)
    images = {part: random.randint(0, 256, (n, 28, 28), np.uint8) for part, n in (("train", 60), ("t10k", 10))}
    images["train"][0, 0, :2] = 0, 255
    raw = {f"{part}-images-idx3-ubyte": idx(pixels) for part, pixels in images.items()}
    labels = {part: random.randint(0, 10, len(pixels)).astype(np.uint8) for part, pixels in images.items()}
    return raw | {f"{part}-labels-idx1-ubyte": idx(y) for part, y in labels.items()}


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Small files in MNIST's place, an empty cache, no mirrors, no mounts: {name: bytes}."""
    raw = small_mnist()
    for name, content in raw.items():
        monkeypatch.setitem(mnist.FILES, name, (len(content), hashlib.sha256(content).hexdigest()))
    for variable in ("VAE_DATA", "VAE_DATASET", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist, "MOUNTS", ())
    monkeypatch.setattr(download, "MIRRORS", ())
    return raw


def put(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def tree(folder):
    """Everything below a folder with size, time and mode: equal before and after when nothing was written."""
    paths = sorted([folder, *folder.rglob("*")])
    return [(path, os.lstat(path).st_size, os.lstat(path).st_mtime_ns, os.lstat(path).st_mode) for path in paths]


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def assert_is_the_small_mnist(loaded, files):
    assert loaded.name == "mnist" and loaded.epochs == 8
    assert loaded.train.x.shape == (60, 784) and loaded.test.x.shape == (10, 784)
    assert loaded.train.x.dtype == torch.float32 and loaded.train.y.dtype == torch.int64
    pixels = np.frombuffer(files[TRAIN], np.uint8, offset=16).reshape(60, 784)
    assert np.array_equal(loaded.train.x.numpy(), pixels.astype(np.float32) / np.float32(255))
    assert loaded.train.y.tolist() == list(files[LABELS][8:])


def assert_is_digits(loaded, *mentioned):
    assert loaded.name == "digits" and loaded.epochs == 200 and len(loaded.train.y) == 1500
    assert_note_is_public(loaded.note)
    for text in mentioned:
        assert text in loaded.note


def assert_note_is_public(note):
    """Notes are stored in notebooks: no absolute path, home folder or host; one line, one full stop."""
    assert not re.search(r"(^|[\s'\"(])(/|~|[A-Za-z]:\\)|127\.0\.0\.1|localhost|https?:", note), note
    assert str(Path.home()) not in note and "\n" not in note and note.endswith(".")


class Handler(http.server.BaseHTTPRequestHandler):
    """The first folder of the path is the fault mode, so that a mirror's address chooses how it fails."""

    def do_GET(self):
        _, mode, name = self.path.split("/")
        self.server.hits.append((mode, name))
        getattr(self, f"answer_{mode}", lambda body: self.send_error(int(mode)))(self.server.packed[name])

    def start(self, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer_ok(self, body):
        self.start(len(body))
        self.wfile.write(body)

    def answer_reset(self, body):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def answer_stall(self, body):
        self.start(len(body))
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.server.half_sent.set()
        self.server.release.wait(10)  # a client without a limit gets it all in the end, and its test fails
        self.wfile.write(body[len(body) // 2 :])

    def answer_cut(self, body):
        self.start(len(body))
        self.wfile.write(body[: len(body) // 2])

    def answer_short(self, body):
        self.answer_ok(body[: len(body) // 2])

    def answer_login(self, body):
        self.answer_ok(HTML)

    def answer_flood(self, body):
        self.answer_ok(b"\0" * 1_000_000)

    def answer_flipped(self, body):
        raw = bytearray(gzip.decompress(body))
        raw[-1] ^= 1
        self.answer_ok(gzip.compress(bytes(raw)))

    def answer_unpacked(self, body):
        self.answer_ok(gzip.decompress(body))

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that was killed, and a connection that was reset, are what the tests are about."""


@pytest.fixture
def server(files):
    server = Server(("127.0.0.1", 0), Handler)
    server.packed = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    server.hits, server.half_sent, server.release = [], threading.Event(), threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def mirrors(server, monkeypatch):
    """Names the fault modes of the mirrors, in order."""

    def choose(*modes):
        monkeypatch.setattr(download, "MIRRORS", tuple(f"{server.address}/{mode}/" for mode in modes))

    return choose


# What a good source gives


def test_order_of_themnist(files, tmp_path, monkeypatch, mirrors, server):
    mirrors("ok")
    expected = ["a download", "the cache", "an attached data set", "VAE_DATA", "the folder given as root"]
    loaded = [load_digit_images()]
    loaded.append(load_digit_images())
    put(tmp_path / "input" / "datasets" / "owner" / "slug" / "MNIST" / "raw", files)
    monkeypatch.setattr(mnist, "MOUNTS", (str(tmp_path / "input"),))
    loaded.append(load_digit_images())
    monkeypatch.setenv("VAE_DATA", str(put(tmp_path / "data" / "MNIST" / "raw", files).parents[1]))
    loaded.append(load_digit_images())
    loaded.append(load_digit_images(root=put(tmp_path / "root", files)))
    for one, place in zip(loaded, expected, strict=True):
        assert_is_the_small_mnist(one, files)
        assert one.note == f"MNIST: 60 training and 10 test images, verified by SHA-256, from {place}."
    assert len(server.hits) == 4


@pytest.mark.parametrize("spelling", ["{}", "{}.gz", "{0}/{0}"])
@pytest.mark.parametrize("dot", [False, True])
def test_spellings_of_attached_files(files, tmp_path, monkeypatch, spelling, dot):
    for name, content in files.items():
        path = tmp_path / "input" / spelling.format(name.replace("-idx", ".idx") if dot else name)
        put(path.parent, {path.name: gzip.compress(content) if path.suffix == ".gz" else content})
    monkeypatch.setattr(mnist, "MOUNTS", (str(tmp_path / "input"),))
    before = tree(tmp_path)
    assert_is_the_small_mnist(load_digit_images("mnist"), files)
    assert tree(tmp_path) == before


def test_files_from_two_places_are_joined(files, tmp_path, monkeypatch):
    put(tmp_path / "cache", {name: files[name] for name in files if name != LABELS})
    monkeypatch.setenv("VAE_DATA", str(put(tmp_path / "data", {LABELS: files[LABELS]})))
    loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert "from VAE_DATA and the cache." in loaded.note


def test_row_17_any_path_and_any_working_folder(files, tmp_path, monkeypatch):
    folder = put(tmp_path / "mit Leerzeichen" / "ü 中", files)
    monkeypatch.chdir(folder.parent)
    for root in (folder, str(folder), "ü 中", Path("ü 中")):
        assert_is_the_small_mnist(load_digit_images(root=root), files)
    monkeypatch.setenv("VAE_DATA", "ü 中")
    assert_is_the_small_mnist(load_digit_images(), files)


def test_row_17_cache_with_any_name(files, tmp_path, monkeypatch, mirrors):
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "ein ü 中" / "cache"))
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(), files)


def test_search_is_bounded(files, tmp_path, monkeypatch):
    put(tmp_path.joinpath(*"12345678"), files)
    assert list(mnist.candidates(tmp_path)) == []
    os.symlink(tmp_path, tmp_path / "loop")
    put(tmp_path / "wide", {f"{i:03}.png": b"" for i in range(50)} | files)
    monkeypatch.setattr(mnist, "TOTAL_LIMIT", 20)
    put(tmp_path / "deep" / "er", files)
    found = [path for _, path in mnist.candidates(tmp_path)]
    assert not any(path.parent.name == "er" for path in found)


# Rows 1–5: files that are not what their name says


def flip(content):
    return content[:-100] + bytes([content[-100] ^ 4]) + content[-99:]


def of_count(n):
    """TRAIN with n images in the header, and in the body as far as it goes."""
    return lambda content: content[:4] + struct.pack(">I", n) + content[8 : 16 + n * 784]


BAD = {
    "truncated": (lambda content: content[:20_000], "has the wrong size (20,000 bytes, expected 47,056)"),
    "empty": (lambda content: b"", "has the wrong size (0 bytes, expected 47,056)"),
    "15 bytes": (lambda content: content[:15], "has the wrong size (15 bytes, expected 47,056)"),
    "longer": (lambda content: content + b"\0", "has the wrong size (47,057 bytes, expected 47,056)"),
    "web page": (lambda content: HTML, f"is not an IDX file ({len(HTML)} bytes, expected 47,056)"),
    "long web page": (lambda content: HTML.ljust(len(content)), "is not an IDX file (47,056 bytes"),
    "packed": (gzip.compress, "is not an IDX file"),
    "one bit": (flip, "has the wrong content: its SHA-256 is not MNIST's (47,056 bytes"),
    "one image less": (of_count(59), "has the wrong size (46,272 bytes, expected 47,056)"),
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
    assert_note_is_public(repaired.note)
    assert tree(folder) == before and cached(tmp_path) == [TRAIN]


def test_row_5_reads_no_more_than_expected(files, tmp_path):
    """A file far larger than memory (a hole of 1 TB), raw and packed, is refused by its size."""
    huge = tmp_path / TRAIN
    with huge.open("wb") as file:
        file.write(files[TRAIN])
        file.truncate(2**40)
    with pytest.raises(mnist.BadFile, match=r"wrong size \(1,099,511,627,776 bytes"):
        mnist.read_verified(huge, TRAIN)
    bomb = put(tmp_path / "gz", {f"{TRAIN}.gz": gzip.compress(files[TRAIN] + bytes(10_000_000))}) / f"{TRAIN}.gz"
    with pytest.raises(mnist.BadFile, match=r"wrong size \(47,057 bytes"):
        mnist.read_verified(bomb, TRAIN)


def test_a_bad_packed_file_is_named(files, tmp_path):
    packed = gzip.compress(files[TRAIN])
    for content in (packed[:1000], HTML, b"", packed[:-500] + bytes(500)):
        folder = put(tmp_path / "root", files | {f"{TRAIN}.gz": content})
        (folder / TRAIN).unlink(missing_ok=True)
        with pytest.raises(FileNotFoundError, match=rf"{TRAIN}\.gz in the folder given as root (is not|has the wrong)"):
            load_digit_images(root=folder)


def test_a_good_copy_beside_a_bad_one_is_used(files, tmp_path):
    folder = put(tmp_path / "root", files | {TRAIN: HTML})
    put(folder / "MNIST" / "raw", {TRAIN: files[TRAIN]})
    loaded = load_digit_images(root=folder)
    assert_is_the_small_mnist(loaded, files)
    assert "passed over" in loaded.note


# Rows 6–9: mirrors that fail

MIRROR_FAULTS = {
    "403": "answered with status 403",
    "503": "answered with status 503",
    "404": "answered with status 404",
    "reset": "broke off the connection",
    "stall": "stalled",
    "cut": "mirror 1 ",
    "short": "sent a file that is not a whole gzip file",
    "login": "sent a file that is not an IDX file",
    "flipped": "sent a file that has the wrong content",
    "flood": "sent a file that is larger than expected",
}


@pytest.mark.parametrize("mode", MIRROR_FAULTS)
def test_rows_6_to_9_next_mirror(files, tmp_path, monkeypatch, mirrors, mode):
    monkeypatch.setattr(download, "STALL", 0.1)
    mirrors(mode, "ok")
    loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert "mirror 1" in loaded.note and MIRROR_FAULTS[mode] in loaded.note
    assert_note_is_public(loaded.note)
    assert cached(tmp_path) == sorted(files)


@pytest.mark.parametrize("mode", MIRROR_FAULTS)
def test_rows_6_to_9_fallback_with_reasons(tmp_path, monkeypatch, mirrors, mode):
    monkeypatch.setattr(download, "STALL", 0.1)
    mirrors(mode, "503")
    assert_is_digits(load_digit_images(), MIRROR_FAULTS[mode], "mirror 2 answered with status 503", "set VAE_DATA")
    assert cached(tmp_path) == []


def test_row_8_the_deadline_covers_everything(tmp_path, monkeypatch, mirrors, server):
    """The limit per byte is long; the limit in all ends it."""
    monkeypatch.setattr(download, "STALL", 1000.0)
    monkeypatch.setattr(download, "DEADLINE", 0.2)
    mirrors("stall")
    assert_is_digits(load_digit_images(), "mirror 1 stalled")
    assert not server.release.is_set() and cached(tmp_path) == []


def test_limits_are_those_promised():
    assert download.DEADLINE <= 60 and download.PATIENCE <= 1.5 and download.STALL < download.DEADLINE


def test_a_server_that_unpacks_on_the_way(files, mirrors):
    mirrors("unpacked")
    assert_is_the_small_mnist(load_digit_images(), files)


def test_a_refused_mirror_is_passed_over(files, monkeypatch, server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/ok/"
        monkeypatch.setattr(download, "MIRRORS", (dead, f"{server.address}/ok/"))
        loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert "mirror 1 could not be reached" in loaded.note


def test_only_what_is_missing_is_fetched(files, tmp_path, mirrors, server):
    put(tmp_path / "cache" / "MNIST" / "raw", {name: files[name] for name in files if name != LABELS} | {LABELS: b"x"})
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(), files)
    assert server.hits == [("ok", f"{LABELS}.gz")]
    assert "passed over" not in load_digit_images().note


def test_mirrors_are_those_of_torchvision():
    from torchvision.datasets import MNIST

    source = ast.parse(Path(download.__file__).read_text(encoding="utf-8"))
    values = {node.targets[0].id: node.value for node in source.body if isinstance(node, ast.Assign)}
    assert set(ast.literal_eval(values["MIRRORS"])) & set(MNIST.mirrors)
    assert {f"{name}.gz" for name in REAL_FILES} == {name for name, _ in MNIST.resources}


# Rows 10 and 11: several processes, and killed ones

CHILD = """
import json, os, pathlib, sys
from vae_helpers.data import download, files as mnist
files, mirrors, cache, block = json.loads(sys.argv[1])
mnist.FILES.update({name: tuple(value) for name, value in files.items()})
download.MIRRORS = mirrors
if block:
    os.replace = lambda *paths: (print("storing", flush=True), sys.stdin.readline())
print("ready", flush=True)
sys.stdin.readline()
found, problems = download.download(pathlib.Path(cache), list(files))
print(json.dumps([sorted(found), problems]))
"""


def child(tmp_path, server, mode, block=False):
    """A process that has imported everything, and downloads when a line comes in."""
    config = json.dumps([mnist.FILES, [f"{server.address}/{mode}/"], str(tmp_path / "cache"), block])
    environment = os.environ | {"PYTHONPATH": str(Path(images.__file__).parents[2])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", CHILD, config], env=environment, **pipes)


def start(process):
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


def kill(process):
    process.kill()
    process.communicate()


def test_row_10_six_processes_on_a_cold_cache(files, tmp_path, server):
    processes = [child(tmp_path, server, "ok") for _ in range(6)]
    for process in processes:
        start(process)
    for process in processes:
        assert json.loads(process.communicate(timeout=60)[0]) == [sorted(files), []]
    assert cached(tmp_path) == sorted(files)
    for path in (tmp_path / "cache" / "MNIST" / "raw").iterdir():
        assert path.stat().st_mode & 0o777 == 0o644
    assert_is_the_small_mnist(load_digit_images(), files)


def test_row_11_killed_while_downloading(files, tmp_path, server, mirrors):
    process = child(tmp_path, server, "stall")
    start(process)
    assert server.half_sent.wait(60)
    kill(process)
    assert cached(tmp_path) == []
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(), files)


def test_row_11_killed_while_storing(files, tmp_path, server, mirrors):
    process = child(tmp_path, server, "ok", block=True)
    start(process)
    assert process.stdout.readline() == "storing\n"
    kill(process)
    (part,) = (tmp_path / "cache").rglob("*.part")
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(), files)
    assert part.exists()  # it could belong to a living process
    os.utime(part, (time.time() - 2 * download.STALE,) * 2)
    (part.parent / LABELS).unlink()
    assert_is_the_small_mnist(load_digit_images(), files)
    assert cached(tmp_path) == sorted(files)


# Rows 12–16: caches, networks and wishes


def test_row_12_a_complete_cache_is_not_written(files, tmp_path, monkeypatch, mirrors, server):
    cache = put(tmp_path / "cache" / "MNIST" / "raw", files)
    for path in (*cache.iterdir(), cache, cache.parent):
        path.chmod(0o555)
    mirrors("ok")
    before = tree(tmp_path / "cache")
    for module, name in ((download.tempfile, "mkstemp"), (download.tempfile, "TemporaryFile"), (os, "mkdir")):
        monkeypatch.setattr(module, name, lambda *args, **kwargs: pytest.fail("something was written"))
    assert_is_the_small_mnist(load_digit_images("mnist"), files)
    monkeypatch.undo()
    assert tree(tmp_path / "cache") == before and server.hits == []
    for path in (cache.parent, cache):
        path.chmod(0o755)


def test_row_13_cache_that_cannot_be_written(tmp_path, monkeypatch, mirrors, server):
    (tmp_path / "file").write_bytes(b"")  # also the administrator cannot make a folder below a file
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "file" / "cache"))
    mirrors("ok")
    assert_is_digits(load_digit_images(), "cache folder cannot be written", "set VAE_CACHE")
    with pytest.raises(FileNotFoundError, match=re.escape(repr(str(tmp_path / "file" / "cache")))):
        load_digit_images("mnist")
    assert server.hits == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_row_13_read_only_cache(tmp_path, mirrors):
    (tmp_path / "cache").mkdir(mode=0o555)
    mirrors("ok")
    assert_is_digits(load_digit_images(), "cache folder cannot be written", "set VAE_CACHE")


@pytest.mark.parametrize("home", ["/dev/null/nobody", "~"])
def test_row_13_no_home(tmp_path, monkeypatch, mirrors, home):
    import pooch

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VAE_CACHE")
    monkeypatch.setattr(pooch, "os_cache", lambda name: Path(home, ".cache", name))
    mirrors("ok")
    assert_is_digits(load_digit_images(), "set VAE_CACHE")
    assert list(tmp_path.iterdir()) == []


def no_network(*args, **kwargs):
    raise socket.gaierror("Name or service not known")


def test_row_14_no_network(monkeypatch, mirrors, server):
    monkeypatch.setattr(socket, "create_connection", no_network)
    mirrors("ok", "ok")
    assert_is_digits(load_digit_images(), "the download failed: no mirror could be reached", "set VAE_DATA")
    assert server.hits == []


def test_row_14_a_name_server_that_never_answers(monkeypatch, mirrors):
    never = threading.Event()
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: never.wait(10) or nullcontext())
    monkeypatch.setattr(download, "PATIENCE", 0.1)
    mirrors("ok", "ok")
    assert_is_digits(load_digit_images(), "no mirror could be reached")
    never.set()


def test_a_proxy_is_asked_instead_of_the_mirror(monkeypatch, server):
    """Behind a proxy the mirrors' names do not resolve, and need not."""
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    assert download._connect("http://mirror.invalid/mnist/")


@pytest.mark.parametrize("by_variable", [False, True])
def test_digits_by_name_touch_nothing(tmp_path, monkeypatch, mirrors, by_variable):
    mirrors("ok")
    for module, name in ((mnist, "gather"), (download, "download"), (socket, "create_connection")):
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
    with pytest.raises(FileNotFoundError, match=re.escape(repr(str(root)))):
        load_digit_images(root=root)
    assert server.hits == []


def test_a_root_with_a_part_is_completed_or_an_error(files, tmp_path, mirrors):
    root = put(tmp_path / "root", files | {TRAIN: b""})
    with pytest.raises(FileNotFoundError, match=TRAIN):
        load_digit_images(root=root)
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(root=root), files)


def test_vae_data_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_DATA", str(tmp_path / "missing"))
    assert_is_digits(load_digit_images(), "VAE_DATA is not a folder that exists")
    with pytest.raises(FileNotFoundError, match=re.escape(repr(str(tmp_path / "missing")))):
        load_digit_images("mnist")


def test_row_16_disk_full(files, tmp_path, monkeypatch, mirrors):
    """The system itself refuses the write: a limit on the size of files stands for the full disk."""
    resource = pytest.importorskip("resource", reason="limits on file sizes need a POSIX system")
    old = {TRAIN: b"an older file"}
    put(tmp_path / "cache" / "MNIST" / "raw", old)
    mirrors("ok")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(FileNotFoundError) as caught:
            load_digit_images("mnist")
        fallback = load_digit_images()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written: File too large" in str(caught.value) and str(tmp_path / "cache") in str(caught.value)
    assert_is_digits(fallback, "cannot be written: File too large", "set VAE_CACHE")
    assert cached(tmp_path) == [TRAIN]
    assert (tmp_path / "cache" / "MNIST" / "raw" / TRAIN).read_bytes() == old[TRAIN]


def test_row_16_store_names_the_path(tmp_path):
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "missing" / TRAIN))):
        download.store(tmp_path / "missing", TRAIN, b"x")


# Row 35, and the interface


@pytest.mark.parametrize("error", ["ImportError", "RuntimeError"])
def test_row_35_broken_torchvision(files, tmp_path, monkeypatch, error):
    fake = f"raise {error}('operator torchvision::nms does not exist')".encode()
    monkeypatch.syspath_prepend(put(tmp_path / "site" / "torchvision", {"__init__.py": fake}).parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    put(tmp_path / "cache", files)
    for arguments in ({"dataset": "mnist"}, {"root": tmp_path / "cache"}):
        with pytest.raises(ImportError, match="torch and torchvision must come from the same build"):
            load_digit_images(**arguments)
    assert_is_digits(load_digit_images(), "torch and torchvision must come from the same build")


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
