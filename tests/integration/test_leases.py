"""Claims as one process holds them: kept by heartbeats, lost when taken away or not extended in time, given back."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Database
from docserver.errors import DatabaseUnavailable
from docserver.jobs import notify, saving, transitions
from docserver.jobs.leases import Claim, ClaimLost, Claims
from docserver.jobs.paces import TURN_S
from docserver.jobs.saving import PageResult, Saver
from docserver.model import Status
from docserver.resources import Resources
from tests.support.faulty_database import Switch, Unanswered
from tests.support.leases import claims_of
from tests.support.redis_state import announced, listening
from tests.support.rows import (
    READING,
    change,
    claim_pages,
    finish_job,
    found,
    lost_leases,
    make_job,
    pages_of,
    value,
)
from tests.support.waiting import in_time

FOREVER_S = 1000.0


@pytest.fixture
def switch(resources: Resources) -> Switch:
    return Switch(resources.db)


async def held_pages(db: Database, claim_id: UUID) -> list[int]:
    async with db.session() as cur:
        return [page.number for page in await pages_of(cur, claim_id)]


@asynccontextmanager
async def keeping(claims: Claims) -> Any:
    task = asyncio.create_task(claims.run_heartbeat())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class Work:
    """Work that never ends by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def do(claims: Claims, job_id: UUID, work: Work) -> Claim | None:
    """Work on a job until the claim is lost, as a slot does."""
    async with claims.claimed(job_id) as claim:
        assert claim is not None
        await claims.guard(claim, work.run())
    return claim


async def ended(task: asyncio.Task[Any]) -> Any:
    async with in_time():
        return await task


