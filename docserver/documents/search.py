"""Searches the pages of a tenant: which have the words of a query, in which order, and where the words stand."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from docserver.database.connection import Cursor
from docserver.database.faults import StatementTooLong
from docserver.database.tables import found_pages, search_index, search_segments
from docserver.database.tables.document_lists import Filter
from docserver.database.tables.found_pages import FoundPage
from docserver.database.tables.search_segments import Segment
from docserver.documents.search_lookup import Neighbours, find
from docserver.errors import ListTooSlow, SearchIncomplete
from docserver.resources import Resources
from docserver.search.hits import Match, Matcher
from docserver.search.lookup import Found
from docserver.search.numbers import set_of
from docserver.search.query import Query, Word
from docserver.search.ranking import LEAST, Ranking, most_with_neighbour

NARROW = 1000
"""If no more documents than this pass the filter, only their pages are looked at. With more, enough of the pages that
have the words belong to them."""

LOOKED_AT_ONCE = 1000
"""Most pages that one statement compares with the filter. The first one compares as many as are wanted, because most
pages pass; each of the next ones twice as many.
"""

LOOKED_AT = 20_000
"""Most pages that one request compares with the filter. The next request goes on."""

READ_AT_ONCE = 50
"""Pages whose texts are read together."""

READ = 200
"""Most pages whose texts one request reads, to look for phrases. The next request goes on."""

RETRY_AFTER_S = (5, 600)
"""Shortest and longest time that a client is told to wait for the index."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the results of a search: right after the page with these points and this number."""

    points: int
    number: int


@dataclass(frozen=True, slots=True)
class Item:
    """A page that a search has found."""

    page: FoundPage
    score: float
    match: Match


@dataclass(frozen=True, slots=True)
class SearchPart:
    """Some of the pages that a search finds, best first."""

    items: Sequence[Item]
    next: Place | None
    """Where the next part begins; None after the last."""


async def search(
    resources: Resources, query: Query, narrowed: Filter, *, fuzzy: bool, after: Place | None, limit: int
) -> SearchPart:
    """A part of what a search finds. It may have fewer items than the limit although more follow.

    Raises SearchIncomplete, InvalidQuery, ListTooSlow, DatabaseUnavailable.
    """

    async def read(cur: Cursor) -> SearchPart:
        generation = await _generation(cur)
        segments = await search_segments.live(cur, narrowed.tenant, generation=generation)
        found = await find(cur, query, segments, fuzzy=fuzzy)
        numbers = await _narrow(cur, narrowed)
        only = None if numbers is None else set_of(numbers)
        candidates = _Candidates(cur, query, segments, found, only=only, fuzzy=fuzzy)
        await candidates.begin(after)
        open_filter = narrowed if numbers is None else Filter(narrowed.tenant)
        return await _Reading(cur, query, open_filter, candidates, fuzzy=fuzzy).part(limit)

    try:
        return await resources.replica.read(read, primary=resources.lists)
    except StatementTooLong as error:
        raise ListTooSlow("The search took too long; look for rarer words, or narrow it by dates.") from error


