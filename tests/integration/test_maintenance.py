"""What keeps the promise that nothing is lost: leases, announcements and files, a round at a time."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from docserver import maintenance as module
from docserver.db import Database
from docserver.errors import DatabaseUnavailable
from docserver.maintenance import FILES_EVERY_S, FILES_GRACE_S, Maintenance
from docserver.queue import KEY
from docserver.resources import Resources
from docserver.tables import jobs, pages
from tests.integration.test_tables import change, claim_job, claim_pages, finish_job, make_job

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
        losses = [page.losses for page in await pages.claimed(cur, again)]
    assert (numbers, losses) == ([1, 2], [1, 1])


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
        assert await jobs.claimed(cur, job_id=job_id, claim_id=again) == jobs.Claimed(tries=0, losses=1)


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


@pytest.mark.usefixtures("clock")
async def test_a_file_is_removed_only_without_a_row_and_only_after_the_grace(
    maintenance: Maintenance, resources: Resources, files: Files
) -> None:
    document_id, _ = await make_job(resources.db)
    kept = [
        await files.keep(document_id, age_s=FILES_GRACE_S * 100),
        await files.keep(uuid4(), age_s=FILES_GRACE_S - 60),
    ]
    orphan = await files.keep(uuid4(), age_s=FILES_GRACE_S + 60)

    await maintenance.round()

    assert [path.exists() for path in kept] == [True, True]
    assert not orphan.exists()


@pytest.mark.usefixtures("clock")
async def test_all_orphans_are_removed_however_many_there_are(
    maintenance: Maintenance, resources: Resources, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILES_AT_ONCE", 2)
    document_ids = [(await make_job(resources.db))[0] for _ in range(2)]
    kept = [await files.keep(document_id, age_s=2 * FILES_GRACE_S) for document_id in document_ids]
    orphans = [await files.keep(uuid4(), age_s=2 * FILES_GRACE_S) for _ in range(5)]

    await maintenance.round()

    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in orphans)


async def test_files_are_looked_through_only_now_and_then(
    maintenance: Maintenance, files: Files, clock: SimpleNamespace
) -> None:
    await maintenance.round()
    orphan = await files.keep(uuid4(), age_s=2 * FILES_GRACE_S)

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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", [DatabaseUnavailable("forced"), KeyError("forced")])
async def test_rounds_go_on_after_a_fault(resources: Resources, fault: Exception) -> None:
    db = Faulty(resources.db, fault)
    _, job_id = await make_job(resources.db)
    settings = replace(resources.settings, maintenance_s=0.02)
    running = asyncio.create_task(Maintenance(replace(resources, db=db, settings=settings)).run())  # type: ignore[arg-type]
    await until(lambda: db.asked >= 2)
    assert await announced(resources) == []

    db.fault = None

    async with asyncio.timeout(10):
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
