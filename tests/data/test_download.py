"""Missing files are fetched, whatever the mirrors, the network and the cache do (fault rows 6–11, 13, 14 and 16)."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from small_mnist import (
    LABELS,
    REAL_FILES,
    REAL_MIRRORS,
    REAL_PATIENCE,
    TRAIN,
    assert_is_digits,
    assert_is_the_small_mnist,
    cached,
    put,
)

from vae_helpers.data import download, files as mnist, load_digit_images

# Rows 6–9: mirrors that fail

NONSENSE = "sent an answer that makes no sense"
MIRROR_FAULTS = {
    "403": "answered with status 403",
    "503": "answered with status 503",
    "404": "answered with status 404",
    "circle": "answered with status 302",
    "reset": "broke off the connection",
    "stall": "stalled",
    "cut": "broke off the connection",
    "short": "sent a file that has the wrong size",
    "login": "sent a file that is not an IDX file",
    "flipped": "sent a file that has the wrong content",
    "flood": NONSENSE,
    "abc": NONSENSE,
    "bracket": NONSENSE,
    "bytes": NONSENSE,
    "longname": NONSENSE,
    "dots": NONSENSE,
    "scheme": NONSENSE,
}


@pytest.mark.parametrize("mode", MIRROR_FAULTS)
def test_rows_6_to_9_next_mirror(files, tmp_path, monkeypatch, mirrors, mode):
    monkeypatch.setattr(download, "STALL", 2 if mode == "stall" else 60)
    mirrors(mode, "ok")
    loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert f"passed over: mirror 1 {MIRROR_FAULTS[mode]}" in loaded.note and f"({TRAIN})." in loaded.note
    assert cached(tmp_path) == sorted(files)


@pytest.mark.parametrize("mode", MIRROR_FAULTS)
def test_rows_6_to_9_fallback_with_reasons(tmp_path, monkeypatch, mirrors, mode):
    monkeypatch.setattr(download, "STALL", 2 if mode == "stall" else 60)
    mirrors(mode, "503")
    reasons = f"mirror 1 {MIRROR_FAULTS[mode]}", f"mirror 2 answered with status 503 ({TRAIN})"
    assert_is_digits(load_digit_images(), *reasons, "set VAE_DATA")
    assert cached(tmp_path) == []


def test_row_8_the_deadline_covers_everything(tmp_path, monkeypatch, mirrors, server):
    """The limit per byte is long; the limit in all ends it."""
    monkeypatch.setattr(download, "STALL", 1000.0)
    monkeypatch.setattr(download, "DEADLINE", 0.5)
    mirrors("stall", "stall")
    assert_is_digits(load_digit_images(), "mirror 1 stalled", "mirror 2 stalled")
    assert not server.release.is_set() and cached(tmp_path) == []


def test_limits_are_those_promised():
    assert download.DEADLINE <= 60 and REAL_PATIENCE <= 1.5 and download.STALL < download.DEADLINE


def test_a_server_that_unpacks_on_the_way(files, mirrors):
    mirrors("unpacked")
    assert_is_the_small_mnist(load_digit_images(), files)


def test_a_certificate_that_cannot_be_trusted(files, tmp_path, monkeypatch, server):
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=mirror", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain = server.socket
    server.socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
    secure = server.address.replace("http:", "https:")
    monkeypatch.setattr(download, "MIRRORS", (f"{secure}/ok/",))
    assert_is_digits(load_digit_images(), f"mirror 1 has a certificate that cannot be trusted ({TRAIN})")
    assert server.hits == []


def test_a_refused_mirror_is_passed_over(files, monkeypatch, server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/ok/"
        monkeypatch.setattr(download, "MIRRORS", (dead, f"{server.address}/ok/"))
        loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert loaded.note.endswith("; passed over: mirror 1 could not be reached.")


def test_what_a_later_mirror_does_is_not_told(files, monkeypatch, server):
    monkeypatch.setattr(download, "MIRRORS", (f"{server.address}/ok/", "http://127.0.0.1:1/"))
    assert load_digit_images().note.endswith("from a download.")


def test_only_what_is_missing_is_fetched(files, tmp_path, mirrors, server):
    put(tmp_path / "cache" / "MNIST" / "raw", {name: files[name] for name in files if name != LABELS} | {LABELS: b"x"})
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(), files)
    assert server.hits == [("ok", f"{LABELS}.gz")]
    assert "passed over" not in load_digit_images().note


def test_what_one_mirror_lacks_comes_from_the_next(files, mirrors, server):
    mirrors("partly", "ok")
    loaded = load_digit_images()
    assert_is_the_small_mnist(loaded, files)
    assert loaded.note.endswith(f"from a download; passed over: mirror 1 answered with status 404 ({LABELS}).")
    assert [mode for mode, _ in server.hits] == ["partly", "partly", "ok", "ok", "ok"]


def test_mirrors_are_those_of_torchvision():
    from torchvision.datasets import MNIST

    assert set(MNIST.mirrors) <= set(REAL_MIRRORS)
    assert {f"{name}.gz" for name in REAL_FILES} == {name for name, _ in MNIST.resources}


# Rows 10 and 11: several processes, and killed ones

CHILD = """
import json, os, pathlib, socket, sys, threading, types
files, mirrors, cache, fault, package = json.loads(sys.argv[1])
sys.modules["vae_helpers.data"] = types.ModuleType("vae_helpers.data")  # its own module imports torch: seconds
sys.modules["vae_helpers.data"].__path__ = [package]
from vae_helpers.data import download, files as mnist
mnist.FILES.update({name: tuple(value) for name, value in files.items()})
download.MIRRORS = mirrors
if fault == "killed while storing":
    os.replace = lambda *paths: (print("storing", flush=True), sys.stdin.readline())
