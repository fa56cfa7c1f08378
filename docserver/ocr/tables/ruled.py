"""Child side: makes tables of the grids of ruled lines: cells between lines, and spans where lines are missing."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

from docserver.ocr.tables.amounts import is_amount, rows_above
from docserver.ocr.tables.draft import Draft, DraftCell, is_in
from docserver.ocr.tables.placed import PlacedWord, Segment, is_full, rows_of
from docserver.ocr.tables.rules import Grid

MIN_ROWS, MIN_COLUMNS, MIN_FILLED = 2, 2, 3
"""Fewest rows, columns and cells with words of a table."""

MAX_SHARE, MAX_WORDS = 0.5, 60
"""A cell with more than this share of a grid's words, and more than so many, is the inside of a frame around a page."""

MIN_UNRULED_ROWS, MIN_BESIDE = 3, 0.6
"""A row of a grid without rules between its lines may be several rows if at least this many of the lines, and this
share of them, have text in several cells."""

PADDING = 0.4
"""Space between the text of a cell and the rule on its right, as a share of the letters' size."""


def table_in(grid: Grid, segments: Sequence[Segment], *, size: float) -> Draft | None:
    """The table in a grid, with all words of these segments that are in it; None if it is none."""
    words = [word for segment in segments for word in segment.words if is_in(word.middle, grid.rect)]
    _drop_empty(grid.xs, [word.middle[0] for word in words], least=size)
    _drop_empty(grid.ys, [word.middle[1] for word in words], least=size / 2)
    if len(grid.xs) <= MIN_COLUMNS or len(grid.ys) < MIN_ROWS:
        return None
    sizes = {id(word): (segment.size, segment.baseline) for segment in segments for word in segment.words}
    cells = [_cell(grid, region) for region in _regions(grid)]
    _fill(cells, words, grid)
    if any(len(cell.words) > max(MAX_WORDS, MAX_SHARE * len(words)) for cell in cells):
        return None
    cells = _parted_rows(cells, grid, sizes)
    columns = len(grid.xs) - 1
    rows = max(cell.row + cell.row_span for cell in cells)
    filled = sum(bool(cell.words) for cell in cells)
    if rows < MIN_ROWS or filled < MIN_FILLED or not _has_columns(cells):
        return None
    of_columns = [
        [(cell.row, cell.text) for cell in cells if cell.words and cell.column == n and cell.column_span == 1]
        for n in range(columns)
    ]
    header = rows_above(of_columns, rows=rows)
    # A heading has all rows of its cells.
    if any(cell.row < header < cell.row + cell.row_span for cell in cells):
        header = max(cell.row + cell.row_span for cell in cells if cell.row < header)
    for cell in cells:
        cell.is_header = cell.row < header
    cells.sort(key=lambda cell: (cell.row, cell.column))
    return Draft(rows, columns, cells, grid.rect, is_in_grid=True)


def _drop_empty(places: list[float], middles: Sequence[float], *, least: float) -> None:
    """Leave out one of two lines that are close together and have no words between them."""
    place = 1
    while place < len(places):
        low, high = places[place - 1], places[place]
        if high - low < least and not any(low <= middle < high for middle in middles):
            del places[place if place < len(places) - 1 else place - 1]
        else:
            place += 1


def _regions(grid: Grid) -> list[tuple[int, int, int, int]]:
    """First row, first column, last row and last column of each cell. Cells without a rule between them are one."""
    rows, columns = len(grid.ys) - 1, len(grid.xs) - 1
    region_of = {(row, column): (row, column, row, column) for row in range(rows) for column in range(columns)}
    pairs = [
        pair
        for row, column in list(region_of)
        for pair, is_open in (
            (((row, column), (row + 1, column)), row + 1 < rows and not grid.is_ruled_below(row, column)),
            (((row, column), (row, column + 1)), column + 1 < columns and not grid.is_ruled_behind(row, column)),
        )
        if is_open
    ]
    for first, second in pairs:
        whole = _around(region_of[first], region_of[second])
        while True:
            # A cell is a rectangle, so it takes in whatever it overlaps.
            wider = whole
            for row in range(whole[0], whole[2] + 1):
                for column in range(whole[1], whole[3] + 1):
                    wider = _around(wider, region_of[row, column])
            if wider == whole:
                break
            whole = wider
        for row in range(whole[0], whole[2] + 1):
            for column in range(whole[1], whole[3] + 1):
                region_of[row, column] = whole
    return sorted(set(region_of.values()))


