"""Child side: tells the rows of a table from prose in columns, lists, contents and forms."""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from docserver.ocr.tables.amounts import is_amount
from docserver.ocr.tables.blocks_beside import are_blocks_beside, level_lines
from docserver.ocr.tables.columns import Extent, RowCell
from docserver.ocr.tables.entries import Entry

MIN_ROWS = 3
"""Fewest rows of a table without rules."""

MIN_FILLED = 0.45
"""Smallest share of the cells of a table that have text."""

MIN_ALIGNED = 0.6
"""Smallest share of the cells of a column whose left sides, right sides, middles or decimal points are in line."""

TOLERANCE = 0.5
"""Largest distance of sides that are in line, as a share of the letters' size."""

SENTENCE = re.compile(r"[,;]$|\w\w[.,;:] \w")
"""What sentences have, and cells seldom."""

MAX_SENTENCES, MIN_TEXT_ROWS = 0.1, 4
"""Largest share of cells with parts of sentences, and fewest rows, of tables without a column of amounts."""

MAX_FULL = 0.4
"""Largest share of lines that are as long as their column allows. Columns of prose have more."""

MAX_LETTERS = 30
"""Most letters of a cell on average, in columns without amounts."""

MIN_AMOUNTS = 0.55
"""Smallest share of amounts in the last column of a table with two columns and without rules."""

MIN_OF_CELLS = 0.6
"""Smallest share of lines with several cells in two tables beside each other of which one was read after the other."""

MAX_ACROSS = 0.25
"""Largest share of lines below the heading with text across the gap of two columns."""

MARKER = re.compile(
    r"[\u2022\u25e6\u25aa\u2023*\u2013\u2014-]|\(?\w{1,3}[.)]|\(?[ivxlc]+[.)]|\[\w{1,4}\]", re.IGNORECASE
)
"""What stands before an item of a list, a footnote or a reference."""

LEADERS = re.compile(r"(?:\.\s?){4,}|\u2026{2,}|_{3,}")

PAGE_NUMBER = re.compile(r"\d{1,4}")

MIN_ASCENDING, MAX_CONTENTS_COLUMNS = 0.8, 3
"""Smallest share of page numbers that are not below the one before, and most columns, of a table of contents."""


def are_cells(lines: Sequence[Entry], columns: Sequence[Extent], *, size: float, is_between_rules: bool) -> bool:
    """True if lines in these columns are the rows of a table, with less evidence if they are between rules."""
    body = lines[1:] if len(lines) > MIN_ROWS else lines
    texts = [
        [cell.text for line in body for cell in line.cells if cell.first == cell.last == n] for n in range(len(columns))
    ]
    if not _are_filled(lines, body, columns):
        return False
    if _is_list(texts) or _is_contents(lines, texts) or _is_prose(body, columns):
        return False
    aligned = [_aligned(body, number, size) for number in range(len(columns))]
    if is_between_rules:
        return fmean(aligned) >= MIN_ALIGNED
    amounts = [fmean(map(is_amount, of_column)) if of_column else 0.0 for of_column in texts]
    if _are_beside(lines, columns) or (
        max(amounts) < MIN_AMOUNTS and _may_be_sentences([text for of_column in texts for text in of_column], lines)
    ):
        return False
    if len(columns) == 2:
        return amounts[1] >= MIN_AMOUNTS and aligned[1] >= MIN_ALIGNED and not _is_form(texts)
    return min(sorted(aligned)[1:]) >= MIN_ALIGNED and fmean(aligned) >= MIN_ALIGNED


def _are_filled(lines: Sequence[Entry], body: Sequence[Entry], columns: Sequence[Extent]) -> bool:
    """True if most cells have text, and few lines go across several columns or stand alone."""
    several = [line for line in lines if len(line.cells) > 1]
    lone = sum(len(line.cells) == 1 and not line.cells[0].first for line in lines)
    across = sum(any(cell.first < cell.last for cell in line.cells) for line in body)
    filled = fmean(len(line.columns) for line in several) / len(columns)
    return filled >= MIN_FILLED and across <= MAX_ACROSS * len(body) and lone <= len(several)


