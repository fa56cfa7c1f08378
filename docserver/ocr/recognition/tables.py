"""Child side: puts the cells of tables without rules in rows, which Tesseract reads column by column."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import mean

from docserver.layout import Block, Box, Line, Paragraph, around, lines_of, text_of
from docserver.ocr.recognition.tesseract import Recognised

AMOUNT = re.compile(r"[^\w]*\d[\d\W]*\w{0,3}[^\w]*")
"""A cell such as `12,50`, `1 240 F` or `7.35`. Of letters, it has a short unit at most."""

MIN_AMOUNTS = 4
"""Fewest amounts of a table that stand beside other cells."""

MIN_AMOUNTS_SHARE = 0.2
"""Smallest share of amounts in the cells of tables. Columns of text hardly ever have such lines."""

MIN_PROSE_LINES, MIN_PROSE_WORDS, MIN_FULL_LINES, FULL_WIDTH = 4, 4.0, 0.6, 0.85
"""A block is prose, and no column of a table, if it has at least so many lines, so many words a line, and this share of
its lines has at least this share of its width. Lines of prose end where the column ends, and cells anywhere."""

CUT = re.compile(r"(?<!\S)(?:\d+[.,:] (?=\d)|[.,:] ?\d)")
"""Where a number such as `16.40` is cut, because Tesseract took the digits before the point for a column of their own.
"""

MIN_CUTS, MIN_CUTS_SHARE = 6, 0.15
"""Fewest such cuts in a text whose numbers are cut, also as a share of the words with digits."""

_Row = list[Line]


def cuts_numbers(recognised: Recognised) -> bool:
    """True if numbers of a table without rules are cut by columns, in which some of the digits are mostly lost. False
    for pages with prose beside something else, which must be read column by column.
    """
    lines = [" ".join(word.text for word in line.words) for line in lines_of(recognised.blocks)]
    numbers = sum(any(map(str.isdigit, word)) for line in lines for word in line.split())
    cuts = sum(len(CUT.findall(line)) for line in lines)
    if cuts < max(MIN_CUTS, MIN_CUTS_SHARE * numbers):
        return False
    prose = [block for block in recognised.blocks if _is_prose(block)]
    return not any(_is_beside(block.box, other.box) for block in prose for other in recognised.blocks)


def by_rows(recognised: Recognised) -> Recognised:
    """The same text, with tables row by row. All else keeps its order."""
    if sum(map(_is_amount, lines_of(recognised.blocks))) < MIN_AMOUNTS:
        return recognised
    columns = [block for block in recognised.blocks if not _is_prose(block)]
    rows = [row for row in _rows([line for block in columns for line in lines_of([block])]) if len(row) > 1]
    cells = [cell for row in rows for cell in row]
    amounts = sum(map(_is_amount, cells))
    if amounts < max(MIN_AMOUNTS, MIN_AMOUNTS_SHARE * len(cells)):
        return recognised
    blocks = tuple(_with_tables(recognised.blocks, rows))
    return replace(recognised, blocks=blocks, text=text_of(blocks))


def _with_tables(blocks: Sequence[Block], rows: Iterable[_Row]) -> Iterator[Block]:
    """The blocks, of which those that share rows are joined to one with these rows."""
    number_of = {id(line): number for number, block in enumerate(blocks) for line in lines_of([block])}
    table_of = list(range(len(blocks)))
    row_of = {}
    for row in rows:
        row_of.update({id(cell): row for cell in row})
        tables = {table_of[number_of[id(cell)]] for cell in row}
        table_of = [min(tables) if table in tables else table for table in table_of]
    parts = defaultdict(list)
    for block, table in zip(blocks, table_of, strict=True):
        parts[table].append(block)
    for joined in parts.values():
        if len(joined) == 1:
            yield joined[0]
            continue
        lines = {id(row[0]): row for line in lines_of(joined) for row in [row_of.get(id(line), [line])]}
        in_order = sorted(map(_joined, lines.values()), key=lambda line: line.box[1])
        box = around(line.box for line in in_order)
        yield Block(box, (Paragraph(box, tuple(in_order)),))


def _rows(lines: Sequence[Line]) -> list[_Row]:
    """The lines in rows, each from left to right. Each line follows the nearest one on its left."""
    by_top = sorted(lines, key=lambda line: line.box[1])
    left_of: dict[int, Line] = {}
    for number, first in enumerate(by_top):
        for second in by_top[number + 1 :]:
            if second.box[1] >= first.box[3]:
                break
            left, right = sorted((first, second), key=lambda line: line.box[0])
            nearest = left_of.get(id(right))
            if _are_beside(left, right) and (nearest is None or left.box[2] > nearest.box[2]):
                left_of[id(right)] = left
    rows: dict[int, _Row] = {}
    for line in sorted(lines, key=lambda line: line.box[0]):
        before = left_of.get(id(line))
        row = rows[id(before)] if before is not None and rows[id(before)][-1] is before else []
        row.append(line)
        rows[id(line)] = row
    return list({id(row): row for row in rows.values()}.values())


def _are_beside(left: Line, right: Line) -> bool:
    (_, top, end, bottom), (start, other_top, _, other_bottom) = _box_of_words(left), _box_of_words(right)
    overlap = min(bottom, other_bottom) - max(top, other_top)
    return end <= start and 2 * overlap > min(bottom - top, other_bottom - other_top)


def _is_beside(box: Box, other: Box) -> bool:
    return box[1] < other[3] and other[1] < box[3] and (other[2] <= box[0] or box[2] <= other[0])


def _is_amount(line: Line) -> bool:
    return AMOUNT.fullmatch(" ".join(word.text for word in line.words)) is not None


def _is_prose(block: Block) -> bool:
    lines = list(lines_of([block]))
    widths = [right - left for left, _, right, _ in map(_box_of_words, lines)]
    full = sum(width >= FULL_WIDTH * max(widths) for width in widths)
    words = mean(len(line.words) for line in lines)
    return len(lines) >= MIN_PROSE_LINES and words >= MIN_PROSE_WORDS and full >= MIN_FULL_LINES * len(lines)


def _joined(row: _Row) -> Line:
    return Line(around(cell.box for cell in row), tuple(word for cell in row for word in cell.words))


def _box_of_words(line: Line) -> Box:
    """The box of a line without the leaders that Tesseract has left out of its text."""
    return around(word.box for word in line.words)