async def _generation(cur: Cursor) -> int:
    progress = await search_index.progress(cur)
    if not progress.is_complete:
        share = progress.jobs_walked / max(1, progress.jobs_total)
        least_s, most_s = RETRY_AFTER_S
        left = max(0, progress.jobs_total - progress.jobs_walked)
        raise SearchIncomplete(
            "The search index is being built, from all pages that were read; search again when it is complete.",
            headers={"Retry-After": str(min(most_s, least_s + left // JOBS_PER_S))},
            extra={"progress": round(min(share, 1.0), 4)},
        )
    return progress.generation


JOBS_PER_S = 100
"""About how many jobs of a page or two are indexed in a second."""


async def _narrow(cur: Cursor, narrowed: Filter) -> list[int] | None:
    """The pages of the documents that pass the filter, if it is narrow."""
    if narrowed == Filter(narrowed.tenant):
        return None
    return await found_pages.numbers_of(cur, narrowed, most=NARROW)


class _Candidates:
    """The pages that have all words of a query, best first. Words with a wrong letter are looked up after the others,
    and frequent ones last: that takes most of the time of a search, and pages that have them come after all others.
    """

    def __init__(
        self,
        cur: Cursor,
        query: Query,
        segments: Sequence[Segment],
        found: dict[Word, Found],
        *,
        only: int | None,
        fuzzy: bool,
    ) -> None:
        self._query, self._found, self._only = query, found, only
        self._neighbours = Neighbours(cur, query, found, segments, only=only)
        self._above = most_with_neighbour(query) if fuzzy else LEAST - 1
        """Pages with more points are all known: words that are still to be looked up give a page no more than this."""
        self.are_certain = not (query.phrases or query.excluded_phrases)
        """False if it takes the texts of the pages to know which ones have all that is looked for."""

    async def begin(self, after: Place | None) -> None:
        """Begin after a place of the results."""
        self._after = (after.points, after.number) if after else None
        if after and after.points <= self._above:
            await self._look_up(frequent=after.points < 0)
        else:
            await self._rank()

    @property
    def end(self) -> Place | None:
        """The place after all pages that are known; None if all words were looked up."""
        return Place(self._above + 1, 0) if self._above >= LEAST else None

    async def next(self, size: int, *, neighbours: bool, frequent: bool) -> list[tuple[int, int]]:
        """The points and numbers of some more pages; none after the last. With `neighbours`, words with a wrong letter
        are looked up after those without; with `frequent`, those that are on many pages after these.
        """
        some = await asyncio.to_thread(_some, self._ranked, size)
        while not some and self._above >= LEAST and (neighbours if self._above >= 0 else frequent):
            self._after = (self._above + 1, 0)
            await self._look_up(frequent=self._above < 0)
            some = await asyncio.to_thread(_some, self._ranked, size)
        return some

    async def _look_up(self, *, frequent: bool) -> None:
        if await self._neighbours.look_up(frequent=frequent):
            self.are_certain = False
        self._above = -1 if self._neighbours.are_left else LEAST - 1
        await self._rank()

    async def _rank(self) -> None:
        self.ranking = await asyncio.to_thread(Ranking, self._query, self._found, only=self._only)
        self._ranked = self.ranking.pages(self._after, above=self._above)


class _Reading:
    """Reads the pages of a ranking, until there are enough that have what is looked for."""

    def __init__(self, cur: Cursor, query: Query, narrowed: Filter, candidates: _Candidates, *, fuzzy: bool) -> None:
        self._cur = cur
        self._narrowed, self._candidates = narrowed, candidates
        self._matcher = Matcher(query, fuzzy=fuzzy)
        self._items: list[Item] = []
        self._last: Place | None = None
        """That of the last item."""
        self._read = 0

    async def part(self, limit: int) -> SearchPart:
        """The next items."""
        looked_at, size = 0, limit + 1
        while some := await self._next(size):
            passing = await self._passing(some)
            while passing:
                group = passing[: limit - len(self._items) + 1]
                passing = passing[len(group) :]
                if await self._add(group, limit):
                    return SearchPart(self._items, self._last)
            looked_at += len(some)
            if self._read >= READ or looked_at >= LOOKED_AT:
                return SearchPart(self._items, Place(*some[-1]))
            size = min(2 * size, LOOKED_AT_ONCE)
        return SearchPart(self._items, self._candidates.end)

    async def _next(self, size: int) -> list[tuple[int, int]]:
        """Some more pages. If pages have a phrase as it is written, misread ones are for a client that reads on; and so
        are frequent words with a wrong letter if many texts were read: hardly any of their pages has the phrase.
        """
        if self._candidates.are_certain:
            return await self._candidates.next(size, neighbours=True, frequent=True)
        is_empty = not self._items
        return await self._candidates.next(
            READ_AT_ONCE, neighbours=is_empty, frequent=is_empty and self._read < READ_AT_ONCE
        )

    async def _passing(self, some: Sequence[tuple[int, int]]) -> list[tuple[int, FoundPage]]:
        """Those of the pages that pass the filter and, if texts are to be read, have what is looked for."""
        numbers = [number for _, number in some]
        if not self._candidates.are_certain:
            texts = await found_pages.texts(self._cur, self._narrowed.tenant, numbers)
            self._read += len(texts)
            numbers = await asyncio.to_thread(self._with_phrases, texts)
        found = await found_pages.passing(self._cur, self._narrowed, numbers) if numbers else {}
        return [(points, found[number]) for points, number in some if number in found]

    async def _add(self, group: Sequence[tuple[int, FoundPage]], limit: int) -> bool:
        """Add those of the pages that match; True if there are more than the limit."""
        room = limit - len(self._items)
        layouts = await found_pages.layouts(self._cur, [page for _, page in group[:room]])
        matches = await asyncio.to_thread(self._matches, layouts)
        for points, page in group[:room]:
            if match := matches.get(page.number):
                self._items.append(Item(page, self._candidates.ranking.score(points), match))
                self._last = Place(points, page.number)
        return len(self._items) == limit and len(group) > room

    def _with_phrases(self, texts: dict[int, str]) -> list[int]:
        return [number for number, text in texts.items() if self._matcher.has_phrases(text)]

    def _matches(self, layouts: dict[int, bytes]) -> dict[int, Match | None]:
        return {number: self._matcher.match(layout) for number, layout in layouts.items()}


def _some(ranked: Iterator[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    return list(islice(ranked, size))
