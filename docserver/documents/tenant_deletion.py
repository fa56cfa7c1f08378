"""Deletes tenants: their keys at once, then their documents in steps, whatever process dies on the way.

The receipt says what was removed so far. Each document is counted in the transaction that removes it.
"""

import logging

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import (
    api_keys,
    audit_log,
    batches,
    deletions,
    documents,
    idempotency_keys,
    name_index,
    search_index,
    search_segments,
    tenant_counts,
    tenant_deletions,
    tenants,
    webhook_endpoints,
)
from docserver.database.tables.audit_log import Action
from docserver.database.tables.deletions import Deletion
from docserver.database.tables.tenant_deletions import Receipt
from docserver.documents import deletion
from docserver.documents.name_indexing import REMOVED_AT_ONCE
from docserver.errors import Conflict, ServiceError
from docserver.resources import Resources
from docserver.tenants.administration import is_tenant_name, no_such_tenant

REMOVED_TOGETHER = 20
"""Documents that one transaction removes: few enough that it ends soon, though each may have thousands of pages."""

log = logging.getLogger("docserver.tenants")


async def begin(resources: Resources, tenant: str, *, actor: str) -> Receipt:
    """Refuse a tenant's keys and uploads from now on; maintenance removes its documents. Returns the receipt so far.

    The tenant may be deleted already. Raises NotFound, Conflict, DatabaseUnavailable.
    """
    check_deletable(tenant)
    if not is_tenant_name(tenant):
        raise no_such_tenant()
    if await _begin(resources, tenant, actor):
        log.info("tenant deleted", extra={"tenant": tenant, "actor": actor})
    return await receipt_of(resources, tenant)


def check_deletable(tenant: str) -> None:
    """Raise Conflict if this tenant can never be deleted."""
    if tenant == DEFAULT_TENANT:
        raise Conflict(
            f"The tenant {DEFAULT_TENANT} cannot be deleted: what is uploaded without keys, or restored, belongs to it."
        )


async def receipt_of(resources: Resources, tenant: str) -> Receipt:
    """What was removed so far of a deleted tenant; raises NotFound, DatabaseUnavailable."""
    async with resources.db.session() as cur:
        receipt = await tenant_deletions.find(cur, tenant)
    if receipt is None:
        raise no_such_tenant()
    return receipt


@transactional
async def _begin(resources: Resources, tenant: str, actor: str) -> bool:
    async with resources.db.transaction() as cur:
        if not await tenants.lock(cur, tenant):
            return False
        await tenants.mark_deleted(cur, tenant)
        await tenant_deletions.begin(cur, tenant, actor=actor, api_keys=await api_keys.delete_all(cur, tenant))
        await audit_log.record(cur, Action.TENANT_DELETED, actor=actor, tenant=tenant, subject=tenant)
        return True


async def advance(resources: Resources, tenant: str, *, limit: int) -> Receipt:
    """Remove some of the documents of a deleted tenant, at most this many. Returns the receipt, which is finished once
    nothing is left. Raises NotFound, DatabaseUnavailable.
    """
    async with resources.maintenance_db.session() as cur:
        some = await documents.some_of_tenant(cur, tenant, limit=limit)
    for first in range(0, len(some), REMOVED_TOGETHER):
        await deletion.remove(resources, some[first : first + REMOVED_TOGETHER], deleted_tenant=tenant)
    if len(some) < limit and await _discard_uploads(resources, tenant):
        await _finish(resources, tenant, limit=limit)
    return await receipt_of(resources, tenant)


async def _discard_uploads(resources: Resources, tenant: str) -> bool:
    """Remove files that were sent to links and not completed; False if that has to be tried again."""
    links = resources.storage.links
    try:
        if links:
            await links.discard_uploads(tenant)
    except ServiceError as error:
        log.warning(
            "uploads of a deleted tenant not removed yet", extra={"tenant": tenant, "fault": type(error).__name__}
        )
        return False
    return True


async def _finish(resources: Resources, tenant: str, *, limit: int) -> None:
    """Finish the receipt, unless files or cached jobs are left; then try to remove those."""
    is_finished, left = await _finish_receipt(resources, tenant, limit=limit)
    if is_finished:
        log.info("nothing is left of a deleted tenant", extra={"tenant": tenant})
    for each in left:
        await deletion.clear_now(resources, each)


@transactional
async def _finish_receipt(resources: Resources, tenant: str, *, limit: int) -> tuple[bool, list[Deletion]]:
    async with resources.maintenance_db.transaction() as cur:
        left = await deletions.uncleared(cur, tenant=tenant, limit=limit)
        # Deliveries and callbacks of jobs, of which there may be millions, are removed with the jobs.
        is_empty = not left and not await _remove_from_indexes(cur, tenant)
        is_finished = is_empty and await tenant_deletions.finish(cur, tenant)
        if is_finished:
            await webhook_endpoints.delete_all(cur, tenant)
            await batches.delete_all(cur, tenant)
            await idempotency_keys.delete_all(cur, tenant)
            await tenant_counts.delete(cur, tenant)
        return is_finished, left


async def _remove_from_indexes(cur: Cursor, tenant: str) -> bool:
    """Remove some of the rows that the indexes of names and of words have of a tenant; False if nothing was left."""
    return bool(
        await name_index.delete(cur, tenant, limit=REMOVED_AT_ONCE)
        or await search_segments.delete_tenant(cur, tenant, limit=REMOVED_AT_ONCE)
        or await search_index.delete_tenant(cur, tenant, limit=REMOVED_AT_ONCE)
    )
