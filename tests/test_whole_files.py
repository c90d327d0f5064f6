"""Files appear whole or not at all."""

import errno
import os

import pytest
from somebody import as_somebody, open_folder

from vae_helpers.whole_files import new_folder, write_whole


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "ein Übung 中.bin"
    write_whole(place, b"old")
    return place


def only(path):
    """Is the file the only one in its folder?"""
    return [other.name for other in path.parent.iterdir()] == [path.name]


def test_it_replaces_what_was_there_and_others_may_read_it(path):
    before = os.umask(0o022)
    try:
        write_whole(path, b"new")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new" and only(path) and path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file_and_names_the_path(path, monkeypatch, call):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match=r"No space left on device.*intact.*中\.bin") as caught:
        write_whole(path, b"new")
    assert caught.value.errno == errno.ENOSPC and path.read_bytes() == b"old" and only(path)


def test_an_interrupt_leaves_nothing_behind(path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and only(path)


def test_a_link_keeps_pointing_where_it_points(path, tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link.bin"
    link.symlink_to(path)
    write_whole(link, b"new")
    assert link.is_symlink() and path.read_bytes() == b"new"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_device_is_refused_and_stays_a_device():
    with pytest.raises(OSError, match=r"not an ordinary file.*/dev/full"):
        write_whole("/dev/full", b"new")
    assert os.path.exists("/dev/full") and not os.path.isfile("/dev/full")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "x", b"")


def test_a_folder_of_somebody_else_is_named_and_no_part_of_ours():
    with open_folder() as folder:
        (path := folder / "ein Übung 中.bin").write_bytes(b"old")
        folder.chmod(0o555)
        with as_somebody(), pytest.raises(PermissionError, match="cannot be written") as caught:
            write_whole(path, b"new")
        assert caught.value.filename == str(path) and ".part" not in str(caught.value)
        assert path.read_bytes() == b"old" and only(path)


def test_a_folder_is_replaced_only_by_a_complete_one_and_only_if_it_is_ours(tmp_path):
    folder = tmp_path / "made"
    with new_folder(folder, ".ours") as new:
        (new / "first").touch()
    assert {path.name for path in folder.iterdir()} == {".ours", "first"}
    with pytest.raises(ZeroDivisionError), new_folder(folder, ".ours") as new:
        (new / "half").write_text(str(1 / 0))
    assert (folder / "first").is_file() and [path.name for path in tmp_path.iterdir()] == ["made"]
    with new_folder(folder, ".ours") as new:
        (new / "second").touch()
    assert {path.name for path in folder.iterdir()} == {".ours", "second"}
    with pytest.raises(FileExistsError, match="made holds other files"), new_folder(folder, ".theirs"):
        pass
    assert (folder / "second").is_file()


def test_what_somebody_put_into_a_folder_of_ours_is_not_deleted(tmp_path):
    folder = tmp_path / "made"
    with new_folder(folder, ".ours") as new:
        (new / "sub").mkdir()
        (new / "sub" / "page").touch()
    (folder / ".git").mkdir()
    with pytest.raises(FileExistsError, match="made holds other files"), new_folder(folder, ".ours"):
        pass
    (folder / ".git").rmdir()
    with pytest.raises(FileExistsError, match="made holds other files"), new_folder(folder, ".ours") as new:
        (folder / "sub" / "CNAME").touch()  # while it is built
    assert {path.name for path in folder.rglob("*")} == {".ours", "sub", "page", "CNAME"}
