"""From a claimed job to its saved pages, while the database fails, commits get no answer, or files vanish."""

import asyncio
import errno
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from docserver.database.connection import Cursor, Database
from docserver.errors import DocumentErrorCode, Failure
from docserver.jobs import pipeline as module
from docserver.jobs import transitions
from docserver.jobs import worker as worker_module
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.model import Options, Reading, Status
from docserver.ocr.child import main, tasks
from docserver.ocr.limits import Limits
from docserver.ocr.requests import Failed, OpenDocument
from docserver.ocr.server.process import Child
from docserver.ocr.server.slot import Slot
from docserver.resources import Resources
from tests.support.client import Client, completed, get, upload
from tests.support.faulty_database import Switch, Unanswered
from tests.support.rows import found, lost_leases, told
from tests.support.samples import PAGES, pdf_scanned, png, words
from tests.support.samples.pdf_layers import PROSE, lines, pdf, scan
from tests.support.waiting import in_time

TIMEOUT = Failure(DocumentErrorCode.PAGE_TIMEOUT, "It took too long.")


class Counted:
    """A database that keeps the statements of its transactions."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.statements: list[str] = []

    def session(self) -> Any:
        return self._db.session()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Cursor]:
        async with self._db.transaction() as cur:
            execute = cur._execute

            async def counted(sql: str, arguments: Any) -> int:
                self.statements.append(sql)
                return await execute(sql, arguments)

            cur._execute = counted  # type: ignore[method-assign]
            yield cur


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAVE_PAUSE_S", (0.01, 0.05))
    monkeypatch.setattr(module, "BACKOFF_S", 0.0)


@asynccontextmanager
async def at_work(resources: Resources, tmp_path: Path, *, db: Any = None, **settings: Any) -> AsyncIterator[Pipeline]:
    """One slot at work, on a database that may misbehave."""
    changed = replace(resources, settings=replace(resources.settings, **settings), db=db or resources.db)
    made = Pipeline(changed, scratch=tmp_path / "scratch")
    worker = Worker(made, resources.queue, slots=1)
    worker.start()
    yield made
    await worker.stop(grace_s=10)


async def text_of(client: Client, job_id: str) -> list[list[str]]:
    async with client.get(f"/v1/jobs/{job_id}/result") as response:
        assert response.status == 200
        return [words(page) for page in (await response.text()).split("\f")]


@pytest.mark.usefixtures("quick")
async def test_a_page_that_was_read_while_the_database_went_away_is_saved_when_it_is_back(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch, reading, real = Switch(resources.db), asyncio.Event(), Slot.read

    async def read(self: Slot, *arguments: Any, **more: Any) -> Any:
        result = await real(self, *arguments, **more)
        switch.away = True
        reading.set()
        return result

    monkeypatch.setattr(Slot, "read", read)
    job = await upload(client, pages="1")
    async with at_work(resources, tmp_path, db=switch):
        await reading.wait()
        during = await found(resources.db, UUID(job["job_id"]))
        reading.clear()
        switch.away = False

        final = await completed(client, job["job_id"])

    assert during.pages_done == 0
    assert told(final["history"]) == [(1, "job", None, "completed", None)]
    assert not reading.is_set(), "it was read once"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("answers_lost", [1, 2, 3, 99])
async def test_a_commit_that_got_no_answer_loses_no_page_and_reads_none_twice(
    client: Client, resources: Resources, tmp_path: Path, answers_lost: int
) -> None:
    job = await upload(client, pdf_scanned(PAGES), "long.pdf")
    # A claim whose commit got no answer is given back and taken again.
    async with at_work(resources, tmp_path, db=Unanswered(resources.db, answers_lost=answers_lost)) as made:
        if answers_lost > 3:
            async with in_time():
                while not made._claims._unreleased:
                    await asyncio.sleep(0.01)
            return
        final = await completed(client, job["job_id"])

    assert told(final["history"]) == [(1, "job", None, "completed", None)]
    assert await lost_leases(resources.db, UUID(job["job_id"])) == [0, 0, 0]
    assert await text_of(client, job["job_id"]) == [words(page) for page in PAGES]


@pytest.mark.usefixtures("quick")
async def test_a_page_that_ran_out_of_time_is_tried_again_and_the_history_says_so(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, faults = Slot.read, [TIMEOUT, TIMEOUT]

    async def read(self: Slot, *arguments: Any, **more: Any) -> Any:
        return faults.pop() if faults else await real(self, *arguments, **more)

    monkeypatch.setattr(Slot, "read", read)
    job = await upload(client, pages="1")
    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert told(final["history"]) == [
        (1, "page", 1, "failed", "page_timeout"),
        (1, "page", 1, "failed", "page_timeout"),
        (1, "job", None, "completed", None),
    ]


@pytest.mark.usefixtures("quick")
async def test_a_picture_that_cannot_be_read_while_it_is_opened_is_read_by_itself(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, opened = Slot.open, []

    async def open_(self: Slot, *arguments: Any, reading: Options | None = None) -> Any:
        opened.append(reading)
        return TIMEOUT if reading else await real(self, *arguments)

    monkeypatch.setattr(Slot, "open", open_)
    job = await upload(client)
    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert opened == [Options("eng"), None]
    assert told(final["history"]) == [(1, "job", None, "completed", None)]


@pytest.mark.usefixtures("quick")
async def test_pages_with_their_own_text_are_saved_together_and_those_between_are_read(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, real = [], transitions.settle_pages

    async def settle_pages(db: Database, *, results: transitions.Results, **more: Any) -> Any:
        saved.append({number: result.source for number, result in results.items() if isinstance(result, Reading)})
        return await real(db, results=results, **more)

    monkeypatch.setattr(transitions, "settle_pages", settle_pages)
    document = pdf(*[lines(PROSE)] * 7, scan(PROSE[:2]), lines(PROSE), lines(PROSE))
    job = await upload(client, document, "mixed.pdf")
    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert final["pages"] == {"total": 10, "done": 10, "failed": 0}
    own, read = "text_layer", "ocr"
    # Four were read when the document was opened. Behind a page that was read each is looked at by itself.
    assert saved == [{5: own, 6: own, 7: own}, {8: read}, {9: own}, {10: own}]
    assert await text_of(client, job["job_id"]) == [
        words(" ".join(PROSE[:2] if number == 8 else PROSE)) for number in range(1, 11)
    ]


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

    def spawn(limits: Limits, *, slot: int) -> Child:
        if faults:
            raise OSError(faults.pop(), "forced")
        return real(limits, slot=slot)

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


@pytest.mark.parametrize(("error", "is_full"), [(OSError(errno.ENOSPC, "forced"), True), (ValueError("forced"), False)])
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


async def test_a_job_that_redis_forgot_is_found_without_maintenance(
    client: Client, resources: Resources, tmp_path: Path
) -> None:
    job = await upload(client)
    await resources.redis.command("FLUSHALL")

    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert final["status"] == Status.COMPLETED


async def test_an_unexpected_fault_of_the_program_is_counted_so_that_it_cannot_go_on_for_ever(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: Any, **__: Any) -> Any:
        raise KeyError("forced")

    monkeypatch.setattr(Slot, "read", read)
    job = await upload(client, png(), pages="1")
    made = Pipeline(resources, scratch=tmp_path / "scratch")
    slot = made.slot(0)

    with pytest.raises(KeyError):
        await made.work(UUID(job["job_id"]), slot)

    await slot.close()
    async with resources.db.session() as cur:
        assert await cur.execute("SELECT number FROM pages WHERE claim IS NOT NULL") == 1
    assert (await found(resources.db, UUID(job["job_id"]))).status is Status.PROCESSING


async def test_a_page_that_is_read_on_opening_takes_two_short_transactions(
    client: Client, resources: Resources, tmp_path: Path
) -> None:
    job, db = await upload(client), Counted(resources.db)

    async with at_work(resources, tmp_path, db=db):
        await completed(client, job["job_id"])

    # Beside the INSERT of the page: the job is locked, claimed, read; locked, opened, rated, finished, its end is added
    # to the history, and it is read.
    assert len(db.statements) == 9
