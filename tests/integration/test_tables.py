"""The SQL of documents, jobs and pages: who may claim and write what."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from docserver.database.connection import Database
from docserver.database.tables import claims, deletions, documents, jobs, pages
from docserver.jobs import transitions
from docserver.model import Options, PageStatus, Status, new_id
from tests.support.rows import (
    ENGINE,
    LEASE_S,
    READING,
    TIMEOUT,
    change,
    claim_job,
    claim_pages,
    finish_job,
    found,
    make_job,
    opening_failures,
    value,
)


async def runnable(db: Database, *, limit: int = 100) -> list[UUID]:
    async with db.session() as cur:
        return await jobs.runnable(cur, limit=limit)


async def test_pages_are_given_back_from_one_on_and_those_of_other_claims_are_not(db: Database) -> None:
    _, job_id = await make_job(db, total=5)
    mine, _ = await claim_pages(db, job_id, limit=3)
    other, theirs = await claim_pages(db, job_id, limit=2)

    async with db.session() as cur:
        await claims.release_pages(cur, claim_id=mine, first=2)

        assert [page.number for page in await claims.pages_of(cur, mine)] == [1]
        assert [page.number for page in await claims.pages_of(cur, other)] == theirs == [4, 5]
    assert (await claim_pages(db, job_id, limit=5))[1] == [2, 3]


async def test_a_page_that_is_to_be_read_again_says_nothing_until_then(db: Database) -> None:
    _, job_id = await make_job(db, total=1)
    claim_id, _ = await claim_pages(db, job_id)
    async with db.session() as cur:
        await pages.finish(cur, job_id=job_id, number=1, claim_id=claim_id, reading=READING)

        await pages.reset(cur, job_id=job_id, numbers=[1])

        await cur.execute("SELECT text, layout, width, confidence, finished_at FROM pages")
        assert set(cur.only_row().values()) == {None}


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
        assert await documents.find(cur, uuid4()) is None
        assert await jobs.find(cur, uuid4()) is None
        assert await jobs.of_document(cur, uuid4()) == []
        assert await deletions.was_deleted(cur, uuid4()) is False
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


async def test_many_claimers_share_the_pages_of_a_job_without_overlap(db: Database) -> None:
    _, job_id = await make_job(db, total=40)

    chunks = await asyncio.gather(*(claim_pages(db, job_id, limit=2) for _ in range(25)))

    numbers = [number for _, chunk in chunks for number in chunk]
    assert sorted(numbers) == list(range(1, 41))
    assert sum(not chunk for _, chunk in chunks) == 5


async def test_pages_are_claimed_lowest_first_as_many_as_asked_for(db: Database) -> None:
    _, job_id = await make_job(db, total=5)

    chunks = [(await claim_pages(db, job_id, limit=limit))[1] for limit in (1, 3, 3, 1)]

    assert chunks == [[1], [2, 3, 4], [5], []]


async def test_a_claim_takes_pages_of_its_job_alone(db: Database) -> None:
    _, one = await make_job(db, total=1)
    _, other = await make_job(db, total=1)

    assert (await claim_pages(db, one))[1] == [1]

    assert (await claim_pages(db, other))[1] == [1]


async def test_a_page_is_stored_with_all_it_says(db: Database) -> None:
    _, job_id = await make_job(db, total=2)
    claim_id, _ = await claim_pages(db, job_id)

    async with db.session() as cur:
        assert await pages.finish(cur, job_id=job_id, number=2, claim_id=claim_id, reading=READING) is True
        assert await pages.fail(cur, job_id=job_id, number=1, claim_id=claim_id, failure=TIMEOUT) is True
        first, second = await pages.of_job(cur, job_id=job_id, after=0, limit=10)
        failure = await pages.first_failure(cur, job_id)

    assert (second.number, second.status, second.reading, second.failure) == (2, PageStatus.DONE, READING, None)
    assert (first.number, first.status, first.reading, first.failure) == (1, PageStatus.FAILED, None, TIMEOUT)
    assert failure == TIMEOUT


async def test_pages_come_in_order_and_in_parts(db: Database) -> None:
    _, job_id = await make_job(db, total=5)

    async with db.session() as cur:
        parts = [await pages.of_job(cur, job_id=job_id, after=after, limit=2) for after in (0, 2, 4, 5)]

    assert [[page.number for page in part] for part in parts] == [[1, 2], [3, 4], [5], []]


async def test_a_worker_that_was_thought_dead_overwrites_nothing(db: Database) -> None:
    _, job_id = await make_job(db, total=1)
    stale, _ = await claim_pages(db, job_id)
    await change(
        db, "UPDATE pages SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE job_id = %s", job_id.bytes
    )
    assert await transitions.reap(db, job_id) is not None
    fresh, _ = await claim_pages(db, job_id)

    async with db.session() as cur:
        assert await claims.pages_of(cur, stale) == []
        assert await claims.pages_of(cur, fresh) == [claims.ClaimedPage(number=1, tries=0, lost_leases=1)]
        assert await pages.finish(cur, job_id=job_id, number=1, claim_id=stale, reading=READING) is False
        assert await pages.fail(cur, job_id=job_id, number=1, claim_id=stale, failure=TIMEOUT) is False
        assert await pages.postpone(cur, job_id=job_id, number=1, claim_id=stale, delay_s=1) is False
        assert await claims.release(cur, [stale]) == 0
        assert await pages.finish(cur, job_id=job_id, number=1, claim_id=fresh, reading=READING) is True


async def test_a_page_is_finished_once(db: Database) -> None:
    _, job_id = await make_job(db, total=1)
    claim_id, _ = await claim_pages(db, job_id)

    async with db.session() as cur:
        assert await pages.finish(cur, job_id=job_id, number=1, claim_id=claim_id, reading=READING) is True
        assert await pages.finish(cur, job_id=job_id, number=1, claim_id=claim_id, reading=READING) is False
        assert await pages.fail(cur, job_id=job_id, number=1, claim_id=claim_id, failure=TIMEOUT) is False


async def test_a_page_that_is_postponed_counts_a_try_and_waits(db: Database) -> None:
    _, job_id = await make_job(db, total=1)
    claim_id, _ = await claim_pages(db, job_id)
    async with db.session() as cur:
        assert await pages.postpone(cur, job_id=job_id, number=1, claim_id=claim_id, delay_s=60)
        assert await pages.waiting(cur, job_id) is False

    assert (await claim_pages(db, job_id))[1] == []

    await change(db, "UPDATE pages SET run_after = UTC_TIMESTAMP(6) WHERE job_id = %s", job_id.bytes)
    again, _ = await claim_pages(db, job_id)
    async with db.session() as cur:
        assert await claims.pages_of(cur, again) == [claims.ClaimedPage(number=1, tries=1, lost_leases=0)]


async def test_pages_that_are_given_back_are_free_and_those_that_were_read_stay_read(db: Database) -> None:
    _, job_id = await make_job(db, total=3)
    claim_id, _ = await claim_pages(db, job_id, limit=3)
    async with db.session() as cur:
        await pages.finish(cur, job_id=job_id, number=1, claim_id=claim_id, reading=READING)

        assert await pages.waiting(cur, job_id) is False
        assert await claims.release(cur, [claim_id]) == 2
        assert await pages.waiting(cur, job_id) is True

    assert (await claim_pages(db, job_id, limit=3))[1] == [2, 3]


async def test_only_leases_that_ran_out_expire_and_those_that_are_extended_do_not(db: Database) -> None:
    _, read = await make_job(db, total=3)
    _, opening = await make_job(db)
    _, kept_opening = await make_job(db)
    lost, _ = await claim_pages(db, read, limit=1)
    kept, _ = await claim_pages(db, read, limit=1)
    lost_job, kept_job = uuid4(), uuid4()
    await claim_job(db, opening, lost_job)
    await claim_job(db, kept_opening, kept_job)
    for table in ("jobs", "pages"):
        await change(
            db, f"UPDATE {table} SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE claim IS NOT NULL"
        )

    async with db.session() as cur:
        await claims.extend(cur, [kept, kept_job], lease_s=LEASE_S)
        assert await claims.valid(cur, [lost, kept, lost_job, kept_job, uuid4()]) == {
            lost,
            kept,
            lost_job,
            kept_job,
        }
        assert sorted(await claims.jobs_with_expired_leases(cur, limit=10)) == sorted([read, opening])
        assert len(await claims.jobs_with_expired_leases(cur, limit=1)) == 1
    for job_id in (read, opening):
        assert await transitions.reap(db, job_id) is not None
    for job_id in (read, opening, kept_opening):
        assert await transitions.reap(db, job_id) is None

    async with db.session() as cur:
        assert await claims.jobs_with_expired_leases(cur, limit=10) == []
        assert await claims.valid(cur, [lost, kept, lost_job, kept_job]) == {kept, kept_job}
        assert await claims.pages_of(cur, lost) == []
        assert await claims.pages_of(cur, kept) == [claims.ClaimedPage(number=2, tries=0, lost_leases=0)]
        assert not await claims.holds_opening(cur, job_id=opening, claim_id=lost_job)
        assert await claims.holds_opening(cur, job_id=kept_opening, claim_id=kept_job)
        assert await opening_failures(cur, kept_opening) == (0, 0)

    again = uuid4()
    assert await claim_job(db, opening, again)
    async with db.session() as cur:
        assert await claims.holds_opening(cur, job_id=opening, claim_id=again)
        assert await opening_failures(cur, opening) == (0, 1)


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
    await transitions.cancel(db, twice)
    await transitions.retry(db, twice, selection=None, changes={}, request_id="again")
    await transitions.cancel(db, twice)
    never = new_id()
    async with db.session() as cur:
        await jobs.insert(cur, job_id=never, document_id=document_id, options=Options("eng"), request_id="request")

        listed = await jobs.of_document(cur, document_id)
        same = await jobs.of_content(cur, client="10.0.0.1", sha256=bytes(32), limit=5)

    assert [(job.id, [entry.attempt for entry in job.history]) for job in listed] == [(never, []), (twice, [1, 2])]
    assert same == listed[:1]
    assert listed[1] == await found(db, twice)
    first, second = listed[1].history
    assert first.started_at is not None
    assert (second.started_at, second.ended_at) == (None, listed[1].finished_at)


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
        await transitions.cancel(db, ended)

    async with db.transaction() as cur:
        assert await documents.delete(cur, document_id) is True
        await deletions.remember(cur, document_id, job_ids=[])

    async with db.session() as cur:
        assert await documents.find(cur, document_id) is None
        assert await jobs.find(cur, job_id) is None
        assert await pages.of_job(cur, job_id=job_id, after=0, limit=10) == []
        assert await deletions.was_deleted(cur, document_id) is True
        assert await documents.existing(cur, [document_id, other_document]) == {other_document}
        assert len(await pages.of_job(cur, job_id=other_job, after=0, limit=10)) == 1
    assert await value(db, "SELECT COUNT(*) FROM job_history") == 1
