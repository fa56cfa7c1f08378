"""The SQL of `delivery_attempts`, and of what clients see of deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from docserver.database.connection import Cursor, Row, each
from docserver.webhook_types import DeliveryStatus, EventType, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that has ended."""

    ended_at: datetime
    duration_ms: int
    http_status: int | None
    fault: Fault | None
    """Why there was no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as its tenant sees it."""

    id: UUID
    endpoint_id: UUID | None
    """None for a callback."""
    job_id: UUID | None
    batch_id: UUID | None
    url: str
    event: EventType
    status: DeliveryStatus
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    attempts: Sequence[Attempt]


async def add_attempt(
    cur: Cursor, delivery_id: UUID, *, duration_ms: int, http_status: int | None, fault: Fault | None
) -> None:
    """Add an attempt that has just ended. The caller has locked the delivery."""
    await cur.execute(
        """
        INSERT INTO delivery_attempts (delivery_id, number, ended_at, duration_ms, http_status, fault)
        SELECT %(id)s, COALESCE(MAX(number), 0) + 1, UTC_TIMESTAMP(6), %(duration_ms)s, %(http_status)s, %(fault)s
        FROM delivery_attempts WHERE delivery_id = %(id)s
        """,
        {
            "id": delivery_id.bytes,
            "duration_ms": duration_ms,
            "http_status": http_status,
            "fault": fault.value if fault else None,
        },
    )


async def of_job(cur: Cursor, job_id: UUID, *, before: UUID | None, limit: int) -> list[Delivery]:
    """A job's deliveries, latest first: those whose ids sort before `before`."""
    return await _select(cur, "d.job_id = %(of)s", of=job_id, before=before, limit=limit)


async def of_batch(cur: Cursor, batch_id: UUID, *, before: UUID | None, limit: int) -> list[Delivery]:
    """The same of a batch, without those of its jobs."""
    return await _select(cur, "d.batch_id = %(of)s", of=batch_id, before=before, limit=limit)


async def of_endpoint(cur: Cursor, endpoint_id: UUID, *, before: UUID | None, limit: int) -> list[Delivery]:
    """An endpoint's deliveries, latest first: those whose ids sort before `before`."""
    return await _select(cur, "d.endpoint_id = %(of)s", of=endpoint_id, before=before, limit=limit)


async def find(cur: Cursor, delivery_id: UUID, *, of: UUID, of_batch: bool) -> Delivery | None:
    """The delivery of a job or batch, or None."""
    where = f"d.{'batch_id' if of_batch else 'job_id'} = %(of)s AND d.id = %(id)s"
    rows = await _select(cur, where, of=of, before=None, limit=1, more={"id": delivery_id.bytes})
    return rows[0] if rows else None


async def _select(
    cur: Cursor, where: str, *, of: UUID, before: UUID | None, limit: int, more: Mapping[str, Any] | None = None
) -> list[Delivery]:
    await cur.execute(
        f"""
        SELECT d.id, IF(COALESCE(e.job_id, e.batch_id) IS NULL, d.endpoint_id, NULL) AS endpoint_id, d.job_id,
               d.batch_id, e.url, d.event, d.status,
               IF(d.status = 'pending', d.run_after, NULL) AS next_attempt_at, d.created_at, d.finished_at
        FROM deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
        WHERE {where} AND (%(before)s IS NULL OR d.id < %(before)s) ORDER BY d.id DESC LIMIT %(limit)s
        """,  # noqa: S608 - constants
        {"of": of.bytes, "before": before.bytes if before else None, "limit": limit, **(more or {})},
    )
    rows = cur.rows()
    attempts = await _attempts(cur, [row["id"] for row in rows]) if rows else {}
    return [_delivery(row, attempts.get(row["id"], ())) for row in rows]


async def _attempts(cur: Cursor, delivery_ids: Sequence[bytes]) -> dict[bytes, list[Attempt]]:
    await cur.execute(
        f"SELECT * FROM delivery_attempts WHERE delivery_id IN ({each(delivery_ids)}) ORDER BY delivery_id, number",  # noqa: S608 - placeholders alone
        delivery_ids,
    )
    attempts: dict[bytes, list[Attempt]] = {}
    for row in cur.rows():
        attempts.setdefault(row["delivery_id"], []).append(
            Attempt(
                ended_at=row["ended_at"],
                duration_ms=row["duration_ms"],
                http_status=row["http_status"],
                fault=Fault(row["fault"]) if row["fault"] else None,
            )
        )
    return attempts


def _delivery(row: Row, attempts: Sequence[Attempt]) -> Delivery:
    return Delivery(
        id=UUID(bytes=row["id"]),
        endpoint_id=UUID(bytes=row["endpoint_id"]) if row["endpoint_id"] else None,
        job_id=UUID(bytes=row["job_id"]) if row["job_id"] else None,
        batch_id=UUID(bytes=row["batch_id"]) if row["batch_id"] else None,
        url=row["url"],
        event=EventType(row["event"]),
        status=DeliveryStatus(row["status"]),
        next_attempt_at=row["next_attempt_at"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        attempts=attempts,
    )
