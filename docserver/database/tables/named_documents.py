"""Finds the documents that pass a filter by file name, with the index of names in `name_index`.

For most documents, the index alone shows whether they pass. The database compares the others with the filter, and all
that a list shows, in the order of the list until there are enough.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from docserver.database.connection import Cursor
from docserver.database.tables import name_index, name_parts, numbered_jobs
from docserver.database.tables.name_index import Extent
from docserver.database.tables.name_parts import DELETED
from docserver.model import Status

COMPARED_AT_ONCE = 2000
"""Most documents that one statement compares."""

FEW = 32
"""So few candidates of a block are compared: to narrow them by more of the index would take longer."""

BLOCKS_AT_ONCE = (2, 128)
"""How many blocks are read first, and most that are read together later. If many names match, the first are enough."""

FIRST_PARTS = 3
"""How many parts of each block are read first: the rarest. In most blocks, few names have all of these."""


@dataclass(frozen=True, slots=True)
class Block:
    """Places of documents of a block, as bits."""

    number: int
    sure: int
    """Those that pass."""
    unsure: int
    """Those that may pass."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for among the numbered documents of a tenant."""

    tenant: str
    letters: bytes
    """The part of a name, as weights of letters."""
    content_type: str | None
    status: Status | None
    indexed: Extent
    """As it was when the list was begun. Documents may get numbers meanwhile."""
    numbers: range
    """The numbers of the documents to look for."""
    condition: str
    """In SQL, what a document `d` has to fulfil, except for the status."""
    arguments: dict[str, Any]
    known: dict[int, Block]
    """The blocks that have been read, by their numbers. The search adds those that it reads."""


class Known:
    """What has been read of the index of names for a filter, so that it is read once for the total and the items."""

    def __init__(self) -> None:
        self.looked_up: tuple[Extent, bytes] | None = None
        self.is_filled: bool | None = None
        self.blocks: dict[int, Block] = {}


async def numbers(cur: Cursor, search: Search, *, newest_first: bool, most: int) -> list[int]:
    """The numbers of the documents that pass, at most this many, in the order of the list."""
    passing: list[int] = []
    async for blocks in _blocks(cur, search, newest_first=newest_first, most=most):
        candidates = [
            number
            for block in blocks
            for number in _numbers(block.number, block.sure | block.unsure, newest_first=newest_first)
        ]
        size = min(most, COMPARED_AT_ONCE)
        while candidates and len(passing) < most:
            some, candidates = candidates[:size], candidates[size:]
            await cur.execute(f"SELECT d.name_number {_compared(search, some)}", search.arguments)
            found = {row["name_number"] for row in cur.rows()}
            passing += [number for number in some if number in found]
            # Larger statements take less time for each candidate, where few of these pass.
            size = min(2 * size, COMPARED_AT_ONCE)
        if len(passing) >= most:
            break
    return passing[:most]


async def count(cur: Cursor, search: Search, *, most: int) -> int:
    """How many documents pass. Stops counting soon after `most`."""
    total = 0
    async for blocks in _blocks(cur, search, newest_first=True, most=most):
        total += sum(block.sure.bit_count() for block in blocks)
        unsure = [number for block in blocks for number in _numbers(block.number, block.unsure, newest_first=True)]
        while unsure and total < most:
            some, unsure = unsure[:COMPARED_AT_ONCE], unsure[COMPARED_AT_ONCE:]
            await cur.execute(f"SELECT COUNT(*) AS passing {_compared(search, some)}", search.arguments)
            total += int(cur.only_row()["passing"])
        if total >= most:
            break
    return total


def _compared(search: Search, some: Sequence[int]) -> str:
    # The server looks up the numbers of a table one by one. For an IN list of some hundred, it may instead read all
    # documents of the tenant. Thousands of placeholders would take longer than the statement.
    has_status = numbered_jobs.HAS_STATUS if search.status else "TRUE"
    return f"""
        FROM JSON_TABLE('{[*some]}', '$[*]' COLUMNS (number INT UNSIGNED PATH '$')) w
        STRAIGHT_JOIN documents d FORCE INDEX (by_name_number)
            ON d.tenant = %(tenant)s AND d.name_number = w.number
        WHERE {search.condition} AND {has_status}
    """


def _numbers(block: int, bits: int, *, newest_first: bool) -> list[int]:
    places = name_parts.places_of(bits)
    first = block * name_parts.BLOCK
    return [first + place for place in (reversed(places) if newest_first else places)]


