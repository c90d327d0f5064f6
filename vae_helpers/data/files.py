"""Where verified MNIST files come from: folders are searched by file name, and every file is proved by SHA-256."""

import contextlib
import gzip
import hashlib
import itertools
import os
import zlib
from pathlib import Path

FILES = {  # name: (bytes, SHA-256) of the unpacked file; LeCun, Cortes, Burges, "The MNIST database"
    "train-images-idx3-ubyte": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
MOUNTS = ("/kaggle/input",)
DEPTH = 6  # /kaggle/input/datasets/<owner>/<slug>/MNIST/raw/<file> lies six folders down
FOLDER_LIMIT, TOTAL_LIMIT = 10_000, 200_000  # entries: another attached data set may hold millions of files


class BadFile(Exception):
    """A file that is not what its name says; the message is a clause that follows the file's name."""


def check(raw, name, size=None):
    """Raises BadFile unless the bytes `raw` are the MNIST file `name`: length first, then SHA-256.

    size: bytes of the whole file where `raw` is only its beginning.
    """
    size = len(raw) if size is None else size
    expected, digest = FILES[name]
    is_idx = raw[:3] == b"\x00\x00\x08"  # two zero bytes and the code of uint8 open every MNIST file
    finding = f"({size:,} bytes, expected {expected:,})"
    if size and not is_idx:
        raise BadFile(f"is not an IDX file {finding}")
    if size != expected:
        raise BadFile(f"has the wrong size {finding}")
    if hashlib.sha256(raw).hexdigest() != digest:
        raise BadFile(f"has the wrong content: its SHA-256 is not MNIST's {finding}")


def unpack(file, name):
    """Unpacked bytes of a gzip file or file object, at most one more than MNIST's `name` has; raises BadFile."""
    try:
        with gzip.open(file) as packed:
            return packed.read(FILES[name][0] + 1)  # the limit keeps a forged file from filling the memory
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadFile("is not a whole gzip file") from error


def read_verified(path, name):
    """Content of the file `path`, raw or .gz, proved to be MNIST's `name`; raises BadFile."""
    try:
        size = path.stat().st_size
        if path.suffix.lower() == ".gz":
            raw, size = unpack(path, name), None
        else:
            with path.open("rb") as file:
                raw = file.read(FILES[name][0] if size == FILES[name][0] else 16)
    except BadFile as error:
        raise BadFile(f"{error} ({size:,} bytes)") from error
    except OSError as error:
        raise BadFile(f"cannot be read ({error.strerror})") from error
    check(raw, name, size)
    return raw


def candidates(folder):
    """Yields (name, path) for files below `folder` that are spelled like an MNIST file, nearest first."""
    level, left = [Path(folder)], TOTAL_LIMIT
    for _ in range(DEPTH + 1):
        listings = [_listing(parent) for parent in level[:left]]
        files = [path for listing in listings for path in listing[0]]
        level = [path for listing in listings for path in listing[1]]
        left = max(0, left - len(files) - len(level))
        for path in files:
            name = path.name.lower().removesuffix(".gz").replace(".idx", "-idx")
            if name in FILES and path.is_file():
                yield name, path


def _listing(folder):
    """(files, folders) in `folder`, sorted; what cannot be read is left out."""
    files, folders = [], []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in itertools.islice(entries, FOLDER_LIMIT):
            with contextlib.suppress(OSError):  # a link that leads to itself
                (folders if entry.is_dir() else files).append(Path(entry.path))
    return sorted(files), sorted(folders)


def search(folder, wanted, place):
    """Verified files below `folder`: ({name: path}, problems); a file that fails is named and left alone."""
    found, problems = {}, []
    for name, path in candidates(folder):
        if name not in wanted or name in found:
            continue
        try:
            read_verified(path, name)
            found[name] = path
        except BadFile as error:
            problems.append(f"{path.name} in {place} {error}")
    return found, problems


def cache_folder():
    """The folder for downloads, $VAE_CACHE or the system's; None where neither is absolute (no home folder)."""
    if named := os.environ.get("VAE_CACHE"):
        return as_path(named).absolute()
    import pooch

    folder = Path(pooch.os_cache("vae_helpers"))
    return folder if folder.is_absolute() else None


def as_path(folder):
    """Path of a str or os.PathLike, with a leading ~ replaced by the home folder where there is one."""
    return Path(os.path.expanduser(os.fsdecode(folder)))


def places(root=None):
    """[(what to call it without naming a path, folder)] in the order of search."""
    named = [("the folder given as root", root), ("VAE_DATA", os.environ.get("VAE_DATA") or None)]
    mounts = [("an attached data set", mount) for mount in MOUNTS]
    every = [*named, *mounts, ("the cache", cache_folder())]
    return [(place, as_path(folder)) for place, folder in every if folder is not None]


def gather(root=None):
    """Looks in every place until all files of MNIST are found: ({name: path}, places used, problems).

    A `root` without one good file ends the search: what was asked for by name is not looked for elsewhere.
    """
    found, used, problems = {}, [], []
    for place, folder in places(root):
        missing = [name for name in FILES if name not in found]
        if not missing:
            break
        if not folder.is_dir() and place in ("the folder given as root", "VAE_DATA"):
            problems.append(f"{place} is not a folder that exists")
        new, failed = search(folder, missing, place)
        found |= new
        problems += failed
        used += [place] if new else []
        if root is not None and not found:
            break
    return found, used, problems
