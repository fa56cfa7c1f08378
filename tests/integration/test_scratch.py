"""Nothing that a process leaves in its scratch directory stops its slot, the next start or the server's end."""

import fcntl
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import pytest

from docserver.ocr.server import scratch
from docserver.ocr.server.scratch import private_directory
from docserver.ocr.server.slot import Slot
from tests.support.slots import alive, assert_reads, child_of, inside, older_kernels
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


@pytest.fixture(params=["all features", "no mounts"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Starts OCR processes as this system allows, and as on a system where none may mount anything."""
    if request.param == "all features":
        yield
        return
    with older_kernels(tmp_path, lacking="mounts"):
        yield


@pytest.mark.parametrize("tree", ["DEEP", "LONG", "HIDDEN"])
async def test_a_tree_of_any_shape_does_not_stop_its_slot(
    tree: str, system: None, make_slot: Callable[..., Slot], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "REMOVAL_S", HANG_S)
    slot = make_slot()
    await slot.start()
    # The tree may be larger than is allowed, or the watchdog may see it before it is complete.
    with suppress(BrokenProcessPool, OSError):
        await inside(slot, globals()[tree])
    slot._kill("closed")

    await assert_reads(slot, source)

    slot._kill("closed")
    await slot._wait_until_gone()
    assert list(slot._scratch.iterdir()) == []


EXCESSES = {
    "disk that is mapped and has no name": """
        import mmap
        maps = []
        for number in range(6):
            with open("file", "w+b") as file:
                for _ in range(50):
                    file.write(bytes(1_000_000))
                maps.append(mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_PRIVATE))
            os.unlink("file")
        """,
    "paths that are too long": """
        for _ in range(30):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
        for number in range(6):
            with open(str(number), "wb") as file:
                for _ in range(50):
                    file.write(bytes(1_000_000))
        """,
    "threads": """
        import threading
        threading.stack_size(65536)
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        """,
}
"""What the check once a second did not see. Disk is bounded by 200 MB here."""


@pytest.mark.parametrize("excess", EXCESSES)
async def test_what_a_process_hides_is_bounded_too(
    excess: str, system: None, make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot(max_page_mp=1.0)
    await slot.start()
    hiding = child_of(slot)

    with suppress(BrokenProcessPool, OSError):
        await inside(slot, f"{textwrap.dedent(EXCESSES[excess])}\ntime.sleep(600)")

    await until(lambda: not alive(hiding))
    await assert_reads(slot, source)


async def test_a_large_tree_is_renamed_and_does_not_delay_the_next_page(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = make_slot()
    await slot.start()
    for number in range(100):
        (slot._source / str(number)).touch()
    # Every tree is too large for the time that there is.
    monkeypatch.setattr(scratch, "REMOVAL_S", 0)
    slot._kill("closed")

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
