"""The SQL of `deliveries`: what is to be sent, and who sends it now. What clients see of them is in `delivery_log`.

A process claims deliveries by writing its claim, and the end of its lease into `run_after`. If it dies, they are due
again at that time, for any process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from docserver.database.connection import Cursor, microseconds
from docserver.webhook_types import DeliveryStatus, EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """An event that an endpoint is to be told of."""

    id: UUID
    """The webhook-id, which is the same at each attempt."""
    endpoint_id: UUID
    tenant: str
    receiver: bytes
    job_id: UUID | None
    batch_id: UUID | None
    """What it tells of; both None for a test."""
    event: EventType
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that this process sends now."""

    id: UUID
    endpoint_id: UUID
    tenant: str
    receiver: bytes
    job_id: UUID | None
    event: EventType
    body: bytes
    attempt: int
    """The number of this attempt since the delivery was made or replayed, from 1."""
    url: str
    secrets: tuple[bytes, ...]
    """Encrypted, newest first."""
    is_failing: bool
    """True if the endpoint's last attempt failed."""
    traceparent: str | None
    """Of the job, as in `Job`; None for a test."""


async def insert(cur: Cursor, deliveries: Sequence[NewDelivery]) -> None:
    """Add deliveries that are due at once."""
    await cur.insert_all(
        """
        INSERT INTO deliveries (id, endpoint_id, tenant, receiver, job_id, batch_id, event, body, run_after, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
        """,
        [
            (
                new.id.bytes,
                new.endpoint_id.bytes,
                new.tenant,
                new.receiver,
                new.job_id.bytes if new.job_id else None,
                new.batch_id.bytes if new.batch_id else None,
                new.event.value,
                new.body,
            )
            for new in deliveries
        ],
    )


async def due(cur: Cursor, *, limit: int) -> list[tuple[str, bytes]]:
    """The receivers that have a due delivery, as (tenant, receiver); none of deleted tenants. First comes one of each
    tenant, then a second one, and so on; the longest waiting first. It reads one row for each receiver, however many
    deliveries wait for it.
    """
    # Grouped by the whole beginning of the index, the servers skip from group to group.
    await cur.execute(
        """
        SELECT d.tenant, d.receiver
        FROM (
            SELECT tenant, receiver, MIN(run_after) AS first_due FROM deliveries WHERE status = 'pending'
            GROUP BY status, tenant, receiver HAVING first_due <= UTC_TIMESTAMP(6)
        ) d JOIN tenants t ON t.name = d.tenant
        WHERE t.deleted_at IS NULL
        ORDER BY ROW_NUMBER() OVER (PARTITION BY d.tenant ORDER BY d.first_due), d.first_due LIMIT %s
        """,
        (limit,),
    )
    return [(row["tenant"], row["receiver"]) for row in cur.rows()]


async def claim(
    cur: Cursor, *, tenant: str, receiver: bytes, claim_id: UUID, limit: int, lease_s: float
) -> list[Claimed]:
    """Claim up to `limit` due deliveries of a receiver, the longest waiting first, and count an attempt of each."""
    claimed = await cur.execute(
        """
        UPDATE deliveries
        SET claim = %s, tries = tries + 1, run_after = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
        WHERE status = 'pending' AND tenant = %s AND receiver = %s AND run_after <= UTC_TIMESTAMP(6)
        ORDER BY run_after LIMIT %s
        """,
        (claim_id.bytes, microseconds(lease_s), tenant, receiver, limit),
    )
    if not claimed:
        return []
    await cur.execute(
        """
        SELECT d.id, d.endpoint_id, d.job_id, d.event, d.body, d.tries, e.url, e.secret,
               IF(e.previous_until > UTC_TIMESTAMP(6), e.previous_secret, NULL) AS previous_secret,
               e.failing_since IS NOT NULL AS is_failing, j.traceparent
        FROM deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id LEFT JOIN jobs j ON j.id = d.job_id
        WHERE d.claim = %s
        """,
        (claim_id.bytes,),
    )
    return [
        Claimed(
            id=UUID(bytes=row["id"]),
            endpoint_id=UUID(bytes=row["endpoint_id"]),
            tenant=tenant,
            receiver=receiver,
            job_id=UUID(bytes=row["job_id"]) if row["job_id"] else None,
            event=EventType(row["event"]),
            body=row["body"],
            attempt=row["tries"],
            url=row["url"],
            secrets=tuple(secret for secret in (row["secret"], row["previous_secret"]) if secret),
            is_failing=bool(row["is_failing"]),
            traceparent=row["traceparent"],
        )
        for row in cur.rows()
    ]


