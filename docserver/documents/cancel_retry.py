"""Cancel and retry of jobs. The transactions are in `jobs.transitions` and `jobs.restarts`."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from docserver import tracing
from docserver.database.faults import CommitUnknown
from docserver.database.tables import documents, jobs
from docserver.errors import Conflict, RedisUnavailable
from docserver.jobs import commits, notify, restarts, transitions
from docserver.model import Job, Status
from docserver.resources import Resources
from docserver.tenants import quotas

log = logging.getLogger("docserver.api")


async def cancel(resources: Resources, job_id: UUID, *, tenant: str) -> Job:
    """Cancel a job, whichever machine works on it; raises NotFound, Conflict, DatabaseUnavailable."""
    job = await _transition(
        resources,
        job_id,
        lambda: transitions.cancel(resources.db, job_id, tenant=tenant),
        done=lambda status: status is Status.CANCELLED,
    )
    await notify.publish(resources, job)
    with suppress(RedisUnavailable):
        await resources.queue.remove([job_id])
    return job


async def retry(
    resources: Resources,
    job_id: UUID,
    *,
    tenant: str,
    selection: Sequence[range] | str | None,
    changes: Mapping[str, Any],
    request_id: str,
    password: str | None = None,
) -> Job:
    """Start another attempt of a final job. An empty password says that none is needed.

    A job whose original is missing or damaged is not started: it would only lose the text that it has. Raises NotFound,
    Conflict, Unprocessable, QuotaExceeded, DatabaseUnavailable.
    """
    await _check_original(resources, job_id, tenant)
    traceparent = tracing.traceparent()
    encrypted = resources.encryption.encrypt(password) if password else None
    job = await _transition(
        resources,
        job_id,
        lambda: restarts.retry(
            resources.db,
            job_id,
            tenant=tenant,
            selection=selection,
            changes=changes,
            password=encrypted,
            needs_password=password is None,
            request_id=request_id,
            traceparent=traceparent,
            quotas=quotas.defaults(resources.settings),
        ),
        done=lambda status: not status.final,
    )
    log.info("job starts another attempt", extra={"job_id": str(job_id), "attempt": job.attempt})
    await notify.offer(resources, job)
    return job


async def _check_original(resources: Resources, job_id: UUID, tenant: str) -> None:
    async with resources.db.session() as cur:
        job = await jobs.of_tenant(cur, job_id, tenant=tenant)
        document = await documents.find(cur, job.document_id, tenant=tenant) if job and job.status.final else None
    if document is None:
        # The transition says so.
        return
    # The earlier attempt belongs to another trace.
    tracing.link(job.traceparent if job else None)
    async with resources.storage.intact(document.id, size=document.size, sha256=document.sha256) as path:
        if path is None:
            raise Conflict("The document's file is missing or damaged; upload it again.")


async def _transition(
    resources: Resources, job_id: UUID, transition: Callable[[], Awaitable[Job]], *, done: Callable[[Status], bool]
) -> Job:
    """Make a transition. If its commit got no answer, read the job again: `done` is True for the status of a job for
    which the transition took place.
    """
    try:
        return await transition()
    except CommitUnknown:
        job = await commits.settled(resources.db, job_id)
        if job is None or not done(job.status):
            raise
        return job
