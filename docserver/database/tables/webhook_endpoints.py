"""The SQL of `webhook_endpoints`: who is told of events. Secrets are encrypted before they come here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from docserver.database.connection import Cursor, Row, each
from docserver.webhook_types import DisabledReason, EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """An endpoint before the database has set its time of creation."""

    id: UUID
    tenant: str
    job_id: UUID | None
    """The job whose upload named the URL as its callback."""
    batch_id: UUID | None
    """The batch that named it. With neither, the endpoint is told of all jobs and batches of the tenant."""
    url: str
    receiver: bytes
    """The same for all URLs of a tenant with the same scheme, host and port; 16 bytes."""
    events: tuple[EventType, ...]
    secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(NewEndpoint):
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Listening:
    """An endpoint that is told of events."""

    id: UUID
    receiver: bytes
    events: tuple[EventType, ...]


async def insert(cur: Cursor, endpoint: NewEndpoint) -> None:
    """Add an endpoint."""
    await cur.execute(
        """
        INSERT INTO webhook_endpoints (id, tenant, job_id, batch_id, url, receiver, events, secret, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6))
        """,
        (
            endpoint.id.bytes,
            endpoint.tenant,
            endpoint.job_id.bytes if endpoint.job_id else None,
            endpoint.batch_id.bytes if endpoint.batch_id else None,
            endpoint.url,
            endpoint.receiver,
            ",".join(endpoint.events),
            endpoint.secret,
        ),
    )


async def of_tenant(cur: Cursor, tenant: str) -> list[Endpoint]:
    """The tenant's endpoints, oldest first, without the callbacks of uploads."""
    await cur.execute(
        "SELECT * FROM webhook_endpoints WHERE tenant = %s AND job_id IS NULL AND batch_id IS NULL ORDER BY id",
        (tenant,),
    )
    return [_endpoint(row) for row in cur.rows()]


async def find(cur: Cursor, endpoint_id: UUID, *, tenant: str) -> Endpoint | None:
    """The tenant's endpoint, or None; never the callback of an upload."""
    await cur.execute(
        "SELECT * FROM webhook_endpoints WHERE id = %s AND tenant = %s AND job_id IS NULL AND batch_id IS NULL",
        (endpoint_id.bytes, tenant),
    )
    row = cur.row()
    return _endpoint(row) if row else None


async def oldest_and_newest_secret(cur: Cursor) -> list[bytes]:
    """The encrypted secrets of the oldest and of the newest endpoint. Empty if there are no endpoints."""
    await cur.execute(
        """
        (SELECT secret FROM webhook_endpoints ORDER BY id LIMIT 1)
        UNION ALL
        (SELECT secret FROM webhook_endpoints ORDER BY id DESC LIMIT 1)
        """
    )
    return [row["secret"] for row in cur.rows()]


async def latest_urls(cur: Cursor, *, limit: int) -> dict[bytes, str]:
    """A URL of each receiver that the latest endpoints have, as far as these are not disabled."""
    await cur.execute(
        "SELECT receiver, url FROM webhook_endpoints WHERE disabled_at IS NULL ORDER BY id DESC LIMIT %s", (limit,)
    )
    return {row["receiver"]: row["url"] for row in cur.rows()}


async def count_callbacks(cur: Cursor, job_id: UUID) -> int:
    """The number of callbacks of a job."""
    await cur.execute("SELECT COUNT(*) AS callbacks FROM webhook_endpoints WHERE job_id = %s", (job_id.bytes,))
    callbacks: int = cur.only_row()["callbacks"]
    return callbacks


async def listening(cur: Cursor, *, tenant: str, job_id: UUID) -> list[Listening]:
    """The endpoints that are told of a job: the tenant's, and the job's callbacks.

    They are locked, so that they are not deleted before the transaction ends.
    """
    await cur.execute(
        """
        SELECT id, receiver, events FROM webhook_endpoints
        WHERE tenant = %s AND (job_id IS NULL AND batch_id IS NULL OR job_id = %s) AND disabled_at IS NULL
        LOCK IN SHARE MODE
        """,
        (tenant, job_id.bytes),
    )
    return [_listening(row) for row in cur.rows()]


async def listening_to_batch(cur: Cursor, *, tenant: str, batch_id: UUID) -> list[Listening]:
    """The endpoints that are told of a batch: the tenant's, and the batch's callback. They are locked likewise."""
    await cur.execute(
        """
        SELECT id, receiver, events FROM webhook_endpoints
        WHERE tenant = %s AND job_id IS NULL AND (batch_id IS NULL OR batch_id = %s) AND disabled_at IS NULL
        LOCK IN SHARE MODE
        """,
        (tenant, batch_id.bytes),
    )
    return [_listening(row) for row in cur.rows()]


