"""Batches: many files of one request, each of which becomes a document of its own or is refused.

A batch is accepted once it was received whole. The database records all its files, each with the id of its future job,
before any file is accepted. So if a process dies, the accepted files can be found, and the same request goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from docserver.database.retries import transactional
from docserver.database.tables import batches
from docserver.database.tables.batches import BatchFile, Refusal
from docserver.documents import intake
from docserver.documents.intake import Upload, clean_filename
from docserver.errors import NotFound, ServiceError, StorageFull, Unauthorized
from docserver.model import Status, new_id
from docserver.resources import Resources
from docserver.storage import Received

ROWS_AT_ONCE = 500
"""Files that one transaction names: it takes some milliseconds."""

POLL_S = 1.0
"""Interval at which a waiting request looks at its batch. To count 10,000 files takes the database about 30 ms."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a batch that is not accepted yet."""

    filename: str
    receive: Callable[[], Awaitable[Received]]
    """Gives its bytes to the storage; may raise ServiceError."""


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
    part: Sequence[BatchFile]

    @property
    def is_completed(self) -> bool:
        """True if all its jobs have ended."""
        return self.is_accepted and all(status.final for status, count in self.jobs.items() if count)


async def accept(resources: Resources, batch_id: UUID, files: Sequence[SentFile], upload: Upload) -> None:
    """Make a document of each file, or record why it is refused. `upload` has what they have in common.

    Raises what is no fault of a file: DatabaseUnavailable, StorageUnavailable, Unauthorized.
    """
    names = {number: clean_filename(file.filename) for number, file in enumerate(files, start=1)}
    await _name_all(resources, batch_id, upload.caller.tenant, names)
    async with resources.db.session() as cur:
        planned = await batches.files(cur, batch_id, after=0, limit=len(files))
    for file, plan in zip(files, planned, strict=True):
        if plan.refusal is None and not plan.deduplicated:
            await _accept_file(resources, batch_id, file, plan, upload)
    async with resources.db.session() as cur:
        await batches.accepted(cur, batch_id)


async def _accept_file(resources: Resources, batch_id: UUID, file: SentFile, plan: BatchFile, upload: Upload) -> None:
    try:
        received = await file.receive()
        try:
            own = replace(upload, filename=plan.filename, job_id=plan.job_id)
            job, deduplicated = await intake.accept(resources, received, own)
        finally:
            # If it was accepted, its file has been moved and nothing happens here.
            await resources.storage.discard(received)
    except Unauthorized:
        raise
    except ServiceError as error:
        if error.status >= 500 and not isinstance(error, StorageFull):
            raise
        async with resources.db.session() as cur:
            await batches.refuse(cur, batch_id, plan.number, Refusal(error.status, error.code, error.detail))
        return
    if deduplicated:
        async with resources.db.session() as cur:
            await batches.lead_to(cur, batch_id, plan.number, job_id=job.id)


async def _name_all(resources: Resources, batch_id: UUID, tenant: str, names: Mapping[int, str]) -> None:
    async with resources.db.session() as cur:
        await batches.insert(cur, batch_id, tenant=tenant)
    numbers = list(names)
    for first in range(0, len(numbers), ROWS_AT_ONCE):
        some = {number: (names[number], new_id()) for number in numbers[first : first + ROWS_AT_ONCE]}
        await _name_some(resources, batch_id, some)


@transactional
async def _name_some(resources: Resources, batch_id: UUID, some: Mapping[int, tuple[str, UUID]]) -> None:
    async with resources.db.transaction() as cur:
        await batches.insert_files(cur, batch_id, some)


async def get(resources: Resources, batch_id: UUID, *, tenant: str, after: int, limit: int) -> Batch:
    """A tenant's batch, with up to `limit` of its files after that number; raises NotFound."""
    async with resources.db.session() as cur:
        found = await batches.find(cur, batch_id, tenant=tenant)
        if found is None:
            raise NotFound("There is no such batch.")
        counted = await batches.count(cur, batch_id)
        part = await batches.files(cur, batch_id, after=after, limit=limit)
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
        part=part,
    )


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
