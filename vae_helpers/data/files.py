"""Where MNIST files come from: folders are searched by file name, and every file is proved by SHA-256."""

import contextlib
import hashlib
import itertools
import os
import struct
import zipfile
import zlib
from pathlib import Path

FILES = {  # name: (bytes, SHA-256) of the unpacked file; LeCun, Cortes, Burges, "The MNIST database"
    "train-images-idx3-ubyte": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
ARCHIVE = "mnist.npz"  # Keras keeps the same numbers in it
ARRAYS = dict(zip(FILES, ("x_train", "y_train", "x_test", "y_test"), strict=True))
ROOT, VARIABLE, MOUNTED, CACHE = "the folder given as root", "VAE_DATA", "an attached data set", "the cache"
MOUNT = "/kaggle/input"
DEPTH = 6  # /kaggle/input/datasets/<owner>/<slug>/MNIST/raw/<file> lies six folders down
LIMIT = 300_000  # entries in one place: another attached data set may hold millions of files


class BadFile(Exception):
    """A file that is not what its name says; the message is a clause that follows the file's name."""


def prove(raw, name, packed):
    """The bytes `raw`, unpacked by gzip where they are `packed`, when they are MNIST's `name`; raises BadFile."""
    expected, digest = FILES[name]
    try:  # the limit keeps a forged file from filling the memory
        raw = zlib.decompressobj(wbits=31).decompress(raw, expected + 1) if packed else raw
    except zlib.error as error:
        raise BadFile("is not a gzip file, or a damaged one") from error
    if hashlib.sha256(raw).hexdigest() == digest:
        return raw
    problem = "has the wrong size" if len(raw) != expected else "has the wrong content: its SHA-256 is not MNIST's"
    if raw and not raw.startswith(b"\x00\x00\x08"):  # two zero bytes and the code of uint8 open every MNIST file
        problem = "is not an IDX file"
    size = f"{len(raw):,}" if len(raw) <= expected else f"over {expected:,}"
    raise BadFile(f"{problem} ({size} bytes{' unpacked' * packed}, expected {expected:,})")


def read(path, name):
    """The bytes of MNIST's `name` as they lie at `path`, no more than can be told from it; raises BadFile, OSError."""
    size = FILES[name][0]
    if not path.lower().endswith(".npz"):
        with open(path, "rb") as file:
            return file.read(size + 1)  # enough to see that a file is too long
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{ARRAYS[name]}.npy") as member:
            raw = member.read(size + 4096)  # the numbers come last, behind a header of NumPy's
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise BadFile(f"holds no {ARRAYS[name]} that can be read") from error
    shape = ((size - 16) // 784, 28, 28) if "images" in name else (size - 8,)
    header = struct.pack(f">{1 + len(shape)}I", 0x800 + len(shape), *shape)
    return header + raw[len(header) - size :]


def candidates(folder, place, problems):
    """Yields (name, path) of files named like MNIST's or Keras's, nearest first, and adds to `problems`."""
    folders, left = [(folder, 0)], LIMIT
    for parent, depth in folders:  # grows on the way
        try:
            with os.scandir(parent) as entries:
                listing = sorted(itertools.islice(entries, left), key=lambda entry: entry.name)
        except OSError as error:
            if place in (ROOT, VARIABLE) or not isinstance(error, FileNotFoundError):  # the others may be absent
                problems.append(f"{'a folder in ' if depth else ''}{place} cannot be read ({error.strerror})")
            continue
        for entry in listing:
            name = entry.name.lower().removesuffix(".gz").replace(".idx", "-idx")
            with contextlib.suppress(OSError):  # a link that leads to itself, or to where nobody may go
                if entry.is_dir():
                    folders += [(entry.path, depth + 1)] * (depth < DEPTH)
                elif name in FILES and entry.is_file():
                    yield name, entry.path
                elif name == ARCHIVE and entry.is_file():
                    yield from ((each, entry.path) for each in FILES)
        left -= len(listing)
        if not left:
            problems.append(f"{place} holds too many files to look at all of them")
            break


def gather(places):
    """Looks in {place: folder} until all files are found: ({name: (proved bytes, place)}, problems, each once)."""
    found, problems = {}, []
    for place, folder in places.items():
        for name, path in candidates(folder, place, problems):
            try:
                if name not in found:
                    found[name] = prove(read(path, name), name, packed=path.lower().endswith(".gz")), place
            except (BadFile, OSError) as error:
                clause = error if isinstance(error, BadFile) else f"cannot be read ({error.strerror})"
                problems.append(f"{os.path.basename(path)} in {place} {clause}")
            if len(found) == len(FILES):
                break
        if len(found) == len(FILES) or (place == ROOT and not found):  # a root is not replaced by other places
            break
    return found, list(dict.fromkeys(problems))  # a link may lead to a folder twice


def places(root=None):
    """{what to call it without naming a path: folder} in the order of search; no cache where there is no home."""
    import pooch

    try:
        cache = Path(os.environ.get("VAE_CACHE") or pooch.os_cache("vae_helpers")).expanduser()
    except RuntimeError:  # from either, where there is no home
        cache = None
    every = {ROOT: root, VARIABLE: os.environ.get("VAE_DATA") or None, MOUNTED: MOUNT, CACHE: cache}
    return {place: Path(os.path.expanduser(folder)) for place, folder in every.items() if folder is not None}
