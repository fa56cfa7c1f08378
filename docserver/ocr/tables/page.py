"""Child side: the tables of a page, with the boxes of their cells on the page, and the page's text in their order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import orjson

from docserver.elements import MAX_TABLE_PLACES, MAX_TABLES, MAX_TABLES_BYTES, Table, TableCell
from docserver.layout import Block, lines_of
from docserver.ocr.tables.draft import Draft, in_lines
from docserver.ocr.tables.finder import drafts_of
from docserver.ocr.tables.frame import Frame
from docserver.ocr.tables.placed import has_gap, placed_page
from docserver.ocr.tables.reading_order import in_order_of_tables
from docserver.ocr.tables.rules import Rules
from docserver.typography import spaced

MIN_ROWS = 2
"""Fewest lines beside others, or with wide gaps, of a page that may have tables."""

MIN_GAP = 0.8
"""Narrowest gap between words that may part cells, as a share of the height of their line."""

MAX_WORDS = 20_000
"""Most words of a page whose tables are looked for. A full newspaper page has 10,000."""


class PageTables(NamedTuple):
    blocks: tuple[Block, ...]
    """The text, with the words of each table row by row."""
    tables: tuple[Table, ...]


def tables_of(blocks: tuple[Block, ...], frame: Frame, *, rules: Callable[[Frame], Rules]) -> PageTables:
    """Find the tables of a page by its words and by its rules, which are looked for only if it may have tables."""
    if not _may_have_tables(blocks, replace(frame, skew=0.0)):
        return PageTables(blocks, ())
    drafts = drafts_of(placed_page(blocks, frame), rules(frame))
    if not drafts:
        return PageTables(blocks, ())
    ordered, new_index = in_order_of_tables(blocks, drafts)
    tables = tuple(_table(draft, frame, new_index) for draft in drafts)
    return PageTables(ordered, tables) if _fit(tables) else PageTables(blocks, ())


def _fit(tables: Sequence[Table]) -> bool:
    """True if the tables fit into an answer. Those of a page that may be printed do."""
    places = sum(table.rows * table.columns for table in tables)
    boxes = (box for table in tables for box in (table.box, *(cell.box for cell in table.cells)))
    return (
        len(tables) <= MAX_TABLES
        and places <= MAX_TABLE_PLACES
        and len(orjson.dumps(tables)) <= MAX_TABLES_BYTES
        and all(x0 < x1 and y0 < y1 for x0, y0, x1, y1 in boxes)
    )


def _may_have_tables(blocks: Sequence[Block], frame: Frame) -> bool:
    """A check in a small part of a millisecond: most pages have neither lines beside others nor wide gaps."""
    lines = list(lines_of(blocks))
    if sum(len(line.words) for line in lines) > MAX_WORDS:
        return False
    is_sideways = frame.rotation in (90, 270)
    low, high = (0, 2) if is_sideways else (1, 3)
    rows = 0
    last_middle, last_size = 0, 0
    for line in sorted(lines, key=lambda line: line.box[low] + line.box[high]):
        size = line.box[high] - line.box[low]
        middle = line.box[low] + line.box[high]
        # Middles are doubled, so lines are beside each other if they are less than half of their height apart.
        if (last_size and middle - last_middle < min(size, last_size)) or has_gap(line, frame, least=MIN_GAP):
            rows += 1
            if rows >= MIN_ROWS:
                return True
        last_middle, last_size = middle, size
    return False


def _table(draft: Draft, frame: Frame, new_index: Sequence[int]) -> Table:
    cells = []
    for cell in draft.cells:
        words = in_lines(cell.words)
        cells.append(
            TableCell(
                row=cell.row,
                column=cell.column,
                row_span=cell.row_span,
                column_span=cell.column_span,
                box=frame.box(cell.rect),
                text=spaced(word.text for word in words),
                header=cell.is_header,
                words=tuple(new_index[word.number] for word in words),
            )
        )
    return Table(frame.box(draft.rect), draft.rows, draft.columns, tuple(cells))
