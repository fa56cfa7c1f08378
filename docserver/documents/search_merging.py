"""Merges segments of the search index, so that a search reads few of them, and removes what is not needed any more.

Segments that follow one another are merged when there are so many of about the same size. So a page is written again
once for each size.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from docserver.database.connection import Cursor, Database
from docserver.database.retries import transactional
from docserver.database.tables import search_index, search_segments
from docserver.database.tables.search_segments import Row, Segment
from docserver.documents.search_pace import Pace
from docserver.search import segments
from docserver.search.chunks import Chunk, Entries, Kind, key_order

TOGETHER = 8
"""This many segments of a size become one."""

SMALL = range(4)
LARGE = range(4, 7)
"""Sizes that are merged side by side, so that small segments do not wait while large ones are merged for minutes. Size
n has TOGETHER ** n pages or more. The largest segments have two million pages."""

READ_AT_ONCE = 8
"""Rows of each segment that are read at once. To put the words of more in order would keep the event loop from the
interpreter for tens of milliseconds."""

LOOKED_AT_ONCE = 2000
"""Most pages that one statement looks up, to see whether they were deleted."""

DEAD_SHARE = 0.1
OLD_S = 7 * 86_400
"""A segment is written again without its deleted pages if they are a larger share, or if it is older than this."""

UNUSED_S = 60
"""Searches that began before a segment was replaced have ended after this time."""

ABANDONED_S = 600
"""A segment under construction that was not touched for this long was left by a dead process."""

SEGMENTS_AT_ONCE = 20
REMOVED_AT_ONCE = 5000
"""Segments that are removed together, and rows that one statement removes."""


class Outrun(Exception):
    """Another process writes the index now, or the index was begun anew. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Writing:
    """The right to write the index, as long as the holder has it."""

    db: Database
    holder: UUID
    pace: Pace


async def merge(writing: Writing, sizes: range) -> bool:
    """Merge some segments of these sizes, if there are enough; False if not. Raises DatabaseUnavailable, Outrun."""
    tenant: str | None = ""
    while tenant is not None:
        async with writing.db.session() as cur:
            generation = (await search_index.progress(cur)).generation
            tenant = await search_segments.next_tenant(cur, after=tenant)
            live = await search_segments.live(cur, tenant, generation=generation) if tenant else []
        some = _to_merge(live, sizes)
        if some:
            await _rewrite(writing, some, await _dead(writing, some), generation=generation)
            return True
    return False


def _to_merge(live: Sequence[Segment], sizes: range) -> Sequence[Segment]:
    """Segments that follow one another and are not larger than one of these sizes: as many as become one."""
    for size in sizes:
        run: list[Segment] = []
        for segment in live:
            if run and run[0].has_keys != segment.has_keys:
                run = []
            run = [*run, segment] if segment.pages < TOGETHER ** (size + 1) else []
            if len(run) == TOGETHER:
                return run
    return ()


async def clean(writing: Writing) -> bool:
    """Remove segments that nobody uses any more; True if some are left. Raises DatabaseUnavailable."""
    async with writing.db.session() as cur:
        generation = (await search_index.progress(cur)).generation
        unused = await search_segments.removable(
            cur, generation=generation, unused_s=UNUSED_S, building_s=ABANDONED_S, limit=SEGMENTS_AT_ONCE
        )
        for segment, is_earlier in unused:
            while await search_segments.delete_rows(cur, segment.id, limit=REMOVED_AT_ONCE):
                pass
            # What replaces another segment has its pages; only an earlier generation's are not needed any more.
            while is_earlier and await search_index.delete_range(
                cur, segment.tenant, first=segment.first, last=segment.last, limit=REMOVED_AT_ONCE
            ):
                pass
            await search_segments.delete(cur, segment.id)
    return len(unused) == SEGMENTS_AT_ONCE


async def thin_out(writing: Writing, *, after: int) -> int:
    """Look at the next segment after this one, and write it again if many of its pages were deleted. Returns its id; 0
    after the last. Raises DatabaseUnavailable, Outrun.
    """
    async with writing.db.session() as cur:
        generation = (await search_index.progress(cur)).generation
        segment = await search_segments.next_live(cur, after=after, generation=generation)
        is_old = segment is not None and await search_segments.is_older(cur, segment.id, than_s=OLD_S)
    if segment is None:
        return 0
    dead = await _dead(writing, [segment])
    if dead and (is_old or len(dead) > segment.pages * DEAD_SHARE):
        await _rewrite(writing, [segment], dead, generation=generation)
    return segment.id


async def _dead(writing: Writing, some: Sequence[Segment]) -> set[int]:
    """The pages of segments that were deleted, or read again since."""
    dead: set[int] = set()
    for segment in some:
        seen = segment.first - 1
        while seen < segment.last:
            async with writing.db.session() as cur:
                found, seen = await search_index.dead_pages(
                    cur, segment.tenant, first=seen + 1, last=segment.last, limit=LOOKED_AT_ONCE
                )
            dead.update(found)
    return dead


