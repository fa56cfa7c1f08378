"""A slot survives whatever happens in its process, and no process outlives its slot."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Reading
from docserver.ocr.requests import Opened
from docserver.ocr.server import slot as slot_module
from docserver.ocr.server.slot import Slot
from tests.support.slots import (
    alive,
    assert_reads,
    child_of,
    count_pages,
    inside,
    pids_in,
    read,
    set_page_timeout,
    tesseract_that_sleeps,
)
from tests.support.waiting import until


async def test_a_page_that_takes_too_long_is_killed_with_all_that_it_started(
    make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    pids = tesseract_that_sleeps(programs)
    slot = make_slot(page_timeout_s=3.0)
    reading = asyncio.create_task(read(slot, source))
    started = await pids_in(pids)

    result = await reading

    assert isinstance(result, Failure)
    assert (result.code, result.page, result.retryable) == (DocumentErrorCode.PAGE_TIMEOUT, 1, True)
    assert [pid for pid in started if alive(pid)] == []
    (programs / "tesseract").unlink()
    set_page_timeout(slot)
    await assert_reads(slot, source)


async def test_a_cancelled_page_is_killed_with_all_that_it_started(
    make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    pids = tesseract_that_sleeps(programs)
    slot = make_slot()
    reading = asyncio.create_task(read(slot, source))
    started = await pids_in(pids)

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await until(lambda: not any(alive(pid) for pid in started))
    (programs / "tesseract").unlink()
    await assert_reads(slot, source)


async def test_closing_a_slot_kills_what_it_runs(
    make_slot: Callable[..., Slot], source: Path, programs: Path, tmp_path: Path
) -> None:
    pids = tesseract_that_sleeps(programs)
    slot = make_slot()
    reading = asyncio.create_task(read(slot, source))
    started = [*await pids_in(pids), child_of(slot)]

    await slot.close()

    assert [pid for pid in started if alive(pid)] == []
    assert list((tmp_path / "scratch").iterdir()) == []
    assert isinstance(await reading, Failure)


async def test_a_stopped_process_is_killed_in_time(make_slot: Callable[..., Slot], source: Path) -> None:
    slot = make_slot()
    await slot.open(source, "image/png")
    stopped = child_of(slot)
    os.kill(stopped, signal.SIGSTOP)
    set_page_timeout(slot, 0.5)

    result = await slot.open(source, "image/png")

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.PAGE_TIMEOUT
    assert not alive(stopped)
    set_page_timeout(slot)
    assert await count_pages(slot, source) == 1


async def test_a_killed_process_costs_its_own_page_alone(
    spawned_ocr_processes: None, make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    healthy, dying = make_slot(), make_slot()
    await assert_reads(healthy, source)
    neighbour = child_of(healthy)
    pids = tesseract_that_sleeps(programs)
    reading = asyncio.create_task(read(dying, source))
    started = await pids_in(pids)

    os.kill(child_of(dying), signal.SIGKILL)
    result = await reading

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED
    assert "memory" in result.message
    assert [pid for pid in started if alive(pid)] == []
    (programs / "tesseract").unlink()
    await assert_reads(dying, source)
    await assert_reads(healthy, source)
    assert child_of(healthy) == neighbour


async def test_a_killed_idle_process_is_replaced(make_slot: Callable[..., Slot], source: Path) -> None:
    slot = make_slot()
    await assert_reads(slot, source)
    first = child_of(slot)
    os.kill(first, signal.SIGKILL)

    results = [await read(slot, source), await read(slot, source)]

    assert isinstance(results[-1], Reading)
    assert child_of(slot) != first


async def test_a_process_is_replaced_after_its_pages(
    make_slot: Callable[..., Slot], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_module, "PAGES_PER_CHILD", 2)
    slot = make_slot()
    await assert_reads(slot, source)
    first = child_of(slot)
    await assert_reads(slot, source)
    await assert_reads(slot, source)

    assert child_of(slot) != first
    assert not alive(first)


async def test_a_process_is_replaced_before_it_reads_a_document_of_one_client_too_many(
    make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot(clients_per_process=2)
    processes = []

    for slot.client in ["a", "b", "a", "c", "c", "a", "b"]:
        assert isinstance(await slot.open(source, "image/png"), Opened)
        processes.append(child_of(slot))

    first, second, third = dict.fromkeys(processes)
    assert processes == [first, first, first, second, second, second, third]
    assert not alive(first)


async def test_a_process_whose_pdf_is_missing_is_replaced(make_slot: Callable[..., Slot], source: Path) -> None:
    slot = make_slot()
    await inside(slot, "from docserver.ocr.searchable import from_image; from_image.write = lambda *_, **__: None")
    first = child_of(slot)

    result = await slot.make_searchable(source, "image/png", [])

    assert isinstance(result, Failure)
    await slot.open(source, "image/png")
    assert child_of(slot) != first


@pytest.mark.parametrize("stop_child", [False, True])
async def test_nothing_outlives_a_server_that_is_killed(
    stop_child: bool, source: Path, programs: Path, tmp_path: Path
) -> None:
    pids = tesseract_that_sleeps(programs)
    server = tmp_path / "server.py"
    server.write_text(
        textwrap.dedent(f"""
            import asyncio
            from pathlib import Path
            from docserver.model import Options
            from docserver.ocr.engine import Engine
            from docserver.ocr.limits import PROGRAM
            from docserver.ocr.server.slot import Slot
            from docserver.settings import Settings

            async def main():
                engine = Engine("tesseract", "5", {{}}, PROGRAM, "")
                slot = Slot(number=0, settings=Settings(), engine=engine, scratch=Path({str(tmp_path)!r}))
                opened = await slot.open(Path({str(source)!r}), "image/png")
                Path({str(tmp_path / "child")!r}).write_text(str(slot._child.process.pid))
                await slot.read(Path({str(source)!r}), "image/png", page=1, options=Options("eng"))

            if __name__ == "__main__":
                asyncio.run(main())
            """)
    )
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    process = await asyncio.create_subprocess_exec(sys.executable, str(server), env=environment)
    programs_started = await pids_in(pids)
    (child,) = await pids_in(tmp_path, "child")
    assert all(alive(pid) for pid in [child, *programs_started])
    if stop_child:
        os.kill(child, signal.SIGSTOP)

    process.kill()
    await process.wait()

    try:
        await until(lambda: not any(alive(pid) for pid in [child, *programs_started]))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


async def test_a_process_that_is_gone_holds_no_descriptor(make_slot: Callable[..., Slot]) -> None:
    await _start_and_end(make_slot())
    gc.collect()
    gc.disable()
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        await _start_and_end(make_slot())
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        gc.enable()


async def _start_and_end(slot: Slot) -> None:
    await slot.start()
    await slot.close()
