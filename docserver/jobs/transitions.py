"""The transitions of jobs and pages, up to the job's end. Each is one transaction, which locks the job first. How a job
that has ended starts again is in `restarts`.

A worker names its claim. If another worker or a client was faster, the transition changes nothing and returns None.
A transition for a client raises NotFound or Conflict instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from docserver.database.connection import Cursor, Database
from docserver.database.retries import transactional
from docserver.database.tables import claims, job_history, jobs, pages
from docserver.errors import Conflict, DocumentErrorCode, Failure, NotFound
from docserver.job_history import HISTORY_KEPT, Outcome, Step
from docserver.model import Job, Quality, Reading, Status
from docserver.tenants import quotas as tenant_quotas
from docserver.webhooks import events

Results = Mapping[int, Reading | Failure]
"""Each page's reading, or why it failed, by page number."""

LOST_LEASES = 3
"""After this many lost leases, a page or document fails for good, because it probably kills its worker each time."""


@transactional
async def open_pages(
    db: Database,
    *,
    job: Job,
    job_id: UUID,
    claim_id: UUID,
    numbers: Sequence[int],
    claimed: Sequence[int],
    lease_s: float,
    read: Results,
    pages_per_day: int | None,
) -> Job | None:
    """Record which pages to read, once the document is open, and save the pages that were read while opening it. `job`
    is as it was claimed: nobody else changes it as long as the claim holds.

    The claim moves from the job to the `claimed` of its pages, which are not read yet. Raises
    QuotaExceeded if the tenant may have only `pages_per_day` pages read on a day, and fewer are left than these.
    """
    async with db.transaction() as cur:
        if not await jobs.opened(cur, job_id=job_id, claim_id=claim_id, pages_total=len(numbers)):
            return None
        job = replace(job, pages_total=len(numbers))
        if waiting := [number for number in numbers if number not in read]:
            await pages.insert(cur, job_id=job_id, numbers=waiting)
        if claimed:
            await claims.take_pages(cur, job_id=job_id, claim_id=claim_id, numbers=claimed, lease_s=lease_s)
        job = await _save_first_pages(cur, job, read) if read else await _reload(cur, job)
        await tenant_quotas.count_pages(cur, job.tenant, pages=len(numbers), allowed=pages_per_day)
        return job


async def _save_first_pages(cur: Cursor, job: Job, read: Results) -> Job:
    """Save pages that were read while the document was opened."""
    failures = {number: result for number, result in read.items() if isinstance(result, Failure)}
    readings = {number: result for number, result in read.items() if not isinstance(result, Failure)}
    await pages.insert_read(cur, job_id=job.id, readings=readings)
    await pages.insert_failed(cur, job_id=job.id, failures=failures)
    for number, failure in failures.items():
        await _add_failed_page(cur, job.id, number, failure.code)
    # If these are all pages of the job, nothing needs to be read of them again.
    quality = Quality.of(readings) if len(read) == job.pages_total else None
    return await _count(cur, job, done=list(readings), failed=len(failures), quality=quality)


@transactional
async def settle_pages(db: Database, *, job_id: UUID, claim_id: UUID, results: Results) -> Job | None:
    """Save pages that were read or have failed. If these were the job's last pages, end the job."""
    async with db.transaction() as cur:
        job = await jobs.lock(cur, job_id)
        return await _settle(cur, job, claim_id, results) if job else None


@transactional
async def postpone_page(
    db: Database, *, job_id: UUID, claim_id: UUID, number: int, code: DocumentErrorCode, delay_s: float
) -> Job | None:
    """Record that reading a page failed, and let it be tried again after a delay."""
    async with db.transaction() as cur:
        job = await jobs.lock(cur, job_id)
        if job is None:
            return None
        if not await pages.postpone(cur, job_id=job_id, number=number, claim_id=claim_id, delay_s=delay_s):
            return None
        await _add_failed_page(cur, job_id, number, code)
        await jobs.bump_version(cur, job_id)
        return await _reload(cur, job)


@transactional
async def postpone_all_pages(
    db: Database, *, job_id: UUID, claim_id: UUID, number: int, code: DocumentErrorCode, delay_s: float
) -> Job | None:
    """Let all pages that are still to be read, except those of other claims, be tried again after a delay. The try of
    page `number` is recorded.
    """
    async with db.transaction() as cur:
        job = await jobs.lock(cur, job_id)
        if job is None or job.status.final:
            return None
        await pages.postpone_all(cur, job_id=job_id, claim_id=claim_id, delay_s=delay_s)
        await _add_failed_page(cur, job_id, number, code)
        await jobs.bump_version(cur, job_id)
        return await _reload(cur, job)


@transactional
async def postpone_opening(
    db: Database, *, job_id: UUID, claim_id: UUID, code: DocumentErrorCode, delay_s: float
) -> Job | None:
    """Record that a document could not be opened, and let it be tried again after a delay."""
    async with db.transaction() as cur:
        job = await jobs.lock(cur, job_id)
        if job is None or not await jobs.postpone(cur, job_id=job_id, claim_id=claim_id, delay_s=delay_s):
            return None
        await job_history.add(cur, job_id=job_id, step=Step.OPENING, outcome=Outcome.FAILED, code=code)
        return await _reload(cur, job)


@transactional
async def fail_opening(db: Database, *, job_id: UUID, claim_id: UUID, failure: Failure) -> Job | None:
    """End a job whose document cannot be opened."""
    async with db.transaction() as cur:
        job = await jobs.lock(cur, job_id)
        if job is None or not await claims.holds_opening(cur, job_id=job_id, claim_id=claim_id):
            return None
        await job_history.add(cur, job_id=job_id, step=Step.OPENING, outcome=Outcome.FAILED, code=failure.code)
        return await end(cur, job, Status.FAILED, failure)


