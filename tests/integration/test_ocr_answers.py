"""Forged answers of an OCR process that was taken over: none runs code in the server, fills it or blocks it."""

import threading
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Reading
from docserver.ocr.limits import FIRST_PAGES, MAX_LAYOUT_BYTES, PROGRAM
from docserver.ocr.protocol import MAX_ANSWER_BYTES
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from docserver.setting_types import SandboxMode
from docserver.settings import Settings
from tests.support.engines import engine_of
from tests.support.slots import alive, assert_reads, child_of, count_pages, inside, read, set_page_timeout
from tests.support.waiting import until

TAKE_OVER = """
import dataclasses, pickle, struct, sys, time, zlib
from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import pack_blocks
from docserver.model import Reading, Source
from docserver.ocr.child import tasks
from docserver.ocr.requests import *

GOOD = Reading(
    width=10, height=10, dpi=None, rotation=0, source=Source.OCR, confidence=50.0, text="forged", layout=pack_blocks(())
)

def pipe():
    frame = sys._getframe()
    while "result_queue" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["result_queue"]._sending

class Run:
    def __reduce__(self):
        return exec, ("open({marker!r}, 'w')",)

def forged(**changes):
    return lambda *_, **__: dataclasses.replace(GOOD, **changes)

def packed(layout):
    return forged(layout=zlib.compress(layout))

def sent(*bodies):
    def answer(*_, **__):
        for body in bodies:
            pipe().send_bytes(body)
        time.sleep(600)
    return answer

def written(body):
    def answer(*_, **__):
        import os
        os.write(pipe().fileno(), body)
        time.sleep(600)
    return answer

tasks.read_page = {answer}
"""

LAYOUT = b'[[[0,0,1,1],[[[0,0,1,1],[[[0,0,1,1],[["a",[0,0,1,1],90.0]]]]]]]]'

# tests/unit/test_answer_checks.py has the values that are refused, one by one. Whatever is wrong, the same follows.
ANSWERS = {
    "a pickle that runs when it is read": "sent(pickle.dumps(Run()))",
    "a fault that runs when it is read": "sent(pickle.dumps((1, Run())))",
    "bytes that are nothing": "sent(bytes(range(256)))",
    "nothing at all": "sent(b'')",
    "the end of a process": "sent(pickle.dumps(1))",
    "more than may be answered": f"sent(bytes({MAX_ANSWER_BYTES + 1}))",
    "a length that nobody has room for": "written(struct.pack('!i', 2**31 - 1))",
    "a length below zero": "written(struct.pack('!i', -2))",
    "a list that says it is endless": "sent(b'\\xdd\\xff\\xff\\xff\\xff')",
    "lists in lists in lists": "sent(b'\\x91' * 1_000_000)",
    "a page without a size": "forged(width=0)",
    "a text of another kind": "forged(text=7)",
    "a layout that explodes": f"packed(b' ' * {MAX_LAYOUT_BYTES} + b'[]')",
    "lists in lists in a layout": "packed(b'[' * 1_000_000)",
    "no page": "lambda *_, **__: None",
}


def executor_threads() -> list[str]:
    """Their names, without numbers. Those of the event loop come and go as it needs them, and those of a bucket end
    some time after its tests; both are left out.
    """
    return sorted(
        thread.name.rstrip("0123456789")
        for thread in threading.enumerate()
        if not thread.name.startswith(("uvloop", "bucket"))
    )


async def take_over(slot: Slot, answer: str, *, marker: Path) -> None:
    await inside(slot, TAKE_OVER.replace("{marker!r}", repr(str(marker))).replace("{answer}", answer))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slot]:
    """One slot for all tests that leave it as they want it: with a process that reads."""
    settings = replace(Settings(), max_pages=20)
    scratch = tmp_path_factory.mktemp("slot")
    slot = Slot(number=0, settings=settings, engine=await engine_of(PROGRAM), scratch=scratch)
    await slot.start()
    yield slot
    await slot.close()
    assert list(scratch.iterdir()) == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_forged_answer_costs_only_its_own_page(answer: str, slot: Slot, source: Path, tmp_path: Path) -> None:
    await take_over(slot, ANSWERS[answer], marker=tmp_path / "marker")
    with_one_process = executor_threads()

    result = await read(slot, source)

    assert isinstance(result, Failure), result
    assert (result.code, result.page) == (DocumentErrorCode.ENGINE_CRASHED, 1)
    assert "memory" not in result.message
    assert not (tmp_path / "marker").exists()
    await assert_reads(slot, source)
    assert executor_threads() == with_one_process


