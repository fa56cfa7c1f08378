"""No process of a document outlives its slot or its server, however it tries."""

import asyncio
import contextlib
import ctypes
import os
import platform
import signal
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from docserver.errors import DocumentErrorCode, Failure
from docserver.ocr.limits import Limits
from docserver.ocr.server import watchdog
from docserver.ocr.server.process import _any_member_runs
from docserver.ocr.server.slot import Slot
from tests.support.slots import alive, assert_reads, child_of, inside, install, older_kernels, pids_in, read
from tests.support.users import in_another_process, ordinary_user_in
from tests.support.waiting import HANG_S, until

PR_SET_NAME = 15


async def test_a_program_that_daemonises_ends_with_its_slot(make_slot: Callable[..., Slot]) -> None:
    slot = make_slot()
    escaped = await inside(
        slot,
        """
        reading, writing = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                for leave in (os.setsid, lambda: os.setpgid(0, 0)):
                    try:
                        leave()
                    except PermissionError:
                        pass
                os.write(writing, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        found = int(os.read(reading, 20))
        """,
    )
    assert alive(escaped)

    await slot.close()

    assert not alive(escaped)


async def test_a_program_that_stops_its_ocr_process_ends_with_the_server(
    source: Path, programs: Path, tmp_path: Path
) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        textwrap.dedent(f"""
            import asyncio
            from pathlib import Path
            from docserver.ocr.engine import Engine
            from docserver.ocr.limits import PROGRAM
            from docserver.ocr.server.slot import Slot
            from docserver.settings import Settings
            from tests.support.slots import inside

            ATTACK = '''
            child = os.getpid()
            if os.fork() == 0:
                Path("new").write_text(f"{{child}} {{os.getpid()}}")
                os.rename("new", "pids")
                while True:
                    os.kill(child, signal.SIGSTOP)
            '''

            async def main():
                engine = Engine("tesseract", "5", {{}}, PROGRAM, "")
                slot = Slot(number=0, settings=Settings(), engine=engine, scratch=Path({str(tmp_path)!r}))
                await inside(slot, ATTACK)
                await asyncio.sleep(600)

            if __name__ == "__main__":
                asyncio.run(main())
            """)
    )
    environment = {**os.environ, "PYTHONPATH": ":".join([str(Path.cwd()), *sys.path])}
    process = await asyncio.create_subprocess_exec(sys.executable, str(server), env=environment)
    pids = await pids_in(tmp_path)
    assert all(alive(pid) for pid in pids)

    process.kill()
    await process.wait()

    try:
        await until(lambda: not any(alive(pid) for pid in pids))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pids[0], signal.SIGKILL)


async def test_an_ocr_process_whose_server_is_killed_while_it_starts_ends_too(tmp_path: Path, programs: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        textwrap.dedent(f"""
            import os, signal
            from pathlib import Path
            from docserver.ocr.engine import Engine
            from docserver.ocr.limits import PROGRAM
            from docserver.ocr.server.slot import Slot
            from docserver.ocr.limits import Limits
            from docserver.ocr.server.process import Child
            from docserver.settings import Settings

            if __name__ == "__main__":
                engine = Engine("tesseract", "5", {{}}, PROGRAM, "")
                slot = Slot(number=0, settings=Settings(), engine=engine, scratch=Path({str(tmp_path)!r}))
                slot._empty_directories()
                pid = Child.spawn(slot._limits(60), slot=0).process.pid
                os.kill(pid, signal.SIGSTOP)
                Path({str(tmp_path / "pids")!r}).write_text(str(pid))
                os.kill(os.getpid(), signal.SIGKILL)
            """)
    )
    environment = {**os.environ, "PYTHONPATH": ":".join([str(Path.cwd()), *sys.path])}
    process = await asyncio.create_subprocess_exec(sys.executable, str(server), env=environment)
    await process.wait()
    (orphan,) = await pids_in(tmp_path)
    assert alive(orphan)

    os.kill(orphan, signal.SIGCONT)

    try:
        await until(lambda: not alive(orphan))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)


