"""What clients read: jobs by way of the cache, else of the database; documents and lists. Results are `results`'."""

import asyncio
import logging
import time
from dataclasses import dataclass
from uuid import UUID

from docserver.database.tables import deletions, documents, jobs
from docserver.database.tables.documents import Filter, Listed, Position
from docserver.errors import (
    DatabaseUnavailable,
    Gone,
    NotFound,
    RedisUnavailable,
)
from docserver.model import Document, Job, Status
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

log = logging.getLogger("docserver.api")

RETRY_AFTER_S = 1
"""What a client is told to wait before it asks for an unfinished job again: most pages take about so long."""

LOOK_S = 1.0
"""A waiting reader looks so often by itself, should a wake-up be lost."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the list of documents."""

    items: list[Listed]
    total: int


async def job(resources: Resources, job_id: UUID) -> CachedJob:
    """The job as readers get it; raises NotFound, and DatabaseUnavailable if no cached state is left either."""
    found = await resources.cache.job(job_id)
    if found is None:
        try:
            found = await _job_from_database(resources, job_id)
        except DatabaseUnavailable:
            found = await resources.cache.job(job_id, stale=True)
            if found is None:
                raise
    if found.status is Status.PENDING:
        return await _with_queue_position(resources, found, job_id)
    return found


async def final_job(resources: Resources, job_id: UUID, *, wait_s: float) -> CachedJob:
    """The job, as soon as it is final or the wait is over."""
    until = time.monotonic() + wait_s
    with resources.changes.watch(job_id) as ended:
        while True:
            ended.clear()
            found = await job(resources, job_id)
            left_s = until - time.monotonic()
            if found.status.final or left_s <= 0:
                return found
            try:
                async with asyncio.timeout(min(left_s, LOOK_S)):
                    await ended.wait()
            except TimeoutError:
                pass


async def accepted(resources: Resources, known: Job, *, wait_s: float) -> CachedJob:
    """The job of an upload as `final_job` tells it, or as it was committed if nobody is there to be asked."""
    try:
        return await final_job(resources, known.id, wait_s=wait_s)
    except DatabaseUnavailable:
        return CachedJob.of(known)


async def document(resources: Resources, document_id: UUID) -> tuple[Document, list[Job]]:
    """A document and its jobs, latest first; raises NotFound and Gone."""
    async with resources.db.session() as cur:
        found = await documents.find(cur, document_id)
        if found is None:
            if await deletions.was_deleted(cur, document_id):
                raise Gone("The document was deleted.")
            raise NotFound("There is no such document.")
        return found, await jobs.of_document(cur, document_id)


async def document_list(
    resources: Resources, narrowed: Filter, *, newest_first: bool, after: Position | None, limit: int, offset: int
) -> Part:
    """A part of the list of documents that pass the filter, and how many pass it in all."""
    of_order = documents.list_newest_first if newest_first else documents.list_oldest_first
    async with resources.db.session() as cur:
        total = await documents.count(cur, narrowed)
        items = await of_order(cur, narrowed, after=after, limit=limit, offset=offset)
    return Part(items, total)


async def _job_from_database(resources: Resources, job_id: UUID) -> CachedJob:
    async with resources.db.session() as cur:
        row = await jobs.find(cur, job_id)
    if row is None:
        raise NotFound("There is no such job.")
    found = CachedJob.of(row)
    await resources.cache.put_job(found, job_id=job_id)
    return found


async def _with_queue_position(resources: Resources, found: CachedJob, job_id: UUID) -> CachedJob:
    try:
        position = await resources.queue.position(job_id)
    except RedisUnavailable:
        return found
    return found.with_queue_position(position)
