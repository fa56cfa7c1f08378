"""The document before an OCR process: there while it is read, and nowhere else."""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from docserver.errors import DocumentErrorCode, Failure, Unavailable
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from tests.support.slots import assert_reads, inside, install, read
from tests.support.waiting import until


async def test_a_document_on_another_file_system_is_copied_to_its_process_and_gone_afterwards(
    make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot()
    await assert_reads(slot, source)
    elsewhere = Path("/dev/shm") / f"docserver-test-{os.getpid()}"
    elsewhere.write_bytes(source.read_bytes())
    try:
        assert elsewhere.stat().st_dev != slot._source.stat().st_dev
        await assert_reads(slot, elsewhere)
    finally:
        elsewhere.unlink()

    assert list(slot._source.iterdir()) == []


async def test_a_document_is_accessible_only_while_it_is_read(
    make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    install(programs, "tesseract", 'ls "$TMPDIR/../source" >"$TMPDIR/pids"; sleep 600')
    slot = make_slot(page_timeout_s=1.0)

    await read(slot, source)

    assert list(slot._source.iterdir()) == []
    assert source.stat().st_nlink == 1


@pytest.mark.parametrize("call", ["open_document", "own_texts", "read_page"])
async def test_a_document_that_vanishes_while_it_is_read_is_not_called_corrupt(
    call: str, make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot()
    await inside(
        slot,
        f"""
        from docserver.errors import DocumentErrorCode
        from docserver.ocr.child import tasks
        from docserver.ocr.errors import Unreadable

        def call(*_, **__):
            for _ in range(1000):
                time.sleep(0.01)
                if not Path({str(slot._source / source.name)!r}).exists():
                    raise Unreadable(DocumentErrorCode.CORRUPT, "It is broken.")

        tasks.{call} = call
        """,
    )
    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "open_document": lambda: slot.open(source, "image/png"),
        "own_texts": lambda: slot.own_texts(source, "image/png", pages=[1], options=Options("eng")),
        "read_page": lambda: read(slot, source),
    }
    reading = asyncio.create_task(calls[call]())
    await until(lambda: any(slot._source.iterdir()))
    shutil.rmtree(slot._source)

    result = await reading

    assert isinstance(result, Failure)
    assert (result.code, result.retryable) == (DocumentErrorCode.ENGINE_CRASHED, True)
    await assert_reads(slot, source)


async def test_a_missing_document_is_distinguished_from_a_missing_directory(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    await assert_reads(slot, source)
    with pytest.raises(FileNotFoundError):
        await read(slot, tmp_path / "missing")
    shutil.rmtree(slot._source)
    gone = await read(slot, source)

    assert isinstance(gone, Failure)
    assert gone.code is DocumentErrorCode.ENGINE_CRASHED
    await assert_reads(slot, source)


@pytest.mark.parametrize("has_process", [True, False])
async def test_a_file_in_the_place_of_the_scratch_directory_is_no_fault_of_a_document(
    make_slot: Callable[..., Slot], source: Path, *, has_process: bool
) -> None:
    slot = make_slot()
    scratch = slot._directory.parent
    if has_process:
        await assert_reads(slot, source)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.write_text("in the way")

    for _ in range(2):
        with pytest.raises(OSError, match="Not a directory"):
            await read(slot, source)
    with pytest.raises(Unavailable):
        await slot.make_searchable(source, "image/png", [])

    scratch.unlink()
    await assert_reads(slot, source)
