"""The SQL of documents, jobs and pages: who may claim and write what."""

import asyncio
from uuid import uuid4

from docserver.database.connection import Database
from docserver.database.tables import claims, pages
from docserver.jobs import transitions
from docserver.model import PageStatus
from tests.support.rows import (
    LEASE_S,
    READING,
    TIMEOUT,
    change,
    claim_job,
    claim_pages,
    make_job,
    opening_failures,
    pages_of,
)


async def test_pages_are_given_back_from_one_on_and_those_of_other_claims_are_not(db: Database) -> None:
    _, job_id = await make_job(db, total=5)
    mine, _ = await claim_pages(db, job_id, limit=3)
    other, theirs = await claim_pages(db, job_id, limit=2)

    async with db.session() as cur:
        await claims.release_pages(cur, claim_id=mine, first=2)

        assert [page.number for page in await pages_of(cur, mine)] == [1]
        assert [page.number for page in await pages_of(cur, other)] == theirs == [4, 5]
    assert (await claim_pages(db, job_id, limit=5))[1] == [2, 3]


async def test_a_page_that_is_to_be_read_again_says_nothing_until_then(db: Database) -> None:
    _, job_id = await make_job(db, total=1)
    claim_id, _ = await claim_pages(db, job_id)
    async with db.session() as cur:
        await pages.finish(cur, job_id=job_id, number=1, claim_id=claim_id, reading=READING)

        await pages.reset(cur, job_id=job_id, numbers=[1])

        await cur.execute("SELECT text, layout, elements, width, confidence, finished_at FROM pages")
        assert set(cur.only_row().values()) == {None}


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
        first, second = await pages.with_numbers(cur, job_id=job_id, numbers=[1, 2])
        failure = await pages.first_failure(cur, job_id)

    assert (second.number, second.status, second.reading, second.failure) == (2, PageStatus.DONE, READING, None)
    assert (first.number, first.status, first.reading, first.failure) == (1, PageStatus.FAILED, None, TIMEOUT)
    assert failure == TIMEOUT


async def test_chosen_pages_come_in_order_each_once(db: Database) -> None:
    _, job_id = await make_job(db, total=5)
    claim_id, _ = await claim_pages(db, job_id)

    async with db.session() as cur:
        assert await pages.finish(cur, job_id=job_id, number=2, claim_id=claim_id, reading=READING) is True
        chosen = await pages.stored_bytes(cur, job_id=job_id, ranges=[range(4, 100), range(2, 3), range(5, 6)])
        every = await pages.stored_bytes(cur, job_id=job_id, ranges=None)
        loaded = await pages.with_numbers(cur, job_id=job_id, numbers=[5, 2])
        last = await pages.last_number(cur, job_id)

    assert chosen == {2: READING.stored_bytes, 4: 0, 5: 0}
    assert list(chosen) == [2, 4, 5]
    assert list(every) == [1, 2, 3, 4, 5]
    assert [page.number for page in loaded] == [2, 5]
    assert last == 5


async def test_a_worker_that_was_thought_dead_overwrites_nothing(db: Database) -> None:
    _, job_id = await make_job(db, total=1)
    stale, _ = await claim_pages(db, job_id)
    await change(
        db, "UPDATE pages SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE job_id = %s", job_id.bytes
    )
    assert await transitions.reap(db, job_id) is not None
    fresh, _ = await claim_pages(db, job_id)

    async with db.session() as cur:
        assert await pages_of(cur, stale) == []
        assert await pages_of(cur, fresh) == [claims.ClaimedPage(number=1, tries=0, lost_leases=1)]
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
        assert await claims.waiting_pages(cur, job_id=job_id, limit=1) == []

    assert (await claim_pages(db, job_id))[1] == []

    await change(db, "UPDATE pages SET run_after = UTC_TIMESTAMP(6) WHERE job_id = %s", job_id.bytes)
    again, _ = await claim_pages(db, job_id)
    async with db.session() as cur:
        assert await pages_of(cur, again) == [claims.ClaimedPage(number=1, tries=1, lost_leases=0)]


async def test_pages_that_are_given_back_are_free_and_those_that_were_read_stay_read(db: Database) -> None:
    _, job_id = await make_job(db, total=3)
    claim_id, _ = await claim_pages(db, job_id, limit=3)
    async with db.session() as cur:
        await pages.finish(cur, job_id=job_id, number=1, claim_id=claim_id, reading=READING)

        assert await claims.waiting_pages(cur, job_id=job_id, limit=1) == []
        assert await claims.release(cur, [claim_id]) == 2
        assert len(await claims.waiting_pages(cur, job_id=job_id, limit=1)) == 1

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
        assert await pages_of(cur, lost) == []
        assert await pages_of(cur, kept) == [claims.ClaimedPage(number=2, tries=0, lost_leases=0)]
        assert not await claims.holds_opening(cur, job_id=opening, claim_id=lost_job)
        assert await claims.holds_opening(cur, job_id=kept_opening, claim_id=kept_job)
        assert await opening_failures(cur, kept_opening) == (0, 0)

    again = uuid4()
    assert await claim_job(db, opening, again)
    async with db.session() as cur:
        assert await claims.holds_opening(cur, job_id=opening, claim_id=again)
        assert await opening_failures(cur, opening) == (0, 1)
