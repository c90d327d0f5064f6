"""Files that appear whole or not at all; used wherever the package or a tool writes one."""

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from pathlib import Path


def write_whole(path, content):
    """Write bytes beside `path`, flush them to disk, then rename: others see the old file or all of the new one.

    A link keeps pointing where it points. Raises OSError that names the path; a file that was there is then intact,
    and nothing is left beside it.
    """
    place = Path(os.path.realpath(path))
    try:
        if place.exists() and not place.is_file():
            raise OSError(errno.EINVAL, "not an ordinary file")
        part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, place)
        except BaseException:  # an interrupt too leaves nothing beside the file
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error}); one that was there is intact"
        raise OSError(error.errno, problem, str(path)) from error


@contextlib.contextmanager
def new_folder(folder, mark):
    """An empty folder to fill; at the end it takes the place of `folder`, and an older one stays until then.

    mark: name of a file in it that lists what was made. FileExistsError where other files lie in the folder.
    """
    folder = Path(folder).resolve()
    _only_ours(folder, mark)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        new = Path(scratch, "new")
        new.mkdir()
        (new / mark).touch()
        yield new
        (new / mark).write_text("\n".join(_names(new)), encoding="utf-8")
        _only_ours(folder, mark)  # again: what was put there meanwhile stays too
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)


def _only_ours(folder, mark):
    """FileExistsError where the folder holds what the list in its mark does not name."""
    ours = (folder / mark).read_text(encoding="utf-8").splitlines() if (folder / mark).is_file() else []
    others = sorted(set(_names(folder)) - {*ours, mark}) if folder.exists() else []
    if others:
        reason = f"{folder.name} holds other files, such as {others[0]}"
        raise FileExistsError(f"{reason}: move them away, or name an empty folder, or one that was made here.")


def _names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
