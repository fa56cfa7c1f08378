"""Room on a disk: who may still write, by what the file system says of itself."""

import asyncio
import errno
import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from docserver import room
from docserver.room import RESULTS, SLOTS, UPLOADS, Room

MB = 1_000_000
LARGE = SimpleNamespace(f_frsize=1000, f_blocks=100_000_000, f_bavail=99_000_000, f_files=1_000_000, f_favail=900_000)


class Disk:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.facts = SimpleNamespace(**vars(LARGE))
        self.now_s = 100.0
        monkeypatch.setattr(os, "statvfs", lambda _: self.facts)
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)

    def room(self, share: float = UPLOADS) -> Room:
        return Room([Path("/disk")], min_free_mb=500, share=share, stops="uploads")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_on_a_large_disk_the_reserve_is_what_the_setting_says(disk: Disk) -> None:
    disk.facts.f_bavail = 500_000
    assert not disk.room().is_short()
    disk.facts.f_bavail = 499_999
    assert disk.room().is_short()


def test_on_a_small_disk_the_reserve_is_a_tenth(disk: Disk) -> None:
    disk.facts.f_blocks, disk.facts.f_bavail = 20_000, 2000
    assert not disk.room().is_short()
    disk.facts.f_bavail = 1999
    assert disk.room().is_short()


def test_uploads_stop_first_and_slots_last(disk: Disk) -> None:
    short = []
    for disk.facts.f_bavail in (600_000, 400_000, 200_000, 100_000):
        short.append([disk.room(share).is_short() for share in (UPLOADS, RESULTS, SLOTS)])
    assert short == [[False] * 3, [True, False, False], [True, True, False], [True] * 3]


def test_too_few_files_count_as_a_full_disk(disk: Disk) -> None:
    disk.facts.f_favail = 999
    assert disk.room().is_short()
    disk.facts.f_files, disk.facts.f_favail = 1000, 100
    assert not disk.room().is_short()


@pytest.mark.parametrize("unknown", [{"f_blocks": 0, "f_bavail": 0}, {"f_files": 0, "f_favail": 0}])
def test_what_a_file_system_does_not_know_is_no_limit(disk: Disk, unknown: dict[str, int]) -> None:
    vars(disk.facts).update(unknown)
    assert not disk.room().is_short()


def test_writes_are_subtracted_until_the_disk_is_looked_at_again(disk: Disk) -> None:
    disk.facts.f_bavail = 510_000
    room = disk.room()
    room.require(6 * MB)
    with pytest.raises(OSError, match="No space left") as raised:
        room.require(6 * MB)
    assert raised.value.errno == errno.ENOSPC
    room.require(4 * MB)
    disk.now_s += 2
    room.require(6 * MB)


def test_the_fullest_of_several_disks_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directories = [tmp_path / "incoming", tmp_path / "mysql"]
    for directory in directories:
        directory.mkdir()
    full = SimpleNamespace(**{**vars(LARGE), "f_bavail": 1})
    monkeypatch.setattr(os, "statvfs", lambda path: full if path.name == "mysql" else LARGE)
    assert Room(directories, min_free_mb=500, share=1, stops="uploads").is_short()
    assert not Room([], min_free_mb=500, share=1, stops="slots").is_short()


def test_each_change_is_logged_once(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    room = disk.room()
    for disk.facts.f_bavail in (1, 1, 900_000, 900_000):
        disk.now_s += 2
        room.is_short()
    assert caplog.messages == ["disk nearly full", "disk has room again"]


async def test_who_waits_for_room_goes_on_when_there_is_some(
    disk: Disk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def free(_: float) -> None:
        disk.facts.f_bavail = LARGE.f_bavail

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(asyncio, "sleep", free)
    disk.facts.f_bavail = 0

    await room.wait_for(Path("/disk"), 1, user="somebody")

    assert caplog.messages == ["waiting for room on the disk", "disk has room again"]


async def test_who_waits_for_room_in_vain_gets_the_error_of_a_full_disk(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pass_by(_: float) -> None:
        disk.now_s += room.WAIT_S / 2

    monkeypatch.setattr(asyncio, "sleep", pass_by)
    disk.facts.f_bavail = 0

    with pytest.raises(OSError) as caught:
        await room.wait_for(Path("/disk"), 1, user="somebody")

    assert caught.value.errno == errno.ENOSPC


async def test_a_disk_of_unknown_size_has_room(disk: Disk) -> None:
    disk.facts.f_blocks = 0

    assert await room.has(Path("/disk"), 10**18)


def test_a_place_of_a_directory_can_be_written_or_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    room.require_writable(tmp_path)
    room.require_writable(tmp_path / "missing" / "directory")
    for name in ("file", "link", "file/directory", "link/directory"):
        with pytest.raises(OSError, match=name):
            room.require_writable(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
