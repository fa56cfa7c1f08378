"""Child side: makes tables of rows whose cells stand in line, with a few rules or none."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from docserver.ocr.tables.columns import Extent, RowCell, cells_of, columns_of, space_of
from docserver.ocr.tables.draft import Draft, DraftCell
from docserver.ocr.tables.entries import Entry, joined_entries
from docserver.ocr.tables.evidence import MIN_ROWS, are_cells
from docserver.ocr.tables.headings import header_lines, heading_of
from docserver.ocr.tables.placed import Row
from docserver.ocr.tables.rules import Rule

MIN_RULED_ROWS = 2
"""Fewest rows of a table between rules."""

MAX_NEAR, MAX_NEAR_PITCH = 1.6, 1.2
"""Largest distance of the baselines of lines that may be of one cell or heading, as a share of the letters' size.
A heading may also be as far from the rows as the second number says, times the smallest distance of two rows."""

TOLERANCE = 1.0
"""How far further lines of a cell may be outside the column, in pixels."""


def table_of(rows: Sequence[Row], rules: Sequence[Rule], *, size: float, is_between_rules: bool) -> Draft | None:
    """The table in these rows with the rules in and around it; None if they are none."""
    columns = columns_of(rows, size=size)
    if len(columns) < 2:
        return None
    space = space_of(rows)
    lines = [_line(row, cells_of(row, columns, size=size, space=space)) for row in rows]
    lines, columns = _without_rare_columns(lines, columns)
    if not is_between_rules:
        lines = _trimmed(lines, columns, size)
    least = MIN_RULED_ROWS if is_between_rules else MIN_ROWS
    if (
        len(lines) < least
        or len(columns) < 2
        or not are_cells(lines, columns, size=size, is_between_rules=is_between_rules)
    ):
        return None
    top, bottom = lines[0].top, lines[-1].bottom
    within = [rule for rule in rules if top < rule.at < bottom and _is_across(rule, columns)]
    header = header_lines(lines, columns=len(columns), rules=[rule.at for rule in within], size=size)
    heading = heading_of(lines[:header], columns, size=size)
    body = joined_entries(lines[header:], columns, rules=[rule.at for rule in within], size=size)
    if len(heading) + len(body) < least:
        return None
    return _draft([*heading, *body], columns, header=len(heading))


def _line(row: Row, cells: list[RowCell]) -> Entry:
    return Entry(
        cells,
        min(segment.rect[1] for segment in row),
        max(segment.rect[3] for segment in row),
        median(segment.baseline for segment in row),
    )


def _without_rare_columns(lines: list[Entry], columns: list[Extent]) -> tuple[list[Entry], list[Extent]]:
    """The lines and columns, without columns in which only one cell stands: it belongs to the nearer one beside it."""
    number = len(columns) - 1
    while number >= 0 and len(columns) > 1:
        own = [cell for line in lines for cell in line.cells if cell.first == cell.last == number]
        if len(own) < 2 and len(lines) > MIN_ROWS:
            before = columns[number][0] - columns[number - 1][1] if number else float("inf")
            behind = columns[number + 1][0] - columns[number][1] if number + 1 < len(columns) else float("inf")
            lower = number - 1 if before <= behind else number
            columns[lower : lower + 2] = [(columns[lower][0], columns[lower + 1][1])]
            for line in lines:
                line.cells = _renumbered(line.cells, lower)
        number -= 1
    return lines, columns


def _renumbered(cells: Sequence[RowCell], joined: int) -> list[RowCell]:
    """The cells after the column behind `joined` was made one with it."""
    renumbered: list[RowCell] = []
    for cell in cells:
        first, last = (place - (place > joined) for place in (cell.first, cell.last))
        if renumbered and first <= renumbered[-1].last:
            renumbered[-1].words += cell.words
            renumbered[-1].last = max(last, renumbered[-1].last)
        else:
            renumbered.append(RowCell(first, last, cell.words))
    return renumbered


def _trimmed(lines: list[Entry], columns: Sequence[Extent], size: float) -> list[Entry]:
    """The lines from the first to the last with several cells, with a heading over some of the columns, and with the
    further lines of the last cells.
    """
    several = [place for place, line in enumerate(lines) if len(line.cells) > 1]
    if not several:
        return []
    first, last = several[0], several[-1]
    pitch = min((lines[below].baseline - lines[above].baseline for above, below in pairwise(several)), default=0.0)
    near = max(MAX_NEAR * size, MAX_NEAR_PITCH * pitch)
    if (
        first
        and lines[first].baseline - lines[first - 1].baseline <= near
        and lines[first - 1].cells[0].x0 > columns[0][1]
    ):
        first -= 1
    while (
        last + 1 < len(lines)
        and lines[last + 1].baseline - lines[last].baseline <= MAX_NEAR * size
        and _is_within(lines[last + 1], columns)
    ):
        last += 1
    return lines[first : last + 1]


def _is_within(line: Entry, columns: Sequence[Extent]) -> bool:
    """True if a line is in a single column other than the first one."""
    (cell,) = line.cells
    start, end = columns[cell.first]
    return cell.first == cell.last > 0 and start - TOLERANCE <= cell.x0 and cell.x1 <= end + TOLERANCE


def _is_across(rule: Rule, columns: Sequence[Extent]) -> bool:
    """True if a rule goes over most of the table's width."""
    left, right = columns[0][0], columns[-1][1]
    return min(rule.end, right) - max(rule.start, left) >= (right - left) / 2


def _draft(entries: Sequence[Entry], columns: Sequence[Extent], *, header: int) -> Draft:
    xs = [columns[0][0], *((end + start) / 2 for (_, end), (start, _) in pairwise(columns)), columns[-1][1]]
    ys = [entries[0].top, *((above.bottom + below.top) / 2 for above, below in pairwise(entries)), entries[-1].bottom]
    words = [word for entry in entries for cell in entry.cells for word in cell.words]
    xs[0], xs[-1] = min(xs[0], *(word.rect[0] for word in words)), max(xs[-1], *(word.rect[2] for word in words))
    cells = []
    for row, entry in enumerate(entries):
        filled = {cell.first: cell for cell in entry.cells}
        column = 0
        while column < len(columns):
            cell = filled.get(column, RowCell(column, column))
            rect = xs[column], ys[row], xs[cell.last + 1], ys[row + 1]
            span = cell.last - column + 1
            cells.append(DraftCell(row, column, 1, span, rect, cell.words, is_header=row < header))
            column = cell.last + 1
    return Draft(len(entries), len(columns), cells, (xs[0], ys[0], xs[-1], ys[-1]))
