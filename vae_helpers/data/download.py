"""Fetch missing MNIST files into a cache that many processes share: checked in memory, written aside, renamed."""

import contextlib
import io
import os
import socket
import tempfile
import threading
import time
from urllib.parse import urlsplit

from vae_helpers.data.files import FILES, BadFile, check, unpack

# The mirrors of torchvision.datasets.MNIST; a test compares. Importing torchvision only to read them takes
# longer than everything else that a machine without a network has to wait for.
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
PATIENCE = 1.5  # seconds for all mirrors to accept a connection: the most that is lost without a network
DEADLINE = 60.0  # seconds for all files and mirrors together
STALL = 10.0  # seconds without a byte before the next mirror is asked
STALE = 3600.0  # seconds after which a part file belongs to no living process


class _Sink(io.BytesIO):
    """Memory that refuses more bytes than the unpacked file has; once closed it also ends an abandoned download."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def write(self, chunk):
        if self.tell() + len(chunk) > self.limit:
            raise BadFile("is larger than expected")
        return super().write(chunk)


def _within(seconds, jobs):
    """Runs each of {key: function} in a thread: {key: result or exception}; jobs that are late are missing."""
    results = {}

    def work(key, job):
        try:
            results[key] = job()
        except Exception as error:
            results[key] = error

    # Daemons: neither a hanging name server nor a stalled one may keep Python from ending.
    threads = [threading.Thread(target=work, args=item, daemon=True) for item in jobs.items()]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(results)


def _connect(mirror):
    """True when the mirror, or the proxy that leads to it, accepts a connection; raises OSError otherwise."""
    from requests.utils import get_environ_proxies, select_proxy

    target = select_proxy(mirror, get_environ_proxies(mirror)) or mirror
    parts = urlsplit(target if "://" in target else f"http://{target}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with socket.create_connection((parts.hostname, port), timeout=PATIENCE / 2):
        return True


def _reachable():
    """The mirrors that accept a connection; all are tried at once, so that no network costs PATIENCE at most."""
    import requests.utils  # noqa: F401  the first import takes long, and not from the mirrors' time

    results = _within(PATIENCE, {mirror: lambda mirror=mirror: _connect(mirror) for mirror in MIRRORS})
    return {mirror for mirror, result in results.items() if result is True}


def _fetch(url, name, seconds):
    """The verified raw bytes of the MNIST file `name` behind `url`; raises BadFile, TimeoutError or OSError."""
    import pooch

    sink = _Sink(FILES[name][0] + 1024)  # a gzip file of bytes that do not compress is a little longer than they are
    fetch = pooch.HTTPDownloader(timeout=(PATIENCE * 2, min(STALL, seconds)), chunk_size=1 << 16)
    result = _within(seconds, {url: lambda: fetch(url, sink, None)}).get(url, TimeoutError())
    if isinstance(result, Exception):
        sink.close()
        raise result
    body = sink.getvalue()
    raw = unpack(io.BytesIO(body), name) if body[:2] == b"\x1f\x8b" else body  # some servers unpack on the way
    check(raw, name)
    return raw


def store(folder, name, raw):
    """Writes bytes beside their place and renames: other processes see no file or a whole one; returns the path.

    Raises OSError that carries the path when the disk is full or the folder cannot be written.
    """
    try:
        handle, part = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
        try:
            # No fsync: a file that a power cut damages fails its hash at the next start and is fetched again.
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
            os.chmod(part, 0o644)  # mkstemp gives 0600, and a class shares one cache
            os.replace(part, folder / name)
        except BaseException:  # KeyboardInterrupt too: no part is left behind
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder / name)) from error
    return folder / name


def _prepare(folder):
    """Makes the folder, proves that it can be written and removes parts of killed processes; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    for part in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > STALE:
                part.unlink()


def _reason(error):
    """A short clause, without paths or host names, that says how a download failed."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"answered with status {status}"
    if isinstance(error, BadFile):
        return f"sent a file that {error}"
    if isinstance(error, TimeoutError) or "timed out" in str(error).lower():
        return "stalled"
    return "broke off the connection"


def _take(mirror, folder, missing, end):
    """Fetches and stores until one file fails: ({name: path}, what failed or None); raises OSError from `store`."""
    found = {}
    for name in missing:
        try:
            raw = _fetch(f"{mirror}{name}.gz", name, max(end - time.monotonic(), 0.01))
        except (BadFile, OSError) as error:
            return found, f"{_reason(error)} ({name})"
        found[name] = store(folder, name, raw)
    return found, None


def _ask_mirrors(folder, missing):
    """Asks one mirror after the other for what is still missing: ({name: path}, problems)."""
    found, problems, reachable = {}, [], _reachable()
    if not reachable:
        return {}, ["the download failed: no mirror could be reached"]
    end = time.monotonic() + DEADLINE
    for number, mirror in enumerate(MIRRORS, start=1):
        failed = "could not be reached"
        if mirror in reachable:
            new, failed = _take(mirror, folder, [name for name in missing if name not in found], end)
            found |= new
        if failed is None:
            break
        problems.append(f"mirror {number} {failed}")
    return found, problems


def download(cache, missing):
    """Fetches the `missing` names from the mirrors into the cache: ({name: path}, problems).

    cache: folder, or None. Gives up after PATIENCE seconds without a network and after DEADLINE seconds in all.
    """
    advice = "set VAE_CACHE to a folder that can be written"
    if cache is None:
        return {}, [f"no home folder for a cache was found ({advice})"]
    folder = cache / "MNIST" / "raw"
    try:
        _prepare(folder)
        return _ask_mirrors(folder, missing)
    except OSError as error:
        return {}, [f"the cache folder cannot be written: {error.strerror} ({advice})"]