def _around(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _cell(grid: Grid, region: tuple[int, int, int, int]) -> DraftCell:
    row, column, last_row, last_column = region
    rect = grid.xs[column], grid.ys[row], grid.xs[last_column + 1], grid.ys[last_row + 1]
    return DraftCell(row, column, last_row - row + 1, last_column - column + 1, rect)


def _fill(cells: Sequence[DraftCell], words: Sequence[PlacedWord], grid: Grid) -> None:
    cell_at = {place: cell for cell in cells for place in _places(cell)}
    for word in words:
        x, y = word.middle
        cell_at[bisect(grid.ys, y) - 1, bisect(grid.xs, x) - 1].words.append(word)


def _places(cell: DraftCell) -> Iterator[tuple[int, int]]:
    for row in range(cell.row, cell.row + cell.row_span):
        for column in range(cell.column, cell.column + cell.column_span):
            yield row, column


def _has_columns(cells: Sequence[DraftCell]) -> bool:
    """True if some row has words in several of its cells."""
    filled: dict[int, int] = defaultdict(int)
    for cell in cells:
        filled[cell.row] += bool(cell.words)
    return max(filled.values()) >= MIN_COLUMNS


def _parted_rows(cells: Sequence[DraftCell], grid: Grid, sizes: dict[int, tuple[float, float]]) -> list[DraftCell]:
    """The cells, those of rows parted in which several entries stand below each other without a rule between them."""
    tops: dict[int, list[float]] = {}
    of_rows: dict[int, list[DraftCell]] = defaultdict(list)
    for cell in cells:
        for row in range(cell.row, cell.row + cell.row_span):
            of_rows[row].append(cell)
    for row, top in enumerate(grid.ys[:-1]):
        of_row = of_rows[row]
        is_whole = all(cell.row_span == 1 for cell in of_row)
        tops[row] = [top, *_tops_of_entries(of_row, sizes)] if is_whole else [top]
    first = {}
    number = 0
    for row, entries in tops.items():
        first[row] = number
        number += len(entries)
    first[len(tops)] = number
    return [part for cell in cells for part in _parts(cell, tops, first)]


def _parts(cell: DraftCell, tops: dict[int, list[float]], first: dict[int, int]) -> Iterator[DraftCell]:
    if cell.row_span > 1 or len(tops[cell.row]) == 1:
        last = cell.row + cell.row_span
        cell.row_span = first[last] - first[cell.row]
        cell.row = first[cell.row]
        yield cell
        return
    left, _, right, bottom = cell.rect
    for place, (top, end) in enumerate(pairwise([*tops[cell.row], bottom])):
        words = [word for word in cell.words if top <= word.middle[1] < end]
        yield DraftCell(first[cell.row] + place, cell.column, 1, cell.column_span, (left, top, right, end), words)


def _tops_of_entries(cells: Sequence[DraftCell], sizes: dict[int, tuple[float, float]]) -> list[float]:
    """Where all entries but the first begin in a row of cells; none if its lines are those of a single entry."""
    lines_of_cells = [_lines(cell, sizes) for cell in cells]
    rows = rows_of(line for lines in lines_of_cells for line in lines)
    starts = [row for row in rows if len(row) > 1]
    if len(starts) < MIN_UNRULED_ROWS or len(starts) < MIN_BESIDE * len(rows):
        return []
    full = [
        is_full(line, following, right=cell.rect[2] - PADDING * line.size)
        for cell, lines in zip(cells, lines_of_cells, strict=True)
        for line, following in pairwise(lines)
    ]
    texts = [[line.text for line in lines] for lines in lines_of_cells if len(lines) >= MIN_UNRULED_ROWS]
    of_amounts = sum(sum(map(is_amount, lines)) >= MIN_BESIDE * len(lines) for lines in texts)
    # Numbers below each other are entries, however long the names beside them are.
    is_text = (full and fmean(full) >= 1 / 2) or not (of_amounts or len(starts) > MIN_UNRULED_ROWS)
    if is_text and 2 * of_amounts < len(texts):
        return []
    return [
        (max(line.rect[3] for line in before) + min(line.rect[1] for line in row)) / 2
        for before, row in pairwise(rows)
        if len(row) > 1 and row is not starts[0]
    ]


def _lines(cell: DraftCell, sizes: dict[int, tuple[float, float]]) -> list[Segment]:
    """The lines of a cell from top to bottom."""
    lines: list[Segment] = []
    for word in sorted(cell.words, key=lambda word: sizes[id(word)][1]):
        size, baseline = sizes[id(word)]
        if lines and baseline - lines[-1].baseline < size / 2:
            words = sorted([*lines[-1].words, word], key=lambda word: word.rect[0])
            lines[-1] = Segment(words, size, lines[-1].baseline)
        else:
            lines.append(Segment([word], size, baseline))
    return lines
