"""Child side: specks and grain, found and removed while the letters stay as they are. Reads no text."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from docserver.ocr.image.shades import Mask, histogram, threshold

BAND_PX = 512
"""Rows that are worked on at a time: the masks of a whole page would take ten times its memory."""

CELL_PX = 8
"""Side of the squares in which specks are counted: smaller than the gaps between lines, large enough that one speck in
a thousand pixels shows."""

MIN_CELLS = 100
"""Squares of bare paper that are needed to count: in fewer, a single speck would look like a speckled page."""

MIN_INK_SURVIVING, MIN_INK_SURVIVING_AMONG_MANY = 0.88, 0.6
"""Share of the ink, single specks aside, that a median filter must leave: then the letters are thick enough for it. The
second holds where specks are many, because a good part of them touch each other: they count as ink, and only the filter
removes them."""

MANY_SPECKS_ABOVE = 0.015
"""Specks per pixel."""

MAX_INK = 0.15
"""Share of a page that is dark. Few texts have more; what has more may be grainy paper."""

MIN_VARIANCE_BETWEEN = 0.7
"""Share of the variance between the two sides of the threshold: 0.9 for ink and paper, 0.6 for noise alone."""

DARKER_PAPER = 0.16
"""Share of the pixels that are darker than the level to which grainy paper is brought: one standard deviation below the
middle of the paper's grey levels."""

MAX_GRAIN_PX = 4.0
"""Mean length of dark runs along the rows. In grain they are shorter; in pictures and shaded boxes far longer."""


def isolated(dark: Mask) -> Mask:
    """The dark pixels, and pairs of dark pixels, that have no other dark neighbour."""
    neighbours = _dark_neighbours(dark)
    in_pairs = dark & (neighbours == 1)
    specks: Mask = (dark & (neighbours == 0)) | (in_pairs & (_dark_neighbours(in_pairs) == 1))
    return specks


def _dark_neighbours(dark: Mask) -> NDArray[np.uint8]:
    """How many of its eight neighbours are dark, for each pixel."""
    padded = np.pad(dark, 1).view(np.uint8)
    across = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    neighbours: NDArray[np.uint8] = across[:-2] + across[1:-1] + across[2:] - padded[1:-1, 1:-1]
    return neighbours


def speck_density(grey: Image.Image, *, top: int, rows: int) -> float:
    """The share of pixels that are specks, in a band of a picture of dark letters, counted on bare paper only.

    Specks beside letters are parts of them where print is faint or small. 0 if there is too little bare paper to tell.
    """
    smooth = without_grain(grey)
    dark = np.asarray(smooth.crop((0, top, grey.width, top + rows))) <= threshold(smooth)
    specks = isolated(dark)
    bare = _count_in_cells(dark & ~specks) == 0
    if bare.sum() < MIN_CELLS:
        return 0.0
    return float(_count_in_cells(specks)[bare].sum() / (CELL_PX**2 * bare.sum()))


def _count_in_cells(mask: Mask) -> NDArray[np.int64]:
    """How many pixels of a mask are in each square of CELL_PX; incomplete squares at the edges are left out."""
    down, across = mask.shape[0] // CELL_PX, mask.shape[1] // CELL_PX
    whole = mask[: down * CELL_PX, : across * CELL_PX].view(np.uint8)
    # Rows first, which lie side by side in memory: five times as fast as both at once.
    columns = whole.reshape(down, CELL_PX, across * CELL_PX).sum(axis=1, dtype=np.uint8)
    counts: NDArray[np.int64] = columns.reshape(down, across, CELL_PX).sum(axis=2, dtype=np.int64)
    return counts


def without_specks(grey: Image.Image) -> Image.Image:
    """A picture of dark letters without specks of one or two pixels, dark ones or light ones."""
    grey = without_grain(grey)
    filtered = grey.filter(ImageFilter.MedianFilter(3))
    before, after = np.asarray(grey), np.asarray(filtered)
    darkest = threshold(grey)
    cleaned, speck_px, ink_px, surviving_px = np.empty_like(before), 0, 0, 0
    for top in range(0, grey.height, BAND_PX):
        # Two rows more on either side, because a pair and its neighbours reach that far.
        first, last = max(0, top - 2), min(grey.height, top + BAND_PX + 2)
        within = slice(top - first, min(grey.height, top + BAND_PX) - first)
        dark = before[first:last] <= darkest
        specks = (isolated(dark) | isolated(~dark))[within]
        speck_px += int(specks.sum())
        rows = slice(top, min(grey.height, top + BAND_PX))
        cleaned[rows] = np.where(specks, after[rows], before[rows])
        ink = cleaned[rows] <= darkest
        ink_px += int(ink.sum())
        surviving_px += int((ink & (after[rows] <= darkest)).sum())
    many = speck_px > MANY_SPECKS_ABOVE * before.size
    min_surviving = MIN_INK_SURVIVING_AMONG_MANY if many else MIN_INK_SURVIVING
    return filtered if surviving_px >= min_surviving * ink_px else Image.fromarray(cleaned)


def without_grain(grey: Image.Image) -> Image.Image:
    """The picture with all paper as dark as its darker parts, if a threshold would cut through the paper."""
    shades = histogram(grey)
    darkest = shades.threshold
    if shades.dark_share[darkest] <= MAX_INK:
        return grey
    if shades.variance_between[darkest] >= MIN_VARIANCE_BETWEEN * shades.variance:
        return grey
    dark = np.asarray(grey)[:: max(1, grey.height // BAND_PX)] <= darkest
    run_starts = dark & ~np.pad(dark, ((0, 0), (1, 0)))[:, :-1]
    if dark.sum() >= MAX_GRAIN_PX * run_starts.sum():
        return grey
    level = int(np.searchsorted(shades.dark_share, DARKER_PAPER))
    return grey.point([min(shade, level) for shade in range(256)])
