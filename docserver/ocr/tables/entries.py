"""Child side: joins the rows of a table without a grid that are further lines of the cells above them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from docserver.ocr.tables.amounts import is_amount
from docserver.ocr.tables.columns import Extent, RowCell

MAX_LINE_SPACE = 1.25
"""Largest distance of two lines of a cell, as a multiple of the smallest distance of two lines of the table."""

MIN_ENTRY_SPACE = 1.3
"""If two lines are at least this far apart, as the same multiple, space parts the entries of the table, and lines that
are closer are more easily taken for lines of one cell."""

MIN_RULED = 4
"""Fewest entries of a table in which rules part all entries."""


@dataclass(slots=True)
class Entry:
    """The cells of one or several lines."""

    cells: list[RowCell]
    top: float
    bottom: float
    baseline: float
    """That of the last line."""

    @property
    def columns(self) -> set[int]:
        return {column for cell in self.cells for column in range(cell.first, cell.last + 1)}

    def joined(self, below: "Entry") -> "Entry":
        cells = [RowCell(cell.first, cell.last, list(cell.words)) for cell in self.cells]
        for further in below.cells:
            above = next((cell for cell in cells if cell.first <= further.last and further.first <= cell.last), None)
            if above is None:
                cells.append(further)
            else:
                above.words += further.words
        cells.sort(key=lambda cell: cell.first)
        return Entry(cells, self.top, below.bottom, below.baseline)


def joined_entries(
    lines: Sequence[Entry], columns: Sequence[Extent], *, rules: Sequence[float], size: float
) -> list[Entry]:
    """The entries of a table with these lines. `rules` are the y coordinates of rules within it."""
    ruled = _by_rules(lines, rules)
    if ruled is not None:
        return ruled
    spaces = [below.baseline - above.baseline for above, below in pairwise(lines)]
    if not spaces:
        return list(lines)
    least = max(min(spaces), size)
    is_spaced = max(spaces) >= MIN_ENTRY_SPACE * least
    entries: list[Entry] = []
    last_line: Entry | None = None
    for line in lines:
        if (
            last_line
            and line.baseline - last_line.baseline <= MAX_LINE_SPACE * least
            and not any(last_line.bottom - size / 4 <= at <= line.top + size / 4 for at in rules)
            and _goes_on(entries[-1], last_line, line, columns, is_spaced=is_spaced)
        ):
            entries[-1] = entries[-1].joined(line)
        else:
            entries.append(line)
        last_line = line
    return entries


def _by_rules(lines: Sequence[Entry], rules: Sequence[float]) -> list[Entry] | None:
    """The entries of a table in which rules part all entries: each has the lines between two rules. None if there are
    too few rules, if one of the entries has more lines than there are entries, or if it has amounts below each other.
    """
    groups: dict[int, list[Entry]] = {}
    for line in lines:
        middle = (line.top + line.bottom) / 2
        groups.setdefault(sum(at < middle for at in rules), []).append(line)
    if len(groups) < MIN_RULED or max(len(group) for group in groups.values()) > len(groups):
        return None
    if any(_has_amounts_below_amounts(group) for group in groups.values()):
        return None
    entries = []
    for group in groups.values():
        whole = group[0]
        for line in group[1:]:
            whole = whole.joined(line)
        entries.append(whole)
    return entries


def _has_amounts_below_amounts(group: Sequence[Entry]) -> bool:
    seen: set[int] = set()
    for line in group:
        amounts = {cell.first for cell in line.cells if is_amount(cell.text)}
        if amounts & seen:
            return True
        seen |= amounts
    return False


def _goes_on(entry: Entry, last: Entry, line: Entry, columns: Sequence[Extent], *, is_spaced: bool) -> bool:
    """True if a line has only further words of the cells of an entry."""
    if any(is_amount(cell.text) and cell.first in entry.columns for cell in line.cells):
        return False
    if not line.columns <= entry.columns:
        return False
    wraps = sum(_is_wrapped(cell, last, columns) for cell in line.cells)
    if is_spaced:
        return 2 * wraps >= len(line.cells) or len(line.columns) < len(entry.columns)
    return 0 not in line.columns and 2 * len(line.columns) <= len(entry.columns) and 2 * wraps >= len(line.cells)


def _is_wrapped(cell: RowCell, last: Entry, columns: Sequence[Extent]) -> bool:
    """True if the first word of a cell's line had no room in the line above."""
    above = next((other for other in last.cells if other.first == cell.first), None)
    if above is None:
        return False
    first = min(cell.words, key=lambda word: word.rect[0])
    space = (first.rect[3] - first.rect[1]) / 4
    return above.x1 + space + first.rect[2] - first.rect[0] > columns[cell.last][1]
