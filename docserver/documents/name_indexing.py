"""Builds the index of file names, a block of documents at a time, and removes blocks whose documents are deleted. Jobs
get the numbers of their documents.
"""

import asyncio
import random
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import name_index, name_parts, numbered_jobs
from docserver.resources import Resources

SHARE = 0.2
"""Share of the time for this. A million documents take some minutes."""

JOBS_AT_ONCE = 500
"""Jobs that one statement gives the numbers of their documents. It locks their rows for some hundredths of a second."""

REMOVED_AT_ONCE = 10_000
"""Rows of the index that one statement removes."""


class _TooFew(Exception):
    """There are too few documents for a block; nothing is changed."""


async def run(resources: Resources, *, share: float = SHARE) -> None:
    """For each tenant, remove an empty block, build the blocks that are due, complete those of an earlier release,
    check one, and number jobs, in this share of the time; raises DatabaseUnavailable.
    """
    tenant: str | None = ""
    while tenant is not None:
        async with resources.maintenance_db.session() as cur:
            tenant = await name_index.tenants_with_documents(cur, after=tenant)
            if tenant is None:
                return
            await _remove_empty(cur, tenant)
            is_due = await name_index.is_block_due(cur, tenant)
        while is_due and await _paced(_build_next(resources, tenant), share):
            pass
        while await _paced(_complete_next(resources, tenant), share):
            pass
        await _check_one(resources, tenant)
        while await _paced(_number_some(resources, tenant), share):
            pass


async def _paced(work: Coroutine[Any, Any, bool], share: float) -> bool:
    """Do this, and rest so long that it takes this share of the time."""
    began = time.monotonic()
    has_more = await work
    await asyncio.sleep((time.monotonic() - began) * (1 / share - 1) if has_more else 0)
    return has_more


async def _remove_empty(cur: Cursor, tenant: str) -> None:
    """Remove the oldest block of a tenant if it is empty. Those after it follow in the next rounds."""
    blocks = (await name_index.extent(cur, tenant)).blocks
    if blocks and not await name_index.has_documents(cur, tenant, blocks.start):
        await name_index.delete(cur, tenant, block=blocks.start, limit=REMOVED_AT_ONCE)


async def _build_next(resources: Resources, tenant: str) -> bool:
    """Build the next block of a tenant; False if there are too few documents for one."""
    try:
        await _build(resources, tenant)
    except _TooFew:
        return False
    return True


async def _complete_next(resources: Resources, tenant: str) -> bool:
    """Complete a block that an earlier release has recorded; False if there is none."""
    async with resources.maintenance_db.session() as cur:
        block = await name_index.incomplete_block(cur, tenant)
    if block is None:
        return False
    await _complete(resources, tenant, block)
    await _record_missing_deletions(resources, tenant, block)
    return True


async def _check_one(resources: Resources, tenant: str) -> None:
    """Check one block of the tenant, chosen at random, so that sooner or later all are checked."""
    async with resources.maintenance_db.session() as cur:
        blocks = (await name_index.extent(cur, tenant)).blocks
    if blocks:
        await _record_missing_deletions(resources, tenant, random.choice(blocks))  # noqa: S311 - no secret


async def _number_some(resources: Resources, tenant: str) -> bool:
    """Give some jobs the numbers of their documents; False if all have them."""
    async with resources.maintenance_db.session() as cur:
        indexed = await name_index.extent(cur, tenant)
        job_ids = await numbered_jobs.without_number(cur, tenant, indexed, limit=JOBS_AT_ONCE)
        if job_ids:
            await numbered_jobs.fill(cur, job_ids)
    return bool(job_ids)


@transactional
async def _build(resources: Resources, tenant: str) -> None:
    async with resources.maintenance_db.transaction() as cur:
        block = await name_index.number_block(cur, tenant)
        if block is None:
            raise _TooFew
        await _record(cur, tenant, block)


@transactional
async def _complete(resources: Resources, tenant: str, block: int) -> None:
    async with resources.maintenance_db.transaction() as cur:
        await _record(cur, tenant, block)


async def _record(cur: Cursor, tenant: str, block: int) -> None:
    names = await name_index.names(cur, tenant, block)
    parts = await asyncio.to_thread(_parts, names)
    await name_index.insert(cur, tenant, block, parts)


@transactional
async def _record_missing_deletions(resources: Resources, tenant: str, block: int) -> None:
    """Record the deletions that the record of a block lacks: those by processes of an earlier release, those by hand in
    SQL, and those while the block was completed.
    """
    async with resources.maintenance_db.transaction() as cur:
        recorded = await name_index.lock_deleted(cur, tenant, block)
        deleted = _deleted(await name_index.places(cur, tenant, block))
        if recorded is not None and {*recorded} != {*deleted}:
            await name_index.insert(cur, tenant, block, [(name_parts.DELETED, name_parts.pack_each(deleted))])


def _parts(names: Sequence[tuple[int, bytes, str]]) -> list[tuple[bytes, bytes]]:
    places: dict[bytes, list[int]] = {}
    for place, letters, content_type in names:
        for part in name_parts.parts_of(letters, content_type):
            places.setdefault(part, []).append(place)
    packed = {part: name_parts.pack(of_part) for part, of_part in places.items()}
    packed[name_parts.DELETED] = name_parts.pack_each(_deleted(place for place, _, _ in names))
    return sorted(packed.items())


def _deleted(places: Iterable[int]) -> list[int]:
    """The places of a block where there is no document any more."""
    return sorted({*range(name_parts.BLOCK)}.difference(places))
