"""Reads keys, tenants and the audit log for administrators."""

from uuid import UUID

from docserver.database.connection import Database
from docserver.database.tables import api_keys, audit_log, documents, tenant_deletions, tenants
from docserver.database.tables.api_keys import ApiKey
from docserver.database.tables.audit_log import Entry
from docserver.database.tables.tenant_deletions import Receipt
from docserver.database.tables.tenants import Tenant
from docserver.tenants.administration import is_tenant_name, no_such_tenant


async def key_list(db: Database, *, tenant: str | None, after: UUID | None, limit: int) -> list[ApiKey]:
    """A part of the list of a tenant's keys, or of all keys if it is None, oldest first, after the key `after`."""
    async with db.session() as cur:
        return await api_keys.of_tenant(cur, tenant, after=after, limit=limit)


async def tenant_list(db: Database, *, after: str, limit: int) -> list[Tenant]:
    """A part of the list of all tenants in the order of their names, deleted ones too, after the name `after`."""
    async with db.session() as cur:
        return await tenants.by_name(cur, after=after, limit=limit)


async def tenant(db: Database, name: str) -> tuple[Tenant, Receipt | None]:
    """A tenant, and what its deletion has removed so far if it is deleted; raises NotFound."""
    # The server compares no other names with the column, which is ASCII.
    if not is_tenant_name(name):
        raise no_such_tenant()
    async with db.session() as cur:
        row = await tenants.find(cur, name)
        if row is None:
            raise no_such_tenant()
        return row, await tenant_deletions.find(cur, name)


async def documents_of(db: Database, name: str) -> tuple[int, int]:
    """How many documents a tenant has, and the bytes of their files."""
    async with db.session() as cur:
        return await documents.totals(cur, name)


async def audit_entries(db: Database, *, tenant: str | None, before: int | None, limit: int) -> list[Entry]:
    """A part of the audit log, of a tenant or of all, the latest first, before the entry `before`."""
    async with db.session() as cur:
        return await audit_log.latest(cur, tenant=tenant, before=before, limit=limit)
