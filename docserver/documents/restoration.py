"""Makes documents of originals that no document knows, such as after a restore of an older database."""

import logging
from enum import StrEnum
from uuid import UUID

from pymysql.err import IntegrityError

from docserver.caller import DEFAULT_TENANT
from docserver.database.retries import transactional
from docserver.database.tables import deletions, documents, jobs, tenant_counts
from docserver.jobs import notify
from docserver.model import Job, NewDocument, new_id
from docserver.reading_options import Options
from docserver.resources import Resources
from docserver.sniff import sniff

log = logging.getLogger("docserver.api")

CLIENT = "restored"
"""The client of restored documents. Nobody knows who uploaded them; no address looks like this."""


class Outcome(StrEnum):
    """What became of an original that was to be restored."""

    RESTORED = "restored"
    PRESENT = "its document is there already"
    DELETED = "its document was deleted"
    MISSING = "there is no such original"
    UNSUPPORTED = "no document: its type is not supported"


async def restore(resources: Resources, document_id: UUID) -> Outcome:
    """Make a document of an original that has none, with its old id and a new job; raises DatabaseUnavailable.

    If this is interrupted, the original still has no document, and can be restored again.
    """
    async with resources.db.session() as cur:
        if await documents.existing(cur, [document_id]):
            await resources.storage.quarantine.put_back([document_id])
            return Outcome.PRESENT
        if await deletions.deleted_among(cur, [document_id]):
            return Outcome.DELETED
    try:
        # This takes the file out of the quarantine. So maintenance does not delete it while the document is made.
        received = await resources.storage.examine(document_id)
    except OSError:
        return Outcome.MISSING
    content_type = sniff(received.head)
    if content_type is None:
        await resources.storage.quarantine.put([document_id])
        return Outcome.UNSUPPORTED
    new = NewDocument(
        id=document_id,
        tenant=DEFAULT_TENANT,
        filename=f"{document_id}.{content_type.rpartition('/')[2]}",
        content_type=content_type,
        size=received.size,
        sha256=received.sha256,
    )
    try:
        job = await _insert(resources, new)
    except IntegrityError:
        # Somebody else has just restored it.
        return Outcome.PRESENT
    await notify.offer(resources, job)
    log.info("document restored", extra={"document_id": str(document_id), "job_id": str(job.id)})
    return Outcome.RESTORED


@transactional
async def _insert(resources: Resources, new: NewDocument) -> Job:
    settings, job_id = resources.settings, new_id()
    async with resources.db.transaction() as cur:
        await documents.insert(cur, new, job_id=job_id, client=CLIENT, expires_in_s=settings.retention_s or None)
        job = await jobs.insert(
            cur,
            job_id=job_id,
            document_id=new.id,
            tenant=new.tenant,
            client=CLIENT,
            options=Options(settings.languages),
            request_id=CLIENT,
        )
        # An operator asked for this, so no quota holds.
        await tenant_counts.add_bytes(cur, new.tenant, new.size)
        return job
