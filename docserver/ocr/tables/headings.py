"""Child side: finds the heading of a table without a grid, and the columns that its cells span."""

from collections.abc import Sequence
from itertools import pairwise

from docserver.ocr.tables.amounts import MAX_HEADER_ROWS, rows_above
from docserver.ocr.tables.columns import Extent, RowCell
from docserver.ocr.tables.entries import Entry


def header_lines(lines: Sequence[Entry], *, columns: int, rules: Sequence[float], size: float) -> int:
    """How many lines are those of the heading: those above the first rule or above the first amounts."""
    above = sum(line.bottom - size / 2 <= min(rules) for line in lines) if rules else 0
    if 0 < above < len(lines) and above <= MAX_HEADER_ROWS:
        return above
    of_columns = [
        [(place, cell.text) for place, line in enumerate(lines) for cell in line.cells if cell.first == cell.last == n]
        for n in range(columns)
    ]
    return rows_above(of_columns, rows=len(lines))


def heading_of(lines: Sequence[Entry], columns: Sequence[Extent], *, size: float) -> list[Entry]:
    """The entries of a heading: one, unless some of its cells span several columns."""
    for line, below in pairwise(lines):
        _widen(line.cells, below.cells, columns, size=size)
    entries: list[Entry] = []
    for line in lines:
        if entries and not _has_span(entries[-1]) and not _has_span(line):
            entries[-1] = entries[-1].joined(line)
        else:
            entries.append(line)
    return entries


def _has_span(entry: Entry) -> bool:
    return any(cell.first < cell.last for cell in entry.cells)


def _widen(cells: Sequence[RowCell], below: Sequence[RowCell], columns: Sequence[Extent], *, size: float) -> None:
    """Let each cell of a heading span the free columns whose common middle is nearest to its own. `below` are the cells
    of the next line: a heading that is in line with the cell below it keeps its own columns.
    """
    ends = [-1, *(cell.last for cell in cells), len(columns)]
    starts = [-1, *(cell.first for cell in cells), len(columns)]
    for place, cell in enumerate(cells, start=1):
        own = next((other for other in below if other.first <= cell.first and cell.last <= other.last), None)
        (start, _), (_, end) = columns[cell.first], columns[cell.last]
        is_within = start - size / 2 <= cell.x0 and cell.x1 <= end + size / 2
        if own and is_within and _are_in_line(cell, own, reach=size / 2):
            continue
        middle = (cell.x0 + cell.x1) / 2
        spans = [
            (abs((columns[first][0] + columns[last][1]) / 2 - middle) + size * (last - first), first, last)
            for first in range(ends[place - 1] + 1, cell.first + 1)
            for last in range(cell.last, starts[place + 1])
        ]
        several = [span for span in spans if span[1] < span[2]]
        _, cell.first, cell.last = min(several or spans)


def _are_in_line(one: RowCell, other: RowCell, *, reach: float) -> bool:
    return (
        abs(one.x0 - other.x0) <= reach
        or abs(one.x1 - other.x1) <= reach
        or abs(one.x0 + one.x1 - other.x0 - other.x1) <= 2 * reach
    )
