"""Child side: specks and grain, found and taken off the picture with the letters left as they are. Reads no text."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from docserver.ocr.image.ruling import Mask

Numbers = NDArray[np.float64]

SAMPLE_PX = 1000
"""Pixels a side: of larger pictures the shades of every second or third pixel tell as much."""

ROWS = 512
"""So many rows at a time: the masks of a whole page would take ten times its memory."""

CELL_PX = 8
"""The side of squares: smaller than the gaps between lines, large enough to show specks of one in a thousand."""

LEAST_CELLS = 100
"""Of bare paper: one speck in fewer would be as many as on a speckled page."""

SURVIVING, SURVIVING_AMONG_MANY = 0.88, 0.6
"""Where a median leaves so much of what is no speck, the letters are thick enough for it. Of many specks a good part
touch each other, and only the median takes those off."""

MANY = 0.015
"""Specks for each pixel."""

GRAINY = 0.15
"""Share of a page in dark ink that few texts have."""

TWO_SHADES = 0.7
"""Share of the variance that is between the sides of the threshold: 0.9 for ink and paper, 0.6 for noise alone."""

DARKER_PAPER = 0.16
"""Share of the pixels: a standard deviation below the middle of a noisy paper's shades."""

GRAIN_PX = 4.0
"""Mean length of what is dark along the rows: pictures and shaded boxes are far longer."""


def threshold(grey: Image.Image) -> int:
    """The level up to which all is dark: Otsu's, which parts the pixels best, as Tesseract does."""
    return _shares(grey).threshold


def lone(dark: Mask) -> Mask:
    """The pixels, and pairs of pixels, that have nothing dark on any side."""
    around = _around(dark)
    in_pairs = dark & (around == 1)
    found: Mask = (dark & (around == 0)) | (in_pairs & (_around(in_pairs) == 1))
    return found


def _around(dark: Mask) -> NDArray[np.uint8]:
    """How many of its eight neighbours are dark, for each pixel."""
    padded = np.pad(dark, 1).view(np.uint8)
    across = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    around: NDArray[np.uint8] = across[:-2] + across[1:-1] + across[2:] - padded[1:-1, 1:-1]
    return around


def density(grey: Image.Image, *, top: int, rows: int) -> float:
    """The share of pixels that are specks, in some rows of a picture of dark letters, where nothing else is drawn.

    Those beside letters are parts of them, where print is faint or small; a snippet has too little bare paper to tell.
    """
    bare = ungrained(grey)
    dark = np.asarray(bare.crop((0, top, grey.width, top + rows))) <= threshold(bare)
    specks = lone(dark)
    open_cells = _in_cells(dark & ~specks) == 0
    if open_cells.sum() < LEAST_CELLS:
        return 0.0
    return float(_in_cells(specks)[open_cells].sum() / (CELL_PX**2 * open_cells.sum()))


def _in_cells(mask: Mask) -> NDArray[np.int64]:
    """How many pixels of each square of CELL_PX are in a mask; what is left over on the right and below counts not."""
    down, across = mask.shape[0] // CELL_PX, mask.shape[1] // CELL_PX
    whole = mask[: down * CELL_PX, : across * CELL_PX].view(np.uint8)
    # Rows first, which lie side by side in memory: five times as fast as both at once.
    columns = whole.reshape(down, CELL_PX, across * CELL_PX).sum(axis=1, dtype=np.uint8)
    counts: NDArray[np.int64] = columns.reshape(down, across, CELL_PX).sum(axis=2, dtype=np.int64)
    return counts


def despeckled(grey: Image.Image) -> Image.Image:
    """A picture of dark letters without specks of one or two pixels, dark ones or light ones."""
    grey = ungrained(grey)
    smooth = grey.filter(ImageFilter.MedianFilter(3))
    before, after = np.asarray(grey), np.asarray(smooth)
    most = threshold(grey)
    bare, lonely, letters, surviving = np.empty_like(before), 0, 0, 0
    for top in range(0, grey.height, ROWS):
        # Two rows more on either side, as far as a pair and its neighbours reach.
        first, last = max(0, top - 2), min(grey.height, top + ROWS + 2)
        within = slice(top - first, min(grey.height, top + ROWS) - first)
        dark = before[first:last] <= most
        specks = (lone(dark) | lone(~dark))[within]
        lonely += int(specks.sum())
        rows = slice(top, min(grey.height, top + ROWS))
        bare[rows] = np.where(specks, after[rows], before[rows])
        ink = bare[rows] <= most
        letters += int(ink.sum())
        surviving += int((ink & (after[rows] <= most)).sum())
    least = SURVIVING_AMONG_MANY if lonely > MANY * before.size else SURVIVING
    return smooth if surviving >= least * letters else Image.fromarray(bare)


def ungrained(grey: Image.Image) -> Image.Image:
    """The picture with all paper as dark as its darker parts, if a threshold would part it from itself."""
    shares = _shares(grey)
    most = shares.threshold
    if shares.below[most] <= GRAINY or shares.between[most] >= TWO_SHADES * shares.variance:
        return grey
    dark = np.asarray(grey)[:: max(1, grey.height // ROWS)] <= most
    starts = dark & ~np.pad(dark, ((0, 0), (1, 0)))[:, :-1]
    if dark.sum() >= GRAIN_PX * starts.sum():
        return grey
    paper = int(np.searchsorted(shares.below, DARKER_PAPER))
    return grey.point([min(level, paper) for level in range(256)])


@dataclass(frozen=True, slots=True)
class _Shares:
    """How a picture's pixels fall to both sides of each level, which is itself on the dark side."""

    below: Numbers
    """The share of pixels on the dark side."""
    between: Numbers
    """The variance between the sides."""
    variance: float
    """That of all pixels."""

    @property
    def threshold(self) -> int:
        return int(self.between.argmax())


def _shares(grey: Image.Image) -> _Shares:
    step = max(1, round(max(grey.size) / SAMPLE_PX))
    some = grey.resize((-(-grey.width // step), -(-grey.height // step)), Image.Resampling.NEAREST)
    pixels = np.asarray(some.histogram(), dtype=np.float64) / (some.width * some.height)
    levels = np.arange(pixels.size)
    below, shade = pixels.cumsum(), (pixels * levels).cumsum()
    mean = shade[-1]
    between = (mean * below - shade) ** 2 / np.maximum(below * (1 - below), 1e-9)
    return _Shares(below, between, float((pixels * (levels - mean) ** 2).sum()))
