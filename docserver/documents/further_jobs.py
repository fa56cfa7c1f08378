"""Reads a document once more, by a further job. The earlier jobs and their results stay as they are."""

import logging
from dataclasses import dataclass, field
from uuid import UUID

from docserver import tracing
from docserver.caller import Caller
from docserver.database.faults import CommitUnknown
from docserver.database.retries import transactional
from docserver.database.tables import documents, jobs, webhook_endpoints
from docserver.documents import equal_jobs, queries
from docserver.errors import Conflict, NotFound
from docserver.jobs import commits, notify, restarts
from docserver.model import Job, Status
from docserver.reading_options import Options
from docserver.resources import Resources
from docserver.tenants import quotas
from docserver.webhooks import endpoints
from docserver.webhooks.endpoints import Callback

MAX_JOBS = 50
"""Most jobs of a document. An answer with the document has all of them."""

log = logging.getLogger("docserver.api")


@dataclass(frozen=True, slots=True)
class FurtherJob:
    """How a document is to be read once more, and for whom."""

    job_id: UUID
    """The id of the new job. A request that is carried out again has the same."""
    options: Options
    caller: Caller
    request_id: str
    callback: Callback | None = None
    password: str | None = field(default=None, repr=False)
    """That of an encrypted PDF; empty if it needs none."""
    traceparent: str | None = None


async def create(resources: Resources, document_id: UUID, asked: FurtherJob) -> tuple[Job, bool]:
    """Make a further job of a document, or find one with the same options that is as good. Returns the job, and True if
    it is an earlier one.

    Raises NotFound, Gone, Conflict, Unprocessable if a password that an earlier job had is not given again,
    QuotaExceeded, DatabaseUnavailable.
    """
    document, _ = await queries.document(resources, document_id, tenant=asked.caller.tenant)
    async with resources.storage.intact(document.id, size=document.size, sha256=document.sha256) as path:
        if path is None:
            raise Conflict("The document's file is missing or damaged; upload it again.")
    try:
        job, is_new = await _insert(resources, document_id, asked)
    except CommitUnknown:
        settled = await commits.settled(resources.db, asked.job_id)
        if settled is None:
            raise
        job, is_new = settled, True
    if not is_new:
        # It may have been deleted, or have too many callbacks.
        if not await equal_jobs.add_callback(resources, job, asked.callback):
            raise Conflict("The document has a job with these options, which takes no more callbacks.")
        tracing.link(job.traceparent)
        return job, True
    log.info("document is read once more", extra={"document_id": str(document_id), "job_id": str(job.id)})
    await notify.offer(resources, job)
    return job, False


@transactional
async def _insert(resources: Resources, document_id: UUID, asked: FurtherJob) -> tuple[Job, bool]:
    """Add the job, unless there is one that is as good. Returns the job, and True if it is the one asked for."""
    tenant = asked.caller.tenant
    async with resources.db.transaction() as cur:
        if not await documents.lock(cur, document_id):
            raise NotFound("There is no such document.")
        earlier = await jobs.of_document(cur, document_id)
        for job in earlier:
            if job.id == asked.job_id or (resources.settings.deduplicate and _serves(resources, job, asked)):
                return job, job.id == asked.job_id
        if asked.password is None and any(job.has_password for job in earlier):
            raise restarts.password_is_needed()
        if len(earlier) >= MAX_JOBS:
            raise Conflict(f"The document has {MAX_JOBS} jobs, and more are not possible; retry one of them.")
        await jobs.leave_list(cur, document_id)
        job = await jobs.insert(
            cur,
            job_id=asked.job_id,
            document_id=document_id,
            tenant=tenant,
            client=asked.caller.client,
            options=asked.options,
            request_id=asked.request_id,
            traceparent=asked.traceparent,
            password=resources.encryption.encrypt(asked.password) if asked.password else None,
        )
        await documents.set_latest_job(cur, document_id, job_id=job.id)
        if asked.callback:
            await webhook_endpoints.insert(
                cur, endpoints.callback_endpoint(resources, asked.callback, tenant=tenant, job_id=job.id)
            )
        await quotas.count_job(cur, tenant, defaults=quotas.defaults(resources.settings))
        return job, True


def _serves(resources: Resources, job: Job, asked: FurtherJob) -> bool:
    is_alive = job.status not in (Status.FAILED, Status.CANCELLED)
    # Whether a password is right is known when the document is opened with it.
    has_password = job.has_password or asked.password
    return is_alive and not has_password and job.options == asked.options and equal_jobs.is_as_good(resources, job)
