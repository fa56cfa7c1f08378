"""How jobs start another attempt: for a client that asks for it, or because an original is there again.

Each is one transaction, which locks the job first, as in `transitions`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from docserver.database.connection import Cursor, Database
from docserver.database.retries import transactional
from docserver.database.tables import batches, claims, jobs, pages
from docserver.database.tables.tenants import Quotas
from docserver.errors import STORAGE_MISSING, Conflict, Unprocessable
from docserver.jobs.transitions import end, locked
from docserver.model import Job, PageStatus, Status
from docserver.page_ranges import format_pages
from docserver.tenants import quotas as tenant_quotas


@transactional
async def retry(
    db: Database,
    job_id: UUID,
    *,
    tenant: str,
    selection: Sequence[range] | str | None,
    changes: Mapping[str, Any],
    request_id: str,
    quotas: Quotas,
    traceparent: str | None = None,
    password: bytes | None = None,
    needs_password: bool = True,
) -> Job:
    """Start another attempt of a tenant's final job, with changed options and, for an encrypted PDF, with a password,
    which is itself encrypted. A job that had one needs one again, unless `needs_password` is False.

    With a selection, or NEEDS_REVIEW in its place, only the selected pages are read again. The other pages keep their
    text, or are removed from the job if they were never read. Without a selection, all pages are read again; but if the
    options are unchanged and some pages have no text, only those are. Raises NotFound, Conflict if the job is not
    final, Unprocessable if it has none of the selected pages or lacks a password, and QuotaExceeded. `quotas` are the
    default ones.
    """
    async with db.transaction() as cur:
        job = await locked(cur, job_id, tenant)
        if not job.status.final:
            raise Conflict(f"The job is {job.status}; cancel it first, or wait until it is done.")
        if job.has_password and password is None and needs_password:
            # Without it, nothing could be read, and the text would be lost.
            raise password_is_needed()
        job.status.to(Status.PENDING)
        options = replace(job.options, **changes)
        if isinstance(selection, str):
            selection = await _to_review(cur, job)
        again: Sequence[int] = ()
        unchanged: list[PageStatus] = []
        if job.pages_total is not None:
            again, unchanged = await _reset_pages(cur, job_id, selection, same_options=options == job.options)
        elif selection is not None:
            options = replace(options, pages=format_pages(selection))
        await jobs.retry(
            cur,
            job_id=job_id,
            options=options,
            request_id=request_id,
            traceparent=traceparent,
            password=password,
            done=unchanged.count(PageStatus.DONE),
            failed=unchanged.count(PageStatus.FAILED),
        )
        await batches.reopen(cur, job_id)
        started = _present(await jobs.find(cur, job_id))
        await tenant_quotas.count_retry(cur, tenant, pages=len(again), defaults=quotas)
        return started


async def _reset_pages(
    cur: Cursor, job_id: UUID, selection: Sequence[range] | None, *, same_options: bool
) -> tuple[Sequence[int], list[PageStatus]]:
    """Let pages of an opened job be read again, and drop the others that were never read.

    Returns the numbers of the pages to read, and the statuses of all others.
    """
    statuses = await pages.statuses(cur, job_id)
    again = _to_read_again(statuses, selection, same_options=same_options)
    unchanged = {number: status for number, status in statuses.items() if number not in again}
    if unread := [number for number, status in unchanged.items() if status is PageStatus.PENDING]:
        await pages.drop(cur, job_id=job_id, numbers=unread)
        await jobs.resize(cur, job_id=job_id, pages_total=len(statuses) - len(unread))
    await pages.reset(cur, job_id=job_id, numbers=again)
    return again, list(unchanged.values())


@transactional
async def start_over(
    db: Database, job: Job, *, request_id: str, quotas: Quotas, traceparent: str | None = None
) -> Job | None:
    """Have a document opened and read again, because its original was missing or damaged until now. What was read since
    `job` was looked up is dropped.

    Returns the job, or None if it does not exist any more. It is unchanged if nobody has begun to read it, or if it was
    completed when it was looked up. Raises QuotaExceeded; `quotas` are the default ones.
    """
    async with db.transaction() as cur:
        current = await jobs.lock(cur, job.id)
        if current is None or current.status is Status.PENDING:
            return current
        if current.status is Status.COMPLETED and current.version == job.version:
            return job
        was_final = current.status.final
        if not was_final:
            await claims.revoke_pages(cur, job.id)
            current = await end(cur, current, Status.FAILED, STORAGE_MISSING)
        current.status.to(Status.PENDING)
        if statuses := await pages.statuses(cur, job.id):
            await pages.drop(cur, job_id=job.id, numbers=list(statuses))
        await jobs.resize(cur, job_id=job.id, pages_total=None)
        await jobs.retry(
            cur,
            job_id=job.id,
            options=current.options,
            request_id=request_id,
            traceparent=traceparent,
            done=0,
            failed=0,
        )
        await batches.reopen(cur, job.id)
        started = _present(await jobs.find(cur, job.id))
        if was_final:
            # The pages are counted when the document is opened.
            await tenant_quotas.count_retry(cur, job.tenant, pages=0, defaults=quotas)
        return started


def password_is_needed() -> Unprocessable:
    """The error if a document that was sent with a password is to be read again without one."""
    return Unprocessable(
        "The document was sent with a password, which is not kept; send it again.",
        errors=[{"detail": "It is needed again; an empty one says that none is needed.", "pointer": "/password"}],
    )


async def _to_review(cur: Cursor, job: Job) -> list[range]:
    numbers = await pages.to_review(cur, job_id=job.id, limit=job.pages_total or 0)
    if not numbers:
        raise Unprocessable(
            "No page of the job needs review.",
            errors=[{"detail": "No page needs review.", "parameter": "pages"}],
        )
    return [range(number, number + 1) for number in numbers]


def _to_read_again(
    statuses: Mapping[int, PageStatus], selection: Sequence[range] | None, *, same_options: bool
) -> list[int]:
    """The pages that another attempt reads."""
    if selection is not None:
        chosen = [number for number in statuses if any(number in part for part in selection)]
        if not chosen:
            raise Unprocessable(
                "The job has none of these pages.",
                errors=[{"detail": f"The last page is {max(statuses)}.", "parameter": "pages"}],
            )
        return chosen
    without_text = [number for number, status in statuses.items() if status is not PageStatus.DONE]
    return without_text if same_options and without_text else list(statuses)


def _present(job: Job | None) -> Job:
    # The transaction has locked the job, so nobody can delete it.
    assert job is not None
    return job
