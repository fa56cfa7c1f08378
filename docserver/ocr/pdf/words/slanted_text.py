"""Child side: finds what looks like slanted text on a drawn PDF page. It has too few text cells in a row or in a column
to be a run of text.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from docserver.layout import Box, Rect
from docserver.ocr.image.spots import components, thickened
from docserver.ocr.pdf.coordinates import scaled
from docserver.ocr.pdf.words.text_cells import CELL, EDGE_CONTRAST, MIN_RUN, count_white, runs_of

MIN_CELLS = 4
"""Fewest text cells of slanted text: those of a word of three letters of 11 points."""

MAX_PLACES = 50
"""Most places that are examined. A page with more is a drawing."""

MAX_COHERENCE, MIN_SHARE = 0.8, 0.7
"""In a cell with letters, edges run in several directions: their coherence is below the first value, in at least this
share of the cells of a text. In one with a slanted line or a part of a circle, it is above 0.9."""

MIN_SLENDERNESS = 2.5
"""A slanted text is at least this many times as long as high. Symbols and markers are not."""

MIN_SLANT = 0.13
"""Smallest slant, as the sine of the angle to the nearest side of the page: 7.5 degrees. With less, four cells of
a text follow each other. The crossings of a rule with others do not, but they are in one row or column."""

MIN_THICKNESS, MAX_THICKNESS = 1.2, 16.0
"""Standard deviation of the edges across a slanted text, in pixels of the drawing: that of letters of five points, and
that of four lines. That of dashed lines is below 1."""

FEW_MARKERS, MIN_MARKER_SHARE = 3, 0.85
"""Fewest things of one size in a place, and their share, that are markers. Letters have several sizes, or touch."""


def slanted_texts(cells: Image.Image, drawn: Image.Image, *, scale: float) -> Iterator[Rect]:
    """The places of what looks like slanted text, in pixels of the picture, which is `scale` times as large as the
    drawing.
    """
    runs = runs_of(cells, MIN_RUN)
    if count_white(ImageChops.subtract(cells, runs)) < MIN_CELLS:
        return
    is_text, levels = np.asarray(cells) > 0, np.asarray(drawn)
    for box in itertools.islice(components(thickened(is_text)), MAX_PLACES):
        has_run = runs.crop(box).getbbox() is not None
        if not has_run and count_white(cells.crop(box)) >= MIN_CELLS and _is_text(is_text, levels, box):
            yield scaled(box, CELL * scale)


def _is_text(is_text: npt.NDArray[np.bool_], drawn: npt.NDArray[np.uint8], box: Box) -> bool:
    left, top, right, bottom = box
    rows, columns = np.nonzero(is_text[top:bottom, left:right])
    x0, y0 = CELL * left, CELL * top
    part = drawn[y0 : CELL * bottom + 1, x0 : CELL * right + 1].astype(np.float64)
    across, down = part[:-1, 1:] - part[:-1, :-1], part[1:, :-1] - part[:-1, :-1]
    coherent = sum(
        _coherence(across[place], down[place]) > MAX_COHERENCE
        for row, column in zip(CELL * rows, CELL * columns, strict=True)
        for place in [(slice(row, row + CELL), slice(column, column + CELL))]
    )
    if coherent > (1 - MIN_SHARE) * len(rows):
        return False
    ys, xs = np.nonzero(np.maximum(np.abs(across), np.abs(down)) >= EDGE_CONTRAST)
    variances, directions = np.linalg.eigh(np.cov(xs, ys))
    thin, long = map(float, np.sqrt(np.maximum(variances, 0.0)))
    if float(np.abs(directions[:, 1]).min()) < MIN_SLANT:
        return False
    return MIN_THICKNESS <= thin <= MAX_THICKNESS and long >= MIN_SLENDERNESS * thin and not _are_markers(part)


def _are_markers(part: npt.NDArray[np.float64]) -> bool:
    """True if almost all that is drawn here has one size, as the markers of a chart have."""
    paper = np.median(part)
    boxes = np.array(list(components(np.abs(part - paper) >= EDGE_CONTRAST)))
    sizes = boxes[:, 2:] - boxes[:, :2]
    is_usual = (np.abs(sizes - np.median(sizes, axis=0)) <= 1).all(axis=1)
    return len(sizes) >= FEW_MARKERS and bool(np.count_nonzero(is_usual) >= MIN_MARKER_SHARE * len(sizes))


def _coherence(across: npt.NDArray[np.float64], down: npt.NDArray[np.float64]) -> float:
    """How far the edges of a cell run in one direction: from 0 to 1 if all do."""
    xx, yy, xy = float((across * across).sum()), float((down * down).sum()), float((across * down).sum())
    return float(np.hypot(xx - yy, 2 * xy)) / max(xx + yy, 1.0)
