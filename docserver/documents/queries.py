"""Reads jobs (from the cache, else from the database), documents and lists for clients. Results are in `results`."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.faults import StatementTooLong
from docserver.database.tables import deletions, document_lists, documents, jobs
from docserver.database.tables.document_lists import COUNTED, Filter, Listed, Position
from docserver.database.tables.named_documents import Known
from docserver.errors import (
    DatabaseUnavailable,
    Gone,
    ListTooSlow,
    NotFound,
    RedisUnavailable,
)
from docserver.model import Document, Job, Status
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

log = logging.getLogger("docserver.api")

RETRY_AFTER_S = 1
"""Sent with an unfinished job: seconds to wait before the next request. Most pages take about a second."""

POLL_S = 1.0
"""Interval at which a waiting request reads its job again, in case the notification of the job's end is lost."""


@dataclass(frozen=True, slots=True)
class ListPart:
    """A part of the list of documents."""

    items: list[Listed]
    total: int
    """The number of documents in the whole list, as far as they were counted."""
    is_total_exact: bool


async def job(resources: Resources, job_id: UUID, *, tenant: str) -> CachedJob:
    """The tenant's job as clients see it. Raises NotFound; raises DatabaseUnavailable if the job is not in the cache
    either.
    """
    cached = await resources.cache.job(job_id, tenant=tenant)
    if cached is None:
        try:
            cached = await _job_from_database(resources, job_id, tenant)
        except DatabaseUnavailable:
            cached = await resources.cache.job(job_id, tenant=tenant, stale=True)
            if cached is None:
                raise
    return await with_queue_position(resources, cached, job_id)


async def final_job(resources: Resources, job_id: UUID, *, tenant: str, wait_s: float) -> CachedJob:
    """Wait until the job is final, at most `wait_s` seconds, and return it."""
    until = time.monotonic() + wait_s
    with resources.changes.watch(job_id) as ended:
        while True:
            ended.clear()
            current = await job(resources, job_id, tenant=tenant)
            left_s = until - time.monotonic()
            if current.status.final or left_s <= 0:
                return current
            try:
                async with asyncio.timeout(min(left_s, POLL_S)):
                    await ended.wait()
            except TimeoutError:
                pass


async def accepted(resources: Resources, committed: Job, *, wait_s: float) -> CachedJob:
    """The job of an upload. It is as committed, unless the client waits for its end and the job can be read."""
    if wait_s:
        with suppress(DatabaseUnavailable):
            return await final_job(resources, committed.id, tenant=committed.tenant, wait_s=wait_s)
    return await with_queue_position(resources, CachedJob.of(committed), committed.id)


async def document(resources: Resources, document_id: UUID, *, tenant: str) -> tuple[Document, list[Job]]:
    """A tenant's document and its jobs, latest first; raises NotFound and Gone."""
    async with resources.reads.session() as cur:
        row = await documents.find(cur, document_id, tenant=tenant)
        if row is None:
            if await deletions.was_deleted(cur, document_id, tenant=tenant):
                raise Gone("The document was deleted.")
            raise NotFound("There is no such document.")
        return row, await jobs.of_document(cur, document_id)


async def document_list(
    resources: Resources, narrowed: Filter, *, newest_first: bool, after: Position | None, limit: int, offset: int
) -> ListPart:
    """A part of the list of the documents that pass the filter; raises ListTooSlow."""

    async def read(cur: Cursor) -> ListPart:
        known = Known()
        total = await document_lists.count(cur, narrowed, known=known)
        if not total:
            return ListPart([], 0, is_total_exact=True)
        items = await document_lists.part(
            cur, narrowed, newest_first=newest_first, after=after, limit=limit, offset=offset, known=known
        )
        return ListPart(items, min(total, COUNTED), is_total_exact=total <= COUNTED)

    try:
        return await resources.replica.read(read, primary=resources.lists)
    except StatementTooLong as error:
        raise ListTooSlow(
            "The list took too long to make; narrow it by date_from and date_to, or follow next_cursor in place of a "
            "large offset."
        ) from error


async def _job_from_database(resources: Resources, job_id: UUID, tenant: str) -> CachedJob:
    async with resources.reads.session() as cur:
        row = await jobs.of_tenant(cur, job_id, tenant=tenant)
    if row is None:
        raise NotFound("There is no such job.")
    cached = CachedJob.of(row)
    await resources.cache.put_job(cached, job_id=job_id, tenant=tenant)
    return cached


async def with_queue_position(resources: Resources, cached: CachedJob, job_id: UUID) -> CachedJob:
    """The job with its queue position, if it is pending and Redis answers."""
    if cached.status is not Status.PENDING:
        return cached
    try:
        position = await resources.queue.position(job_id)
    except RedisUnavailable:
        return cached
    return cached.with_queue_position(position)
