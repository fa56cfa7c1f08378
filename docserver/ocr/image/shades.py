"""Child side: measures the shades of ink and paper: the threshold between them, local contrast, and the light."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Shades = NDArray[np.uint8]
Contrasts = NDArray[np.int16]

HISTOGRAM_SIDE_PX = 1000
"""For a larger picture, the histogram counts only every second or third pixel; the result is the same."""

INK_CONTRAST = 15
"""Number of grey levels by which ink is darker than its surroundings, in a picture of about 1000 pixels a side."""

NOISE_DEVIATIONS = 5
"""Ink is darker than its surroundings by at least this many standard deviations of the picture's noise. Of a million
pixels of noise, none is."""

MIN_INK_PX, MIN_INK_PX_BESIDE_LINES = 8, 16
"""Fewest pixels of ink on a page with something to read, in the picture of about 1000 pixels a side. The digit 1 in 10
points on A4 has more. The second value is used if ruled lines were removed, because pieces of them may remain."""

MIN_CURVES_PX = 4
"""Fewest pixels where strokes meet or bend on a page with something to read, if ruled lines were removed. Pieces of
lines, such as short sides of boxes, have none. A word of seven letters in 10 points on A4 has 7 or more."""

PAPER_SIDE_PX = 256
"""Longer side of the picture of the paper. It can be small, because light changes slowly across a page."""

PAPER_REACH_PX = 4
"""Distance, in the picture of the paper, within which each pixel takes the lightest value. In that picture, strokes of
letters are narrower than twice this, so they disappear."""

EVEN_PAPER = 245
"""The grey level of the paper after its light was made even."""

DARKEST_PAPER = 24
"""Darkest grey level of paper. Anything darker is a border, and is not made brighter than paper of this level."""

BACKING_BELOW = 0.5
"""Largest grey level of what a page lies on, such as the black lid of a scanner, as a share of that of the paper."""

BACKING_EDGE_PX = 8
"""Distance, in the picture of the paper, within which the edge of the page makes the backing lighter and the paper
darker. The edges of the other pages of a book are within it too."""

EVEN_PAGE_FROM, BACKED_OUTLIERS_PERCENT = 0.7, 3
"""Darkest grey level of a page on a backing, as a share of the lightest ones, and percentage of darker places that are
ignored."""

MAX_INK_ON_BACKING = 0.01
"""Largest share of ink on the backing of a page. Letters in a shadow have 0.03 and more, and the noise of black lids
0.001."""

BAND_PX = 16
"""Number of rows whose light is made even at a time. They fit into the cache of a processor core: a whole page at once
takes three times as long."""

DARK_BELOW = 64
"""Grey level of paper below which its noise is measured, because it may hide all ink."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """For each grey level, how a picture's pixels divide into dark and light ones. The level itself counts as dark."""

    dark_share: Numbers
    """For each level, the share of the pixels that are dark."""
    variance_between: Numbers
    """For each level, the variance between dark and light pixels."""
    variance: float
    """Variance of all pixels."""

    @property
    def threshold(self) -> int:
        return int(self.variance_between.argmax())


