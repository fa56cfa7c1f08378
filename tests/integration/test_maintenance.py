"""What keeps the promise that nothing is lost: leases, announcements and files, a round at a time."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from docserver.database.connection import Database
from docserver.database.tables import claims
from docserver.errors import DatabaseUnavailable
from docserver.maintenance import Maintenance
from docserver.resources import Resources
from tests.support.connections import with_databases
from tests.support.redis_state import announced
from tests.support.rows import (
    CLIENT,
    change,
    claim_job,
    claim_pages,
    finish_job,
    make_job,
    opening_failures,
    pages_of,
    value,
)
from tests.support.waiting import until

PAST = "UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"


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
        lost_leases = [page.lost_leases for page in await pages_of(cur, again)]
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
    await resources.queue.announce(CLIENT, ids[1])

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
    await resources.queue.announce(CLIENT, deleted, final, waiting)
    await change(resources.db, "DELETE FROM documents WHERE id = %s", document_id.bytes)

    await maintenance.round()

    assert await announced(resources) == [waiting]


async def test_one_process_does_it_until_it_stops_or_falls_silent(resources: Resources) -> None:
    first, second, third = (Maintenance(resources) for _ in range(3))

    assert [await candidate._is_leader() for candidate in (first, second, first)] == [True, False, True]
    await change(resources.db, f"UPDATE leaders SET lease_until = {PAST}")
    assert [await candidate._is_leader() for candidate in (second, first)] == [True, False]
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
    running = asyncio.create_task(Maintenance(replace(with_databases(resources, db), settings=settings)).run())
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
    maintenance = Maintenance(replace(with_databases(resources, db), settings=settings))
    running = asyncio.create_task(maintenance.run())
    await until(lambda: db.asked >= 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    db.fault = None

    clock.now += settings.lease_s - 1
    await maintenance.round()
    numbers = (await claim_pages(resources.db, job_id))[1]
    clock.now += 2
    await maintenance.round()

    assert numbers == []
    assert (await claim_pages(resources.db, job_id))[1] == [1]
