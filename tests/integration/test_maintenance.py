"""What keeps the promise that nothing is lost: leases, announcements and files, a round at a time."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from docserver import maintenance as module
from docserver.database.connection import Database
from docserver.database.tables import claims, deletions, documents, jobs
from docserver.documents import deletion, intake, queries
from docserver.errors import DatabaseUnavailable, Gone
from docserver.maintenance import DELETED_KEPT_S, FILES_EVERY_S, FILES_GRACE_S, Maintenance
from docserver.model import NewDocument, Options, new_id
from docserver.redis.queue import KEY
from docserver.resources import Resources
from tests.support.rows import change, claim_job, claim_pages, finish_job, make_job, opening_failures, value
from tests.support.samples import png
from tests.support.waiting import until

PAST = "UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"


@pytest.fixture
def maintenance(resources: Resources) -> Maintenance:
    return Maintenance(resources)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of maintenance, which stands still until `now` is moved."""
    stopped = SimpleNamespace(now=time.monotonic() + 2 * FILES_EVERY_S)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: stopped.now))
    return stopped


async def announced(resources: Resources) -> list[UUID]:
    return [UUID(job_id.decode()) for job_id in await resources.redis.command("LRANGE", KEY, 0, -1)]


async def test_pages_whose_reader_fell_silent_are_free_and_announced_again(
    maintenance: Maintenance, resources: Resources
) -> None:
    _, job_id = await make_job(resources.db, total=3)
    await claim_pages(resources.db, job_id, limit=3)
    await maintenance.round()
    before = await announced(resources)
    await change(resources.db, f"UPDATE pages SET lease_until = {PAST} WHERE number < 3")

    await maintenance.round()

    assert before == []
    assert await announced(resources) == [job_id]
    again, numbers = await claim_pages(resources.db, job_id, limit=3)
    async with resources.db.session() as cur:
        lost_leases = [page.lost_leases for page in await claims.pages_of(cur, again)]
    assert (numbers, lost_leases) == ([1, 2], [1, 1])


async def test_a_document_whose_opener_fell_silent_is_free_and_announced_again(
    maintenance: Maintenance, resources: Resources
) -> None:
    _, job_id = await make_job(resources.db)
    await claim_job(resources.db, job_id)
    await maintenance.round()
    before = await announced(resources)
    await change(resources.db, f"UPDATE jobs SET lease_until = {PAST} WHERE id = %s", job_id.bytes)

    await maintenance.round()

    assert before == []
    assert await announced(resources) == [job_id]
    again = uuid4()
    assert await claim_job(resources.db, job_id, again)
    async with resources.db.session() as cur:
        assert await claims.holds_opening(cur, job_id=job_id, claim_id=again)
        assert await opening_failures(cur, job_id) == (0, 1)


async def test_a_lost_announcement_is_repeated_and_never_doubled(
    maintenance: Maintenance, resources: Resources
) -> None:
    ids = [(await make_job(resources.db))[1] for _ in range(3)]
    _, finished = await make_job(resources.db)
    await finish_job(resources.db, finished)
    await resources.queue.announce(ids[1])

    for _ in range(3):
        await maintenance.round()
    await asyncio.gather(*(Maintenance(resources).round() for _ in range(4)))

    assert sorted(await announced(resources)) == sorted(ids)


async def test_announcements_come_back_after_redis_forgot_everything(
    maintenance: Maintenance, resources: Resources
) -> None:
    _, job_id = await make_job(resources.db)
    await maintenance.round()
    await resources.redis.command("FLUSHALL")
    await resources.redis.command("SCRIPT", "FLUSH")

    await maintenance.round()

    assert await announced(resources) == [job_id]


