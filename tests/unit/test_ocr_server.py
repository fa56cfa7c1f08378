"""What the server does when an OCR process does not start, is gone, ends badly, or leaves what is no result."""

import errno
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from docserver.errors import DocumentErrorCode, Failure
from docserver.ocr.engine import Engine
from docserver.ocr.limits import Limits
from docserver.ocr.protocol import ChildFault
from docserver.ocr.requests import Ready, SearchableMade
from docserver.ocr.server import files, process, watchdog
from docserver.ocr.server.files import open_result
from docserver.ocr.server.process import Child
from docserver.ocr.server.slot import Slot
from docserver.settings import Settings
from tests.support.limits import LIMITS
from tests.support.waiting import until

NO_PROCESS = 1 << 22
"""Linux gives no process such an id: this is the largest `pid_max`."""


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    return replace(LIMITS, scratch=str(tmp_path), source=str(tmp_path))


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    engine = Engine("tesseract", "5", {}, "program", "")
    return Slot(number=1, settings=Settings(), engine=engine, scratch=tmp_path)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Child]:
    """Children whose process has ended; `ready` is what it answered when it started."""
    monkeypatch.setattr(watchdog.Watchdog, "start", AsyncMock())

    def make(ready: Ready | Exception | None = None, cgroups: Any = None) -> Child:
        answer: Future[Ready] = Future()
        if isinstance(ready, Exception):
            answer.set_exception(ready)
        elif ready:
            answer.set_result(ready)
        ended: Any = SimpleNamespace(pid=NO_PROCESS, exitcode=3)
        return Child(Mock(), Mock(), ended, answer, slot=1, cgroups=cgroups)

    return make


async def test_where_no_thread_can_be_started_no_process_stays(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without_threads:
        without_threads.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="another thread") as caught:
            Child.spawn(limits, slot=1)

    assert caught.value.errno == errno.EAGAIN
    await until(lambda: not multiprocessing.active_children())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ChildFault("no mount", errno=errno.ENOSPC), OSError),
        (ChildFault("no Tesseract", errno=None), ChildFault),
    ],
)
async def test_what_keeps_a_process_from_starting_is_told(
    fault: ChildFault, error: type[Exception], child: Callable[..., Child], limits: Limits
) -> None:
    with pytest.raises(error) as caught:
        await child(fault).wait_until_ready(limits)

    assert getattr(caught.value, "errno", None) == fault.errno


async def test_a_process_that_ends_when_it_is_ready_has_died(child: Callable[..., Child], limits: Limits) -> None:
    with pytest.raises(BrokenProcessPool, match="gone"):
        await child(Ready()).wait_until_ready(limits)


async def test_a_process_that_gets_no_cgroup_is_watched_all_the_same(child: Callable[..., Child]) -> None:
    without = child(Ready(), cgroups=Mock(enter=Mock(return_value=None)))

    assert await without._enter_cgroup(without.pid, LIMITS) is not None
    assert await without.wait_until_gone() == 3


async def test_a_process_that_the_kernel_killed_for_its_memory_has_used_too_much(
    child: Callable[..., Child], caplog: pytest.LogCaptureFixture
) -> None:
    cgroup = Mock(end=Mock(return_value=True))
    killed = child(Ready(), cgroups=Mock(enter=Mock(return_value=cgroup)))
    await killed._enter_cgroup(killed.pid, LIMITS)

    await killed.wait_until_gone()

    assert killed.exceeded == "memory"
    assert killed.dead
    assert caplog.messages == ["OCR process killed: it used too much"]


async def test_a_process_that_does_not_end_is_complained_of(
    child: Callable[..., Child], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "GONE_POLL_S", process.END_TIMEOUT_S / 2)
    monkeypatch.setattr(process, "END_TIMEOUT_S", process.GONE_POLL_S / 10)

    await child(Ready()).wait_until_gone()

    assert caplog.messages == ["OCR process does not end"]


async def test_an_unexpected_fault_costs_the_document_alone_and_is_logged(
    slot: Slot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(slot, "_running_child", AsyncMock(side_effect=ValueError("unexpected")))

    result = await slot.open(Path(__file__), "image/png")

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED
    assert [(record.message, bool(record.exc_info)) for record in caplog.records] == [("OCR process failed", True)]


async def test_a_slot_that_is_closed_while_a_pdf_is_finished_has_no_pdf(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "_run", AsyncMock(return_value=SearchableMade()))

    assert isinstance(await slot.make_searchable(Path(__file__), "image/png", []), Failure)


@pytest.fixture
def scratch(tmp_path: Path) -> Any:
    (tmp_path / "result").write_text("a PDF")
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def open_files() -> list[Path]:
    return sorted(Path("/proc/self/fd").iterdir())


def test_a_result_that_lies_on_the_disk_is_not_copied_and_loses_its_name(
    scratch: int, limits: Limits, tmp_path: Path
) -> None:
    written = (tmp_path / "result").stat()

    with open_result(scratch, "result", limits=limits) as result:
        assert os.path.samestat(os.fstat(result.fileno()), written)
        assert list(tmp_path.iterdir()) == []


def test_a_result_that_cannot_be_copied_leaves_no_open_file(
    scratch: int, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "has_own_file_system", lambda *_: True)
    monkeypatch.setattr(shutil, "copyfileobj", Mock(side_effect=OSError(errno.ENOSPC, "No space left")))
    before = open_files()

    with pytest.raises(OSError, match="No space left"):
        open_result(scratch, "result", limits=limits)

    assert open_files() == before


def test_a_process_that_is_gone_uses_nothing(scratch: int, limits: Limits) -> None:
    assert watchdog._memory_bytes(NO_PROCESS) == 0
    assert watchdog.exceeded_limit(NO_PROCESS, limits, scratch=scratch) is None


def test_too_many_files_are_too_much(
    scratch: int, limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "MAX_FILES", 2)
    assert watchdog.exceeded_limit(NO_PROCESS, limits, scratch=scratch) is None
    for name in "abc":
        (tmp_path / name).touch()

    assert watchdog.exceeded_limit(NO_PROCESS, limits, scratch=scratch) == "disk"


def test_too_many_mappings_are_too_much(scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "MAX_MAPPINGS", 2)

    with pytest.raises(OSError, match="too many mappings"):
        list(watchdog._deleted_but_mapped(os.getpid(), "/nowhere"))