@transactional
async def cancel(db: Database, job_id: UUID, *, tenant: str) -> Job:
    """Cancel a job: workers lose their claims on it. Raises NotFound, and Conflict if it is final already."""
    async with db.transaction() as cur:
        job = await locked(cur, job_id, tenant)
        if job.status.final:
            raise Conflict(f"The job is {job.status} already.")
        await claims.revoke_pages(cur, job_id)
        return await end(cur, job, Status.CANCELLED, None)


@transactional
async def reap(db: Database, job_id: UUID) -> Job | None:
    """End the expired claims on a job. A page or document that lost its lease too often fails for good."""
    async with db.transaction() as cur:
        job = await jobs.lock(cur, job_id)
        if job is None:
            return None
        lost_before = await claims.expired_opening(cur, job_id)
        if lost_before is not None:
            await claims.lose_opening(cur, job_id)
            await job_history.add(cur, job_id=job_id, step=Step.OPENING, outcome=Outcome.LOST)
            if lost_before + 1 >= LOST_LEASES:
                return await end(cur, job, Status.FAILED, lost_failure())
        expired, given_up = await claims.expired_pages(cur, job_id), 0
        for page in expired:
            await claims.lose_page(cur, job_id=job_id, number=page.number)
            await job_history.add(cur, job_id=job_id, step=Step.PAGE, outcome=Outcome.LOST, page=page.number)
            if page.lost_leases + 1 >= LOST_LEASES:
                await pages.give_up(cur, job_id=job_id, number=page.number, failure=lost_failure())
                given_up += 1
        if given_up:
            return await _count(cur, job, done=(), failed=given_up)
        if expired:
            await jobs.bump_version(cur, job_id)
        return await _reload(cur, job) if lost_before is not None or expired else None


def lost_failure() -> Failure:
    """The failure of a page or document that lost its lease too often."""
    return Failure(
        DocumentErrorCode.LOST, f"Reading was started {LOST_LEASES} times, and each time the worker disappeared."
    )


async def locked(cur: Cursor, job_id: UUID, tenant: str) -> Job:
    """Lock a tenant's job until the transaction ends; raises NotFound."""
    # The job of another tenant may be locked: waiting for the lock would tell that it exists.
    job = await jobs.lock(cur, job_id) if await jobs.belongs_to(cur, job_id, tenant=tenant) else None
    if job is None:
        raise NotFound("There is no such job.")
    return job


async def _add_failed_page(cur: Cursor, job_id: UUID, number: int, code: DocumentErrorCode) -> None:
    await job_history.add(cur, job_id=job_id, step=Step.PAGE, outcome=Outcome.FAILED, page=number, code=code)


async def _settle(cur: Cursor, job: Job, claim_id: UUID, results: Results) -> Job | None:
    done: list[int] = []
    failed = 0
    for number, result in results.items():
        if not isinstance(result, Failure):
            if await pages.finish(cur, job_id=job.id, number=number, claim_id=claim_id, reading=result):
                done.append(number)
        elif await pages.fail(cur, job_id=job.id, number=number, claim_id=claim_id, failure=result):
            failed += 1
            await _add_failed_page(cur, job.id, number, result.code)
    return await _count(cur, job, done=done, failed=failed) if done or failed else None


async def _count(cur: Cursor, job: Job, *, done: Sequence[int], failed: int, quality: Quality | None = None) -> Job:
    """Count pages that were read or have failed. If these were the job's last pages, end the job.

    `job` has the counts from before this transaction; `done` has the numbers of the pages that were read. `quality` is
    that of all pages, if it is known.
    """
    if job.pages_done + job.pages_failed + len(done) + failed == job.pages_total:
        failure = None if job.pages_done or done else await pages.first_failure(cur, job.id)
        status = Status.FAILED if failure else Status.COMPLETED
        return await end(cur, job, status, failure, done=done, failed=failed, quality=quality)
    await jobs.count_pages(cur, job_id=job.id, done=len(done), failed=failed)
    counted = replace(job, pages_done=job.pages_done + len(done), pages_failed=job.pages_failed + failed)
    has_deliveries = await events.record(cur, counted, pages=done)
    return await _reload(cur, replace(counted, has_deliveries=has_deliveries))


async def end(
    cur: Cursor,
    job: Job,
    status: Status,
    failure: Failure | None,
    *,
    done: Sequence[int] = (),
    failed: int = 0,
    quality: Quality | None = None,
) -> Job:
    """Give a locked job its final status, and record whom to tell of it. `quality` is that of a completed one, if it is
    known.
    """
    if status is not Status.COMPLETED:
        quality = None
    elif quality is None:
        quality = await pages.quality(cur, job.id)
    await jobs.finish(
        cur,
        job_id=job.id,
        status=job.status.to(status),
        failure=failure,
        quality=quality,
        done=len(done),
        failed=failed,
    )
    code = failure.code if failure else None
    await job_history.add(cur, job_id=job.id, step=Step.JOB, outcome=Outcome(status.value), code=code)
    ended = await _reload(
        cur,
        replace(
            job,
            status=status,
            failure=failure,
            quality=quality,
            pages_done=job.pages_done + len(done),
            pages_failed=job.pages_failed + failed,
        ),
    )
    return replace(ended, has_deliveries=await events.record(cur, ended, pages=done))


async def _reload(cur: Cursor, job: Job) -> Job:
    """The job with the values that the database has set in this transaction. Deletes surplus entries of its history."""
    job = await jobs.reload(cur, job)
    surplus = len(job.history) - HISTORY_KEPT
    if surplus <= 0:
        return job
    await job_history.delete_oldest(cur, job.id, count=surplus)
    return replace(job, history=job.history[surplus:])
