"""The state of batches, for clients that ask or wait, and for webhooks, which are told when all jobs have ended.

The database records that webhooks were told of a batch. A job that starts again undoes that (`jobs.restarts`).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import batches, webhook_endpoints
from docserver.database.tables.batches import BatchFile
from docserver.errors import NotFound
from docserver.model import Status
from docserver.resources import Resources
from docserver.timestamps import rfc3339
from docserver.webhooks import events

POLL_S = 1.0
"""Interval between two looks at a batch: for requests that wait, for clients that follow it, and for webhooks. Counting
10,000 files takes the database about 30 ms."""

LOOKED_AT_ONCE = 50
"""Most batches of one look for those that are completed; the next looks go on."""

KEPT_S = 30 * 86_400.0
"""Time after which a batch is forgotten. Its documents stay."""

FORGOTTEN_AT_ONCE = 10
"""Most batches forgotten at once: each may have ten thousand files."""

_FIRST = UUID(int=0)

log = logging.getLogger("docserver.maintenance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The state of a batch, and a part of its files."""

    id: UUID
    created_at: datetime
    is_accepted: bool
    """True once each file was accepted or refused."""
    jobs: Mapping[Status, int]
    files: int
    refused: int
    pages_total: int
    pages_done: int
    pages_failed: int
    version: int
    """Another number after each change of the batch. It grows unless documents are deleted."""
    part: Sequence[BatchFile]

    @property
    def is_completed(self) -> bool:
        """True if all its jobs have ended."""
        return self.is_accepted and all(status.final for status, count in self.jobs.items() if count)

    def as_json(self) -> dict[str, Any]:
        """The state as clients see it, without the files."""
        path = f"/v1/batches/{self.id}"
        return {
            "batch_id": str(self.id),
            "status": "completed" if self.is_completed else "processing" if self.is_accepted else "receiving",
            "created_at": rfc3339(self.created_at),
            "files": {"total": self.files, "refused": self.refused},
            "jobs": {status.value: count for status, count in self.jobs.items()},
            "pages": {"total": self.pages_total, "done": self.pages_done, "failed": self.pages_failed},
            "links": {"self": path, "events": f"{path}/events"},
        }


async def get(resources: Resources, batch_id: UUID, *, tenant: str, after: int = 0, limit: int = 0) -> Batch:
    """A tenant's batch, with up to `limit` of its files after that number; raises NotFound."""
    async with resources.db.session() as cur:
        return await _load(cur, batch_id, tenant=tenant, after=after, limit=limit)


async def get_completed(
    resources: Resources, batch_id: UUID, *, tenant: str, after: int, limit: int, wait_s: float
) -> Batch:
    """The same once the batch is completed, or after `wait_s` seconds; raises NotFound."""
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        batch = await get(resources, batch_id, tenant=tenant, after=after, limit=limit)
        left_s = until - asyncio.get_running_loop().time()
        if batch.is_completed or left_s <= 0:
            return batch
        await asyncio.sleep(min(POLL_S, left_s))


class Completion:
    """Tells webhooks of batches whose jobs have all ended."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._after = _FIRST
        """The last batch that was looked at."""

    async def run(self) -> None:
        """Look at some batches, and tell of those that are completed; raises DatabaseUnavailable."""
        async with self._resources.maintenance_db.session() as cur:
            found = await batches.uncompleted(cur, after=self._after, limit=LOOKED_AT_ONCE)
        for batch_id, has_ended in found:
            if has_ended:
                await _complete(self._resources, batch_id)
        self._after = found[-1][0] if len(found) == LOOKED_AT_ONCE else _FIRST


async def forget_old(resources: Resources) -> None:
    """Forget some of the batches that are older than KEPT_S; raises DatabaseUnavailable."""
    async with resources.maintenance_db.session() as cur:
        if old := await batches.old(cur, older_than_s=KEPT_S, limit=FORGOTTEN_AT_ONCE):
            await webhook_endpoints.delete_of_batches(cur, old)
            await batches.delete(cur, old)


@transactional
async def _complete(resources: Resources, batch_id: UUID) -> None:
    async with resources.db.transaction() as cur:
        tenant = await batches.lock_uncompleted(cur, batch_id)
        if tenant is None:
            return
        batch = await _load(cur, batch_id, tenant=tenant)
        if not batch.is_completed:
            return
        await batches.complete(cur, batch_id)
        now = datetime.now(UTC).replace(tzinfo=None)
        await events.record_batch(cur, batch_id, tenant=tenant, batch=batch.as_json(), ended_at=now)
    resources.webhooks_due.set()
    log.info("batch completed", extra={"batch_id": str(batch_id), "files": batch.files, "refused": batch.refused})


async def _load(cur: Cursor, batch_id: UUID, *, tenant: str, after: int = 0, limit: int = 0) -> Batch:
    found = await batches.find(cur, batch_id, tenant=tenant)
    if found is None:
        raise NotFound("There is no such batch.")
    counted = await batches.count(cur, batch_id)
    part = await batches.files(cur, batch_id, after=after, limit=limit) if limit else ()
    created_at, accepted_at = found
    return Batch(
        id=batch_id,
        created_at=created_at,
        is_accepted=accepted_at is not None,
        jobs={status: sum(each.files for each in counted if each.status is status) for status in Status},
        files=sum(each.files for each in counted),
        refused=sum(each.files for each in counted if each.is_refused),
        pages_total=sum(each.pages_total for each in counted),
        pages_done=sum(each.pages_done for each in counted),
        pages_failed=sum(each.pages_failed for each in counted),
        version=sum(each.versions + each.files + each.is_refused * each.files for each in counted) + bool(accepted_at),
        part=part,
    )
