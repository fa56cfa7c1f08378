"""Records events as deliveries, within the transactions in which they happen. So none is lost, whatever dies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson

from docserver.database.connection import Cursor
from docserver.database.tables import deliveries, webhook_endpoints
from docserver.database.tables.deliveries import NewDelivery
from docserver.database.tables.webhook_endpoints import Listening, NewEndpoint
from docserver.model import Job, Status, new_id
from docserver.timestamps import rfc3339
from docserver.webhook_types import EventType

JOB_ENDED: Mapping[Status, EventType] = {
    Status.COMPLETED: EventType.JOB_COMPLETED,
    Status.FAILED: EventType.JOB_FAILED,
    Status.CANCELLED: EventType.JOB_CANCELLED,
}

MAX_CALLBACKS = 100
"""Most callbacks of one job. A job gets several when the same file is uploaded again, each time with a callback."""


@dataclass(frozen=True)
class Event:
    """Something that happened, as endpoints are told of it."""

    type: EventType
    data: Mapping[str, Any]
    happened_at: str

    @cached_property
    def body(self) -> bytes:
        """The body of the webhook."""
        return orjson.dumps({"type": self.type, "timestamp": self.happened_at, "data": self.data})


async def record(cur: Cursor, job: Job, *, pages: Sequence[int]) -> bool:
    """Record the pages of a job that were read, and its end if it has ended; False if nobody is told of it. The caller
    has locked the job.
    """
    if not pages and not job.status.final:
        return False
    endpoints = await webhook_endpoints.listening(cur, tenant=job.tenant, job_id=job.id)
    if not endpoints:
        return False
    now = rfc3339(datetime.now(UTC).replace(tzinfo=None))
    happened = [completed_page(job, number, now) for number in pages]
    if job.status.final:
        happened.append(ended(job))
    await _insert(cur, endpoints, happened, tenant=job.tenant, job_id=job.id)
    return True


async def record_batch(
    cur: Cursor, batch_id: UUID, *, tenant: str, batch: Mapping[str, Any], ended_at: datetime
) -> None:
    """Record that all jobs of a batch have ended. The caller has locked the batch."""
    endpoints = await webhook_endpoints.listening_to_batch(cur, tenant=tenant, batch_id=batch_id)
    event = Event(EventType.BATCH_COMPLETED, batch, rfc3339(ended_at) or "")
    await _insert(cur, endpoints, [event], tenant=tenant, batch_id=batch_id)


async def add_callback(cur: Cursor, job: Job, callback: NewEndpoint) -> bool:
    """Add a callback to a job, which is told at once if the job has ended already. False if the job has too many. The
    caller has locked the job.
    """
    if await webhook_endpoints.count_callbacks(cur, job.id) >= MAX_CALLBACKS:
        return False
    await webhook_endpoints.insert(cur, callback)
    if job.status.final:
        listening = Listening(callback.id, callback.receiver, callback.events)
        await _insert(cur, [listening], [ended(job)], tenant=job.tenant, job_id=job.id)
    return True


def ended(job: Job) -> Event:
    """The end of a job."""
    return Event(JOB_ENDED[job.status], job.as_json(), rfc3339(job.finished_at) or "")


def completed_page(job: Job, number: int, happened_at: str) -> Event:
    """A page of a job that was read."""
    path = f"/v1/jobs/{job.id}"
    data = {
        "job_id": str(job.id),
        "document_id": str(job.document_id),
        "page": number,
        "links": {"job": path, "page": f"{path}/pages/{number}"},
    }
    return Event(EventType.PAGE_COMPLETED, data, happened_at)


async def _insert(
    cur: Cursor,
    endpoints: Sequence[Listening],
    happened: Sequence[Event],
    *,
    tenant: str,
    job_id: UUID | None = None,
    batch_id: UUID | None = None,
) -> None:
    """Record each event for each endpoint that asks for its type."""
    await deliveries.insert(
        cur,
        [
            NewDelivery(
                id=new_id(),
                endpoint_id=endpoint.id,
                tenant=tenant,
                receiver=endpoint.receiver,
                job_id=job_id,
                batch_id=batch_id,
                event=event.type,
                body=event.body,
            )
            for event in happened
            for endpoint in endpoints
            if event.type in endpoint.events
        ],
    )


def delivery_of_test(endpoint_id: UUID, *, tenant: str, receiver: bytes) -> NewDelivery:
    """The delivery of a test event."""
    now = rfc3339(datetime.now(UTC).replace(tzinfo=None))
    event = Event(EventType.TEST, {"webhook_id": str(endpoint_id)}, now)
    return NewDelivery(
        id=new_id(),
        endpoint_id=endpoint_id,
        tenant=tenant,
        receiver=receiver,
        job_id=None,
        batch_id=None,
        event=event.type,
        body=event.body,
    )
