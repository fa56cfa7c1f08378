"""Child side: finds the tables of a page: those in grids of ruled lines first, then those whose cells stand in line."""

from collections.abc import Iterable, Sequence
from statistics import median

from docserver.layout import area, overlap
from docserver.ocr.tables import ruled, unruled
from docserver.ocr.tables.candidates import between_rules, candidates
from docserver.ocr.tables.draft import Draft, is_in
from docserver.ocr.tables.placed import PlacedPage, Row, Segment
from docserver.ocr.tables.rules import Rule, Rules, grids, joined

MAX_OTHERS = 0.2
"""Most words that stand within a table and in none of its rows, such as text that runs upwards, as a share of its own.
"""

MAX_OUTSIDE = 0.05
"""Largest share of a table's words that stand outside of their cells. Slanted lines, which look like rows and columns
by chance, have far more."""

RULE_REACH = 3.0
"""Largest distance of a rule from a table that it belongs to, in pixels."""


def drafts_of(page: PlacedPage, rules: Rules) -> list[Draft]:
    """The tables of a page, from top to bottom. No two have a word in common."""
    # Without rules, lines of prose are in no table.
    some = page.segments or (page.of_prose() if rules.horizontal else [])
    if not some:
        return []
    size = median(segment.size for segment in some)
    rules = joined(rules, size=size)
    is_ruled = len(rules.horizontal) > 1
    segments = [*page.segments, *page.of_prose()] if is_ruled else page.segments
    found: list[Draft] = []
    for grid in sorted(grids(rules, size=size), key=lambda grid: -area(grid.rect)):
        free = _free(segments, found)
        if (table := ruled.table_in(grid, free, size=size)) is not None and _holds_its_words(table):
            found.append(table)
    across = [rule for rule in rules.horizontal if not any(_is_of_table(rule, table) for table in found)]
    for is_between in (True, False):
        free = _free(segments, found)
        groups = between_rules(free, across, size=size) if is_between else candidates(free, size=size)
        for rows in groups:
            for part in [rows] if is_between else _beside_each_other(rows, across, size=size):
                table = unruled.table_of(part, across, size=size, is_between_rules=is_between)
                if table is None or not _holds_its_words(table):
                    continue
                if any(overlap(table.rect, other.rect) for other in found):
                    continue
                # Another table may have taken in words of these rows.
                others = _free(free if is_ruled else [*free, *page.of_prose()], found)
                if _numbers(table) <= _numbers_of(others) and _has_taken_in(table, others):
                    found.append(table)
    return sorted(found, key=lambda table: table.rect[1])


def _free(segments: Sequence[Segment], tables: Iterable[Draft]) -> list[Segment]:
    """The segments of which no word is in one of the tables."""
    taken = {number for table in tables for number in _numbers(table)}
    return [segment for segment in segments if not any(word.number in taken for word in segment.words)]


def _numbers(table: Draft) -> set[int]:
    return {word.number for cell in table.cells for word in cell.words}


def _numbers_of(segments: Iterable[Segment]) -> set[int]:
    return {word.number for segment in segments for word in segment.words}


def _holds_its_words(table: Draft) -> bool:
    """True if no word of a table is in two cells, and nearly all words stand within their cells."""
    words = [(word, cell) for cell in table.cells for word in cell.words]
    outside = sum(not is_in(word.middle, cell.rect) for word, cell in words)
    return len(words) == len(_numbers(table)) and outside <= MAX_OUTSIDE * len(words)


def _beside_each_other(rows: list[Row], rules: Sequence[Rule], *, size: float) -> list[list[Row]]:
    """The rows of each block if all of several blocks are tables by themselves, else all rows together."""
    blocks = sorted({segment.block for row in rows for segment in row})
    if len(blocks) < 2:
        return [rows]
    parts = [[part for row in rows if (part := [one for one in row if one.block == block])] for block in blocks]
    are_tables = (unruled.table_of(part, rules, size=size, is_between_rules=False) is not None for part in parts)
    return parts if all(are_tables) else [rows]


def _has_taken_in(table: Draft, segments: Iterable[Segment]) -> bool:
    """Put the other words within the table into its cells; False if they are too many for a table."""
    own = _numbers(table)
    others = 0
    for segment in segments:
        for word in segment.words:
            if word.number not in own and (cell := table.cell_at(*word.middle)) is not None:
                cell.words.append(word)
                others += 1
    return others <= MAX_OTHERS * len(own)


def _is_of_table(rule: Rule, table: Draft) -> bool:
    x0, y0, x1, y1 = table.rect
    return y0 - RULE_REACH <= rule.at <= y1 + RULE_REACH and x0 <= (rule.start + rule.end) / 2 <= x1
