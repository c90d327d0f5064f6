"""Fetch missing MNIST files into a cache that many processes share: proved in memory, then written whole."""

import mmap
import multiprocessing
import os
import socket
import tempfile
import time
from multiprocessing.pool import ThreadPool
from urllib.parse import urlsplit

from vae_helpers.data.files import FILES, BadFile, prove
from vae_helpers.whole_files import write_whole

# Those of torchvision.datasets.MNIST, as a test compares: to import torchvision for them takes seconds.
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
PATIENCE = 1.5  # seconds for all mirrors to accept a connection: the most that is lost without a network
DEADLINE = 60.0  # seconds for all files and mirrors together
STALL = 10.0  # seconds without a byte before the next mirror is asked


def complete(found, cache):
    """Adds to {name: (proved bytes, place)} the files that it lacks and stores them in `cache`; returns problems."""
    advice = "set VAE_CACHE to a folder that can be written"
    if cache is None:
        return [f"no home folder for a cache was found ({advice})"]
    folder = cache / "MNIST" / "raw"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # nothing is fetched that could not be stored
        with ThreadPool(len(MIRRORS)) as pool:  # daemons: nothing that hangs can keep Python from ending
            return _ask_mirrors(pool, folder, found)
    except OSError as error:
        return [f"the cache folder cannot be written: {os.strerror(error.errno)} ({advice})"]


def _ask_mirrors(pool, folder, found):
    """Asks one mirror after the other for what `found` lacks; returns problems, raises OSError when storing fails."""
    import requests.utils  # noqa: F401  the first import takes long, and not from the mirrors' time

    problems, start = [], time.monotonic()
    tries = [pool.apply_async(_connect, [mirror]) for mirror in MIRRORS]
    for number, (mirror, connected) in enumerate(zip(MIRRORS, tries, strict=True), start=1):
        try:
            for name in [name for name in FILES if name not in found]:
                connected.wait(start + PATIENCE - time.monotonic())
                if not (connected.ready() and connected.successful()):
                    raise BadFile("could not be reached")
                raw = _fetch(pool, mirror, name, start + DEADLINE - time.monotonic())
                if (folder / name).is_symlink():  # laid by somebody else, it may lead to any file of the reader's
                    os.remove(folder / name)
                write_whole(folder / name, raw)
                found[name] = raw, "a download"
        except BadFile as error:
            problems.append(f"mirror {number} {error}")
    return problems


def _connect(mirror):
    """Connects to the mirror, or to the proxy that leads to it: then the mirror's name need not resolve here."""
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

    proxy = select_proxy(mirror, get_environ_proxies(mirror))
    parts = urlsplit(prepend_scheme_if_needed(proxy or mirror, "http"))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname, port), timeout=PATIENCE / 2).close()


def _fetch(pool, mirror, name, seconds):
    """The proved bytes of the MNIST file `name`; raises BadFile with a clause that follows the mirror's name."""
    import pooch

    get = pooch.HTTPDownloader(timeout=(PATIENCE * 2, STALL))
    try:  # memory of a fixed size refuses a flood (ValueError); closed, it ends a download that was given up
        with mmap.mmap(-1, FILES[name][0]) as memory:
            pool.apply_async(get, [f"{mirror}{name}.gz", memory, None]).get(seconds)
            body = memory[: memory.tell()]
        return prove(body, name, packed=body[:2] == b"\x1f\x8b")  # some servers unpack on the way
    except Exception as error:  # whatever it is, the next mirror is asked
        raise BadFile(f"{_reason(error)} ({name})") from error


def _reason(error):
    """A short clause, without paths or host names, that says how a download failed."""
    response, text = getattr(error, "response", None), str(error).lower()
    if response is not None:
        return f"answered with status {response.status_code}"
    if isinstance(error, BadFile):
        return f"sent a file that {error}"
    if isinstance(error, multiprocessing.TimeoutError) or "timed out" in text:
        return "stalled"
    if "certificate" in text:
        return "has a certificate that cannot be trusted"
    return "sent an answer that makes no sense" if isinstance(error, ValueError) else "broke off the connection"
