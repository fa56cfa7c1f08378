"""Jobs that go away while others use them, lost claims and connections, and faults that nobody expects."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock
from uuid import uuid4

import pytest

from docserver.database import migrate
from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.migrate import MigrationError
from docserver.database.tables import documents, jobs, pages
from docserver.documents import results, stored_pages
from docserver.documents.stored_pages import Retried, StoredPages
from docserver.errors import NotFound, ResultNotReady
from docserver.jobs import transitions, worker
from docserver.jobs.leases import Claims
from docserver.jobs.worker import Worker
from docserver.model import Page, PageStatus, Status
from tests.support.pages import JOB
from tests.support.waiting import until


class Cursor:
    """Finds no rows."""

    execute = AsyncMock(return_value=0)

    def row(self) -> None:
        return None


@asynccontextmanager
async def session() -> AsyncIterator[Cursor]:
    yield Cursor()


DB: Any = SimpleNamespace(session=session, transaction=session)
RESOURCES: Any = SimpleNamespace(
    db=DB,
    reads=DB,
    changes=Mock(),
    settings=SimpleNamespace(lease_s=0.001, chunk_pages=2, page_tries=1),
    storage=None,
    engine=SimpleNamespace(name="tesseract"),
)


async def test_a_slot_goes_on_after_a_full_disk_and_an_unexpected_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "FAULT_PAUSE_S", 0)
    job_id, slot = uuid4(), AsyncMock()
    pipeline = Mock(
        has_room=AsyncMock(side_effect=chain([False], repeat(True))),
        work=AsyncMock(side_effect=[ValueError("unexpected"), True]),
        run_heartbeat=AsyncMock(),
        slot=Mock(return_value=slot),
    )
    turns = iter([SimpleNamespace(job_id=job_id)] * 2)

    async def take(**_: object) -> Any:
        await asyncio.sleep(0)
        return next(turns, None)

    slots = Worker(pipeline, Mock(take=take), slots=1)
    pipeline.runnable = AsyncMock(return_value=[])

    slots.start()
    await until(lambda: pipeline.work.await_count == 2)
    await slots.stop(grace_s=60)

    assert pipeline.has_room.await_count >= 3
    assert [record.message for record in caplog.records if record.exc_info] == ["slot met an unexpected fault"]
    slot.close.assert_awaited_once()


async def test_heartbeats_go_on_after_an_unexpected_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    held, second = Claims(RESOURCES), asyncio.Event()
    beats = iter([ValueError("unexpected")])

    async def beat() -> None:
        if fault := next(beats, None):
            raise fault
        second.set()

    monkeypatch.setattr(held, "heartbeat", beat)
    beating = asyncio.create_task(held.run_heartbeat())
    await second.wait()
    beating.cancel()

    assert caplog.messages == ["a heartbeat met an unexpected fault"]


async def test_a_job_that_is_deleted_meanwhile_has_nothing_to_reap() -> None:
    assert await transitions.reap(DB, uuid4()) is None


async def test_a_document_that_is_deleted_meanwhile_gets_no_further_name() -> None:
    cursor: Any = Cursor()

    assert not await documents.add_filename(cursor, uuid4(), "name.pdf")


def page(number: int, status: PageStatus = PageStatus.DONE) -> Page:
    return Page(number, status, None, None)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the database has: each page as done, and the job unchanged, unless a test changes that."""
    have: dict[str, Any] = {"job": JOB, "status": PageStatus.DONE}

    async def with_numbers(*_: object, numbers: list[int], **__: object) -> list[Page]:
        return [page(number, have["status"]) for number in numbers]

    async def find(*_: object) -> Any:
        return have["job"]

    monkeypatch.setattr(pages, "with_numbers", with_numbers)
    monkeypatch.setattr(jobs, "find", find)
    return have


async def loaded(sizes: dict[int, int]) -> list[list[int]]:
    batches = StoredPages(JOB, sizes, None).batches(RESOURCES)
    return [[each.number for each in batch] async for batch in batches]


async def test_pages_are_loaded_a_few_at_a_time(stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_pages, "PAGES_AT_ONCE", 3)
    monkeypatch.setattr(stored_pages, "BYTES_AT_ONCE", 100)

    assert await loaded({1: 1, 2: 1, 3: 1, 4: 60, 6: 60, 7: 900, 8: 1}) == [[1, 2, 3], [4], [6], [7], [8]]


@pytest.mark.parametrize("change", ["pages wait again", "the job was read again", "the job is gone"])
async def test_pages_of_a_job_that_is_retried_meanwhile_are_no_result(stored: dict[str, Any], change: str) -> None:
    if change == "pages wait again":
        stored["status"] = PageStatus.PENDING
    elif change == "the job was read again":
        stored["job"] = SimpleNamespace(version=JOB.version + 1, status=Status.COMPLETED)
    else:
        stored["job"] = None

    with pytest.raises(Retried) as caught:
        await loaded({1: 1})

    assert caught.value.version == (JOB.version + 1 if change == "the job was read again" else JOB.version)


async def test_a_job_that_is_deleted_meanwhile_has_no_result(
    stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "stored_bytes", AsyncMock(return_value={1: 1}))
    stored["job"] = None

    with pytest.raises(NotFound):
        await stored_pages.find(RESOURCES, JOB.id, None, version=1, load_bytes=10)
    with pytest.raises(NotFound):
        await results.document_of(RESOURCES, JOB)


async def test_a_job_that_is_retried_again_and_again_has_no_result_yet() -> None:
    versions: list[int] = []

    async def make(version: int) -> None:
        versions.append(version)
        raise Retried(version + 1)

    wanted: Any = SimpleNamespace(job_version=1)
    with pytest.raises(ResultNotReady):
        await results._of_one_attempt(wanted, make)

    assert versions == list(range(1, 1 + results.CONTENT_TRIES))


@pytest.mark.parametrize("fault", [ConnectionResetError(), asyncio.CancelledError()])
async def test_a_connection_that_cannot_be_rolled_back_is_closed(fault: BaseException) -> None:
    db = Database("mysql://root@127.0.0.1/database", size=2, timeout_s=1)
    connection = Mock(rollback=AsyncMock(side_effect=fault))
    rolling_back: Coroutine[Any, Any, None] = db._settle(connection, ValueError("of the block"))

    if isinstance(fault, asyncio.CancelledError):
        with pytest.raises(asyncio.CancelledError):
            await rolling_back
    else:
        await rolling_back

    connection.close.assert_called_once()


async def test_a_migration_that_another_process_makes_for_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = Mock()
    cursor = connection.cursor.return_value = AsyncMock()
    cursor.__aenter__.return_value = cursor
    cursor.fetchone.return_value = {"locked": 0}
    monkeypatch.setattr(migrate, "_create_database", AsyncMock())
    monkeypatch.setattr(migrate, "_connect", AsyncMock(return_value=connection))

    with pytest.raises(MigrationError, match="another process"):
        await migrate._migrate(Address.parse("mysql://root@127.0.0.1/database"), until=0)

    connection.close.assert_called_once()
