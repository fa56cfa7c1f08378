"""Child side: puts blocks that were read by OCR into reading order by their places.

Tesseract now and then reads a title last, the numbers of a list as a column of their own, and the last cells of rows
after all that is below them.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from docserver.layout import Block, Line, Paragraph, Rect, around, lines_of
from docserver.ocr.tables.amounts import is_amount
from docserver.ocr.tables.frame import Frame
from docserver.ocr.tables.placed import has_gap

MAX_BLOCKS = 300
"""Most blocks of a page that are put in order. The time grows with the square of their number."""

MIN_SHARED_WIDTH = 0.1
"""Smallest width that two blocks below each other have in common, as a share of the narrower one's. The boxes of
columns may overlap a little."""

NUMBER_OF_ITEM = re.compile(r"\(?(\d{1,3}|[A-Za-z]|[ivxIVX]{2,4})[.)]|[•*]")
"""What an item of a list begins with."""

NUMBER_OF_ROW = re.compile(r"\d{1,4}")
"""What a row of a table begins with."""

MAX_ITEM_GAP, MAX_ROW_GAP = 4.0, 10.0
"""Widest gaps between the number of an item and its text, and between that of a row and its first cell, as a multiple
of the number's height."""

MIN_CELLS, MAX_CELL_WORDS = 2, 2
"""Fewest cells of a column, and most words of each. Others may be a text of their own beside a table."""

MIN_CELL_GAP = 1.5
"""Narrowest gap between two cells of a row, as a share of its height."""


class _Placed(NamedTuple):
    """A line with its place on the page that is turned upright and level."""

    line: Line
    rect: Rect

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.line.words)

    @property
    def height(self) -> float:
        return self.rect[3] - self.rect[1]

    def is_level(self, other: "_Placed") -> bool:
        """True if each line has the middle of the other one at its height."""
        middle, other_middle = (sum(line.rect[1::2]) / 2 for line in (self, other))
        return self.rect[1] < other_middle < self.rect[3] and other.rect[1] < middle < other.rect[3]


_Column = list[_Placed]


def in_order_of_places(blocks: tuple[Block, ...], frame: Frame) -> tuple[Block, ...]:
    """The blocks in reading order: of two below each other, the upper one is first. Numbers of items and rows, and
    cells that were read as columns of their own, are in their lines. All else keeps its order.
    """
    if not 1 < len(blocks) <= MAX_BLOCKS:
        return blocks
    columns = _columns(blocks, frame)
    parts = _parts_of_lines(columns, frame)
    if parts:
        blocks = tuple(_with_parts(blocks, parts))
        columns = _columns(blocks, frame)
    return tuple(_from_top(blocks, [around(line.rect for line in column) for column in columns]))


def _columns(blocks: Sequence[Block], frame: Frame) -> list[_Column]:
    return [
        [_Placed(line, around(frame.rect(word.box) for word in line.words)) for line in lines_of([block])]
        for block in blocks
    ]


def _from_top(blocks: Sequence[Block], rects: Sequence[Rect]) -> Iterator[Block]:
    waiting = list(zip(blocks, rects, strict=True))
    while waiting:
        first = next(
            place for place, (_, rect) in enumerate(waiting) if not any(_is_above(other, rect) for _, other in waiting)
        )
        yield waiting.pop(first)[0]


def _is_above(upper: Rect, lower: Rect) -> bool:
    shared = min(upper[2], lower[2]) - max(upper[0], lower[0])
    narrower = min(upper[2] - upper[0], lower[2] - lower[0])
    return upper[1] < lower[1] and upper[3] <= lower[1] and shared > MIN_SHARED_WIDTH * narrower


def _parts_of_lines(columns: Sequence[_Column], frame: Frame) -> dict[int, list[_Placed]]:
    """The id of a line → the line with the number of its item or row, or with the last cells of its row."""
    parts: dict[int, list[_Placed]] = {}
    staying = list(columns)
    for column in columns:
        others = [other for other in staying if other is not column]
        if any(id(line.line) in parts for line in column):
            continue
        if all(NUMBER_OF_ITEM.fullmatch(line.text) for line in column):
            lines = [item for number in column if (item := _line_behind(number, others, MAX_ITEM_GAP))]
        elif _may_number_rows(column):
            behind = (_line_behind(number, others, MAX_ROW_GAP) for number in column)
            lines = [row for row in behind if row and has_gap(row.line, frame, least=MIN_CELL_GAP)]
        elif _may_be_cells(column):
            lines = next(filter(None, (_rows_before(column, other, frame) for other in others)), [])
        else:
            continue
        if len({id(line.line) for line in lines}) == len(column):
            staying = others
            for part, line in zip(column, lines, strict=True):
                parts[id(line.line)] = sorted([*parts.get(id(line.line), [line]), part], key=lambda part: part.rect[0])
    return parts


def _line_behind(number: _Placed, columns: Sequence[_Column], max_gap: float) -> _Placed | None:
    """The line that begins right behind a number, with at most this gap as a multiple of the number's height."""
    most = number.rect[2] + max_gap * number.height
    behind = (
        line
        for column in columns
        for line in column
        if number.rect[2] <= line.rect[0] <= most and number.is_level(line)
    )
    return min(behind, key=lambda line: line.rect[0], default=None)


def _may_number_rows(column: _Column) -> bool:
    """True for numbers that increase, perhaps with the head of their column."""
    numbers = [int(line.text) for line in column if NUMBER_OF_ROW.fullmatch(line.text)]
    is_head = column[0].text.isalpha() and len(column[0].line.words) == 1
    return len(numbers) >= MIN_CELLS and len(numbers) + is_head == len(column) and numbers == sorted(set(numbers))


def _may_be_cells(column: _Column) -> bool:
    return (
        len(column) >= MIN_CELLS
        and all(len(cell.line.words) <= MAX_CELL_WORDS for cell in column)
        and any(is_amount(cell.text) for cell in column)
    )


def _rows_before(column: _Column, table: _Column, frame: Frame) -> list[_Placed]:
    """The rows of cells that the cells of a column continue; none if one of them continues no row."""
    rows = []
    for cell in column:
        row = next((row for row in table if row.rect[2] <= cell.rect[0] and row.is_level(cell)), None)
        if row is None or not has_gap(row.line, frame, least=MIN_CELL_GAP):
            return []
        rows.append(row)
    return rows


def _with_parts(blocks: Sequence[Block], parts: dict[int, list[_Placed]]) -> Iterator[Block]:
    """The blocks with lines that are joined of parts, without those parts elsewhere."""
    moved = {id(part.line) for line in parts.values() for part in line}.difference(parts)
    for block in blocks:
        if not any(id(line) in moved for line in lines_of([block])):
            paragraphs = tuple(
                _paragraph([_joined(parts[id(line)]) if id(line) in parts else line for line in paragraph.lines])
                for paragraph in block.paragraphs
            )
            yield Block(around(paragraph.box for paragraph in paragraphs), paragraphs)


def _joined(parts: Sequence[_Placed]) -> Line:
    return Line(around(part.line.box for part in parts), tuple(word for part in parts for word in part.line.words))


def _paragraph(lines: Sequence[Line]) -> Paragraph:
    return Paragraph(around(line.box for line in lines), tuple(lines))
