"""Builds the index of file names, a block of documents at a time, and removes blocks whose documents are deleted."""

import asyncio
import time
from collections.abc import Sequence

from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import name_index
from docserver.resources import Resources

SHARE = 0.2
"""Share of the time for this. A million documents take some minutes."""

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
        began = time.monotonic()
        async with resources.maintenance_db.session() as cur:
            tenant = await name_index.tenants_with_documents(cur, after=tenant)
            if tenant is None:
                return
            await _remove_empty(cur, tenant)
            is_due = await name_index.is_block_due(cur, tenant)
        while is_due and await _is_built(resources, tenant):
            await asyncio.sleep((time.monotonic() - began) * (1 / share - 1))
            began = time.monotonic()


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
