"""Looks up the words of a query in the search index."""

import asyncio
from collections.abc import Iterable, Sequence

from docserver.database.connection import Cursor
from docserver.database.tables import search_segments
from docserver.database.tables.search_segments import Row, Segment
from docserver.search import lookup
from docserver.search.chunks import Kind
from docserver.search.folding import Likeness
from docserver.search.lookup import Found, Range
from docserver.search.query import InvalidQuery, Query, Word

MAX_ROWS = 2000
"""Most rows that the beginnings of words may need: some hundred thousand words begin like this."""

MAX_PLACES = 500
"""Most rows that are read for the frequent neighbours of a word. Those left out are in the fewest segments."""

PRESUMED = 100
"""If no more pages than this can have all words, their texts are read: that takes less time than to look up further
words with a wrong letter.
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


async def find_neighbours(
    cur: Cursor, query: Query, found: dict[Word, Found], segments: Sequence[Segment], *, only: int | None
) -> bool:
    """Add the pages of the words with a wrong letter, rarest words first. `only` is the set of the pages that may be
    found; None if any page may.

    True if few pages can have all words: then they are added for the words that were not looked up, and their texts
    tell which of them have these.
    """
    words, pages = await asyncio.to_thread(_rarest_first, query, found, only)
    for place, word in enumerate(words):
        if place:
            pages &= await asyncio.to_thread(found[words[place - 1]].all_pages)
        if pages >= 0 and pages.bit_count() <= PRESUMED:
            for other in words[place:]:
                found[other].pages(Likeness.EDITED).add_set(pages)
            return True
        await _add_neighbours(cur, word, found[word], segments)
    return False


def _rarest_first(query: Query, found: dict[Word, Found], only: int | None) -> tuple[list[Word], int]:
    """The words that are looked for with a wrong letter, and the set of the pages that have all others."""
    pages = -1 if only is None else only
    for word in query.words:
        if not word.has_neighbours:
            pages &= found[word].all_pages()
    words = [word for word in query.words if word.has_neighbours]
    return sorted(words, key=lambda word: found[word].count()), pages


async def _add_neighbours(cur: Cursor, word: Word, found: Found, segments: Sequence[Segment]) -> None:
    """Add the pages of one word with a wrong letter."""
    with_keys = [segment.id for segment in segments if segment.has_keys]
    small = [segment.id for segment in segments if not segment.has_keys]
    rows = _unique(await _in(cur, list(lookup.neighbour_ranges(word)), with_keys))
    some = [(row.segment, row.kind, row.data) for row in rows]
    frequent = await asyncio.to_thread(lookup.add_neighbours, found, word, some)
    names = sorted(frequent, key=lambda name: len(frequent[name]), reverse=True)
    places = [(segment, name.encode()) for name in names for segment in frequent[name]][:MAX_PLACES]
    further = _unique(await search_segments.rows_at(cur, Kind.WORDS, places))
    await asyncio.to_thread(lookup.add_words_of_neighbours, found, word, [row.data for row in further], names)
    rows = await search_segments.all_rows(cur, small)
    await asyncio.to_thread(lookup.add_all_neighbours, found, word, [row.data for row in rows])


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
