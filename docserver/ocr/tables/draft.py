"""Child side: a table while its cells are being found, on the turned and straightened page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from docserver.layout import Rect
from docserver.ocr.tables.placed import PlacedWord

MIN_UPRIGHT_LETTERS = 3
"""Fewest letters of a word that is wider than high if it is upright."""


@dataclass(slots=True)
class DraftCell:
    row: int
    column: int
    row_span: int
    column_span: int
    rect: Rect
    words: list[PlacedWord] = field(default_factory=list)
    is_header: bool = False

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(slots=True)
class Draft:
    rows: int
    columns: int
    cells: list[DraftCell]
    rect: Rect
    is_in_grid: bool = False
    """True if ruled lines around each cell show which words are in it."""

    def cell_at(self, x: float, y: float) -> DraftCell | None:
        return next((cell for cell in self.cells if is_in((x, y), cell.rect)), None)


def is_in(point: tuple[float, float], rect: Rect) -> bool:
    return rect[0] <= point[0] < rect[2] and rect[1] <= point[1] < rect[3]


def in_lines(words: Sequence[PlacedWord]) -> list[PlacedWord]:
    """The words of a cell line by line."""
    return [word for line in lines_of_cell(words) for word in line]


def lines_of_cell(words: Sequence[PlacedWord]) -> list[list[PlacedWord]]:
    """The lines of a cell. Words that run upwards or downwards stay in their order, as a single line."""
    longest = max(words, key=lambda word: len(word.text), default=None)
    if longest and len(longest.text) >= MIN_UPRIGHT_LETTERS and _is_slim(longest.rect):
        return [sorted(words, key=lambda word: word.number)]
    lines: list[list[PlacedWord]] = []
    for word in sorted(words, key=lambda word: word.middle[1]):
        _, top, _, bottom = lines[-1][0].rect if lines else word.rect
        if lines and top < word.middle[1] < bottom:
            lines[-1].append(word)
        else:
            lines.append([word])
    # Words keep the order of their line, which may run from right to left.
    return [sorted(line, key=lambda word: word.number) for line in lines]


def _is_slim(rect: Rect) -> bool:
    return rect[3] - rect[1] > rect[2] - rect[0]