async def _rewrite(writing: Writing, old: Sequence[Segment], dead: set[int], *, generation: int) -> None:
    """Let one segment take the place of others, without dead pages."""
    tenant, pages = old[0].tenant, sum(segment.pages for segment in old) - len(dead)
    has_keys = old[0].has_keys or pages >= segments.KEYS_FROM
    async with writing.db.session() as cur:
        new = await search_segments.insert(
            cur,
            tenant,
            generation=generation,
            state="building",
            first=old[0].first,
            last=old[-1].last,
            pages=pages,
            has_keys=has_keys,
        )
    if old[0].has_keys:
        for kind in Kind:
            await _Merge(writing, old, kind, new=new, dead=dead).run()
    else:
        await _merge_small(writing, old, new=new, dead=dead, with_keys=has_keys)
    await _publish(writing, old, new=new, generation=generation)
    numbers = sorted(dead)
    async with writing.db.session() as cur:
        for first in range(0, len(numbers), LOOKED_AT_ONCE):
            await search_index.delete_pages(cur, tenant, numbers[first : first + LOOKED_AT_ONCE])


@transactional
async def _publish(writing: Writing, old: Sequence[Segment], *, new: int, generation: int) -> None:
    async with writing.db.transaction() as cur:
        if await search_index.lock(cur, writing.holder) != generation:
            raise Outrun
        if not await search_segments.replace(cur, [segment.id for segment in old], new=new):
            raise Outrun


async def _merge_small(writing: Writing, old: Sequence[Segment], *, new: int, dead: set[int], with_keys: bool) -> None:
    """Write the rows of small segments, which have no keys, as those of one segment."""

    def merged() -> list[Chunk]:
        parts: dict[int, dict[str, bytes]] = {segment.id: {} for segment in old}
        for row in rows:
            parts[row.segment].update(zip(*Entries(row.data).all(), strict=True))
        return list(segments.of_words(list(parts.values()), dead=dead, with_keys=with_keys))

    async with writing.db.session() as cur:
        rows = await search_segments.all_rows(cur, [segment.id for segment in old])
    await _insert(writing.db, new, await writing.pace.run(merged))
    await writing.pace.rest()


@transactional
async def _insert(db: Database, segment: int, some: Sequence[Chunk]) -> None:
    async with db.transaction() as cur:
        if not await search_segments.keep_building(cur, segment):
            raise Outrun
        await search_segments.insert_rows(cur, [Row(segment, *chunk) for chunk in some])


class _Merge:
    """Writes the rows of a kind of several segments as those of one, with a part of them in memory at a time."""

    def __init__(self, writing: Writing, old: Sequence[Segment], kind: Kind, *, new: int, dead: set[int]) -> None:
        self._db, self._pace = writing.db, writing.pace
        self._sources = [_Source(segment.id, kind) for segment in old]
        self._new, self._dead = new, dead
        self._packer = segments.packer_of(kind)

    async def run(self) -> None:
        while any(not source.is_ended or source.names for source in self._sources):
            rows = {}
            async with self._db.session() as cur:
                for source in self._sources:
                    if not source.names and not source.is_ended:
                        rows[source] = await source.rows(cur)
            await _insert(self._db, self._new, await self._pace.run(self._merge_some, rows))
            await self._pace.rest()
        await _insert(self._db, self._new, await self._pace.run(lambda: list(self._packer.end())))

    def _merge_some(self, rows: "Mapping[_Source, Sequence[Row]]") -> list[Chunk]:
        """Merge the entries in memory, as far as no source can still bring an earlier one."""
        for source, some in rows.items():
            source.read(some)
        bound = min((source.last for source in self._sources if not source.is_ended), default=None)
        parts = [source.take(bound) for source in self._sources]
        return segments.pack_merged(self._packer, parts, dead=self._dead)


class _Source:
    """The rows of a kind of one segment, read some at a time."""

    def __init__(self, segment: int, kind: Kind) -> None:
        self._segment, self._kind = segment, kind
        self._after: bytes | None = None
        self.names: list[str] = []
        self._lists: list[bytes] = []
        self.is_ended = False

    async def rows(self, cur: Cursor) -> Sequence[Row]:
        """The next rows, to be given to `read`."""
        return await search_segments.rows_after(cur, self._segment, self._kind, after=self._after, limit=READ_AT_ONCE)

    def read(self, rows: Sequence[Row]) -> None:
        """Take the entries of rows."""
        self.is_ended = len(rows) < READ_AT_ONCE
        for row in rows:
            names, lists = Entries(row.data).all()
            self.names += names
            self._lists += lists
            self._after = row.first

    @property
    def last(self) -> bytes:
        """The last entry that was read, as it is ordered. Other segments may have the same."""
        return self._order(self.names[-1])

    def take(self, bound: bytes | None) -> dict[str, bytes]:
        """Take out the entries up to this one; all entries if it is None."""
        end = len(self.names) if bound is None else bisect_right(self.names, bound, key=self._order)
        taken = dict(zip(self.names[:end], self._lists[:end], strict=True))
        del self.names[:end], self._lists[:end]
        return taken

    def _order(self, name: str) -> bytes:
        return name.encode() if self._kind is Kind.WORDS else key_order(name)
