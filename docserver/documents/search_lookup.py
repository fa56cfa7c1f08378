"""Looks up the words of a query in the search index."""

import asyncio
from collections.abc import Iterable, Sequence

from docserver.database.connection import Cursor
from docserver.database.tables import search_segments
from docserver.database.tables.search_segments import Row, Segment
from docserver.search import lookup
from docserver.search.chunks import Entries, Kind
from docserver.search.folding import Likeness
from docserver.search.lookup import Found, Range
from docserver.search.query import InvalidQuery, Query, Word

MAX_ROWS = 2000
"""Most rows that the beginnings of words may need: some hundred thousand words begin like this."""

MAX_PLACES = 500
"""Most rows that are read for the frequent neighbours of a word. Those left out are in the fewest segments."""

PRESUMED = 100
"""If no more pages than this can have all words, their texts are read: that takes less time than to look up further
words with a wrong letter. A word on more pages than this is frequent, and so is not misspelt in the query.
"""


async def find(cur: Cursor, query: Query, segments: Sequence[Segment], *, fuzzy: bool) -> dict[Word, Found]:
    """The pages of each word of the query, without its neighbours; raises InvalidQuery if a word begins too many."""
    excluded = {phrase[0] for phrase in query.excluded if len(phrase) == 1}
    found = {word: Found() for word in dict.fromkeys((*query.words, *excluded))}
    ids = [segment.id for segment in segments]
    whole = await _at(cur, [lookup.words_range(word) for word in found if not word.is_prefix], ids)
    begun = await _in(cur, [lookup.words_range(word) for word in found if word.is_prefix], ids)
    if len(begun) >= MAX_ROWS:
        raise InvalidQuery("A word that ends with a star begins too many words; write more letters of it.")
    rows = _unique((*whole, *begun))
    await asyncio.to_thread(lookup.add_words, found, [row.data for row in rows], fuzzy=fuzzy)
    return found


class Neighbours:
    """Looks up the words of a query with a wrong letter, rarest words first.

    A frequent neighbour of a frequent word is mostly another word, so those are looked up last.
    """

    def __init__(
        self, cur: Cursor, query: Query, found: dict[Word, Found], segments: Sequence[Segment], *, only: int | None
    ) -> None:
        """What is looked up is added to `found`. `only` is the set of the pages that may be found; None if any may."""
        self._cur, self._query, self._found, self._only = cur, query, found, only
        self._with_keys = [segment.id for segment in segments if segment.has_keys]
        self._small = [segment.id for segment in segments if not segment.has_keys]
        self._rows_of_small: list[Entries] | None = None
        self._frequent_as: dict[Word, Likeness] = {}
        """The words that are looked for with a wrong letter, rarest first, with what their frequent neighbours are."""
        self._left: dict[Word, dict[str, set[int]]] = {}
        """The frequent neighbours that are left of each word that was looked up, with their segments."""

    @property
    def are_left(self) -> bool:
        """True if frequent neighbours are left of the words that were looked up."""
        return any(self._left.values())

    async def look_up(self, *, frequent: bool) -> bool:
        """Add the pages of the words with a wrong letter, with `frequent` those of all frequent neighbours too.

        True if few pages can have all words: then they are added for the words that were not looked up, and their texts
        tell which of them have these.
        """
        pages = await asyncio.to_thread(self._begin)
        words = list(self._frequent_as)
        for place, word in enumerate(words):
            if place:
                pages &= await asyncio.to_thread(self._found[words[place - 1]].all_pages)
            if pages >= 0 and pages.bit_count() <= PRESUMED:
                for other in words[place:]:
                    self._found[other].pages(Likeness.EDITED).add_set(pages)
                return True
            if word not in self._left:
                self._left[word] = await self._add(word)
            if frequent or self._frequent_as[word] is Likeness.EDITED:
                await self._add_frequent(word)
        return False

    def _begin(self) -> int:
        """Put the words with neighbours in order, and return the set of the pages that have all other words."""
        pages = -1 if self._only is None else self._only
        for word in self._query.words:
            if not word.has_neighbours:
                pages &= self._found[word].all_pages()
        if not self._frequent_as:
            counts = {word: self._found[word].count() for word in self._query.words if word.has_neighbours}
            for word in sorted(counts, key=counts.__getitem__):
                self._frequent_as[word] = Likeness.ANOTHER if counts[word] > PRESUMED else Likeness.EDITED
        return pages

    async def _add(self, word: Word) -> dict[str, set[int]]:
        """Add the pages of a word's neighbours. Returns the frequent ones, whose pages are still to be added."""
        found, frequent_as = self._found[word], self._frequent_as[word]
        rows = _unique(await _in(self._cur, list(lookup.neighbour_ranges(word)), self._with_keys))
        keys = [(row.segment, row.kind, row.data) for row in rows]
        frequent = await asyncio.to_thread(lookup.add_neighbours, found, word, keys, frequent_as=frequent_as)
        if self._rows_of_small is None:
            small = await search_segments.all_rows(self._cur, self._small)
            self._rows_of_small = await asyncio.to_thread(lambda: [Entries(row.data) for row in small])
        await asyncio.to_thread(
            lookup.add_neighbours_in_words, found, word, self._rows_of_small, frequent, frequent_as=frequent_as
        )
        return frequent

    async def _add_frequent(self, word: Word) -> None:
        frequent, self._left[word] = self._left[word], {}
        names = sorted(frequent, key=lambda name: len(frequent[name]), reverse=True)
        places = [(segment, name.encode()) for name in names for segment in frequent[name]][:MAX_PLACES]
        rows = _unique(await search_segments.rows_at(self._cur, Kind.WORDS, places))
        await asyncio.to_thread(
            lookup.add_frequent_neighbours,
            self._found[word],
            word,
            [row.data for row in rows],
            names,
            frequent_as=self._frequent_as[word],
        )


async def _at(cur: Cursor, ranges: Sequence[Range], segments: Sequence[int]) -> list[Row]:
    """The rows that have the first entry of each range."""
    by_kind: dict[Kind, list[tuple[int, bytes]]] = {}
    for part in ranges:
        by_kind.setdefault(part.kind, []).extend((segment, part.first) for segment in segments)
    return [row for kind, places in by_kind.items() for row in await search_segments.rows_at(cur, kind, places)]


async def _in(cur: Cursor, ranges: Sequence[Range], segments: Sequence[int]) -> list[Row]:
    """The rows that have the entries of these ranges."""
    if not segments or not ranges:
        return []
    inner = [(part.kind, part.first, part.end) for part in ranges]
    between = await search_segments.rows_between(cur, segments, inner, limit=MAX_ROWS)
    return [*await _at(cur, ranges, segments), *between]


def _unique(rows: Iterable[Row]) -> list[Row]:
    """Each row once: two words may be in the same row."""
    return list({(row.segment, row.kind, row.first): row for row in rows}.values())
