"""Deletes documents: rows, file, cached jobs, announcements. If a part fails, maintenance tries it again."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import (
    audit_log,
    deletions,
    deliveries,
    documents,
    jobs,
    name_index,
    tenant_counts,
    tenant_deletions,
)
from docserver.database.tables.audit_log import Action
from docserver.database.tables.deletions import Deletion
from docserver.errors import DatabaseUnavailable, Gone, NotFound, RedisUnavailable
from docserver.resources import Resources
from docserver.storage import BucketError
from docserver.storage.disk import unavailable

REPEATING_ACTOR = "restored database"
"""In the audit log, who deletes again what a restored database has brought back."""

log = logging.getLogger("docserver.api")


async def delete(resources: Resources, document_id: UUID, *, tenant: str, actor: str) -> None:
    """Delete a document of a tenant, even one that is being read; `actor` is who asks for it, for the audit log.

    Raises NotFound, Gone, DatabaseUnavailable.
    """
    deletion = await _delete_rows(resources, document_id, tenant, actor)
    log.info("document deleted", extra={"document_id": str(document_id)})
    await clear_now(resources, deletion)


async def remove(resources: Resources, document_ids: Sequence[UUID], *, deleted_tenant: str) -> None:
    """Delete documents of a deleted tenant, and count them in the receipt; raises DatabaseUnavailable."""
    removed = await _remove_rows(resources, document_ids, deleted_tenant)
    if removed:
        await clear_now(resources, *removed)


async def expire(resources: Resources, document_id: UUID) -> None:
    """Delete a document that has expired, unless an upload has prolonged it; raises DatabaseUnavailable."""
    if deletion := await _expire_rows(resources, document_id):
        log.info("document expired", extra={"document_id": str(document_id)})
        await clear_now(resources, deletion)


async def repeat(resources: Resources) -> None:
    """Delete the documents again that the restore of an older database has brought back.

    Raises DatabaseUnavailable, StorageUnavailable.
    """
    documents_deleted = 0
    try:
        async for part in resources.storage.deleted.ids():
            documents_deleted += await _delete_again(resources, part)
    except BucketError as error:
        raise unavailable() from error
    if documents_deleted:
        log.warning(
            "documents that a restored database had brought back were deleted again",
            extra={"documents": documents_deleted},
        )


async def clear_now(resources: Resources, *deleted: Deletion) -> None:
    """Remove everything that deleted documents have outside the database. What fails is left to maintenance."""
    # The rows are deleted already. If this process dies now, maintenance clears the rest.
    try:
        await clear(resources, *deleted)
    except (RedisUnavailable, DatabaseUnavailable, OSError) as error:
        for deletion in deleted:
            facts = {"fault": type(error).__name__, "document_id": str(deletion.document_id)}
            log.warning("deletion not cleared yet", extra=facts)


async def clear(resources: Resources, *deleted: Deletion) -> None:
    """Remove everything that deleted documents have outside the database; raises if something may be left."""
    document_ids = [deletion.document_id for deletion in deleted]
    for document_id in document_ids:
        await resources.storage.delete(document_id)
    # Not before the files are deleted: on a full disk, nothing can be recorded until there is room.
    await resources.storage.deleted.remember(*document_ids)
    for deletion in deleted:
        for job_id in deletion.job_ids:
            await resources.cache.forget(job_id, tenant=deletion.tenant)
    await resources.queue.remove([job_id for deletion in deleted for job_id in deletion.job_ids])
    async with resources.db.session() as cur:
        await deletions.clear(cur, document_ids)


async def _delete_again(resources: Resources, document_ids: Sequence[UUID]) -> int:
    """Delete those of these documents that are there; returns how many."""
    if not document_ids:
        return 0
    async with resources.maintenance_db.session() as cur:
        tenants = await documents.tenants(cur, document_ids)
    documents_deleted = 0
    for document_id, tenant in tenants.items():
        # Another process may do the same.
        with suppress(NotFound, Gone):
            await delete(resources, document_id, tenant=tenant, actor=REPEATING_ACTOR)
            documents_deleted += 1
    return documents_deleted


@transactional
async def _delete_rows(resources: Resources, document_id: UUID, tenant: str, actor: str) -> Deletion:
    async with resources.db.transaction() as cur:
        # The document of another tenant may be locked: waiting for the lock would tell that it exists.
        if not await documents.belongs_to(cur, document_id, tenant=tenant) or not await documents.lock(
            cur, document_id
        ):
            if await deletions.was_deleted(cur, document_id, tenant=tenant):
                raise Gone("The document was deleted.")
            raise NotFound("There is no such document.")
        await audit_log.record(cur, Action.DOCUMENT_DELETED, actor=actor, tenant=tenant, subject=str(document_id))
        return await _delete_locked(cur, document_id, tenant)


@transactional
async def _expire_rows(resources: Resources, document_id: UUID) -> Deletion | None:
    async with resources.db.transaction() as cur:
        tenant = await documents.lock_expired(cur, document_id)
        return await _delete_locked(cur, document_id, tenant) if tenant is not None else None


@transactional
async def _remove_rows(resources: Resources, document_ids: Sequence[UUID], tenant: str) -> list[Deletion]:
    removed = []
    async with resources.db.transaction() as cur:
        for document_id in document_ids:
            # Another process may have removed it.
            if await documents.lock(cur, document_id):
                await tenant_deletions.count_document(cur, tenant, document_id)
                removed.append(await _delete_locked(cur, document_id, tenant))
    return removed


async def _delete_locked(cur: Cursor, document_id: UUID, tenant: str) -> Deletion:
    deletion = Deletion(document_id, tenant, [job.id for job in await jobs.of_document(cur, document_id)])
    await tenant_counts.subtract_document(cur, document_id)
    await deliveries.delete_of_document(cur, document_id)
    await name_index.record_deletion(cur, document_id)
    await documents.delete(cur, document_id)
    await deletions.remember(cur, deletion)
    return deletion