GREED = {
    "processes": 'i=0; while [ $i -lt 100 ]; do sleep 600 & i=$((i+1)); done; touch "$TMPDIR/done"; wait',
    "disk": 'i=0; while [ $i -lt 6 ]; do head -c 50000000 /dev/urandom >"$TMPDIR/$i"; i=$((i+1)); done; sleep 600',
    "disk, by files without a name": """
        for i in 3 4 5 6 7 8; do eval "exec $i>$TMPDIR/$i"; rm "$TMPDIR/$i"; done
        for i in 3 4 5 6 7 8; do eval "head -c 50000000 /dev/urandom >&$i"; done
        sleep 600
        """,
    "disk, by names alone": 'mkdir "$TMPDIR/a"; cd "$TMPDIR/a"; touch $(seq 1100); sleep 600',
    "memory": f"""
        for i in $(seq 16); do {sys.executable} -c 'import time; kept = b"x" * 150_000_000; time.sleep(600)' & done
        wait
        """,
}


@pytest.mark.parametrize("greed", GREED)
async def test_a_program_that_takes_too_much_is_killed_with_all_that_it_started(
    greed: str, make_slot: Callable[..., Slot], source: Path, programs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(programs, "tesseract", GREED[greed])
    slot = make_slot(max_page_mp=1.0, child_memory_mb=800)
    await slot.start()
    group = child_of(slot)

    result = await read(slot, source)

    assert isinstance(result, Failure)
    assert (result.code, result.retryable) == (DocumentErrorCode.ENGINE_CRASHED, True)
    assert greed.partition(",")[0] in result.message
    assert not _any_member_runs(group)
    (programs / "tesseract").unlink()
    await assert_reads(slot, source)


EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]
HIDDEN = f"""
import threading
if os.fork() == 0:
    threading.Thread(target=time.sleep, args=(600,)).start()
    # This call ends the first thread alone.
    ctypes.CDLL(None).syscall({EXIT}, 0)
time.sleep(600)
"""


@pytest.mark.parametrize("lacking", ["mounts", "nothing"])
async def test_a_process_whose_first_thread_has_ended_cannot_hide_what_it_uses(
    lacking: str, make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    with older_kernels(tmp_path, lacking=lacking):
        await slot.start()
    hiding = child_of(slot)

    with pytest.raises(BrokenProcessPool):
        await asyncio.wait_for(inside(slot, HIDDEN), HANG_S)

    await until(lambda: not alive(hiding))
    await assert_reads(slot, source)


def test_a_program_that_has_just_ended_is_no_excess(limits: Limits) -> None:
    def check() -> bool:
        if (ended := os.fork()) == 0:
            os._exit(0)
        os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
        here = replace(limits, scratch=".", source=".")
        return watchdog.exceeded_limit(os.getpid(), here, scratch=os.open(".", os.O_RDONLY)) is None

    assert ordinary_user_in(Path(limits.scratch), check)


def test_a_process_cannot_lower_its_memory_by_its_name(limits: Limits) -> None:
    def check() -> bool:
        ctypes.CDLL(None).prctl(PR_SET_NAME, b"\fVmRSS: -999999")
        here = replace(limits, scratch=".", source=".", memory_mb=1)
        return watchdog.exceeded_limit(os.getpid(), here, scratch=os.open(".", os.O_RDONLY)) == "memory"

    assert in_another_process(Path(limits.scratch), check)


async def test_a_file_larger_than_a_page_cannot_be_written(make_slot: Callable[..., Slot]) -> None:
    with pytest.raises(OSError, match="too large"):
        await inside(
            make_slot(max_page_mp=1.0),
            """
            with open('large', 'wb', buffering=0) as file:
                while file.tell() < 100_000_000:
                    file.write(bytes(1_000_000))
            """,
        )


async def test_a_greedy_process_that_was_killed_does_not_harm_the_next_document(
    make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot()
    await slot.start()
    greedy = child_of(slot)
    # On a busy machine it is killed before it has started all of them.
    with contextlib.suppress(BrokenProcessPool):
        await inside(slot, "for _ in range(64):\n    os.fork() or time.sleep(600)")
    await until(lambda: not alive(greedy))

    await assert_reads(slot, source)
