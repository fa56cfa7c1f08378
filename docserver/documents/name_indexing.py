"""Builds the index of file names, a block of documents at a time, and removes blocks whose documents are deleted. Jobs
get the numbers of their documents.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import name_index, numbered_jobs
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
    """Build all blocks that are due, in this share of the time, and remove those that are empty; raises
    DatabaseUnavailable.
    """
    tenant: str | None = ""
    while tenant is not None:
        async with resources.maintenance_db.session() as cur:
            tenant = await name_index.tenants_with_documents(cur, after=tenant)
            if tenant is None:
                return
            await _remove_empty(cur, tenant)
            is_due = await name_index.is_block_due(cur, tenant)
        while is_due and await _paced(_is_built(resources, tenant), share):
            pass
        while await _paced(_are_numbered(resources, tenant), share):
            pass


async def _paced(work: Coroutine[Any, Any, bool], share: float) -> bool:
    """Do this, and rest so long that it takes this share of the time."""
    began = time.monotonic()
    has_more = await work
    await asyncio.sleep((time.monotonic() - began) * (1 / share - 1) if has_more else 0)
    return has_more


async def _remove_empty(cur: Cursor, tenant: str) -> None:
    """Remove the oldest block of a tenant if it is empty. Those after it follow in the next rounds."""
    block = await name_index.oldest_block(cur, tenant)
    if block is not None and not await name_index.has_documents(cur, tenant, block):
        await name_index.delete(cur, tenant, block=block, limit=REMOVED_AT_ONCE)


async def _is_built(resources: Resources, tenant: str) -> bool:
    try:
        await _build(resources, tenant)
    except _TooFew:
        return False
    return True


async def _are_numbered(resources: Resources, tenant: str) -> bool:
    """Give some jobs the numbers of their documents; False if all have them."""
    async with resources.maintenance_db.session() as cur:
        newest = await name_index.newest_block(cur, tenant)
        if newest is None:
            return False
        first_beyond = (newest + 1) * name_index.BLOCK
        job_ids = await numbered_jobs.without_number(cur, tenant, first_beyond=first_beyond, limit=JOBS_AT_ONCE)
        if job_ids:
            await numbered_jobs.fill(cur, job_ids)
    return bool(job_ids)


@transactional
async def _build(resources: Resources, tenant: str) -> None:
    async with resources.maintenance_db.transaction() as cur:
        block = await name_index.number_block(cur, tenant)
        if block is None:
            raise _TooFew
        names = await name_index.names(cur, tenant, block)
        parts = await asyncio.to_thread(_parts, names)
        await name_index.insert(cur, tenant, block, parts)


def _parts(names: Sequence[tuple[int, bytes, str]]) -> list[tuple[bytes, bytes]]:
    places: dict[bytes, list[int]] = {}
    for place, weights, content_type in names:
        for part in name_index.parts_of(weights, content_type):
            places.setdefault(part, []).append(place)
    return sorted((part, name_index.pack(of_part)) for part, of_part in places.items())
