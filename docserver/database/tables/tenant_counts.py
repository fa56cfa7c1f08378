"""The SQL of `bytes_kept` and `pages_used`: what each tenant uses of its quotas.

As a rule, a connection adds to a part of its own, so that transactions do not wait for each other. The count is the sum
of the parts. Part 0 of `bytes_kept` is there from the start: it is the lock of those that must know the exact counts.
"""

from datetime import date
from uuid import UUID

from docserver.database.connection import Cursor

PARTS = 64
"""Parts of a count. More connections than this seldom count for one tenant at the same time."""


async def insert(cur: Cursor, tenant: str) -> None:
    """Add the lock of a new tenant, unless it is there."""
    await cur.execute("INSERT IGNORE INTO bytes_kept (tenant, part, bytes) VALUES (%s, 0, 0)", (tenant,))


async def bytes_of_all(cur: Cursor) -> int:
    """The bytes of all documents' files, of all tenants. It reads at most PARTS + 1 rows for each tenant."""
    await cur.execute("SELECT COALESCE(SUM(bytes), 0) AS bytes FROM bytes_kept")
    return int(cur.only_row()["bytes"])


async def lock(cur: Cursor, tenant: str) -> None:
    """Let nobody else check what the tenant uses until the transaction ends. This belongs near its end."""
    await cur.execute("SELECT 1 FROM bytes_kept WHERE tenant = %s AND part = 0 FOR UPDATE", (tenant,))


async def add_bytes_without_quota(cur: Cursor, tenant: str, size: int) -> bool:
    """Count bytes of an upload if the tenant has no quota of its own that restricts uploads.

    False if it has one, or if there is no such tenant, or if it is deleted. Otherwise, this cannot change until the
    transaction ends.
    """
    return (
        await cur.execute(
            """
            INSERT INTO bytes_kept (tenant, part, bytes)
            SELECT t.name, 1 + CONNECTION_ID() %% %(parts)s, %(size)s FROM tenants t
            WHERE t.name = %(tenant)s AND t.deleted_at IS NULL
              AND COALESCE(t.max_bytes, t.pages_per_day, t.max_unfinished_jobs) IS NULL LOCK IN SHARE MODE
            ON DUPLICATE KEY UPDATE bytes = bytes_kept.bytes + VALUES(bytes)
            """,
            {"tenant": tenant, "parts": PARTS, "size": size},
        )
        > 0
    )


async def add_bytes(cur: Cursor, tenant: str, size: int) -> None:
    """Count bytes that a tenant keeps from now on."""
    await cur.execute(
        """
        INSERT INTO bytes_kept (tenant, part, bytes) VALUES (%(tenant)s, 1 + CONNECTION_ID() %% %(parts)s, %(size)s)
        ON DUPLICATE KEY UPDATE bytes = bytes + %(size)s
        """,
        {"tenant": tenant, "parts": PARTS, "size": size},
    )


async def subtract_document(cur: Cursor, document_id: UUID) -> None:
    """Subtract the bytes of a document that is about to be deleted."""
    await cur.execute(
        """
        INSERT INTO bytes_kept (tenant, part, bytes)
        SELECT d.tenant, 1 + CONNECTION_ID() %% %(parts)s, -d.size FROM documents d WHERE d.id = %(id)s
        ON DUPLICATE KEY UPDATE bytes = bytes_kept.bytes + VALUES(bytes)
        """,
        {"parts": PARTS, "id": document_id.bytes},
    )


async def add_pages(cur: Cursor, tenant: str, pages: int, *, day: date | None = None) -> None:
    """Count pages that a tenant has used on a day (UTC); None is today."""
    await cur.execute(
        """
        INSERT INTO pages_used (tenant, day, part, pages)
        VALUES (%(tenant)s, COALESCE(%(day)s, UTC_DATE()), 1 + CONNECTION_ID() %% %(parts)s, %(pages)s)
        ON DUPLICATE KEY UPDATE pages = pages + %(pages)s
        """,
        {"tenant": tenant, "day": day, "parts": PARTS, "pages": pages},
    )


async def delete(cur: Cursor, tenant: str) -> None:
    """Remove all counts of a tenant that is deleted and has nothing any more."""
    await cur.execute("DELETE FROM bytes_kept WHERE tenant = %s", (tenant,))
    await cur.execute("DELETE FROM pages_used WHERE tenant = %s", (tenant,))


async def forget_pages(cur: Cursor, *, older_than_days: int, limit: int) -> int:
    """Remove the counts of days that are longer ago than this; returns how many rows."""
    return await cur.execute(
        "DELETE FROM pages_used WHERE day < UTC_DATE() - INTERVAL %s DAY ORDER BY day LIMIT %s",
        (older_than_days, limit),
    )
