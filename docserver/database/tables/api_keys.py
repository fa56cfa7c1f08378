"""The SQL of `api_keys`. Keys are stored as hashes; `tenants.key_text` makes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from docserver.caller import Scope
from docserver.database.connection import Cursor, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key of a tenant, without its secret."""

    id: UUID
    tenant: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidKey:
    """A key that may be used now."""

    id: UUID
    tenant: str
    scopes: frozenset[Scope]
    sha256: bytes
    expires_in_s: float | None


async def insert(
    cur: Cursor,
    *,
    key_id: UUID,
    tenant: str,
    name: str,
    prefix: str,
    sha256: bytes,
    scopes: Iterable[Scope],
    expires_in_s: int | None,
) -> ApiKey:
    """Add a key; its time of creation is the database's."""
    await cur.execute(
        """
        INSERT INTO api_keys (id, tenant, name, prefix, sha256, scopes, created_at, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL %s SECOND)
        """,
        (key_id.bytes, tenant, name, prefix, sha256, ",".join(sorted(scopes)), expires_in_s),
    )
    await cur.execute("SELECT * FROM api_keys WHERE id = %s", (key_id.bytes,))
    return _api_key(cur.only_row())


async def valid(cur: Cursor, prefix: str) -> ValidKey | None:
    """The key with this prefix; None if there is none, if it is revoked or has expired, or if its tenant is deleted."""
    await cur.execute(
        """
        SELECT k.id, k.tenant, k.scopes, k.sha256,
               TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), k.expires_at) / 1000000 AS expires_in_s
        FROM api_keys k JOIN tenants t ON t.name = k.tenant
        WHERE k.prefix = %s AND k.revoked_at IS NULL AND t.deleted_at IS NULL
          AND (k.expires_at IS NULL OR k.expires_at > UTC_TIMESTAMP(6))
        """,
        (prefix,),
    )
    row = cur.row()
    if row is None:
        return None
    expires_in_s = row["expires_in_s"]
    return ValidKey(
        id=UUID(bytes=row["id"]),
        tenant=row["tenant"],
        scopes=_scopes(row),
        sha256=row["sha256"],
        expires_in_s=None if expires_in_s is None else float(expires_in_s),
    )


async def find(cur: Cursor, key_id: UUID) -> ApiKey | None:
    """The key, or None."""
    await cur.execute("SELECT * FROM api_keys WHERE id = %s", (key_id.bytes,))
    row = cur.row()
    return _api_key(row) if row else None


async def of_tenant(cur: Cursor, tenant: str | None, *, after: UUID | None, limit: int) -> list[ApiKey]:
    """A tenant's keys, or those of all if it is None, oldest first; only those that were made after the key `after`."""
    await cur.execute(
        """
        SELECT * FROM api_keys
        WHERE (%(tenant)s IS NULL OR tenant = %(tenant)s) AND (%(after)s IS NULL OR id > %(after)s)
        ORDER BY id LIMIT %(limit)s
        """,
        {"tenant": tenant, "after": after.bytes if after else None, "limit": limit},
    )
    return [_api_key(row) for row in cur.rows()]


async def delete_all(cur: Cursor, tenant: str) -> int:
    """Remove the keys of a tenant; returns how many."""
    return await cur.execute("DELETE FROM api_keys WHERE tenant = %s", (tenant,))


async def revoke(cur: Cursor, key_id: UUID) -> bool:
    """Refuse a key from now on. False if there is no such key, or if it is revoked already."""
    return (
        await cur.execute(
            "UPDATE api_keys SET revoked_at = UTC_TIMESTAMP(6) WHERE id = %s AND revoked_at IS NULL", (key_id.bytes,)
        )
        > 0
    )


async def expire(cur: Cursor, key_id: UUID, *, within_s: int) -> None:
    """Let a key expire after this time at the latest."""
    await cur.execute(
        """
        UPDATE api_keys
        SET expires_at = LEAST(COALESCE(expires_at, UTC_TIMESTAMP(6) + INTERVAL %(s)s SECOND),
                               UTC_TIMESTAMP(6) + INTERVAL %(s)s SECOND)
        WHERE id = %(id)s
        """,
        {"s": within_s, "id": key_id.bytes},
    )


def _api_key(row: Row) -> ApiKey:
    return ApiKey(
        id=UUID(bytes=row["id"]),
        tenant=row["tenant"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=_scopes(row),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


def _scopes(row: Row) -> frozenset[Scope]:
    return frozenset(map(Scope, row["scopes"].split(",")))