async def test_without_redis_leases_are_freed_all_the_same(resources: Resources, without_redis: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    await claim_pages(resources.db, job_id)
    await change(resources.db, f"UPDATE pages SET lease_until = {PAST}")

    await Maintenance(without_redis).round()

    assert (await claim_pages(resources.db, job_id))[1] == [1]


async def test_announcements_that_lead_nowhere_are_taken_back(maintenance: Maintenance, resources: Resources) -> None:
    document_id, deleted = await make_job(resources.db)
    _, final = await make_job(resources.db)
    _, waiting = await make_job(resources.db)
    await finish_job(resources.db, final)
    await resources.queue.announce(deleted, final, waiting)
    await change(resources.db, "DELETE FROM documents WHERE id = %s", document_id.bytes)

    await maintenance.round()

    assert await announced(resources) == [waiting]


async def test_one_process_does_it_until_it_stops_or_falls_silent(resources: Resources) -> None:
    first, second, third = (Maintenance(resources) for _ in range(3))

    assert [await one._is_leader() for one in (first, second, first)] == [True, False, True]
    await change(resources.db, f"UPDATE leaders SET lease_until = {PAST}")
    assert [await one._is_leader() for one in (second, first)] == [True, False]
    await first._resign()
    assert await third._is_leader() is False
    await second._resign()
    assert await third._is_leader() is True


async def test_of_many_that_want_to_do_it_at_once_one_is_chosen(resources: Resources) -> None:
    elected = await asyncio.gather(*(Maintenance(resources)._is_leader() for _ in range(8)))

    assert sorted(elected) == [False] * 7 + [True]


async def test_a_process_that_stops_leaves_it_to_the_others_at_once(resources: Resources) -> None:
    running = asyncio.create_task(Maintenance(resources).run())
    other = Maintenance(resources)
    while await value(resources.db, "SELECT COUNT(*) FROM leaders") == 0:
        await asyncio.sleep(0.01)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert await other._is_leader() is True


async def uploaded(resources: Resources, *, expires_in_s: int | None = None) -> tuple[UUID, UUID]:
    """A document that was uploaded, and its job."""

    async def chunks() -> AsyncIterator[bytes]:
        yield png()

    job, _ = await intake.accept(
        resources,
        await intake.receive(resources, chunks()),
        intake.Upload("a.png", Options("eng"), client=str(uuid4()), request_id="r", expires_in_s=expires_in_s),
    )
    return job.document_id, job.id


def originals(resources: Resources) -> list[Path]:
    return [path for path in (resources.settings.data_dir / "originals").rglob("*") if path.is_file()]


async def left_of(resources: Resources, job_id: UUID) -> list[Any]:
    """All that is left of a document and its job, but for the mark that keeps late writers from bringing it back."""
    kept = await resources.cache.job(job_id, stale=True)
    async with resources.db.session() as cur:
        row = await jobs.find(cur, job_id)
    return [found for found in (kept, row, *originals(resources), *await announced(resources)) if found]


async def test_a_document_is_removed_with_all_it_left_when_its_time_is_over(
    maintenance: Maintenance, resources: Resources
) -> None:
    _, kept_job = await uploaded(resources)
    _, later_job = await uploaded(resources, expires_in_s=3600)
    kept_files = set(originals(resources))
    document_id, job_id = await uploaded(resources, expires_in_s=60)
    await change(resources.db, f"UPDATE documents SET expires_at = {PAST} WHERE id = %s", document_id.bytes)

    await maintenance.round()

    assert set(originals(resources)) == kept_files
    assert await announced(resources) == [kept_job, later_job]
    assert await resources.cache.job(job_id, stale=True) is None
    with pytest.raises(Gone):
        await queries.document(resources, document_id)


async def test_a_document_that_was_uploaded_again_is_kept_as_long_as_either_upload_asks(
    maintenance: Maintenance, resources: Resources
) -> None:
    document_id, _ = await uploaded(resources, expires_in_s=60)

    async def left_s(asked_s: int | None) -> Any:
        async with resources.db.session() as cur:
            assert await documents.prolong(cur, document_id, expires_in_s=asked_s)
        return await value(resources.db, "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), expires_at) FROM documents")

    assert await left_s(30) == pytest.approx(60, abs=10)
    await change(resources.db, f"UPDATE documents SET expires_at = {PAST}")
    assert await left_s(600) == pytest.approx(600, abs=10)
    await deletion.expire(resources, document_id)
    assert [await left_s(asked_s) for asked_s in (None, 60)] == [None, None]
    async with resources.db.session() as cur:
        assert await documents.prolong(cur, uuid4(), expires_in_s=60) is False


async def test_what_a_deletion_could_not_clear_while_redis_was_away_is_cleared_later(
    maintenance: Maintenance, resources: Resources, without_redis: Resources
) -> None:
    document_id, job_id = await uploaded(resources)

    await deletion.delete(without_redis, document_id)
    left = await left_of(resources, job_id)
    await maintenance.round()

    assert left != []
    assert await left_of(resources, job_id) == []
    async with resources.db.session() as cur:
        assert await deletions.uncleared(cur, limit=10) == []


async def test_a_deletion_whose_process_died_half_way_is_carried_through(
    maintenance: Maintenance, resources: Resources
) -> None:
    document_id, job_id = await uploaded(resources)
    await deletion._delete_rows(resources, document_id)

    await maintenance.round()

    assert await left_of(resources, job_id) == []


async def test_that_a_document_was_deleted_is_told_for_a_month_and_longer_while_something_is_left(
    maintenance: Maintenance, resources: Resources, without_redis: Resources
) -> None:
    old, young, uncleared = [(await uploaded(resources))[0] for _ in range(3)]
    for document_id in (old, young):
        await deletion.delete(resources, document_id)
    await deletion.delete(without_redis, uncleared)
    for document_id, age in ((old, DELETED_KEPT_S + 60), (young, DELETED_KEPT_S - 60), (uncleared, 2 * DELETED_KEPT_S)):
        await change(
            resources.db,
            "UPDATE deleted_documents SET deleted_at = UTC_TIMESTAMP(6) - INTERVAL %s SECOND WHERE id = %s",
            int(age),
            document_id.bytes,
        )

    await Maintenance(without_redis).round()

    async with resources.db.session() as cur:
        told = [await deletions.was_deleted(cur, one) for one in (old, young, uncleared)]
    assert told == [False, True, True]


class Files:
    """Originals in the storage, with the age that a test wants."""

    def __init__(self, resources: Resources) -> None:
        self._storage = resources.storage

    async def keep(self, document_id: UUID, *, age_s: float) -> Path:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"content"

        await self._storage.keep(await self._storage.receive(chunks(), max_bytes=100), document_id)
        path = await self._storage.path(document_id)
        then = time.time() - age_s
        os.utime(path, (then, then))
        return path


@pytest.fixture
def files(resources: Resources) -> Files:
    return Files(resources)


async def look_twice(maintenance: Maintenance, clock: SimpleNamespace) -> None:
    """Let maintenance look at the files, and again at the next time."""
    for _ in range(2):
        clock.now += FILES_EVERY_S + 1
        await maintenance.round()


async def test_a_file_is_removed_only_without_a_row_and_only_after_the_grace(
    maintenance: Maintenance, resources: Resources, files: Files, clock: SimpleNamespace
) -> None:
    document_id, _ = await make_job(resources.db)
    kept = [
        await files.keep(document_id, age_s=FILES_GRACE_S * 100),
        await files.keep(uuid4(), age_s=FILES_GRACE_S - 60),
    ]
    orphan = await files.keep(uuid4(), age_s=FILES_GRACE_S + 60)

    await look_twice(maintenance, clock)

    assert [path.exists() for path in kept] == [True, True]
    assert not orphan.exists()


async def test_a_file_that_only_seems_old_is_kept_while_its_commit_is_under_way(
    maintenance: Maintenance, resources: Resources, files: Files, clock: SimpleNamespace
) -> None:
    document_id, job_id = new_id(), new_id()
    path = await files.keep(document_id, age_s=2 * FILES_GRACE_S)
    await maintenance.round()
    new = NewDocument(id=document_id, filename="a.png", content_type="image/png", size=5, sha256=bytes(32))
    async with resources.db.session() as cur:
        await documents.insert(cur, new, job_id=job_id, client="c")

    await look_twice(maintenance, clock)

    assert path.exists()


async def test_all_orphans_are_removed_however_many_there_are(
    maintenance: Maintenance,
    resources: Resources,
    files: Files,
    clock: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FILES_AT_ONCE", 2)
    document_ids = [(await make_job(resources.db))[0] for _ in range(2)]
    kept = [await files.keep(document_id, age_s=2 * FILES_GRACE_S) for document_id in document_ids]
    orphans = [await files.keep(uuid4(), age_s=2 * FILES_GRACE_S) for _ in range(5)]

    await look_twice(maintenance, clock)

    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in orphans)


async def test_files_are_looked_through_only_now_and_then(
    maintenance: Maintenance, files: Files, clock: SimpleNamespace
) -> None:
    orphan = await files.keep(uuid4(), age_s=2 * FILES_GRACE_S)
    await maintenance.round()

    clock.now += FILES_EVERY_S - 1
    await maintenance.round()
    still_there = orphan.exists()
    clock.now += 2
    await maintenance.round()

    assert still_there
    assert not orphan.exists()


@pytest.mark.usefixtures("clock")
async def test_an_upload_that_was_abandoned_is_removed_after_the_grace(
    maintenance: Maintenance, resources: Resources
) -> None:
    incoming = resources.settings.data_dir / "incoming"
    old, young = incoming / "old.part", incoming / "young.part"
    for path, age_s in ((old, FILES_GRACE_S + 60), (young, FILES_GRACE_S - 60)):
        path.write_bytes(b"x")
        then = time.time() - age_s
        os.utime(path, (then, then))

    await maintenance.round()

    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.usefixtures("clock")
async def test_while_the_database_is_away_no_file_is_taken_for_an_orphan(
    resources: Resources, files: Files, tmp_path: Path
) -> None:
    away = Database(f"mysql:///x?unix_socket={quote(str(tmp_path / 'nothing'))}", size=2, timeout_s=1)
    path = await files.keep(uuid4(), age_s=2 * FILES_GRACE_S)
    maintenance = Maintenance(replace(resources, db=away))

    with pytest.raises(DatabaseUnavailable):
        await maintenance.round()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await maintenance._collect_files()

    assert path.exists()


class Faulty:
    """A database that fails in a way of one's choice until it is told to work."""

    def __init__(self, db: Database, fault: Exception) -> None:
        self._db = db
        self.fault: Exception | None = fault
        self.asked = 0

    def session(self) -> Any:
        self.asked += 1
        if self.fault:
            raise self.fault
        return self._db.session()

    def transaction(self) -> Any:
        return self._db.transaction()


@pytest.mark.parametrize("fault", [DatabaseUnavailable("forced"), KeyError("forced")])
async def test_rounds_go_on_after_a_fault(resources: Resources, fault: Exception) -> None:
    db = Faulty(resources.db, fault)
    _, job_id = await make_job(resources.db)
    settings = replace(resources.settings, maintenance_s=0.02)
    running = asyncio.create_task(Maintenance(replace(resources, db=db, settings=settings)).run())  # type: ignore[arg-type]
    await until(lambda: db.asked >= 2)
    assert await announced(resources) == []

    db.fault = None

    while await announced(resources) != [job_id]:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_after_an_outage_workers_have_a_lease_s_time_to_show_that_they_live(
    resources: Resources, clock: SimpleNamespace
) -> None:
    _, job_id = await make_job(resources.db, total=1)
    await claim_pages(resources.db, job_id)
    await change(resources.db, f"UPDATE pages SET lease_until = {PAST}")
    db = Faulty(resources.db, DatabaseUnavailable("forced"))
    settings = replace(resources.settings, maintenance_s=0.01)
    maintenance = Maintenance(replace(resources, db=db, settings=settings))  # type: ignore[arg-type]
    running = asyncio.create_task(maintenance.run())
    await until(lambda: db.asked >= 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    db.fault = None

    clock.now += settings.lease_s - 1
    await maintenance.round()
    held = (await claim_pages(resources.db, job_id))[1]
    clock.now += 2
    await maintenance.round()

    assert held == []
    assert (await claim_pages(resources.db, job_id))[1] == [1]