async def release(cur: Cursor, delivery_id: UUID, *, claim_id: UUID) -> None:
    """Let a claimed delivery be sent by another process at once; the attempt does not count."""
    await cur.execute(
        """
        UPDATE deliveries SET claim = NULL, tries = tries - 1, run_after = UTC_TIMESTAMP(6)
        WHERE id = %s AND claim = %s
        """,
        (delivery_id.bytes, claim_id.bytes),
    )


async def finish(cur: Cursor, delivery_id: UUID, *, claim_id: UUID, status: DeliveryStatus) -> bool:
    """Give a delivery its final status; False if the claim is lost."""
    return (
        await cur.execute(
            """
            UPDATE deliveries SET status = %s, claim = NULL, finished_at = UTC_TIMESTAMP(6)
            WHERE id = %s AND claim = %s
            """,
            (status.value, delivery_id.bytes, claim_id.bytes),
        )
        > 0
    )


async def postpone(cur: Cursor, delivery_id: UUID, *, claim_id: UUID, delay_s: float) -> bool:
    """Let a delivery be sent again after the delay; False if the claim is lost."""
    return (
        await cur.execute(
            """
            UPDATE deliveries SET claim = NULL, run_after = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE id = %s AND claim = %s
            """,
            (microseconds(delay_s), delivery_id.bytes, claim_id.bytes),
        )
        > 0
    )


async def fail_pending(cur: Cursor, endpoint_id: UUID) -> None:
    """Give up all deliveries to an endpoint."""
    await cur.execute(
        """
        UPDATE deliveries SET status = 'failed', claim = NULL, finished_at = UTC_TIMESTAMP(6)
        WHERE endpoint_id = %s AND status = 'pending'
        """,
        (endpoint_id.bytes,),
    )


async def replay(cur: Cursor, delivery_id: UUID, *, of: UUID, of_batch: bool, tenant: str) -> bool:
    """Let a delivery be sent again at once, with all attempts before it. One that is being sent now is left alone.

    False if the tenant's job or batch has no such delivery, or if its endpoint is disabled. Disabled callbacks can be
    replayed.
    """
    return (
        await cur.execute(
            f"""
            UPDATE deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
            SET d.run_after = IF(d.claim IS NULL, UTC_TIMESTAMP(6), d.run_after),
                d.tries = IF(d.claim IS NULL, 0, d.tries), d.status = 'pending', d.finished_at = NULL
            WHERE d.id = %s AND d.{"batch_id" if of_batch else "job_id"} = %s AND d.tenant = %s
              AND (e.disabled_at IS NULL OR e.job_id IS NOT NULL OR e.batch_id IS NOT NULL)
            """,  # noqa: S608 - constants
            (delivery_id.bytes, of.bytes, tenant),
        )
        > 0
    )


async def delete_of_document(cur: Cursor, document_id: UUID) -> None:
    """Delete the deliveries of a document's jobs, with their attempts.

    MySQL 9.7 forgets some of them when it deletes the jobs, where these have callbacks with deliveries of their own.
    """
    await cur.execute(
        "DELETE d FROM deliveries d JOIN jobs j ON j.id = d.job_id WHERE j.document_id = %s", (document_id.bytes,)
    )


async def delete_finished(cur: Cursor, *, older_than_s: float, limit: int) -> int:
    """Delete deliveries that have ended before this time, with their attempts; returns how many."""
    return await cur.execute(
        """
        DELETE FROM deliveries
        WHERE finished_at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND ORDER BY finished_at LIMIT %s
        """,
        (int(older_than_s), limit),
    )