def histogram(grey: Image.Image) -> Histogram:
    """The histogram of a picture of mode L."""
    step = max(1, round(max(grey.size) / HISTOGRAM_SIDE_PX))
    reduced = grey.resize((-(-grey.width // step), -(-grey.height // step)), Image.Resampling.NEAREST)
    shares = np.asarray(reduced.histogram(), dtype=np.float64) / (reduced.width * reduced.height)
    levels = np.arange(shares.size)
    dark_share, weighted = shares.cumsum(), (shares * levels).cumsum()
    mean = weighted[-1]
    between = (mean * dark_share - weighted) ** 2 / np.maximum(dark_share * (1 - dark_share), 1e-9)
    return Histogram(dark_share, between, float((shares * (levels - mean) ** 2).sum()))


def threshold(grey: Image.Image) -> int:
    """The highest dark grey level by Otsu's method, which Tesseract uses too."""
    return histogram(grey).threshold


def contrast(grey: Image.Image) -> Contrasts:
    """For each pixel, the number of grey levels by which it is darker than its surroundings.

    The inside of a shadow or of a dark border has no contrast; only its edges have some.
    """
    surroundings = grey.filter(ImageFilter.BoxBlur(max(4, max(grey.size) // 40)))
    darker: Contrasts = np.asarray(surroundings, dtype=np.int16) - np.asarray(grey, dtype=np.int16)
    return darker


def has_ink(small: Image.Image, contrasts: Contrasts | None = None) -> bool:
    """True if a grey picture of about 1000 pixels a side shows more than bare paper and noise."""
    return shows_more_than_noise(ink_of(small, contrasts))


def shows_more_than_noise(ink: Mask) -> bool:
    """True if this ink of a picture of about 1000 pixels a side is more than remains of noise."""
    return bool(np.count_nonzero(ink) >= MIN_INK_PX)


def ink_beside_lines(small: Image.Image, lines: Mask) -> Mask | None:
    """The ink in a grey picture of about 1000 pixels a side, beside the mask of its removed lines. None if there is no
    more than the remains of the lines, which may lie next to the mask.
    """
    ink = ink_of(small, removed=lines, least=INK_CONTRAST)
    return ink if int(ink.sum()) >= MIN_INK_PX_BESIDE_LINES and _curves(ink) >= MIN_CURVES_PX else None


def ink_of(
    small: Image.Image, contrasts: Contrasts | None = None, *, removed: Mask | None = None, least: float = 0.0
) -> Mask:
    """The ink in a grey picture of about 1000 pixels a side, whose contrasts may be known, without noise and what lies
    in the mask `removed`. It has at least this contrast.
    """
    above: float = INK_CONTRAST
    if NOISE_DEVIATIONS * _noise(small, removed) > INK_CONTRAST:
        # The mean of nine pixels has a third of their noise, and a stroke of a letter keeps half of its contrast.
        small, contrasts = small.filter(ImageFilter.BoxBlur(1)), None
        above = max(INK_CONTRAST / 2, NOISE_DEVIATIONS * _noise(small, removed))
    if contrasts is None:
        contrasts = contrast(small)
    ink: Mask = contrasts > max(above, least)
    return ink if removed is None else ink & ~removed


def _curves(ink: Mask) -> int:
    """Number of places where four of nine pixels are ink, as where strokes meet or bend."""
    around = Image.fromarray(ink).convert("L").filter(ImageFilter.BoxBlur(1))
    return int((np.asarray(around) >= 4 * 255 // 9).sum())


def _noise(grey: Image.Image, removed: Mask | None) -> float:
    """The standard deviation of the noise of a picture, except where something was removed.

    It is measured where pixels at a distance of three differ least: there is paper on both sides, and no letter.
    Neighbours would not do: their noise is alike after a picture was reduced, blurred or compressed.
    """
    if removed is None and grey.width > 3:
        shifted = ImageChops.difference(grey.crop((3, 0, *grey.size)), grey.crop((0, 0, grey.width - 3, grey.height)))
        counts = np.array(shifted.histogram())
    else:
        pixels = np.asarray(grey)
        first, second = pixels[:, 3:], pixels[:, :-3]
        if removed is not None:
            kept = ~(removed[:, 3:] | removed[:, :-3])
            first, second = first[kept], second[kept]
        counts = np.bincount((np.maximum(first, second) - np.minimum(first, second)).ravel())
    shares = counts.cumsum() / max(1, counts.sum())
    # Differences are whole numbers: n stands for those from n - 0.5 to n + 0.5.
    quartile = np.interp(0.25, [0, *shares], [0, *(np.arange(shares.size) + 0.5)])
    # A quarter of the differences of two normal values are below 0.451 standard deviations of one.
    return float(quartile) / 0.451


def paper(grey: Image.Image) -> Image.Image:
    """A small picture of the paper without the letters. It shows how light or dark each part of the paper is."""
    small = grey.reduce(max(1, round(max(grey.size) / PAPER_SIDE_PX)))
    lightest = lightest_around(np.asarray(small), PAPER_REACH_PX)
    return Image.fromarray(lightest).reduce(2).filter(ImageFilter.MedianFilter(3)).filter(ImageFilter.BoxBlur(4))


def is_on_dark_backing(picture: Image.Image, ink: Mask) -> bool:
    """True if an evenly lit page lies on something dark. `picture` is that of the paper, and `ink` is the ink in any
    size.

    A backing has no ink and ends at a sharp edge. Beside a shadow that fades, there is paper of all shades.
    """
    shades = np.asarray(picture)
    light = np.percentile(shades, 95)
    is_dark = shades < BACKING_BELOW * light
    if not is_dark.any():
        return False
    dark = Image.fromarray(is_dark).convert("L")
    backing = np.asarray(dark.filter(ImageFilter.MinFilter(BACKING_EDGE_PX + 1))) > 0
    page = shades[np.asarray(dark.filter(ImageFilter.MaxFilter(2 * BACKING_EDGE_PX + 1))) == 0]
    if not backing.any() or not page.size or np.percentile(page, BACKED_OUTLIERS_PERCENT) < EVEN_PAGE_FROM * light:
        return False
    ink_share = np.asarray(Image.fromarray(ink).convert("L").resize(picture.size, Image.Resampling.BOX)) / 255
    return bool(ink_share[backing].mean() <= MAX_INK_ON_BACKING)


def paper_in_full(grey: Image.Image) -> Image.Image:
    """The picture of the paper in the size of the page."""
    return paper(grey).resize(grey.size, Image.Resampling.BICUBIC)


def evenly_lit(grey: Image.Image) -> Image.Image:
    """The picture with even light: each pixel is divided by the grey level of the paper around it.

    Where noise hides any ink, as on the dark lid of a scanner, it stays dark. In more light, the noise would look like
    letters, and take Tesseract many times longer than a page.
    """
    shades, levels = np.asarray(paper_in_full(grey)), np.asarray(grey)
    even = np.empty_like(levels)
    for top in range(0, grey.height, BAND_PX):
        rows = slice(top, top + BAND_PX)
        factors = EVEN_PAPER / np.maximum(shades[rows], np.float32(DARKEST_PAPER))
        even[rows] = np.minimum(levels[rows] * factors, 255)
    darkest = int(shades.min())
    if darkest < DARK_BELOW:
        dark = shades < DARK_BELOW
        noise = NOISE_DEVIATIONS * _noise(grey, ~dark)
        if darkest < noise:
            hidden = dark & (shades < noise)
            even[hidden] = levels[hidden]
    return Image.fromarray(even)


def without_faint_ink(grey: Image.Image) -> Image.Image:
    """The picture with the paler part of its ink in the shade of the paper, such as letters that show through."""
    levels = np.asarray(grey)[contrast(grey) > INK_CONTRAST]
    darkest = threshold(Image.fromarray(levels[np.newaxis])) if levels.size else 0
    bleached = grey.copy()
    bleached.paste(paper_in_full(grey), mask=grey.point([255 * (level > darkest) for level in range(256)]))
    return bleached


def lightest_around(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """For each place of a small picture or mask, the largest value within this distance along both axes."""
    for axis in (0, 1):
        source = values if axis == 0 else values.T
        largest = source.copy()
        for distance in range(1, min(reach, source.shape[0] - 1) + 1):
            np.maximum(largest[distance:], source[:-distance], out=largest[distance:])
            np.maximum(largest[:-distance], source[distance:], out=largest[:-distance])
        values = largest if axis == 0 else largest.T
    return values