async def test_a_claim_that_was_taken_away_interrupts_its_work_at_the_next_heartbeat(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims, work = claims_of(resources), Work()
    task = asyncio.create_task(do(claims, job_id, work))
    await work.begun.wait()
    await claims.heartbeat()
    still_working = not task.done()

    await change(resources.db, "UPDATE pages SET claim = NULL, lease_until = NULL WHERE job_id = %s", job_id.bytes)
    await claims.heartbeat()
    await ended(task)

    assert (still_working, work.cancelled) == (True, True)


async def test_a_job_that_ends_interrupts_who_works_on_it_long_before_the_next_heartbeat(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims, work = claims_of(resources, lease_s=FOREVER_S), Work()
    await listening(resources)
    async with keeping(claims):
        task = asyncio.create_task(do(claims, job_id, work))
        await work.begun.wait()
        await change(resources.db, "UPDATE pages SET claim = NULL, lease_until = NULL WHERE job_id = %s", job_id.bytes)
        await finish_job(resources.db, job_id, Status.CANCELLED)

        await notify.publish(resources, await found(resources.db, job_id))

        await ended(task)
    assert work.cancelled


async def test_a_page_that_others_finish_interrupts_nobody(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=3)
    claims, work = claims_of(resources), Work()
    task = asyncio.create_task(do(claims, job_id, work))
    await work.begun.wait()
    other, (number,) = await claim_pages(resources.db, job_id, limit=1)
    await transitions.settle_pages(resources.db, job_id=job_id, claim_id=other, results={number: READING})

    await claims.heartbeat()

    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_cannot_extend_a_lease_ends_the_work_before_the_lease_is_over_and_writes_nothing(
    resources: Resources, switch: Switch
) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims, work = claims_of(resources, db=switch, lease_s=1.0), Work()
    async with keeping(claims):
        task = asyncio.create_task(do(claims, job_id, work))
        await work.begun.wait()
        switch.away = True
        before = await value(resources.db, "SELECT lease_until FROM pages WHERE job_id = %s", job_id.bytes)

        await ended(task)

        after = await value(resources.db, "SELECT lease_until FROM pages WHERE job_id = %s", job_id.bytes)
    assert work.cancelled
    assert after == before


async def test_a_claim_whose_beats_get_through_is_kept_far_beyond_its_first_lease(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims, work = claims_of(resources, lease_s=3.0), Work()
    async with keeping(claims):
        task = asyncio.create_task(do(claims, job_id, work))
        await work.begun.wait()
        first = await value(resources.db, "SELECT lease_until FROM pages WHERE job_id = %s", job_id.bytes)
        while await value(resources.db, "SELECT UTC_TIMESTAMP(6)") < first:
            await asyncio.sleep(0.1)

        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_nothing_new_is_begun_with_a_lease_that_is_nearly_over(resources: Resources, switch: Switch) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims, work = claims_of(resources, db=switch, lease_s=1.0), Work()

    async with claims.claimed(job_id) as claim:
        assert claim
        loop = asyncio.get_running_loop()
        over = loop.time() + 1.0
        while loop.time() < over:
            await asyncio.sleep(0.05)
        await claims.guard(claim, work.run())

    assert not work.begun.is_set()


async def test_what_was_read_can_still_be_saved_after_an_outage_while_nobody_took_it_over(
    resources: Resources, switch: Switch
) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims = claims_of(resources, db=switch, lease_s=1.0)
    async with claims.claimed(job_id) as claim:
        assert claim
        await change(resources.db, "UPDATE pages SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")

        job = await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim.id, results={1: READING})

    assert job
    assert job.status is Status.COMPLETED


async def test_what_could_not_be_given_back_is_given_back_by_a_later_beat_and_counts_no_loss(
    resources: Resources, switch: Switch
) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims = claims_of(resources, db=switch)
    ids = []
    with pytest.raises(DatabaseUnavailable):
        async with claims.claimed(job_id) as claim:
            assert claim
            ids.append(claim.id)
            switch.away = True
            raise DatabaseUnavailable("forced")
    assert await held_pages(resources.db, ids[0]) == [1]

    with pytest.raises(DatabaseUnavailable):
        await claims.heartbeat()
    switch.away = False
    await claims.heartbeat()

    assert await held_pages(resources.db, ids[0]) == []
    assert await lost_leases(resources.db, job_id) == [0]
    assert await announced(resources) == [job_id]


@pytest.mark.parametrize("fault", [DatabaseUnavailable("forced"), OSError("forced"), asyncio.CancelledError()])
async def test_infrastructure_that_fails_gives_the_work_back_at_once(
    resources: Resources, fault: BaseException
) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims = claims_of(resources)

    with pytest.raises(type(fault)):
        async with claims.claimed(job_id):
            raise fault

    assert (await claim_pages(resources.db, job_id))[1] == [1]
    assert await lost_leases(resources.db, job_id) == [0]


async def test_a_job_that_is_final_taken_or_gone_gives_no_claim(resources: Resources) -> None:
    _, final = await make_job(resources.db, total=1)
    await finish_job(resources.db, final, Status.CANCELLED)
    _, taken = await make_job(resources.db, total=1)
    await claim_pages(resources.db, taken)
    gone_document, gone = await make_job(resources.db, total=1)
    await change(resources.db, "DELETE FROM documents WHERE id = %s", gone_document.bytes)
    claims = claims_of(resources)

    for job_id in (final, taken, gone):
        async with claims.claimed(job_id) as claim:
            assert claim is None


async def test_a_job_whose_document_is_to_be_opened_anew_gives_its_opening_to_who_has_claimed_pages_of_it(
    resources: Resources,
) -> None:
    _, job_id = await make_job(resources.db, total=2)
    held = claims_of(resources)
    async with held.claimed(job_id) as of_pages:
        assert of_pages
    await change(resources.db, "DELETE FROM pages WHERE job_id = %s", job_id.bytes)
    await change(resources.db, "UPDATE jobs SET pages_total = NULL, version = version + 1 WHERE id = %s", job_id.bytes)

    async with held.claimed(job_id) as of_opening:
        assert of_opening
        assert (of_opening.job.pages_total, of_opening.pages) == (None, ())
        assert of_opening.job == await found(resources.db, job_id)


async def test_a_page_that_failed_before_is_taken_alone(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=6)
    await change(resources.db, "UPDATE pages SET tries = 1 WHERE number IN (3, 5)")
    claims, chunks = claims_of(resources, chunk_pages=4), []

    for _ in range(5):
        async with claims.claimed(job_id) as claim:
            assert claim
            numbers = await held_pages(resources.db, claim.id)
            chunks.append(numbers)
            for number in numbers:
                await transitions.settle_pages(
                    resources.db, job_id=job_id, claim_id=claim.id, results={number: READING}
                )

    assert [chunk for chunk in chunks if chunk] == [[1, 2], [3], [4], [5], [6]]


async def test_half_of_the_last_pages_with_their_own_text_are_left_to_another_slot(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=30)
    own_text = "UPDATE pages SET status = 'done', source = 'text_layer', settled_version = 1 WHERE number <= 4"
    await change(resources.db, own_text)
    claims, chunks = claims_of(resources), []

    async with AsyncExitStack() as slots:
        for _ in range(4):
            claim = await slots.enter_async_context(claims.claimed(job_id))
            assert claim
            chunks.append(len(await held_pages(resources.db, claim.id)))

    assert chunks == [13, 6, 4, 3]


async def test_pages_are_claimed_together_after_pages_of_the_same_job_were_quick(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=30)
    claims, chunks = claims_of(resources), []

    async with AsyncExitStack() as slots:
        for page_s in (0.0, 0.0, TURN_S / 10, 2 * TURN_S, 0.0):
            claim = await slots.enter_async_context(claims.claimed(job_id))
            assert claim
            chunks.append(len(await held_pages(resources.db, claim.id)))
            claims.paces.note(claim.job, page_s)

    assert chunks == [1, 2, 4, 5, 1]


async def test_the_work_itself_may_end_and_its_value_comes_through(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claims = claims_of(resources)

    async with claims.claimed(job_id) as claim:
        assert claim
        assert await claims.guard(claim, asyncio.sleep(0, "value")) == "value"


async def test_a_guarded_work_is_refused_after_its_claim_was_lost(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=2)
    claims, lost = claims_of(resources), []

    async with claims.claimed(job_id) as claim:
        assert claim
        await change(resources.db, "UPDATE pages SET claim = NULL, lease_until = NULL WHERE job_id = %s", job_id.bytes)
        await claims.heartbeat()
        try:
            await claims.guard(claim, Work().run())
        except ClaimLost:
            lost.append(claim.id)

    assert lost == [claim.id]


async def test_no_further_page_is_read_of_a_job_that_was_cancelled_while_a_page_was_saved_without_an_answer(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "SAVE_PAUSE_S", (0.01, 0.05))
    _, job_id = await make_job(resources.db, total=2)
    claims, lost = claims_of(resources), []
    db: Any = Unanswered(resources.db, answers_lost=1, carried_out=False)
    saver = Saver(replace(resources, db=db), claims, stopping=asyncio.Event())

    async with claims.claimed(job_id) as claim:
        assert claim
        await transitions.cancel(resources.db, job_id, tenant=DEFAULT_TENANT)
        await saver.pages(claim, {1: PageResult(READING, 0.1)})
        try:
            await claims.guard(claim, Work().run())
        except ClaimLost:
            lost.append(claim.id)

    assert lost == [claim.id]