async def delete(cur: Cursor, endpoint_id: UUID, *, tenant: str) -> bool:
    """Delete a tenant's endpoint and its deliveries; False if there is none."""
    return (
        await cur.execute(
            "DELETE FROM webhook_endpoints WHERE id = %s AND tenant = %s AND job_id IS NULL AND batch_id IS NULL",
            (endpoint_id.bytes, tenant),
        )
        > 0
    )


async def delete_all(cur: Cursor, tenant: str) -> None:
    """Delete all endpoints of a tenant, its callbacks too, with their deliveries."""
    await cur.execute("DELETE FROM webhook_endpoints WHERE tenant = %s", (tenant,))


async def delete_of_batches(cur: Cursor, batch_ids: Sequence[UUID]) -> None:
    """Delete the callbacks of batches, with their deliveries."""
    await cur.execute(
        f"DELETE FROM webhook_endpoints WHERE batch_id IN ({each(batch_ids)})",  # noqa: S608 - placeholders alone
        [batch_id.bytes for batch_id in batch_ids],
    )


async def rotate(cur: Cursor, endpoint_id: UUID, *, tenant: str, secret: bytes, grace_s: int) -> bool:
    """Give an endpoint a new secret; the present one signs too for the grace time. False if there is no endpoint."""
    return (
        await cur.execute(
            """
            UPDATE webhook_endpoints
            SET previous_secret = secret, previous_until = UTC_TIMESTAMP(6) + INTERVAL %s SECOND, secret = %s
            WHERE id = %s AND tenant = %s AND job_id IS NULL AND batch_id IS NULL
            """,
            (grace_s, secret, endpoint_id.bytes, tenant),
        )
        > 0
    )


async def enable(cur: Cursor, endpoint_id: UUID, *, tenant: str) -> bool:
    """Let an endpoint get webhooks again, as if it had never failed. False if there is no endpoint."""
    return (
        await cur.execute(
            """
            UPDATE webhook_endpoints SET failing_since = NULL, disabled_at = NULL, disabled_reason = NULL
            WHERE id = %s AND tenant = %s AND job_id IS NULL AND batch_id IS NULL
            """,
            (endpoint_id.bytes, tenant),
        )
        > 0
    )


async def record_success(cur: Cursor, endpoint_id: UUID) -> None:
    """Record that an endpoint has accepted a webhook."""
    await cur.execute("UPDATE webhook_endpoints SET failing_since = NULL WHERE id = %s", (endpoint_id.bytes,))


async def record_failure(
    cur: Cursor, endpoint_id: UUID, *, gone: bool, disable_after_s: float
) -> DisabledReason | None:
    """Record a failed attempt. If the endpoint is gone or has failed for this long, disable it and return why."""
    await cur.execute(
        """
        UPDATE webhook_endpoints SET failing_since = COALESCE(failing_since, UTC_TIMESTAMP(6)) WHERE id = %s
        """,
        (endpoint_id.bytes,),
    )
    reason = DisabledReason.GONE if gone else DisabledReason.FAILING
    disabled = await cur.execute(
        """
        UPDATE webhook_endpoints SET disabled_at = UTC_TIMESTAMP(6), disabled_reason = %s
        WHERE id = %s AND disabled_at IS NULL AND (%s OR failing_since < UTC_TIMESTAMP(6) - INTERVAL %s SECOND)
        """,
        (reason.value, endpoint_id.bytes, gone, int(disable_after_s)),
    )
    return reason if disabled else None


def events_of(iterable: Iterable[str]) -> tuple[EventType, ...]:
    """The events of these names, each once, in the order of EventType."""
    names = set(iterable)
    return tuple(event for event in EventType if event in names)


def _listening(row: Row) -> Listening:
    return Listening(UUID(bytes=row["id"]), row["receiver"], events_of(row["events"].split(",")))


def _endpoint(row: Row) -> Endpoint:
    return Endpoint(
        id=UUID(bytes=row["id"]),
        tenant=row["tenant"],
        job_id=UUID(bytes=row["job_id"]) if row["job_id"] else None,
        batch_id=UUID(bytes=row["batch_id"]) if row["batch_id"] else None,
        url=row["url"],
        receiver=row["receiver"],
        events=events_of(row["events"].split(",")),
        secret=row["secret"],
        failing_since=row["failing_since"],
        disabled_at=row["disabled_at"],
        disabled_reason=DisabledReason(row["disabled_reason"]) if row["disabled_reason"] else None,
        created_at=row["created_at"],
    )