if fault == "no name server":
    download.PATIENCE = 0.1
    socket.create_connection = lambda *args, **kwargs: threading.Event().wait()
print("ready", flush=True)
sys.stdin.readline()
found = {}
problems = download.complete(found, pathlib.Path(cache))
print(json.dumps([sorted(found), problems]))
"""


def child(tmp_path, server, mode, fault=None):
    """A process that has imported everything, and downloads when a line comes in."""
    package = Path(mnist.__file__).parent
    config = json.dumps([mnist.FILES, [f"{server.address}/{mode}/"], str(tmp_path / "cache"), fault, str(package)])
    environment = os.environ | {"PYTHONPATH": str(package.parents[1])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    umask = {"umask": 0o022} if os.name == "posix" else {}
    return subprocess.Popen([sys.executable, "-c", CHILD, config], env=environment, **pipes, **umask)


def start(process):
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


def kill(process):
    process.kill()
    process.communicate()


def test_row_10_many_processes_on_a_cold_cache(files, tmp_path, server):
    processes = [child(tmp_path, server, "ok") for _ in range(28)]
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
    process = child(tmp_path, server, "ok", "killed while storing")
    start(process)
    assert process.stdout.readline() == "storing\n"
    kill(process)
    (part,) = (tmp_path / "cache").rglob("*.part")
    assert cached(tmp_path) == [part.name]
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(), files)
    assert cached(tmp_path) == [part.name, *sorted(files)]


# Rows 13, 14 and 16: caches and networks


def test_row_13_cache_that_cannot_be_written(tmp_path, monkeypatch, mirrors, server):
    (tmp_path / "file").write_bytes(b"")  # also the administrator cannot make a folder below a file
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "file" / "cache"))
    mirrors("ok")
    assert_is_digits(load_digit_images(), "cache folder cannot be written", "set VAE_CACHE")
    with pytest.raises(FileNotFoundError, match=re.escape(repr(str(tmp_path / "file" / "cache")))):
        load_digit_images("mnist")
    assert server.hits == []


def test_row_13_a_folder_that_exists_and_cannot_be_written(tmp_path, monkeypatch, mirrors, server):
    """As a read-only mount answers: nothing is fetched that could not be stored."""

    def refuse(*args, dir, **kwargs):
        raise OSError(30, "Read-only file system", str(dir))

    (tmp_path / "cache" / "MNIST" / "raw").mkdir(parents=True)
    monkeypatch.setattr(download.tempfile, "TemporaryFile", refuse)
    mirrors("ok")
    assert_is_digits(load_digit_images(), "cannot be written: Read-only file system", "set VAE_CACHE")
    assert server.hits == []


@pytest.mark.parametrize(("home", "cache"), [("/dev/null/nobody", ""), (None, ""), (None, "~/cache")])
def test_row_13_no_home(tmp_path, monkeypatch, mirrors, home, cache):
    """A home that cannot exist, and a user whom the system does not know."""
    pwd = pytest.importorskip("pwd", reason="needs a POSIX system")
    monkeypatch.chdir(tmp_path)
    for variable in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("VAE_CACHE", cache)
    if home:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    mirrors("ok")
    assert_is_digits(load_digit_images(), "cannot be written" if home else "no home folder", "(set VAE_CACHE")
    assert list(tmp_path.iterdir()) == []


def no_network(*args, **kwargs):
    raise socket.gaierror("Name or service not known")


def test_row_14_no_network(monkeypatch, mirrors, server):
    monkeypatch.setattr(socket, "create_connection", no_network)
    mirrors("ok", "ok")
    reasons = "mirror 1 could not be reached; mirror 2 could not be reached; set VAE_DATA"
    assert_is_digits(load_digit_images(), reasons)
    assert server.hits == []


def test_row_14_a_name_server_that_never_answers(tmp_path, server):
    """Nor does it keep Python from ending."""
    process = child(tmp_path, server, "ok", "no name server")
    start(process)
    assert json.loads(process.communicate(timeout=60)[0]) == [[], ["mirror 1 could not be reached"]]


def test_row_14_all_mirrors_are_tried_at_once(files, monkeypatch, server):
    """One name that never resolves takes no time from the next mirror."""
    connect, never = socket.create_connection, threading.Event()

    def slow(address, **kwargs):
        return connect(address, **kwargs) if address[0] == "127.0.0.1" else never.wait(60)

    monkeypatch.setattr(socket, "create_connection", slow)
    monkeypatch.setattr(download, "PATIENCE", REAL_PATIENCE)
    monkeypatch.setattr(download, "MIRRORS", ("http://mirror.invalid/ok/", f"{server.address}/ok/"))
    loaded = load_digit_images()
    never.set()
    assert_is_the_small_mnist(loaded, files)
    assert loaded.note.endswith("from a download; passed over: mirror 1 could not be reached.")


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_behind_a_proxy_the_mirrors_name_need_not_resolve(files, monkeypatch, server, scheme):
    monkeypatch.setenv("http_proxy", f"{scheme}127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(download, "MIRRORS", ("http://mirror.invalid/ok/",))
    assert_is_the_small_mnist(load_digit_images(), files)


@pytest.mark.parametrize("proxy", ["http://[::1", "http://127.0.0.1:abc"])
def test_a_proxy_that_makes_no_sense(monkeypatch, mirrors, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    mirrors("ok")
    assert_is_digits(load_digit_images(), "mirror 1 could not be reached")


@pytest.mark.parametrize(("mirror", "port"), [("https://mirror.invalid/", 443), ("http://mirror.invalid/", 80)])
def test_the_port_of_a_mirror_and_time_for_a_second_address(monkeypatch, mirror, port):
    asked = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: asked.append((args, kwargs)) or closed)
    closed = socket.socket()
    download._connect(mirror)
    assert asked == [((("mirror.invalid", port),), {"timeout": download.PATIENCE / 2})]


def test_a_link_in_a_shared_cache_is_replaced_and_not_followed(files, tmp_path, mirrors):
    raw = put(tmp_path / "cache" / "MNIST" / "raw", {})
    (tmp_path / "thesis.tex").write_text("years of work")
    (raw / TRAIN).symlink_to(tmp_path / "thesis.tex")
    mirrors("ok")
    assert_is_the_small_mnist(load_digit_images(), files)
    assert (tmp_path / "thesis.tex").read_text() == "years of work" and not (raw / TRAIN).is_symlink()


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
