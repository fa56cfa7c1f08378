"""Nothing that a process leaves in its scratch directory stops its slot, the next start or the server's end."""

import fcntl
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import pytest

from docserver.ocr.server import scratch
from docserver.ocr.server.scratch import private_directory
from docserver.ocr.server.slot import Slot
from tests.support.slots import assert_reads, inside
from tests.support.waiting import HANG_S, until

DEEP = """
for _ in range(6000):
    os.mkdir("d")
    os.chdir("d")
"""
LONG = """
for _ in range(30):
    Path("copy").write_text("of a deleted document")
    os.mkdir("d" * 250)
    os.chdir("d" * 250)
"""
HIDDEN = """
os.mkdir("hidden")
os.chdir("hidden")
Path("copy").write_text("of a deleted document")
os.chdir("..")
os.umask(0)
os.mkdir("closed", 0o300)
os.mkdir("closed/in", 0o300)
Path("closed/in/copy").write_text("of a deleted document")
os.mkdir("locked", 0)
"""


@pytest.mark.parametrize("tree", ["DEEP", "LONG", "HIDDEN"])
async def test_a_tree_of_any_shape_does_not_stop_its_slot(
    tree: str, make_slot: Callable[..., Slot], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "REMOVAL_S", HANG_S)
    slot = make_slot()
    await slot.start()
    # The watchdog may kill the process before the tree is complete, and the next page may find that out.
    with suppress(BrokenProcessPool):
        await inside(slot, globals()[tree])
    slot._kill()

    await assert_reads(slot, source)

    slot._kill()
    await slot._wait_until_gone()
    assert list(slot._scratch.iterdir()) == []


async def test_a_large_tree_is_renamed_and_does_not_delay_the_next_page(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = make_slot()
    await slot.start()
    for number in range(100):
        (slot._source / str(number)).touch()
    # Every tree is too large for the time that there is.
    monkeypatch.setattr(scratch, "REMOVAL_S", 0)
    slot._kill()

    await assert_reads(slot, source)

    assert {path.name.partition("-")[0] for path in (tmp_path / "scratch").iterdir()} == {"abandoned", "slot"}
    monkeypatch.undo()
    monkeypatch.setattr(scratch, "SWEEP_INTERVAL_S", 0.01)
    with private_directory(tmp_path / "scratch"):
        await until(lambda: not list((tmp_path / "scratch").glob("abandoned-*")))


async def test_a_start_renames_what_dead_processes_left_and_deletes_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scratch, "REMOVAL_S", 0)
    monkeypatch.setattr(scratch, "SWEEP_INTERVAL_S", 0.01)
    dead, alive = tmp_path / "dead", tmp_path / "alive"
    for directory in (dead, alive):
        directory.mkdir()
        (directory / scratch.LOCK).touch()
        (directory / "copy").touch()
    with (alive / scratch.LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with private_directory(tmp_path) as mine:
            assert not dead.exists()
            await until(lambda: {path.name for path in tmp_path.iterdir()} == {"alive", mine.name})

    assert (alive / "copy").exists()
    assert not mine.exists()


async def test_what_can_never_be_deleted_is_logged_once_and_stops_neither_start_nor_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def refuse(directory: Path, *, within_s: float) -> bool:
        tries.append(directory)
        raise PermissionError

    monkeypatch.setattr(scratch, "remove", refuse)
    monkeypatch.setattr(scratch, "SWEEP_INTERVAL_S", 0.01)
    (tmp_path / "abandoned-x").mkdir()

    with private_directory(tmp_path):
        await until(lambda: len(tries) > 3)

    assert [record.message for record in caplog.records].count("scratch directory cannot be deleted") == 1
    assert len(list(tmp_path.iterdir())) == 2
