"""Trees that only a process makes which a document has taken over are deleted like all others."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from docserver.ocr.removal import empty, remove
from tests.support.users import ordinary_user_in


def make_deep(tree: Path, *, depth: int = 1500, name: str = "d") -> None:
    """Make nested directories, with a file in each. No call uses a path."""
    tree.mkdir()
    inner = os.open(tree, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.mkdir(name, dir_fd=inner)
        outer, inner = inner, os.open(name, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)


def make_path_too_long(tree: Path) -> None:
    make_deep(tree, depth=40, name="d" * 255)


def make_wide(tree: Path) -> None:
    for number in range(300):
        (tree / str(number) / "a" / "b").mkdir(parents=True)
        (tree / str(number) / "a" / "file").touch()


def make_without_permissions(tree: Path) -> None:
    """Directories of each mode that hides what is in them."""
    for mode in (0o000, 0o100, 0o300, 0o400):
        place = tree / oct(mode) / "in"
        place.mkdir(parents=True)
        (place / "file").touch()
        place.chmod(mode)
        place.parent.chmod(mode)
    tree.chmod(0o300)


TREES = [make_deep, make_path_too_long, make_wide, make_without_permissions]


@pytest.mark.parametrize("make", TREES)
def test_a_tree_of_any_shape_is_deleted(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "tree")

    assert remove(tmp_path / "tree", within_s=60)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", TREES)
def test_an_ordinary_user_deletes_its_own_tree_of_any_shape(make: Callable[[Path], None], tmp_path: Path) -> None:
    def make_and_remove() -> bool:
        make(Path("tree"))
        return remove(Path("tree"), within_s=60)

    assert ordinary_user_in(tmp_path, make_and_remove)

    assert list(tmp_path.iterdir()) == []


def test_links_are_deleted_and_never_followed(tmp_path: Path) -> None:
    other, tree = tmp_path / "other", tmp_path / "tree"
    (tree / "in").mkdir(parents=True)
    other.mkdir()
    (other / "file").write_text("of someone else")
    (tree / "link").symlink_to(other)
    (tree / "in" / "link").symlink_to(other)
    (tree / "name").hardlink_to(other / "file")

    assert remove(tree, within_s=60)

    assert (other / "file").read_text() == "of someone else"
    (tmp_path / "link").symlink_to(other)
    with pytest.raises(NotADirectoryError):
        empty(tmp_path / "link", within_s=60)


def test_a_call_ends_in_time_and_another_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_deep(tmp_path / "tree", depth=20)
    clock = iter(range(1_000_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    calls = 1
    while not remove(tmp_path / "tree", within_s=5):
        calls += 1

    assert calls > 5
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_to_delete_is_an_error_and_the_rest_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def refuse_one(name: str, *, dir_fd: int) -> None:
        if name == "busy":
            raise OSError(errno.EBUSY, "Something is mounted here.")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse_one)
    for name in ("a", "busy", "c"):
        (tmp_path / name).touch()
    (tmp_path / "directory" / "in").mkdir(parents=True)

    with pytest.raises(OSError, match="mounted"):
        empty(tmp_path, within_s=60)

    assert [path.name for path in tmp_path.iterdir()] == ["busy"]


def test_one_entry_is_kept_and_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    (tmp_path / "other").touch()

    assert empty(tmp_path, within_s=60, keep="kept")
    assert remove(tmp_path / "nothing", within_s=60)

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_directory_with_more_files_than_there_is_time_for_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (tmp_path / str(number)).touch()
    clock = iter(range(1_000_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    assert not empty(tmp_path, within_s=5)
    assert 0 < len(list(tmp_path.iterdir())) < 20


def test_what_another_process_deletes_meanwhile_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink, rmdir = os.unlink, os.rmdir

    def unlink_first(name: str, *, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        unlink(name, dir_fd=dir_fd)

    def rmdir_first(name: str, *, dir_fd: int) -> None:
        rmdir(name, dir_fd=dir_fd)
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink_first)
    monkeypatch.setattr(os, "rmdir", rmdir_first)
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()

    assert empty(tmp_path, within_s=60)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_that_is_mounted_below_keeps_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "file").touch()
    fstat, inode = os.fstat, mounted.stat().st_ino

    def other_device(descriptor: int) -> object:
        status = fstat(descriptor)
        return SimpleNamespace(st_dev=-1, st_mode=status.st_mode) if status.st_ino == inode else status

    monkeypatch.setattr(os, "fstat", other_device)

    with pytest.raises(OSError, match="Another file system"):
        empty(tmp_path, within_s=60)

    assert (mounted / "file").exists()
