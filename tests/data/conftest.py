"""Small files in MNIST's place, and a local server whose mirrors fail in every way that is known."""

import gzip
import hashlib
import http.server
import socket
import struct
import threading

import pytest
from small_mnist import HTML, PACKED, SMALL

from vae_helpers.data import download, files as mnist

PROXIES = [name for proxy in ("http_proxy", "https_proxy", "all_proxy") for name in (proxy, proxy.upper())]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Small files in MNIST's place, an empty cache, no mirror that answers, no mount: {name: bytes}."""
    raw = dict(SMALL)
    for name, content in raw.items():
        monkeypatch.setitem(mnist.FILES, name, (len(content), hashlib.sha256(content).hexdigest()))
    for variable in ("VAE_DATA", "VAE_DATASET", *PROXIES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist, "MOUNT", str(tmp_path / "no mount"))
    monkeypatch.setattr(download, "MIRRORS", ("http://127.0.0.1:1/",))
    monkeypatch.setattr(download, "PATIENCE", 60.0)  # a busy machine is no lack of a network
    return raw


class Handler(http.server.BaseHTTPRequestHandler):
    """The folder before the file's name is the fault mode, so that a mirror's address chooses how it fails."""

    def do_GET(self):
        mode, name = self.path.split("/")[-2:]
        self.server.hits.append((mode, name))
        getattr(self, f"answer_{mode}", lambda body: self.send_error(int(mode)))(self.server.packed[name])

    def start(self, length, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def answer_ok(self, body):
        self.start(len(body))
        self.wfile.write(body)

    def answer_partly(self, body):
        self.answer_ok(body) if "images" in self.path else self.send_error(404)

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

    def answer_abc(self, body):
        self.start("abc")
        self.wfile.write(body)

    def answer_bracket(self, body):
        self.start(0, 302, Location="http://[::1")

    def answer_bytes(self, body):
        self.start(0, 302, Location="http://\xff\xfe.example/")

    def answer_longname(self, body):
        self.start(0, 302, Location=f"http://{'a' * 70}.example/")

    def answer_dots(self, body):
        self.start(0, 302, Location="http://a..b/")

    def answer_scheme(self, body):
        self.start(0, 302, Location="gopher://example/")

    def answer_circle(self, body):
        self.start(0, 302, Location=self.path)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that was killed, and a connection that was reset, are what the tests are about."""


@pytest.fixture
def server(files):
    server = Server(("127.0.0.1", 0), Handler)
    server.packed = dict(PACKED)
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
