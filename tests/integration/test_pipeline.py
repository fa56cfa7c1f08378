"""From a claimed job to its saved pages, while the database fails, commits get no answer, or files vanish."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from docserver.database.connection import Cursor, Database
from docserver.errors import DocumentErrorCode, Failure
from docserver.jobs import reading, transitions
from docserver.jobs.pipeline import Pipeline
from docserver.model import Reading, Status
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from docserver.resources import Resources
from tests.support.at_work import at_work, text_of
from tests.support.client import Client, completed, upload
from tests.support.faulty_database import Switch, Unanswered
from tests.support.rows import found, lost_leases, told
from tests.support.samples import PAGES, pdf_scanned, png, words
from tests.support.samples.pdf_layers import PROSE, lines, pdf, scan
from tests.support.waiting import in_time

TIMEOUT = Failure(DocumentErrorCode.PAGE_TIMEOUT, "It took too long.")


class Counted:
    """A database that keeps its statements."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.statements: list[str] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Cursor]:
        async with self._counted(self._db.session()) as cur:
            yield cur

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Cursor]:
        async with self._counted(self._db.transaction()) as cur:
            yield cur

    @asynccontextmanager
    async def _counted(self, opened: AbstractAsyncContextManager[Cursor]) -> AsyncIterator[Cursor]:
        async with opened as cur:
            execute = cur._execute

            async def counted(sql: str, arguments: Any) -> int:
                self.statements.append(sql)
                return await execute(sql, arguments)

            cur._execute = counted  # type: ignore[method-assign]
            yield cur


@pytest.mark.usefixtures("quick")
async def test_a_page_that_was_read_while_the_database_went_away_is_saved_when_it_is_back(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch, was_read, real = Switch(resources.db), asyncio.Event(), Slot.read

    async def read(self: Slot, *arguments: Any, **more: Any) -> Any:
        result = await real(self, *arguments, **more)
        switch.away = True
        was_read.set()
        return result

    monkeypatch.setattr(Slot, "read", read)
    job = await upload(client, pages="1")
    async with at_work(resources, tmp_path, db=switch):
        await was_read.wait()
        during = await found(resources.db, UUID(job["job_id"]))
        was_read.clear()
        switch.away = False

        final = await completed(client, job["job_id"])

    assert during.pages_done == 0
    assert told(final["history"]) == [(1, "job", None, "completed", None)]
    assert not was_read.is_set(), "it was read once"


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

    async def open_(self: Slot, *arguments: Any, reading: Options | None = None, **_: Any) -> Any:
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
    # As if the page that is read took long.
    monkeypatch.setattr(reading, "SAVE_S", 0.0)
    document = pdf(*[lines(PROSE)] * 7, scan(PROSE[:2]), lines(PROSE), lines(PROSE))
    job = await upload(client, document, "mixed.pdf")
    async with at_work(resources, tmp_path):
        final = await completed(client, job["job_id"])

    assert final["pages"] == {"total": 10, "done": 10, "failed": 0}
    own, read = "text_layer", "ocr"
    # Four were read when the document was opened. Behind a page that was read, each is looked at by itself.
    assert saved == [{5: own, 6: own, 7: own}, {8: read}, {9: own}, {10: own}]
    assert await text_of(client, job["job_id"]) == [
        words(" ".join(PROSE[:2] if number == 8 else PROSE)) for number in range(1, 11)
    ]


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


async def test_a_page_that_is_read_on_opening_takes_few_statements(
    client: Client, resources: Resources, tmp_path: Path
) -> None:
    job, db = await upload(client), Counted(resources.db)

    async with at_work(resources, tmp_path, db=db):
        await completed(client, job["job_id"])

    # Who has work is asked by the loop of the slots.
    of_job = [sql for sql in db.statements if "client" not in sql]
    # Beside the INSERT of the page: the job is read and claimed; a transaction opens it, finishes it, adds its end to
    # the history, reads it, looks up whom to tell, and counts the page for its tenant.
    assert len(of_job) == 8


async def test_the_log_has_the_last_page_before_the_end_of_its_job(
    client: Client, resources: Resources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="docserver.worker")
    first, second = await upload(client), await upload(client, pages="1")
    async with at_work(resources, tmp_path):
        await completed(client, first["job_id"])
        await completed(client, second["job_id"])

    messages = [message for message in caplog.messages if message in ("page read", "job finished")]
    assert messages == ["page read", "job finished"] * 2


async def test_a_slot_knows_whose_document_it_reads(
    client: Client, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_for, real = [], Slot.open

    async def opened(self: Slot, *arguments: Any, **more: Any) -> Any:
        read_for.append(self.client)
        return await real(self, *arguments, **more)

    monkeypatch.setattr(Slot, "open", opened)
    job = await upload(client)
    async with at_work(resources, tmp_path):
        await completed(client, job["job_id"])

    assert read_for == ["127.0.0.1"]
