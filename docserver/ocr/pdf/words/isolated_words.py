"""Child side: finds what looks like short words, and like words in large letters, on a drawn PDF page.

They have too few text cells in a row to be a run of text.
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from docserver.layout import Box, Rect
from docserver.ocr.image.spots import components, thickened
from docserver.ocr.pdf.words.text_cells import (
    CELL,
    MIN_LETTER_HEIGHT,
    MIN_RUN,
    black_and_white,
    count_white,
    edges_of,
    runs_of,
    without_words,
)

MIN_SHORT_RUN = 2
"""Fewest text cells of a short word, such as an amount, that is drawn as a shape."""

MIN_SLENDERNESS = 2.0
"""A short word is at least this many times as long as high. Radio buttons, symbols and markers in charts are not."""

MAX_SHORT_HEIGHT = 20
"""Height of the highest letters of a short word, in pixels of the drawing. Higher words have longer runs."""

MIN_LARGE_CELLS, MIN_LARGE_SHARE = 6, 0.2
"""Fewest text cells of a word in large letters, and their smallest share of its cells. Strokes do not cross in all of
them."""

MAX_LARGE_HEIGHT = 64
"""Height of the highest letters that are looked for, in pixels of the drawing."""

MIN_LARGE_SLENDERNESS = 1.2
"""A word in large letters is at least this many times as long as high."""

MAX_LARGE_GAP = 0.5
"""Widest gap between two letters of such a word, as a share of their height. Radio buttons are further apart."""

MAX_STRAIGHT_SHARE = 0.7
"""Longest straight edge of a word in large letters, as a share of its width. Frames around it, boxes and tables have
longer ones."""

MAX_DIVIDED = 0.45
"""How far from the middle of a frame a line from top to bottom divides it, as a share of its width. Its own sides are
further away."""

MAX_SHORT_WORDS = 50
"""Most places that are examined for short words. A page with more is a drawing with symbols."""

_ANY_INK = bytes([0] + [255] * 255)


def short_words(cells: Image.Image, drawn: Image.Image, *, words: Iterable[Rect], scale: float) -> list[Rect]:
    """The places of what looks like short words beside these words, in pixels of the picture. The picture is `scale`
    times as large as the drawing.
    """
    longer = runs_of(cells, MIN_RUN)
    short = ImageChops.subtract(runs_of(cells, MIN_SHORT_RUN), longer)
    if not short.getbbox():
        return []
    edges = without_words(edges_of(drawn, 1, 0), words, scale)
    boxes = itertools.islice(components(np.asarray(short) > 0), MAX_SHORT_WORDS)
    places = [_ink_in(edges, box) for box in boxes if not longer.crop(_with_neighbours(box)).getbbox()]
    return [
        (left * scale, top * scale, right * scale, bottom * scale)
        for left, top, right, bottom in places
        if MIN_LETTER_HEIGHT <= bottom - top <= MAX_SHORT_HEIGHT and right - left >= MIN_SLENDERNESS * (bottom - top)
    ]


def large_words(cells: Image.Image, drawn: Image.Image, *, scale: float) -> Iterator[Rect]:
    """The places of what looks like words in large letters, in pixels of the picture, as for short words."""
    loose = ImageChops.subtract(cells, runs_of(cells, MIN_RUN))
    if count_white(loose) < MIN_LARGE_CELLS:
        return
    horizontal, vertical = edges_of(drawn, 0, 1), edges_of(drawn, 1, 0)
    for box in itertools.islice(components(thickened(np.asarray(cells) > 0)), MAX_SHORT_WORDS):
        if not _are_crossing_strokes(cells.crop(box), loose.crop(box)):
            continue
        x, y, right, bottom = (side * CELL for side in box)
        letters = _without_frame(horizontal.crop((x, y, right, bottom)), vertical.crop((x, y, right, bottom)))
        ink = letters.getbbox()
        if not ink:
            continue
        width, height = ink[2] - ink[0], ink[3] - ink[1]
        if (
            height <= MAX_LARGE_HEIGHT
            and width >= MIN_LARGE_SLENDERNESS * height
            and _widest_gap(letters.crop(ink)) <= MAX_LARGE_GAP * height
        ):
            yield (x + ink[0]) * scale, (y + ink[1]) * scale, (x + ink[2]) * scale, (y + ink[3]) * scale


def _are_crossing_strokes(cells: Image.Image, loose: Image.Image) -> bool:
    """True if text cells, most of which are in no longer run, are as dense as the crossings in large letters."""
    left, top, right, bottom = cells.getbbox() or (0, 0, 0, 0)
    count = count_white(cells)
    is_dense = count >= max(MIN_LARGE_CELLS, MIN_LARGE_SHARE * (right - left) * (bottom - top))
    return is_dense and 2 * count_white(loose) >= count


def _without_frame(horizontal: Image.Image, vertical: Image.Image) -> Image.Image:
    """The horizontal edges of a word without those of a frame around it; none if the frame is divided as a table is."""
    across, down = np.asarray(horizontal) > 0, np.asarray(vertical) > 0
    columns, rows = np.flatnonzero(across.any(axis=0)), np.flatnonzero(across.any(axis=1))
    if not rows.size:
        return horizontal
    is_frame = _longest_runs(across) > MAX_STRAIGHT_SHARE * (np.ptp(columns) + 1)
    if not is_frame.any():
        return horizontal
    sides = np.flatnonzero(_longest_runs(down.T) > MAX_STRAIGHT_SHARE * (np.ptp(rows) + 1))
    middle = (columns[0] + columns[-1]) / 2
    is_divided = (abs(sides - middle) < MAX_DIVIDED * (np.ptp(columns) + 1)).any()
    return black_and_white(across & ~is_frame[:, None] & (not is_divided))


def _longest_runs(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int_]:
    """The length of the longest run of true values in each row."""
    return np.array([max(map(len, row.tobytes().split(b"\0"))) for row in mask])


def _widest_gap(edges: Image.Image) -> int:
    """The number of columns of the widest gap between edges."""
    columns = edges.reduce((1, edges.height)).tobytes()
    return max(map(len, columns.translate(_ANY_INK).split(b"\xff")))


def _with_neighbours(cells: Box) -> Box:
    left, top, right, bottom = cells
    return left - 2, top - 2, right + 2, bottom + 2


def _ink_in(edges: Image.Image, cells: Box) -> Box:
    """The box in pixels around the shapes that have edges in these cells, with all their rows. It has no area if a
    shape goes on to the left or right of the neighbouring cells.
    """
    left, _, right, _ = _with_neighbours(cells)
    x0, x1 = max(0, left * CELL), min(right * CELL, edges.width)
    strip = edges.crop((x0, 0, x1, edges.height))
    rows = strip.reduce((strip.width, 1)).tobytes()
    top = next((y for y in range(cells[1] * CELL, min(cells[3] * CELL, len(rows))) if rows[y]), 0)
    bottom = rows.find(0, top) % (len(rows) + 1)
    top = rows.rfind(0, 0, top) + 1
    ink = strip.crop((0, top, strip.width, bottom)).getbbox()
    if ink is None or ink[0] == 0 or ink[2] == strip.width:
        return 0, 0, 0, 0
    return x0 + ink[0], top, x0 + ink[2], bottom