def _are_beside(lines: Sequence[Entry], columns: Sequence[Extent]) -> bool:
    """True if what is left and right of a gap are tables, or blocks such as addresses, of their own."""
    for gap in range(len(columns) - 1):
        parted = [_at_gap(line.cells, gap) for line in lines]
        left, right = ([cells for cells in side if cells] for side in zip(*parted, strict=True))
        if not left or not right:
            continue
        last = max(word.number for cells in left for cell in cells for word in cell.words)
        first = min(word.number for cells in right for cell in cells for word in cell.words)
        if last < first and all(fmean(len(cells) > 1 for cells in side) >= MIN_OF_CELLS for side in (left, right)):
            return True
        texts, others = ([[cell.text for cell in cells] for cells in side] for side in (left, right))
        if are_blocks_beside(texts, others, level=level_lines(parted), are_apart=last < first):
            return True
    return False


def _at_gap(cells: Sequence[RowCell], gap: int) -> tuple[list[RowCell], list[RowCell]]:
    """The cells that begin up to this column, and the others."""
    return [cell for cell in cells if cell.first <= gap], [cell for cell in cells if cell.first > gap]


def _may_be_sentences(texts: Sequence[str], lines: Sequence[Entry]) -> bool:
    """True if texts without amounts may be prose, in which gaps happen to be in line."""
    return (
        sum(len(line.cells) > 1 for line in lines) < MIN_TEXT_ROWS
        or fmean(map(len, texts)) > MAX_LETTERS
        or fmean(bool(SENTENCE.search(text)) for text in texts) > MAX_SENTENCES
    )


def _aligned(lines: Sequence[Entry], number: int, size: float) -> float:
    """The share of a column's cells that are in line with each other."""
    cells = [cell for line in lines for cell in line.cells if cell.first == cell.last == number]
    if not cells:
        return 0.0
    edges = [
        [cell.x0 for cell in cells],
        [cell.x1 for cell in cells],
        [(cell.x0 + cell.x1) / 2 for cell in cells],
        [_decimal_point(cell) for cell in cells],
    ]
    return max(
        max(sum(abs(other - edge) <= TOLERANCE * size for other in of_side) for edge in of_side) for of_side in edges
    ) / len(cells)


def _decimal_point(cell: RowCell) -> float:
    """About where the decimal point of a number is."""
    text = cell.text
    place = max(text.rfind("."), text.rfind(","))
    return cell.x0 + (cell.x1 - cell.x0) * (place if place > 0 else len(text)) / len(text)


def _is_list(texts: Sequence[Sequence[str]]) -> bool:
    """True for two columns of which the first one has the markers of items."""
    return len(texts) == 2 and bool(texts[0]) and fmean(bool(MARKER.fullmatch(text)) for text in texts[0]) > 1 / 2


def _is_contents(lines: Sequence[Entry], texts: Sequence[Sequence[str]]) -> bool:
    """True for headings and page numbers."""
    leaders = sum(any(LEADERS.search(cell.text) for cell in line.cells) for line in lines)
    numbers = [int(text) for text in texts[-1] if PAGE_NUMBER.fullmatch(text)]
    if len(numbers) < MIN_ROWS - 1 or 2 * len(numbers) < len(texts[-1]):
        return False
    ascending = [before <= number for before, number in pairwise(numbers)]
    are_pages = fmean(ascending) >= MIN_ASCENDING and numbers[-1] - numbers[0] >= len(numbers) - 1
    names = [text for of_column in texts[:-1] for text in of_column if not MARKER.fullmatch(text)]
    return 2 * leaders >= len(lines) or (
        are_pages and len(texts) <= MAX_CONTENTS_COLUMNS and not any(map(is_amount, names))
    )


def _is_form(texts: Sequence[Sequence[str]]) -> bool:
    """True for names of fields, and what is filled in."""
    return bool(texts[0]) and fmean(text.endswith(":") for text in texts[0]) > 1 / 2


def _is_prose(lines: Sequence[Entry], columns: Sequence[Extent]) -> bool:
    """True if most lines of most columns go on until there is no room for the first word of the next line."""
    shares = []
    for number, (_, right) in enumerate(columns):
        cells = [next((cell for cell in line.cells if cell.first == number), None) for line in lines]
        full = [
            above.x1 + _space(above) + _first_width(below) > right
            for above, below in pairwise(cells)
            if above and below and not (is_amount(above.text) or is_amount(below.text))
        ]
        letters = fmean(len(cell.text) for cell in cells if cell) if any(cells) else 0
        shares.append(fmean(full) if full and letters >= MAX_LETTERS / 2 else 0.0)
    return sum(share > MAX_FULL for share in shares) * 2 >= len(columns)


def _space(cell: RowCell) -> float:
    return (cell.words[0].rect[3] - cell.words[0].rect[1]) / 4


def _first_width(cell: RowCell) -> float:
    first = min(cell.words, key=lambda word: word.rect[0])
    return first.rect[2] - first.rect[0]
