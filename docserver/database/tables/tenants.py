"""The SQL of `tenants`: their weights and quotas, and what they have used of these.

A tenant's row stays when the tenant is deleted, so that its name is not used again.
"""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

from docserver.database.connection import Cursor, Row
from docserver.database.tables import tenant_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The most that a tenant may have. None is the default in a tenant's row, and no limit in the defaults."""

    pages_per_day: int | None = None
    max_bytes: int | None = None
    """Of the files of its documents."""
    max_unfinished_jobs: int | None = None
    max_connections: int | None = None
    """Requests that are being answered at the same time."""

    def or_else(self, defaults: "Quotas") -> "Quotas":
        """These quotas, with the defaults in place of those that are None."""
        own = {name: value for name, value in asdict(self).items() if value is not None}
        return Quotas(**{**asdict(defaults), **own})


QUOTAS = tuple(quota.name for quota in fields(Quotas))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant, perhaps deleted."""

    name: str
    created_at: datetime
    deleted_at: datetime | None
    weight: int
    """How many turns in a row it has when slots serve tenants."""
    quotas: Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a tenant has used of its quotas, other than connections and jobs."""

    quotas: Quotas
    """Those of its row."""
    bytes_kept: int
    pages_today: int
    now: datetime
    """The database's clock (UTC), by which days begin."""


async def insert_if_missing(cur: Cursor, name: str) -> bool:
    """Add a tenant; False if it exists already, perhaps deleted."""
    is_new = (
        await cur.execute("INSERT IGNORE INTO tenants (name, created_at) VALUES (%s, UTC_TIMESTAMP(6))", (name,)) > 0
    )
    await tenant_counts.insert(cur, name)
    return is_new


async def lock(cur: Cursor, name: str) -> bool:
    """Lock a tenant against its deletion until the transaction ends; False if there is none, or if it is deleted."""
    return await cur.execute("SELECT 1 FROM tenants WHERE name = %s AND deleted_at IS NULL FOR UPDATE", (name,)) > 0


async def set_limits(cur: Cursor, name: str, *, weight: int, quotas: Quotas) -> None:
    """Set the weight and all quotas of a tenant."""
    await cur.execute(
        """
        UPDATE tenants
        SET weight = %(weight)s, pages_per_day = %(pages_per_day)s, max_bytes = %(max_bytes)s,
            max_unfinished_jobs = %(max_unfinished_jobs)s, max_connections = %(max_connections)s
        WHERE name = %(name)s
        """,
        {"name": name, "weight": weight, **asdict(quotas)},
    )


async def lock_shared(cur: Cursor, name: str) -> bool:
    """As `lock`, but other transactions may lock the tenant in this way at the same time. Its quotas cannot change."""
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


async def usage(cur: Cursor, name: str) -> Usage:
    """What a tenant that exists has used of its quotas."""
    await cur.execute(
        """
        SELECT t.pages_per_day, t.max_bytes, t.max_unfinished_jobs, t.max_connections, UTC_TIMESTAMP(6) AS now,
               (SELECT COALESCE(SUM(bytes), 0) FROM bytes_kept b WHERE b.tenant = t.name) AS bytes_kept,
               (SELECT COALESCE(SUM(pages), 0) FROM pages_used p WHERE p.tenant = t.name AND p.day = UTC_DATE())
               AS pages_today
        FROM tenants t WHERE t.name = %s
        """,
        (name,),
    )
    row = cur.only_row()
    return Usage(
        quotas=_quotas(row),
        bytes_kept=int(row["bytes_kept"]),
        pages_today=int(row["pages_today"]),
        now=row["now"],
    )


async def connection_quotas(cur: Cursor) -> dict[str, int]:
    """`max_connections` of all tenants that have one of their own."""
    await cur.execute("SELECT name, max_connections FROM tenants WHERE max_connections IS NOT NULL")
    return {row["name"]: row["max_connections"] for row in cur.rows()}


async def weight(cur: Cursor, name: str) -> int:
    """The weight of a tenant; 1 if there is none."""
    await cur.execute("SELECT weight FROM tenants WHERE name = %s", (name,))
    row = cur.row()
    return row["weight"] if row else 1


async def weights(cur: Cursor) -> dict[str, int]:
    """The weights of all tenants that have another one than 1."""
    await cur.execute("SELECT name, weight FROM tenants WHERE weight <> 1 AND deleted_at IS NULL")
    return {row["name"]: row["weight"] for row in cur.rows()}


def _tenant(row: Row) -> Tenant:
    return Tenant(
        name=row["name"],
        created_at=row["created_at"],
        deleted_at=row["deleted_at"],
        weight=row["weight"],
        quotas=_quotas(row),
    )


def _quotas(row: Row) -> Quotas:
    return Quotas(**{quota: row[quota] for quota in QUOTAS})
