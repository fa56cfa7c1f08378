"""Deletes documents: rows, file, cached jobs, announcements. If a part fails, maintenance tries it again."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.tables import deletions, documents, jobs
from docserver.errors import DatabaseUnavailable, Gone, NotFound, RedisUnavailable
from docserver.jobs.transitions import uncontended
from docserver.resources import Resources

log = logging.getLogger("docserver.api")


async def delete(resources: Resources, document_id: UUID) -> None:
    """Delete a document, even one that is being read; raises NotFound, Gone, DatabaseUnavailable."""
    job_ids = await uncontended(lambda: _delete_rows(resources, document_id))
    log.info("document deleted", extra={"document_id": str(document_id)})
    await _clear_now(resources, document_id, job_ids)


async def expire(resources: Resources, document_id: UUID) -> None:
    """Delete a document that has expired, unless an upload has prolonged it; raises DatabaseUnavailable."""
    async with resources.db.transaction() as cur:
        if not await documents.lock_expired(cur, document_id):
            return
        job_ids = await _delete_locked(cur, document_id)
    log.info("document expired", extra={"document_id": str(document_id)})
    await _clear_now(resources, document_id, job_ids)


async def repeat(resources: Resources) -> None:
    """Delete the documents again that the restore of an older database has brought back; raises DatabaseUnavailable."""
    documents_deleted = 0
    async for part in resources.storage.deleted.ids():
        async with resources.maintenance_db.session() as cur:
            existing = await documents.existing(cur, part) if part else set()
        for document_id in existing:
            # Another process may do the same.
            with suppress(NotFound, Gone):
                await delete(resources, document_id)
                documents_deleted += 1
    if documents_deleted:
        log.warning(
            "documents that a restored database had brought back were deleted again",
            extra={"documents": documents_deleted},
        )


async def _clear_now(resources: Resources, document_id: UUID, job_ids: Sequence[UUID]) -> None:
    # The rows are deleted already. If this process dies now, maintenance clears the rest.
    try:
        await clear(resources, document_id, job_ids)
    except (RedisUnavailable, DatabaseUnavailable, OSError) as error:
        log.warning("deletion not cleared yet", extra={"fault": type(error).__name__, "document_id": str(document_id)})


async def clear(resources: Resources, document_id: UUID, job_ids: Sequence[UUID]) -> None:
    """Remove everything that a deleted document has outside the database; raises if something may be left."""
    await resources.storage.delete(document_id)
    # Not before the file is deleted: on a full disk, nothing can be recorded until there is room.
    await resources.storage.deleted.remember(document_id)
    for job_id in job_ids:
        await resources.cache.forget(job_id)
    await resources.queue.remove(job_ids)
    async with resources.db.session() as cur:
        await deletions.clear(cur, document_id)


async def _delete_rows(resources: Resources, document_id: UUID) -> list[UUID]:
    async with resources.db.transaction() as cur:
        if not await documents.lock(cur, document_id):
            if await deletions.was_deleted(cur, document_id):
                raise Gone("The document was deleted.")
            raise NotFound("There is no such document.")
        return await _delete_locked(cur, document_id)


async def _delete_locked(cur: Cursor, document_id: UUID) -> list[UUID]:
    job_ids = [job.id for job in await jobs.of_document(cur, document_id)]
    await documents.delete(cur, document_id)
    await deletions.remember(cur, document_id, job_ids=job_ids)
    return job_ids
