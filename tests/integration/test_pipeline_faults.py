"""Pages that cannot be read for now: tried again, put off, or given up."""

import errno
import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from docserver.errors import DocumentErrorCode, Failure
from docserver.jobs import worker as worker_module
from docserver.ocr.child import main, tasks
from docserver.ocr.limits import Limits
from docserver.ocr.requests import Failed, OpenDocument
from docserver.ocr.server.process import Child
from docserver.ocr.server.slot import Slot
from docserver.resources import Resources
from tests.support.at_work import at_work, text_of
from tests.support.client import Client, completed, get, upload
from tests.support.rows import told
from tests.support.samples import PAGES, pdf_scanned, words

TIMEOUT = Failure(DocumentErrorCode.PAGE_TIMEOUT, "It took too long.")


@pytest.mark.usefixtures("quick")
async def test_a_page_that_runs_out_of_time_again_and_again_fails(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: Any, **__: Any) -> Any:
        return TIMEOUT

    monkeypatch.setattr(Slot, "read", read)
    job = await upload(client, pages="1")
    async with at_work(resources, tmp_path, page_tries=2):
        final = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)

    assert (final["status"], final["error"]["code"]) == ("failed", "page_timeout")
    assert len(final["history"]) == 2 + 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.EFBIG])
async def test_where_no_process_can_be_started_a_slot_rests_and_no_document_is_blamed(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(worker_module, "FAULT_PAUSE_S", 0.05)
    real, faults = Child.spawn, [number] * 3

    def spawn(limits: Limits, **more: Any) -> Child:
        if faults:
            raise OSError(faults.pop(), "forced")
        return real(limits, **more)

    monkeypatch.setattr(Child, "spawn", spawn)
    job = await upload(client)
    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert told(final["history"]) == [(1, "job", None, "completed", None)]
    assert faults == []


async def test_a_page_that_fails_on_a_full_disk_is_read_when_there_is_room_and_not_blamed(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FAULT_PAUSE_S", 0.05)
    real, full = Slot._handle_failure, [True, True]

    async def ran(self: Slot, *arguments: Any, **more: Any) -> Any:
        if not full:
            return await real_run(self, *arguments, **more)
        failure = Failure(DocumentErrorCode.ENGINE_CRASHED, "No room.")
        await real(self, Failed(failure, disk_full=full.pop()))
        return failure

    real_run = Slot._run
    monkeypatch.setattr(Slot, "_run", ran)
    monkeypatch.setattr(Slot, "_disk_is_still_full", lambda _: True)
    job = await upload(client, pages="1")
    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert told(final["history"]) == [(1, "job", None, "completed", None)]
    assert full == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_quota_that_is_used_up_is_a_full_disk_for_a_slot(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    slot = Slot(number=0, settings=resources.settings, engine=resources.engine, scratch=tmp_path)
    before = slot._disk_is_still_full()

    def refuse(*_: object) -> None:
        raise OSError(number, "forced")

    monkeypatch.setattr(os, "posix_fallocate", refuse)

    assert (before, slot._disk_is_still_full()) == (False, True)


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "forced"), True),
        (OSError(errno.EDQUOT, "forced"), True),
        (ValueError("forced"), False),
    ],
)
def test_an_ocr_process_tells_of_a_full_disk(
    error: Exception, is_full: bool, tmp_path: Path, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Slot(number=0, settings=resources.settings, engine=resources.engine, scratch=tmp_path)._limits(5)
    limits = replace(limits, scratch=str(tmp_path))

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(tasks, "open_document", fail)
    # The bound on this process's own CPU time is none of the test's.
    bounds = resource.getrlimit(resource.RLIMIT_CPU)
    try:
        answer = main.run(OpenDocument("image/png"), __file__, limits)
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, bounds)

    assert isinstance(answer, Failed)
    assert answer.disk_full == is_full


async def test_a_document_whose_file_vanished_fails_and_says_so(
    client: Client, resources: Resources, tmp_path: Path
) -> None:
    job = await upload(client)
    await resources.storage.delete(UUID(job["document_id"]))

    async with at_work(resources, tmp_path):
        final = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)

    assert (final["status"], final["error"]["code"]) == ("failed", "storage_missing")


async def test_what_was_read_stays_when_the_file_vanishes_in_the_middle(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Slot.read

    async def read(self: Slot, source: Path, *arguments: Any, **more: Any) -> Any:
        result = await real(self, source, *arguments, **more)
        source.unlink(missing_ok=True)
        return result

    monkeypatch.setattr(Slot, "read", read)
    job = await upload(client, pdf_scanned(PAGES), "long.pdf")
    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert final["pages"] == {"total": 3, "done": 1, "failed": 2}
    assert await text_of(client, job["job_id"]) == [words(PAGES[0]), [], []]