async def test_a_forged_answer_within_all_bounds_is_accepted(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    await take_over(slot, f"packed({LAYOUT!r})", marker=tmp_path)

    result = await read(slot, source)

    assert isinstance(result, Reading)
    assert (result.text, result.layout) == ("forged", zlib.compress(LAYOUT))


async def test_a_fault_that_a_process_reports_is_logged_without_a_traceback(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slot = make_slot()
    body = "__import__('msgspec').msgpack.encode([2, Raised('made up', None)])"
    await take_over(slot, f"lambda *_, **__: (pipe().send_bytes({body}), time.sleep(600))", marker=tmp_path)

    result = await read(slot, source)

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED
    assert "OCR process failed" in caplog.messages
    assert not any(record.exc_info for record in caplog.records)


async def test_an_incomplete_answer_runs_into_the_page_timeout(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot(page_timeout_s=1.0)
    before = executor_threads()
    await take_over(slot, "written(struct.pack('!i', 1000) + b'half')", marker=tmp_path)

    result = await read(slot, source)

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.PAGE_TIMEOUT
    set_page_timeout(slot)
    await assert_reads(slot, source)
    await slot.close()
    assert executor_threads() == before


async def test_a_process_that_answers_without_a_request_is_replaced(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    # The third call: one to be ready, one to be taken over.
    body = "__import__('msgspec').msgpack.encode([2, PageRead(GOOD)])"
    await take_over(slot, f"lambda *_, **__: (pipe().send_bytes({body}), GOOD)[1]", marker=tmp_path)
    first = child_of(slot)

    forged = await read(slot, source)
    await until(lambda: not alive(first))

    assert isinstance(forged, Reading)
    await assert_reads(slot, source)


ON_PIPES = """
import fcntl, msgspec, os, signal, struct, sys, threading
from contextlib import suppress
from docserver.errors import DocumentErrorCode, Failure
from docserver.ocr.requests import Failed

frame = sys._getframe()
while "result_queue" not in frame.f_locals:
    frame = frame.f_back
requests, answers = frame.f_locals["call_queue"], frame.f_locals["result_queue"]
answering = answers.put
to_server = answers._sending.fileno()
# The calls before: to be ready, and this one.
forged = msgspec.msgpack.encode((2, Failed(Failure(DocumentErrorCode.ENGINE_CRASHED, "forged"), "")))

def fill():
    pipe = requests._writer.fileno()
    fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.fcntl(pipe, fcntl.F_GETFL))
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, bytes(4096))

def begin():
    os.write(to_server, struct.pack("!i", len(forged)) + forged[:1])

def answer_before_the_call():
    begin()
    threading.Timer(1.0, os.write, (to_server, forged[1:])).start()

def hang_up():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    requests._reader.close()
    os.write(to_server, b"nonsense")
    threading.Event().wait()

def answer(item):
    answering(item)
    {attack}()

answers.put = answer
"""


@pytest.mark.parametrize("attack", ["fill", "begin", "answer_before_the_call", "hang_up"])
async def test_nothing_on_its_pipes_puts_a_traceback_into_the_log_or_outlasts_its_process(
    attack: str, make_slot: Callable[..., Slot], source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    slot = make_slot()
    before = executor_threads()
    await inside(slot, ON_PIPES.replace("{attack}", attack))
    attacker = child_of(slot)
    set_page_timeout(slot, 3.0)

    result = await read(slot, source)

    set_page_timeout(slot)
    assert isinstance(result, Reading) or result.code in (
        DocumentErrorCode.ENGINE_CRASHED,
        DocumentErrorCode.PAGE_TIMEOUT,
    )
    await until(lambda: not alive(attacker))
    await assert_reads(slot, source)
    await slot.close()
    assert executor_threads() == before
    assert capfd.readouterr().err == ""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "forged",
    [
        "Opened(0)",
        "Opened(-1)",
        "Opened(21)",
        "Opened(2**40)",
        "Opened(2, (GOOD,))",
        "PageRead(GOOD)",
        "Opened(1, (GOOD, GOOD))",
        "Opened(1, (GOOD,), Failure(DocumentErrorCode.CORRUPT, 'x'))",
    ],
)
async def test_an_answer_that_does_not_fit_its_request_is_refused(
    forged: str, slot: Slot, source: Path, tmp_path: Path
) -> None:
    await take_over(slot, f"None; tasks.open_document = lambda *_, **__: {forged}", marker=tmp_path)

    result = await slot.open(source, "image/png")

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED
    assert await count_pages(slot, source) == 1


HALF_FULL = f"forged(layout=zlib.compress(b' ' * {MAX_LAYOUT_BYTES // 2} + b'[]'))()"


@pytest.mark.parametrize("forged", ["(GOOD,) * 3", f"({HALF_FULL},) * 2"])
async def test_more_own_texts_than_pages_or_than_fit_one_answer_are_refused(
    forged: str, make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    await take_over(slot, f"None; tasks.own_texts = lambda *_, **__: {forged}", marker=tmp_path)

    result = await slot.own_texts(source, "application/pdf", pages=[1, 2], options=Options("eng"))

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED


async def test_more_first_pages_than_are_read_on_opening_are_refused(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    forged = f"Opened(20, (GOOD,) * {FIRST_PAGES + 1})"
    await take_over(slot, f"None; tasks.open_document = lambda *_, **__: {forged}", marker=tmp_path)

    result = await slot.open(source, "application/pdf", reading=Options("eng"))

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED


@pytest.mark.parametrize("made", ["symlink({!r}, target)", "link({!r}, target)", "mkfifo(target)", "getpid()"])
async def test_a_file_that_is_made_must_be_a_regular_one_with_one_name(
    made: str, make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("of someone else")
    slot = make_slot(sandbox=SandboxMode.OFF)
    await inside(
        slot,
        f"""
        from docserver.ocr.searchable import from_image
        from_image.write = lambda *_, target, **__: os.{made.format(str(other))}
        """,
    )

    result = await slot.make_searchable(source, "image/png", [])

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED
