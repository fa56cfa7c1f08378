"""Finds the documents that pass a filter by file name, with the index of names in `name_index`.

Candidates of the index are compared with the filter, in the order of the list, and no more of them than are needed.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docserver.database.connection import Cursor
from docserver.database.tables import name_index

COMPARED_AT_ONCE = 2000
"""Candidates that one statement compares."""

BLOCKS_AT_ONCE = (4, 32)
"""Blocks whose candidates the first statement reads, and each of the next ones. Few are enough if many names match."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for among the numbered documents of a tenant."""

    tenant: str
    newest_block: int
    """Documents with numbers beyond it are not looked for: some may get theirs while the list is made."""
    parts: Sequence[bytes]
    conditions: str
    """In SQL, for a document `d`."""
    arguments: dict[str, Any]
    since: datetime | None
    until: datetime | None
    """No documents that were created before or after these times are needed."""

    @property
    def first_beyond(self) -> int:
        """The lowest number of a document that is not looked for."""
        return (self.newest_block + 1) * name_index.BLOCK


async def numbers(cur: Cursor, search: Search, *, newest_first: bool, most: int) -> list[int]:
    """The numbers of the documents that pass, at most this many, in the order of the list."""
    passing: list[int] = []
    async for some in _candidates(cur, search, newest_first=newest_first, most=most):
        await cur.execute(f"SELECT d.name_number {_compared(search, some)}", search.arguments)
        found = {row["name_number"] for row in cur.rows()}
        passing += [number for number in some if number in found]
        if len(passing) >= most:
            break
    return passing[:most]


async def count(cur: Cursor, search: Search, *, most: int) -> int:
    """How many documents pass, but hardly more than `most`."""
    total = 0
    async for some in _candidates(cur, search, newest_first=True, most=most):
        await cur.execute(f"SELECT COUNT(*) AS passing {_compared(search, some)}", search.arguments)
        total += int(cur.only_row()["passing"])
        if total >= most:
            break
    return total


async def share(cur: Cursor, search: Search) -> float:
    """The share of candidates among the latest documents, from 0 to 1."""
    some = list(await _blocks(cur, search))[-BLOCKS_AT_ONCE[0] :]
    if not some:
        return 0.0
    places = await name_index.candidates(cur, search.tenant, parts=search.parts, blocks=some)
    return sum(bits.bit_count() for bits in places.values()) / (len(some) * name_index.BLOCK)


def _compared(search: Search, some: Sequence[int]) -> str:
    # Thousands of placeholders would take longer than the statement.
    listed = ", ".join(map(str, some))
    return f"""
        FROM documents d FORCE INDEX (by_name_number)
        WHERE d.tenant = %(tenant)s AND d.name_number IN ({listed}) AND {search.conditions}
    """


async def _candidates(cur: Cursor, search: Search, *, newest_first: bool, most: int) -> AsyncIterator[list[int]]:
    """The numbers of documents whose names have all parts, some at a time, in the order of the list. First come a few
    more than `most`, because most candidates pass.
    """
    blocks = await _blocks(cur, search)
    ordered = list(reversed(blocks) if newest_first else blocks)
    size = BLOCKS_AT_ONCE[0]
    while ordered:
        some, ordered = ordered[:size], ordered[size:]
        size = BLOCKS_AT_ONCE[1]
        places = await name_index.candidates(cur, search.tenant, parts=search.parts, blocks=some)
        candidates = [
            block * name_index.BLOCK + place
            for block in some
            if block in places
            for place in _ordered(name_index.places_of(places[block]), newest_first=newest_first)
        ]
        while candidates:
            compared = min(2 * most, COMPARED_AT_ONCE)
            yield candidates[:compared]
            candidates, most = candidates[compared:], COMPARED_AT_ONCE


def _ordered(places: list[int], *, newest_first: bool) -> list[int]:
    return places[::-1] if newest_first else places


async def _blocks(cur: Cursor, search: Search) -> range:
    """The blocks that may have what is looked for, oldest first."""
    oldest = await name_index.oldest_block(cur, search.tenant)
    newest = search.newest_block
    if oldest is None:
        return range(0)
    if search.since:
        first = await name_index.block_at(cur, search.tenant, search.since, first_after=True)
        oldest = newest + 1 if first is None else max(oldest, first)
    if search.until:
        last = await name_index.block_at(cur, search.tenant, search.until, first_after=False)
        newest = -1 if last is None else min(newest, last)
    return range(oldest, newest + 1)
