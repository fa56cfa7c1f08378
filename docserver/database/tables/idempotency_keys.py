"""The SQL of `idempotency_keys`: the keys by which clients repeat requests, and the answers to them. Completed uploads
by links are recorded here too, under keys of our own.
"""

from dataclasses import dataclass
from uuid import UUID

from docserver.database.connection import Cursor

KEPT_S = 86_400
"""Keys are kept for this time from the first request on."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key that an earlier request was sent with."""

    job_id: UUID
    payload: bytes | None
    answer: bytes | None
    is_free: bool
    """True if no request is carried out with it, and none was to its end."""
    is_expired: bool


async def insert(
    cur: Cursor, *, key_id: bytes, tenant: str, holder: UUID, job_id: UUID, lease_s: int, kept_s: int = KEPT_S
) -> bool:
    """Add a key, for a request that is carried out now; False if it is there."""
    return (
        await cur.execute(
            """
            INSERT IGNORE INTO idempotency_keys (id, tenant, holder, lease_until, job_id, expires_at)
            VALUES (%s, %s, %s, UTC_TIMESTAMP(6) + INTERVAL %s SECOND, %s, UTC_TIMESTAMP(6) + INTERVAL %s SECOND)
            """,
            (key_id, tenant, holder.bytes, lease_s, job_id.bytes, kept_s),
        )
        > 0
    )


async def find(cur: Cursor, key_id: bytes) -> KeyRow | None:
    """The key, or None."""
    await cur.execute(
        """
        SELECT job_id, payload, answer, answer IS NULL AND lease_until <= UTC_TIMESTAMP(6) AS is_free,
               expires_at <= UTC_TIMESTAMP(6) AS is_expired
        FROM idempotency_keys WHERE id = %s
        """,
        (key_id,),
    )
    row = cur.row()
    if row is None:
        return None
    return KeyRow(
        UUID(bytes=row["job_id"]), row["payload"], row["answer"], bool(row["is_free"]), bool(row["is_expired"])
    )


async def take_over(cur: Cursor, *, key_id: bytes, holder: UUID, lease_s: int) -> bool:
    """Carry out another request with a key; False if one is carried out already, or was."""
    return (
        await cur.execute(
            """
            UPDATE idempotency_keys SET holder = %s, lease_until = UTC_TIMESTAMP(6) + INTERVAL %s SECOND
            WHERE id = %s AND answer IS NULL AND lease_until <= UTC_TIMESTAMP(6)
            """,
            (holder.bytes, lease_s, key_id),
        )
        > 0
    )


async def extend(cur: Cursor, *, key_id: bytes, holder: UUID, lease_s: int) -> bool:
    """Go on with a request for this time; at once let another one be carried out if it is 0. False if another is."""
    return (
        await cur.execute(
            """
            UPDATE idempotency_keys SET lease_until = UTC_TIMESTAMP(6) + INTERVAL %s SECOND
            WHERE id = %s AND holder = %s AND answer IS NULL
            """,
            (lease_s, key_id, holder.bytes),
        )
        > 0
    )


async def bind(cur: Cursor, *, key_id: bytes, holder: UUID, payload: bytes) -> bool:
    """Record what the request asks for; False if another one asked for something else, or is carried out."""
    return (
        await cur.execute(
            """
            UPDATE idempotency_keys SET payload = %s
            WHERE id = %s AND holder = %s AND (payload IS NULL OR payload = %s)
            """,
            (payload, key_id, holder.bytes, payload),
        )
        > 0
    )


async def finish(cur: Cursor, *, key_id: bytes, holder: UUID, answer: bytes) -> None:
    """Keep the answer to the request that was carried out."""
    await cur.execute(
        "UPDATE idempotency_keys SET answer = %s WHERE id = %s AND holder = %s", (answer, key_id, holder.bytes)
    )


async def forget(cur: Cursor, *, key_id: bytes, holder: UUID) -> None:
    """Remove the key of a request that has changed nothing."""
    await cur.execute("DELETE FROM idempotency_keys WHERE id = %s AND holder = %s", (key_id, holder.bytes))


async def forget_expired(cur: Cursor, key_id: bytes) -> None:
    """Remove a key if it is no longer kept."""
    await cur.execute("DELETE FROM idempotency_keys WHERE id = %s AND expires_at <= UTC_TIMESTAMP(6)", (key_id,))


async def delete_expired(cur: Cursor, *, limit: int) -> int:
    """Remove keys that are no longer kept; returns how many."""
    return await cur.execute(
        "DELETE FROM idempotency_keys WHERE expires_at <= UTC_TIMESTAMP(6) ORDER BY expires_at LIMIT %s", (limit,)
    )


async def delete_all(cur: Cursor, tenant: str) -> None:
    """Remove all keys of a tenant."""
    await cur.execute("DELETE FROM idempotency_keys WHERE tenant = %s", (tenant,))
