"""Finds the documents that pass a filter by file name, with the index of names in `name_index`.

Candidates of the index are compared with the filter, in the order of the list, and no more of them than are needed. If
the first of them tell that few have the status, those that have it are found together, by the numbers of jobs.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docserver.database.connection import Cursor
from docserver.database.tables import name_index, numbered_jobs

COMPARED_AT_ONCE = 2000
"""Most candidates that one statement compares."""

SAMPLE = 300
"""Candidates that tell how many of them have the status."""

NUMBERS_OF_A_CANDIDATE = 10
"""Numbers of jobs with a status that are read in the time in which one candidate is compared."""

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
    """In SQL, for a document `d`, without that of the status."""
    arguments: dict[str, Any]
    since: datetime | None
    until: datetime | None
    """No documents that were created before or after these times are needed."""
    status: str | None

    @property
    def first_beyond(self) -> int:
        """The lowest number of a document that is not looked for."""
        return (self.newest_block + 1) * name_index.BLOCK


@dataclass(frozen=True, slots=True)
class _Some:
    """Some candidates, in the order of the list."""

    numbers: Sequence[int]
    have_status: bool
    """True if it is known that all of them have the status of the filter."""


class _Progress:
    """How many candidates pass so far, and how many more to compare."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.passing = 0
        self._sample = self._sample_passing = 0
        """Candidates of which nothing was known before they were compared."""

    def add(self, some: _Some, passing: int) -> None:
        """Count candidates that were compared."""
        self.passing += passing
        if not some.have_status:
            self._sample += len(some.numbers)
            self._sample_passing += passing

    @property
    def share(self) -> float | None:
        """The share of candidates that pass; None if too few were compared to tell."""
        return self._sample_passing / self._sample if self._sample >= SAMPLE else None

    @property
    def needed(self) -> int:
        """About how many more to compare until enough pass."""
        share = (self._sample_passing + 1) / (self._sample + 1)
        return int(1.5 * (self._most - self.passing) / share) + 1


async def numbers(cur: Cursor, search: Search, *, newest_first: bool, most: int) -> list[int]:
    """The numbers of the documents that pass, at most this many, in the order of the list."""
    passing: list[int] = []
    progress = _Progress(most)
    async for some in _candidates(cur, search, progress, newest_first=newest_first):
        await cur.execute(f"SELECT d.name_number {_compared(search, some)}", search.arguments)
        found = {row["name_number"] for row in cur.rows()}
        progress.add(some, len(found))
        passing += [number for number in some.numbers if number in found]
        if len(passing) >= most:
            break
    return passing[:most]


async def count(cur: Cursor, search: Search, *, most: int) -> int:
    """How many documents pass, but hardly more than `most`."""
    progress = _Progress(most)
    async for some in _candidates(cur, search, progress, newest_first=True):
        await cur.execute(f"SELECT COUNT(*) AS passing {_compared(search, some)}", search.arguments)
        progress.add(some, int(cur.only_row()["passing"]))
        if progress.passing >= most:
            break
    return progress.passing


async def share(cur: Cursor, search: Search) -> float:
    """The share of candidates among the latest documents, from 0 to 1."""
    some = list(await _blocks(cur, search))[-BLOCKS_AT_ONCE[0] :]
    if not some:
        return 0.0
    places = await name_index.candidates(cur, search.tenant, parts=search.parts, blocks=some)
    return sum(bits.bit_count() for bits in places.values()) / (len(some) * name_index.BLOCK)


def _compared(search: Search, some: _Some) -> str:
    # As a table, the numbers are looked up one by one. Of an IN list of some hundred, the server may think that reading
    # all documents of the tenant takes less time. And thousands of placeholders would take longer than the statement.
    has_status = numbered_jobs.HAS_STATUS if search.status and not some.have_status else "TRUE"
    return f"""
        FROM JSON_TABLE('{[*some.numbers]}', '$[*]' COLUMNS (number INT UNSIGNED PATH '$')) w
        STRAIGHT_JOIN documents d FORCE INDEX (by_name_number)
            ON d.tenant = %(tenant)s AND d.name_number = w.number
        WHERE {search.conditions} AND {has_status}
    """


async def _candidates(cur: Cursor, search: Search, progress: _Progress, *, newest_first: bool) -> AsyncIterator[_Some]:
    """The numbers of documents whose names have all parts, some at a time, in the order of the list."""
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
        async for part in _parts(cur, search, candidates, progress):
            yield part


async def _parts(cur: Cursor, search: Search, candidates: list[int], progress: _Progress) -> AsyncIterator[_Some]:
    """The candidates, some at a time; of many, only those that have the status if few have it."""
    while candidates:
        share = progress.share
        some = candidates[: SAMPLE if search.status and share is None else progress.needed]
        candidates = candidates[len(some) :]
        is_narrowed = search.status is not None and share is not None and _is_worth_narrowing(some, share)
        if search.status and is_narrowed:
            ends = min(some[0], some[-1]), max(some[0], some[-1])
            numbers = await numbered_jobs.of_status(cur, search.tenant, search.status, between=ends)
            some = list(filter(numbers.__contains__, some))
        for start in range(0, len(some), COMPARED_AT_ONCE):
            yield _Some(some[start : start + COMPARED_AT_ONCE], have_status=is_narrowed)


def _is_worth_narrowing(candidates: Sequence[int], share: float) -> bool:
    """True if the numbers of all documents with the status, of which candidates have this share, are read in less time
    than the candidates without it are compared.
    """
    documents = abs(candidates[0] - candidates[-1]) + 1
    return documents * share < len(candidates) * (1 - share) * NUMBERS_OF_A_CANDIDATE


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
