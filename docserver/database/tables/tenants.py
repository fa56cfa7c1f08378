"""The SQL of `tenants`. A tenant's row stays when the tenant is deleted, so that its name is not used again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docserver.database.connection import Cursor, Row
from docserver.model import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant, perhaps deleted."""

    name: str
    created_at: datetime
    deleted_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """The tenant as clients see it."""
        return {
            "name": self.name,
            "created_at": rfc3339(self.created_at),
            "deleted_at": rfc3339(self.deleted_at),
        }


async def insert_if_missing(cur: Cursor, name: str) -> bool:
    """Add a tenant; False if it exists already, perhaps deleted."""
    return await cur.execute("INSERT IGNORE INTO tenants (name, created_at) VALUES (%s, UTC_TIMESTAMP(6))", (name,)) > 0


async def lock(cur: Cursor, name: str) -> bool:
    """Lock a tenant against its deletion until the transaction ends; False if there is none, or if it is deleted."""
    return await cur.execute("SELECT 1 FROM tenants WHERE name = %s AND deleted_at IS NULL FOR UPDATE", (name,)) > 0


async def lock_shared(cur: Cursor, name: str) -> bool:
    """As `lock`, but other transactions may lock the tenant in this way at the same time."""
    return (
        await cur.execute("SELECT 1 FROM tenants WHERE name = %s AND deleted_at IS NULL LOCK IN SHARE MODE", (name,))
        > 0
    )


async def mark_deleted(cur: Cursor, name: str) -> None:
    """Refuse a tenant's keys and uploads from now on."""
    await cur.execute("UPDATE tenants SET deleted_at = UTC_TIMESTAMP(6) WHERE name = %s", (name,))


async def find(cur: Cursor, name: str) -> Tenant | None:
    """The tenant, perhaps deleted; None if there never was one of this name."""
    await cur.execute("SELECT * FROM tenants WHERE name = %s", (name,))
    row = cur.row()
    return _tenant(row) if row else None


async def by_name(cur: Cursor, *, after: str, limit: int) -> list[Tenant]:
    """Tenants in the order of their names, deleted ones too; only those with names after this one."""
    await cur.execute("SELECT * FROM tenants WHERE name > %s ORDER BY name LIMIT %s", (after, limit))
    return [_tenant(row) for row in cur.rows()]


def _tenant(row: Row) -> Tenant:
    return Tenant(name=row["name"], created_at=row["created_at"], deleted_at=row["deleted_at"])
