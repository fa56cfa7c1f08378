"""Child side: a drawn PDF page as cells, each of which looks like text or not."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

from docserver.layout import Rect

EDGE_CONTRAST = 30
"""Smallest contrast between two neighbouring pixels at an edge, in grey levels. Even thin grey letters of eight points
have this contrast."""

CELL = 8
"""Side of a cell in pixels, about the height of a line. For each cell, it is decided whether it looks like text."""

MIN_EDGE_SHARE = 0.14
"""Smallest share of the pixels in a text cell that are horizontal edges, and the same for vertical edges. Letters have
both kinds, ruled lines have one kind, and dashed lines have fewer."""

MARGIN = 1.0
"""How far beside the box of a word its ink may be, in pixels. It is less than half a cell, so that the edges of all its
ink are in cells of the word."""

CELL_MARGIN = 0.5
"""How many cells beside the box of a word are cells of it, because letters may exceed their boxes, and boxes do not end
at cells."""

MAX_BESIDE = 2000
"""Most pixels beside words that are looked at one by one. If there are more, something else is drawn."""

MIN_RUN = 4
"""Fewest text cells in a row or in a column that count as a word. Corners of boxes and markers in charts are single
cells."""

MIN_LETTER_HEIGHT = 3.0
"""Height of the lowest letters that are read, in pixels of the drawing. Dots and dashes are lower."""

BLACK, WHITE = 0, 255

Rects = npt.NDArray[np.float64]
"""Rows of the left, upper, right and lower sides of rectangles."""


def text_cells(drawn: Image.Image) -> Image.Image:
    """A picture with one pixel per cell: white if the cell has both horizontal and vertical edges, else black."""
    vertical, horizontal = (edges_of(drawn, *by).reduce(CELL) for by in ((1, 0), (0, 1)))
    return at_least(MIN_EDGE_SHARE * WHITE, ImageChops.darker(vertical, horizontal))


def no_cells(drawn: Image.Image) -> Image.Image:
    """Such a picture of a page that has no text."""
    return Image.new("L", (-(-drawn.width // CELL), -(-drawn.height // CELL)))


@dataclass(frozen=True, slots=True)
class BesideWords:
    """The pixels of a drawn page that are beside its words."""

    is_beside: npt.NDArray[np.bool_]
    """True for each such pixel."""
    sides: npt.NDArray[np.int_]
    """Rows with the first column and row, and the last ones, of the pixels of each word."""

    @classmethod
    def of(
        cls, words: Rects, shape: tuple[int, ...], *, scale: float = 1.0, known: "BesideWords | None" = None
    ) -> "BesideWords":
        """Those of a drawing of this shape. The words are in pixels of a picture that is `scale` times as large. If
        `known` is of words in the same places, it is returned, which saves painting each of them again.
        """
        sides = _sides(words, cell=scale, margin=MARGIN, most=max(shape))
        if known and known.is_beside.shape == shape and np.array_equal(known.sides, sides):
            return known
        is_beside = np.ones(shape, bool)
        _blacken(is_beside, sides)
        return cls(is_beside, sides)


def has_words_only(
    drawn: Image.Image, words: Iterable[Rect], *, scale: float, known: BesideWords | None = None
) -> bool:
    """True if nothing is drawn on white paper that has edges, but for what is in the cells of these words. They are in
    pixels of a picture that is `scale` times as large as the drawing. This takes less time than to look for cells,
    and less yet if it is known what is beside the words.
    """
    # Two pixels without so much ink have no edge between them.
    ink = np.asarray(drawn) < WHITE - EDGE_CONTRAST // 2
    # An edge at one side of the drawing may be found at the other one.
    touches_sides = bool(ink[:, -1].any() or ink[-1].any())
    rects = as_array(words)
    ink &= BesideWords.of(rects, ink.shape, scale=scale, known=known).is_beside
    beside = np.flatnonzero(ink)
    if not beside.size:
        return True
    return not touches_sides and beside.size <= MAX_BESIDE and _are_in_cells(beside, ink.shape, rects / scale)


def _are_in_cells(ink: npt.NDArray[np.int_], shape: tuple[int, ...], words: Rects) -> bool:
    """True if the edges of these pixels of a drawing are in cells of words: those of letters that reach out of their
    boxes.
    """
    rows, columns = np.divmod(ink, shape[1])
    # An edge belongs to the pixel right of it or below it.
    cells = [(rows + y) // CELL * shape[1] + (columns + x) // CELL for x, y in ((0, 0), (1, 0), (0, 1))]
    rows, columns = np.divmod(np.unique(np.concatenate(cells))[:, None], shape[1])
    left, top, right, bottom = _sides(words, cell=CELL, margin=CELL_MARGIN, most=max(shape)).T
    is_in = (left <= columns) & (columns <= right) & (top <= rows) & (rows <= bottom)
    return bool(is_in.any(axis=1).all())


def edges_of(drawn: Image.Image, x: int, y: int) -> Image.Image:
    """White where a pixel has contrast with the pixel on its left (1, 0), or with that above it (0, 1); else black."""
    return at_least(EDGE_CONTRAST, ImageChops.difference(drawn, ImageChops.offset(drawn, x, y)))


def at_least(level: float, drawn: Image.Image) -> Image.Image:
    """White where a grey picture has at least this level; else black."""
    return black_and_white(np.asarray(drawn) >= level)


def black_and_white(is_white: npt.NDArray[np.bool_]) -> Image.Image:
    """A grey picture of pixels that are white or black."""
    # This takes an eighth of the time that Image.point takes.
    return Image.fromarray(np.negative(is_white.view(np.uint8)))


def fill(cells: Image.Image, rect: Rect, cell: float, colour: int) -> None:
    """Give the cells of this rectangle a colour."""
    ImageDraw.Draw(cells).rectangle(tuple(int(side / cell) for side in rect), fill=colour)


def without_words(cells: Image.Image, words: Iterable[Rect], cell: float) -> Image.Image:
    """The same with the cells of these words black."""
    levels = np.array(cells)
    _blacken(levels, _sides(as_array(words), cell=cell, margin=CELL_MARGIN, most=max(levels.shape)))
    return Image.fromarray(levels)


def _blacken(levels: npt.NDArray[Any], sides: npt.NDArray[np.int_]) -> None:
    """Set what is within these sides to 0."""
    for left, top, right, bottom in sides.tolist():
        levels[top : bottom + 1, left : right + 1] = 0


def _sides(words: Rects, *, cell: float, margin: float, most: int) -> npt.NDArray[np.int_]:
    """Rows with the first column and row, and the last ones, of the cells of these words and beside them."""
    return np.clip(words / cell + (-margin, -margin, margin, margin), 0, most).astype(int)


def runs_of(cells: Image.Image, length: int) -> Image.Image:
    """The white cells that belong to a run of at least `length` white cells, in a row or in a column."""
    if count_white(cells) < length:
        return Image.new("L", cells.size)
    return ImageChops.lighter(_runs_along(cells, 1, 0, length), _runs_along(cells, 0, 1, length))


def _runs_along(cells: Image.Image, x: int, y: int, length: int) -> Image.Image:
    starts = cells
    for step in range(1, length):
        starts = ImageChops.darker(starts, ImageChops.offset(cells, -step * x, -step * y))
    runs = starts
    for step in range(1, length):
        runs = ImageChops.lighter(runs, ImageChops.offset(starts, step * x, step * y))
    return runs


def count_white(cells: Image.Image) -> int:
    return cells.histogram()[255]


def as_array(rects: Iterable[Rect]) -> Rects:
    """The rectangles as rows of numbers."""
    return np.fromiter(itertools.chain.from_iterable(rects), np.float64).reshape(-1, 4)
