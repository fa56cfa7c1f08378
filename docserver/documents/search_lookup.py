"""Looks up the words of a query in the search index."""

import asyncio
from collections.abc import Iterable, Sequence

from docserver.database.connection import Cursor
from docserver.database.tables import search_segments
from docserver.database.tables.search_segments import Row, Segment
from docserver.search import lookup
from docserver.search.chunks import Kind
from docserver.search.lookup import Found, Range
from docserver.search.query import InvalidQuery, Query, Word

MAX_ROWS = 2000
"""Most rows that the beginning of a word may need: some hundred thousand words begin with it."""

MAX_NEIGHBOURS = 500
"""Most neighbours that are looked up for the words of a query. Those left out are on a page or two each, or the query
has many common words."""


async def find(cur: Cursor, query: Query, segments: Sequence[Segment], *, fuzzy: bool) -> dict[Word, Found]:
    """The pages of each word of the query, without its neighbours; raises InvalidQuery if a word begins too many."""
    excluded = {phrase[0] for phrase in query.excluded if len(phrase) == 1}
    found = {word: Found() for word in dict.fromkeys((*query.words, *excluded))}
    ids = [segment.id for segment in segments]
    rows = _unique(
        [
            *await _at(cur, [lookup.words_range(word) for word in found if not word.is_prefix], ids),
            *await _in(cur, [lookup.words_range(word) for word in found if word.is_prefix], ids),
        ]
    )
    await asyncio.to_thread(lookup.add_words, found, [row.data for row in rows], fuzzy=fuzzy)
    return found


async def find_neighbours(cur: Cursor, query: Query, whole: dict[Word, Found], segments: Sequence[Segment]) -> None:
    """Add the pages of the words with one wrong letter."""
    found = {word: whole[word] for word in query.words if word.has_neighbours}
    with_keys = [segment.id for segment in segments if segment.has_keys]
    small = [segment.id for segment in segments if not segment.has_keys]
    neighbours: dict[str, set[int]] = {}
    for word, of_word in found.items():
        rows = _unique(await _in(cur, list(lookup.neighbour_ranges(word)), with_keys))
        some = [(row.segment, row.kind, row.data) for row in rows]
        await asyncio.to_thread(lookup.add_neighbours, of_word, word, some, neighbours)
    chosen = dict(list(neighbours.items())[:MAX_NEIGHBOURS])
    places = [(segment, name.encode()) for name, where in chosen.items() for segment in where]
    further = _unique(await search_segments.rows_at(cur, Kind.WORDS, places))
    await asyncio.to_thread(lookup.add_words_of_neighbours, found, [row.data for row in further], chosen)
    rows = await search_segments.all_rows(cur, small)
    await asyncio.to_thread(lookup.add_all_neighbours, found, [row.data for row in rows])


async def _at(cur: Cursor, ranges: Sequence[Range], segments: Sequence[int]) -> list[Row]:
    """The rows that have the first entry of each range."""
    by_kind: dict[Kind, list[tuple[int, bytes]]] = {}
    for part in ranges:
        by_kind.setdefault(part.kind, []).extend((segment, part.first) for segment in segments)
    return [row for kind, places in by_kind.items() for row in await search_segments.rows_at(cur, kind, places)]


async def _in(cur: Cursor, ranges: Sequence[Range], segments: Sequence[int]) -> list[Row]:
    """The rows that have the entries of these ranges."""
    if not segments:
        return []
    rows = await _at(cur, ranges, segments)
    for part in ranges:
        between = await search_segments.rows_between(
            cur, part.kind, segments, after=part.first, before=part.end, limit=MAX_ROWS
        )
        if len(between) == MAX_ROWS:
            raise InvalidQuery("A word that ends with a star begins too many words; write more letters of it.")
        rows += between
    return rows


def _unique(rows: Iterable[Row]) -> list[Row]:
    """Each row once: two words may be in the same row."""
    return list({(row.segment, row.kind, row.first): row for row in rows}.values())
