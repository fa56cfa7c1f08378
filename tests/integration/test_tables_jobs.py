"""The statements on jobs: claims, tries, counts and ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Database
from docserver.database.tables import claims, deletions, documents, jobs, pages
from docserver.database.tables.deletions import Deletion
from docserver.database.tables.tenants import Quotas
from docserver.jobs import restarts, transitions
from docserver.model import Status, new_id
from docserver.reading_options import Options
from tests.support.rows import (
    CLIENT,
    CONTENT_SHA256,
    ENGINE,
    TIMEOUT,
    change,
    claim_job,
    claim_pages,
    finish_job,
    found,
    make_job,
    opening_failures,
    runnable,
    value,
)
from tests.support.waiting import until


async def test_a_new_job_is_pending_with_the_options_it_was_given(db: Database) -> None:
    document_id, job_id = await make_job(db, pages="1-3")

    job = await found(db, job_id)

    assert (job.document_id, job.status, job.version) == (document_id, Status.PENDING, 1)
    assert (job.options, job.request_id) == (Options("eng", "1-3"), "request")
    assert (job.pages_total, job.pages_done, job.pages_failed, job.attempt) == (None, 0, 0, 1)
    assert (job.started_at, job.finished_at, job.failure, job.engine) == (None, None, None, None)


async def test_times_are_those_of_the_database_in_utc(db: Database) -> None:
    _, job_id = await make_job(db)

    now = await value(db, "SELECT UTC_TIMESTAMP(6) AS now")
    created = (await found(db, job_id)).created_at

    assert timedelta(0) <= now - created < timedelta(seconds=5)


async def test_a_document_that_does_not_exist_has_no_job(db: Database) -> None:
    async with db.session() as cur:
        assert await documents.find(cur, uuid4(), tenant=DEFAULT_TENANT) is None
        assert await jobs.find(cur, uuid4()) is None
        assert await jobs.of_document(cur, uuid4()) == []
        assert await deletions.was_deleted(cur, uuid4(), tenant=DEFAULT_TENANT) is False
        assert await documents.delete(cur, uuid4()) is False


async def test_only_one_of_many_claims_of_a_job_wins(db: Database) -> None:
    _, job_id = await make_job(db)

    taken = await asyncio.gather(*(claim_job(db, job_id) for _ in range(20)))

    assert sorted(taken) == [False] * 19 + [True]


async def test_a_claim_begins_the_job_and_keeps_when_it_began(db: Database) -> None:
    _, job_id = await make_job(db)
    claim_id = uuid4()
    await claim_job(db, job_id, claim_id)
    begun = await found(db, job_id)
    async with db.session() as cur:
        assert await claims.release(cur, [claim_id]) == 1

    await claim_job(db, job_id)
    again = await found(db, job_id)

    assert (begun.status, begun.version, begun.engine) == (Status.PROCESSING, 2, ENGINE)
    assert begun.started_at is not None
    assert (again.started_at, again.version) == (begun.started_at, 3)


@pytest.mark.parametrize(
    "why", ["run_after = UTC_TIMESTAMP(6) + INTERVAL 60 SECOND", "pages_total = 1", "status = 'failed'", "claim = 'x'"]
)
async def test_a_job_that_is_opened_taken_final_or_not_due_cannot_be_claimed(db: Database, why: str) -> None:
    _, job_id = await make_job(db)
    await change(db, f"UPDATE jobs SET {why} WHERE id = %s", job_id.bytes)

    assert await claim_job(db, job_id) is False


async def test_a_job_that_was_changed_since_it_was_read_cannot_be_claimed(db: Database) -> None:
    _, job_id = await make_job(db)
    claim: Any = {"job_id": job_id, "claim_id": uuid4(), "lease_s": 30.0, "engine": {}}

    async with db.session() as cur:
        assert await claims.take_opening(cur, version=2, **claim) is None
        started_at = await claims.take_opening(cur, version=1, **claim)

    job = await found(db, job_id)
    assert (job.status, job.version, job.started_at) == (Status.PROCESSING, 2, started_at)


async def test_who_lost_the_right_to_open_a_job_changes_nothing(db: Database) -> None:
    _, job_id = await make_job(db)
    mine, stale = uuid4(), uuid4()
    await claim_job(db, job_id, mine)
    before = await found(db, job_id)

    async with db.session() as cur:
        assert not await claims.holds_opening(cur, job_id=job_id, claim_id=stale)
        assert await jobs.opened(cur, job_id=job_id, claim_id=stale, pages_total=1) is False
        assert await claims.release(cur, [stale]) == 0
        assert await jobs.postpone(cur, job_id=job_id, claim_id=stale, delay_s=5) is False

    assert await found(db, job_id) == before
    async with db.session() as cur:
        assert await claims.holds_opening(cur, job_id=job_id, claim_id=mine)
        assert await opening_failures(cur, job_id) == (0, 0)
        assert await jobs.opened(cur, job_id=job_id, claim_id=mine, pages_total=1) is True


async def test_an_opening_that_is_postponed_counts_a_try_and_is_not_due_at_once(db: Database) -> None:
    _, job_id = await make_job(db)
    claim_id = uuid4()
    await claim_job(db, job_id, claim_id)
    async with db.session() as cur:
        assert await jobs.postpone(cur, job_id=job_id, claim_id=claim_id, delay_s=60)

    assert await claim_job(db, job_id) is False

    await change(db, "UPDATE jobs SET run_after = UTC_TIMESTAMP(6) WHERE id = %s", job_id.bytes)
    assert await claim_job(db, job_id, claim_id) is True
    async with db.session() as cur:
        assert await claims.holds_opening(cur, job_id=job_id, claim_id=claim_id)
        assert await opening_failures(cur, job_id) == (1, 0)


async def test_a_job_that_is_given_back_can_be_claimed_at_once_and_counts_no_try(db: Database) -> None:
    _, job_id = await make_job(db)
    claim_id = uuid4()
    await claim_job(db, job_id, claim_id)
    async with db.session() as cur:
        assert await claims.release(cur, [claim_id]) == 1

    assert await claim_job(db, job_id, claim_id) is True
    async with db.session() as cur:
        assert await claims.holds_opening(cur, job_id=job_id, claim_id=claim_id)
        assert await opening_failures(cur, job_id) == (0, 0)


async def test_what_can_be_worked_on_is_what_has_work_that_is_due_and_that_nobody_does(db: Database) -> None:
    _, new = await make_job(db)
    _, half_read = await make_job(db, total=3)
    await claim_pages(db, half_read, limit=1)
    _, being_opened = await make_job(db)
    await claim_job(db, being_opened)
    _, being_read = await make_job(db, total=2)
    await claim_pages(db, being_read, limit=2)
    _, postponed = await make_job(db)
    await change(db, "UPDATE jobs SET run_after = UTC_TIMESTAMP(6) + INTERVAL 60 SECOND WHERE id = %s", postponed.bytes)
    _, page_postponed = await make_job(db, total=1)
    claim_id, _ = await claim_pages(db, page_postponed)
    async with db.session() as cur:
        await pages.postpone(cur, job_id=page_postponed, number=1, claim_id=claim_id, delay_s=60)
    for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        _, final = await make_job(db, total=1)
        await finish_job(db, final, status)
        _, final_before_opening = await make_job(db)
        await finish_job(db, final_before_opening, status)
    _, last = await make_job(db)

    assert await runnable(db) == [new, half_read, last]
    assert await runnable(db, limit=1) == [new]


async def test_counting_a_page_moves_the_counts_the_version_and_the_estimate(db: Database) -> None:
    _, job_id = await make_job(db, total=4)
    await change(db, "UPDATE jobs SET started_at = UTC_TIMESTAMP(6) - INTERVAL 10 SECOND WHERE id = %s", job_id.bytes)
    before = await found(db, job_id)

    async with db.transaction() as cur:
        await jobs.lock(cur, job_id)
        await jobs.count_pages(cur, job_id=job_id, done=1, failed=0)
    first = await found(db, job_id)
    async with db.transaction() as cur:
        await jobs.lock(cur, job_id)
        await jobs.count_pages(cur, job_id=job_id, done=0, failed=1)
    second = await found(db, job_id)

    assert (first.pages_done, first.pages_failed, first.version) == (1, 0, before.version + 1)
    assert first.eta_s == pytest.approx(30, abs=5)
    assert (second.pages_done, second.pages_failed, second.version) == (1, 1, before.version + 2)
    assert second.eta_s == pytest.approx(10, abs=3)


async def test_a_finished_job_has_its_status_its_failure_and_nobody_at_work(db: Database) -> None:
    _, job_id = await make_job(db)
    await claim_job(db, job_id)
    before = await found(db, job_id)

    await finish_job(db, job_id, Status.FAILED, replace(TIMEOUT, page=7))

    job = await found(db, job_id)
    assert (job.status, job.failure, job.version) == (Status.FAILED, replace(TIMEOUT, page=7), before.version + 1)
    assert (job.eta_s, job.finished_at is not None) == (None, True)
    assert await value(db, "SELECT claim FROM jobs WHERE id = %s", job_id.bytes) is None


async def test_jobs_come_each_with_its_own_history_in_order(db: Database) -> None:
    document_id, twice = await make_job(db, total=1)
    await transitions.cancel(db, twice, tenant=DEFAULT_TENANT)
    await restarts.retry(
        db, twice, selection=None, changes={}, request_id="again", tenant=DEFAULT_TENANT, quotas=Quotas()
    )
    await transitions.cancel(db, twice, tenant=DEFAULT_TENANT)
    never = new_id()
    async with db.session() as cur:
        await jobs.insert(
            cur,
            job_id=never,
            document_id=document_id,
            client=CLIENT,
            options=Options("eng"),
            request_id="request",
            tenant=DEFAULT_TENANT,
        )

        listed = await jobs.of_document(cur, document_id)
        same = await jobs.of_content(cur, client="10.0.0.1", sha256=CONTENT_SHA256, limit=5)

    assert [(job.id, [entry.attempt for entry in job.history]) for job in listed] == [(never, []), (twice, [1, 2])]
    assert same == listed[:1]
    assert listed[1] == await found(db, twice)
    first, second = listed[1].history
    assert first.started_at is not None
    assert (second.started_at, second.ended_at) == (None, listed[1].finished_at)


async def test_a_new_job_is_known_as_it_is_stored(db: Database) -> None:
    document_id, _ = await make_job(db)
    async with db.transaction() as cur:
        inserted = await jobs.insert(
            cur,
            job_id=new_id(),
            document_id=document_id,
            client=CLIENT,
            options=Options("eng"),
            request_id="request",
            tenant=DEFAULT_TENANT,
        )

    assert inserted == await found(db, inserted.id)


async def test_a_locked_job_makes_others_wait_until_its_transaction_is_over(db: Database) -> None:
    _, job_id = await make_job(db, total=2)

    async def count() -> int:
        async with db.transaction() as cur:
            job = await jobs.lock(cur, job_id)
            assert job
            await jobs.count_pages(cur, job_id=job_id, done=1, failed=0)
            return job.pages_done

    assert sorted(await asyncio.gather(*(count() for _ in range(8)))) == list(range(8))


async def test_deleting_a_document_takes_its_jobs_pages_and_history_along(db: Database) -> None:
    document_id, job_id = await make_job(db, total=2)
    other_document, other_job = await make_job(db, total=1)
    for ended in (job_id, other_job):
        await transitions.cancel(db, ended, tenant=DEFAULT_TENANT)

    async with db.transaction() as cur:
        assert await documents.delete(cur, document_id) is True
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))

    async with db.session() as cur:
        assert await documents.find(cur, document_id, tenant=DEFAULT_TENANT) is None
        assert await jobs.find(cur, job_id) is None
        assert await pages.stored_bytes(cur, job_id=job_id, ranges=None) == {}
        assert await deletions.was_deleted(cur, document_id, tenant=DEFAULT_TENANT) is True
        assert await documents.existing(cur, [document_id, other_document]) == {other_document}
        assert len(await pages.stored_bytes(cur, job_id=other_job, ranges=None)) == 1
    assert await value(db, "SELECT COUNT(*) FROM job_history") == 1


async def test_a_claim_ends_while_its_lease_is_about_to_be_extended(db: Database) -> None:
    _, job_id = await make_job(db)
    claim_id = uuid4()
    await claim_job(db, job_id, claim_id)

    async def extend() -> None:
        async with db.session() as cur:
            await claims.extend(cur, [claim_id], lease_s=30.0)

    async def waits() -> bool:
        async with db.session() as cur:
            await cur.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
            return int(cur.only_row()["Value"]) > 0

    async with db.transaction() as cur:
        await jobs.lock(cur, job_id)
        heartbeat = asyncio.create_task(extend())
        await until(waits)
        assert await jobs.opened(cur, job_id=job_id, claim_id=claim_id, pages_total=1)
    await heartbeat

    assert (await found(db, job_id)).pages_total == 1
