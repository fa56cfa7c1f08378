"""Child side: finds the columns of rows without a grid, and the cells of each row, some over several columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from docserver.ocr.tables.placed import PlacedWord, Row, Segment

MIN_GUTTER = 0.4
"""Narrowest gap between two columns, as a share of the letters' size."""

FULL_ROWS = 0.25
"""Columns are those of the rows with most segments. These are at least this share of the rows."""

MAX_ACROSS = 0.08
"""Largest share of full rows that have text in a gap between columns."""

MIN_OVERLAP = 0.8
"""Smallest overlap of a segment with a column of which it is a cell, as a share of the letters' size. In a narrow
column, half of its width is enough."""

MIN_PARTING, MIN_PARTING_SPACES = 0.45, 1.6
"""Narrowest gap between words that part two cells, as a share of the letters' size and of the spaces in lines."""

SIGNS = frozenset("$\u20ac\u00a3\u00a5%")
"""What some tables set in columns of their own beside the numbers."""

Extent = tuple[float, float]


@dataclass(slots=True)
class RowCell:
    """A cell of a row: its first and last column, and its words."""

    first: int
    last: int
    words: list[PlacedWord] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def x0(self) -> float:
        return min(word.rect[0] for word in self.words)

    @property
    def x1(self) -> float:
        return max(word.rect[2] for word in self.words)


def columns_of(rows: Sequence[Row], *, size: float) -> list[Extent]:
    """Where the columns begin and end, from left to right."""
    counts = sorted((len(row) for row in rows if len(row) > 1), reverse=True)
    if not counts:
        return []
    most = counts[int(FULL_ROWS * (len(counts) - 1) + 1 / 2)] if len(counts) > 2 else counts[-1]
    full = [row for row in rows if len(row) >= most]
    extents = _extents(full, most_across=int(MAX_ACROSS * len(full)), size=size)
    return _with_signs(extents, full)


def cells_of(row: Row, columns: Sequence[Extent], *, size: float, space: float) -> list[RowCell]:
    """The cells of a row from left to right. No two share a column. `space` is the usual space between words."""
    least = max(MIN_PARTING * size, MIN_PARTING_SPACES * space)
    parts = [part for segment in row for part in _parted(segment, columns, least)]
    cells: list[RowCell] = []
    for part in parts:
        first, last = _span(part, columns, size)
        if cells and first <= cells[-1].last:
            if cells[-1].first < cells[-1].last and cells[-1].first < first:
                cells[-1].last = first - 1
            elif first < last:
                first = cells[-1].last + 1
        if cells and first <= cells[-1].last:
            cells[-1].words += part.words
        else:
            cells.append(RowCell(first, max(first, last), list(part.words)))
    return cells


def _extents(rows: Sequence[Row], *, most_across: int, size: float) -> list[Extent]:
    edges = sorted(edge for row in rows for segment in row for edge in ((segment.rect[0], 1), (segment.rect[2], -1)))
    extents: list[Extent] = []
    depth, start = 0, None
    for x, step in edges:
        depth += step
        if depth > most_across and start is None:
            start = x
        elif depth <= most_across and start is not None:
            if extents and start - extents[-1][1] < MIN_GUTTER * size:
                extents[-1] = extents[-1][0], x
            else:
                extents.append((start, x))
            start = None
    return extents


def _with_signs(extents: list[Extent], rows: Iterable[Row]) -> list[Extent]:
    """The columns, after each column of signs was joined to the next one, and one with only `%` to the previous one."""
    texts: list[set[str]] = [set() for _ in extents]
    for row in rows:
        for segment in row:
            middle = (segment.rect[0] + segment.rect[2]) / 2
            for text, (start, end) in zip(texts, extents, strict=True):
                if start <= middle <= end:
                    text.add(segment.text)
    joined: list[Extent] = []
    is_before = False
    for text, (start, end) in zip(texts, extents, strict=True):
        is_sign = bool(text) and text <= SIGNS
        if joined and (is_before or (is_sign and text == {"%"})):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
        is_before = is_sign and text != {"%"}
    return joined


def space_of(rows: Iterable[Row]) -> float:
    """The usual space between words within the segments; 0 if each is a single word."""
    spaces = [
        following.rect[0] - word.rect[2]
        for row in rows
        for segment in row
        for word, following in pairwise(segment.words)
    ]
    return median(spaces) if spaces else 0.0


def _parted(segment: Segment, columns: Sequence[Extent], least: float) -> list[Segment]:
    """The segment, parted where two cells are so close that they seemed to be one."""
    for (_, end), (start, _) in pairwise(columns):
        if segment.rect[0] >= end or segment.rect[2] <= start:
            continue
        for place, (word, following) in enumerate(pairwise(segment.words), start=1):
            left, right = word.rect[2], following.rect[0]
            if right - left >= least and left < start + segment.size / 4 and right > end - segment.size / 4:
                first, second = segment.parted(place)
                return [*_parted(first, columns, least), *_parted(second, columns, least)]
    return [segment]


def _span(segment: Segment, columns: Sequence[Extent], size: float) -> tuple[int, int]:
    x0, _, x1, _ = segment.rect
    overlaps = [min(x1, end) - max(x0, start) for start, end in columns]
    over = [
        number
        for number, (overlap, (start, end)) in enumerate(zip(overlaps, columns, strict=True))
        if overlap >= min(MIN_OVERLAP * size, (end - start) / 2) and overlap > 0
    ]
    if over:
        return over[0], over[-1]
    best = overlaps.index(max(overlaps))
    return best, best
