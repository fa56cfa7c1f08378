"""Child side: finds and removes specks and grain, and keeps letters as they are. Recognises no text."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docserver.ocr.image.shades import Mask, Shades, histogram, threshold

BAND_PX = 512
"""Number of rows processed at a time. Masks of the whole page would take ten times the memory of the page."""

CELL_PX = 8
"""Side of the squares in which specks are counted. It is smaller than the gaps between lines, but so large that a
density of one speck in a thousand pixels can be measured."""

MIN_CELLS = 100
"""Fewest squares of bare paper for a measurement. With fewer, a single speck would look like a page full of specks."""

MIN_INK_SURVIVING, MIN_INK_SURVIVING_AMONG_MANY = 0.88, 0.6
"""Smallest share of the ink, without single specks, that must survive a median filter. If less survives, the letters
are too thin for the filter. The second value is used if there are many specks: then many touch each other, count as
ink, and disappear only by the filter."""

MANY_SPECKS_ABOVE = 0.015
"""Specks per pixel above which a page has many specks."""

MAX_INK = 0.15
"""Largest dark share of a page with text. Few texts have more; a page with more may have grainy paper."""

MIN_VARIANCE_BETWEEN = 0.7
"""Smallest share of the grey levels' variance that lies between the dark and the light side of the threshold, if the
sides are ink and paper. It is 0.9 for ink and paper, and 0.6 for noise alone."""

DARKER_PAPER = 0.16
"""All grainy paper is made as dark as one of its darker grey levels: the one that has this share of the pixels below
it. That is one standard deviation below the middle of the paper's grey levels."""

MAX_GRAIN_PX = 4.0
"""Largest mean length of runs of dark pixels along the rows, for grain. In pictures and shaded boxes they are far
longer."""


def isolated(dark: Mask) -> Mask:
    """The specks: single dark pixels, and pairs of dark pixels, without another dark neighbour."""
    neighbours = _dark_neighbours(dark)
    in_pairs = dark & (neighbours == 1)
    specks: Mask = (dark & (neighbours == 0)) | (in_pairs & (_dark_neighbours(in_pairs) == 1))
    return specks


def _dark_neighbours(dark: Mask) -> NDArray[np.uint8]:
    """For each pixel, the number of its eight neighbours that are dark."""
    padded = np.pad(dark, 1).view(np.uint8)
    across = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    neighbours: NDArray[np.uint8] = across[:-2] + across[1:-1] + across[2:] - padded[1:-1, 1:-1]
    return neighbours


def speck_density(grey: Image.Image, *, top: int, rows: int) -> float:
    """The share of pixels that are specks, in a band of a picture with dark letters.

    Only specks on bare paper are counted. Specks beside letters may be parts of faint or small letters. The share is 0
    if there is too little bare paper.
    """
    smooth = without_grain(grey)
    dark = np.asarray(smooth.crop((0, top, grey.width, top + rows))) <= threshold(smooth)
    specks = isolated(dark)
    bare = _count_in_cells(dark & ~specks) == 0
    if bare.sum() < MIN_CELLS:
        return 0.0
    return float(_count_in_cells(specks)[bare].sum() / (CELL_PX**2 * bare.sum()))


def _count_in_cells(mask: Mask) -> NDArray[np.int64]:
    """The number of pixels of a mask in each square of CELL_PX. Incomplete squares at the edges are left out."""
    down, across = mask.shape[0] // CELL_PX, mask.shape[1] // CELL_PX
    whole = mask[: down * CELL_PX, : across * CELL_PX].view(np.uint8)
    # Sum whole rows first, which are contiguous in memory. That is five times as fast as summing both axes at once.
    columns = whole.reshape(down, CELL_PX, across * CELL_PX).sum(axis=1, dtype=np.uint8)
    counts: NDArray[np.int64] = columns.reshape(down, across, CELL_PX).sum(axis=2, dtype=np.int64)
    return counts


def without_specks(grey: Image.Image) -> Image.Image:
    """Remove specks of one or two pixels, dark and light ones, from a picture with dark letters."""
    grey = without_grain(grey)
    before = np.asarray(grey)
    after = _median_of_nine(before)
    darkest = threshold(grey)
    cleaned, speck_px, ink_px, surviving_px = np.empty_like(before), 0, 0, 0
    for top in range(0, grey.height, BAND_PX):
        # Take two more rows on either side, because a pair of pixels and its neighbours reach that far.
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
    return Image.fromarray(after if surviving_px >= min_surviving * ink_px else cleaned)


def _median_of_nine(levels: Shades) -> Shades:
    """For each pixel, the median of it and its eight neighbours. Pillow's MedianFilter takes ten times as long."""
    padded, medians = np.pad(levels, 1, mode="edge"), np.empty_like(levels)
    for top in range(0, levels.shape[0], BAND_PX):
        band = padded[top : top + BAND_PX + 2]
        above, middle, below = band[:-2], band[1:-1], band[2:]
        low, high = np.minimum(np.minimum(above, middle), below), np.maximum(np.maximum(above, middle), below)
        mid = _median_of_three(above, middle, below)
        highest_low = np.maximum(np.maximum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
        lowest_high = np.minimum(np.minimum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
        middle_mid = _median_of_three(mid[:, :-2], mid[:, 1:-1], mid[:, 2:])
        medians[top : top + BAND_PX] = _median_of_three(highest_low, middle_mid, lowest_high)
    return medians


def _median_of_three(first: Shades, second: Shades, third: Shades) -> Shades:
    return np.maximum(np.minimum(first, second), np.minimum(np.maximum(first, second), third))


def without_grain(grey: Image.Image) -> Image.Image:
    """Remove the grain of paper: if a threshold would make parts of the paper black, make all paper equally dark."""
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