async def _blocks(cur: Cursor, search: Search, *, newest_first: bool, most: int) -> AsyncIterator[list[Block]]:
    """The blocks in the order of the list, some at a time: as many as should have the rest of `most` candidates."""
    if not search.numbers:
        return
    blocks = range(search.numbers[0] // name_parts.BLOCK, search.numbers[-1] // name_parts.BLOCK + 1)
    left = blocks[::-1] if newest_first else blocks
    reader = _Reader(cur, search)
    first, largest = BLOCKS_AT_ONCE
    size = first
    found = 0
    while left:
        some, left = left[:size], left[size:]
        read = await reader.read(some)
        yield read
        found += sum((block.sure | block.unsure).bit_count() for block in read)
        needed = (most - found) * (len(blocks) - len(left)) // found + 1 if found else largest
        size = max(first, min(needed, largest))


class _Reader:
    """Reads blocks of the index."""

    def __init__(self, cur: Cursor, search: Search) -> None:
        self._cur = cur
        self._search = search
        of_type = [name_parts.part_of_type(search.content_type)] if search.content_type else []
        self._needed = [*name_parts.parts_to_find(search.letters), *of_type]
        self._repeated = name_parts.repeated_to_find(search.letters)
        self._all = [*self._needed, *self._repeated, DELETED]
        self._first: Sequence[bytes] | None = None
        """Parts to read first of a block. None until blocks have shown which parts are rare."""

    async def read(self, blocks: Sequence[int]) -> list[Block]:
        """What is looked for in these blocks."""
        known = self._search.known
        unknown = [block for block in blocks if block not in known]
        if unknown:
            known |= await self._read(unknown)
        among = {block: self._among(block) for block in blocks}
        return [Block(block, known[block].sure & among[block], known[block].unsure & among[block]) for block in blocks]

    async def _read(self, blocks: Sequence[int]) -> dict[int, Block]:
        first = self._first or self._all
        parts = await self._read_parts(blocks, first)
        looked_for = [part for part in first if part in self._needed]
        candidates = {block: _common(parts[block], looked_for) for block in blocks}
        many = {block: bits for block, bits in candidates.items() if bits.bit_count() > FEW}
        if self._first is None:
            self._first = self._all if many else self._rarest(parts.values())
        rest = [part for part in self._all if part not in first]
        looked_for = [part for part in rest if part in self._needed]
        for block, more in (await self._read_parts([*many], rest)).items():
            parts[block] |= more
            many[block] &= _common(more, looked_for)
        many = await self._with_status(many)
        return {
            block: self._block(block, many[block], parts[block]) if block in many else Block(block, sure=0, unsure=bits)
            for block, bits in candidates.items()
        }

    def _rarest(self, parts: Collection[Mapping[bytes, bytes]]) -> list[bytes]:
        sizes = {part: sum(len(of_block.get(part, b"")) for of_block in parts) for part in self._needed}
        return sorted(self._needed, key=sizes.__getitem__)[:FIRST_PARTS]

    def _block(self, block: int, candidates: int, parts: Mapping[bytes, bytes]) -> Block:
        if DELETED not in parts:
            # An earlier release has recorded the block.
            return Block(block, sure=0, unsure=candidates)
        left = candidates & ~name_parts.bits_at(name_parts.unpack_each(parts[DELETED]))
        repeated = reduce(or_, (name_parts.bits_of(parts[part]) for part in self._repeated if part in parts), 0)
        return Block(block, sure=left & ~repeated, unsure=left & repeated)

    async def _with_status(self, candidates: dict[int, int]) -> dict[int, int]:
        """Those of the candidates of each block that have the status."""
        search = self._search
        if search.status is None or not candidates:
            return candidates
        blocks = range(min(candidates), max(candidates) + 1)
        numbers = range(blocks[0] * name_parts.BLOCK, (blocks[-1] + 1) * name_parts.BLOCK)
        # As a rule, nearly all documents are completed. It takes less time to read those of all other statuses.
        others = [status for status in Status if status is not Status.COMPLETED]
        is_completed = search.status is Status.COMPLETED
        read = await numbered_jobs.of_statuses(
            self._cur,
            search.tenant,
            others if is_completed else [search.status],
            among=numbers,
            indexed=range(search.indexed.blocks.start * name_parts.BLOCK, search.indexed.first_beyond),
        )
        if is_completed:
            # The list selects these by `numbered_jobs.NOT_SEARCHED`.
            without = await numbered_jobs.of_jobs_without_number(self._cur, search.tenant, search.indexed)
            read += filter(numbers.__contains__, without)
        bits = name_parts.bits_by_block(read, blocks)
        return {
            block: of_block & (~bits[block] if is_completed else bits[block]) for block, of_block in candidates.items()
        }

    async def _read_parts(self, blocks: Sequence[int], wanted: Sequence[bytes]) -> dict[int, dict[bytes, bytes]]:
        return await name_index.parts(self._cur, self._search.tenant, wanted=wanted, blocks=blocks)

    def _among(self, block: int) -> int:
        """The places of the block whose numbers are looked for."""
        first = block * name_parts.BLOCK
        start = max(self._search.numbers.start - first, 0)
        stop = min(self._search.numbers.stop - first, name_parts.BLOCK)
        return (1 << stop) - (1 << start)


def _common(parts: Mapping[bytes, bytes], wanted: Sequence[bytes]) -> int:
    """The places that all of the wanted parts have."""
    if any(part not in parts for part in wanted):
        return 0
    bits = -1
    # The shortest first: they have the fewest places, and often nothing is left after a few of them.
    for part in sorted(wanted, key=lambda part: len(parts[part])):
        bits &= name_parts.bits_of(parts[part])
        if not bits:
            break
    return bits
