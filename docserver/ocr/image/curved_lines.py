"""Child side: follows lines of text across a page, which are curved on photos of books. Recognises no text.

The page is cut into upright strips, and each strip is reduced to its profile: the ink in each row. From one strip to
the next, the profiles of several lines move up or down by the slope of these lines. Smooth surfaces are fitted to what
was measured, so that strips and places without text get the slope of what is around them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docserver.ocr.image.overview import Overview
from docserver.ocr.image.ruling import runs_along
from docserver.ocr.image.runs import runs_of
from docserver.ocr.image.shades import INK_CONTRAST, Mask, Numbers
from docserver.ocr.image.smooth_surface import Surface, fitted

STRIPS = 64
"""Number of strips. In one of them, a line with a slope of a fifth rises by less than a letter."""

BANDS = 20
"""Number of bands, each of a twentieth of the height, in which a strip is compared with others. A band has some lines.
"""

MAX_RISE_PX, MAX_SHIFTS_PX = 6, (6, 4, 3)
"""Largest shift between two neighbouring strips, and of a strip against the sum of all others in the first, second and
third pass. Pixels of the picture of about 1000 pixels a side, in which lines are at least 12 pixels apart."""

MIN_BANDS, MIN_LINES = 6, 5
"""Lines are followed only if at least this many bands have some, and count as curved only if there are at least so many
of them. With only a few large words, the shapes of their letters would pass for curved lines."""

MIN_ALIKE = 0.3
"""Smallest correlation of two profiles that are compared."""

MAX_LETTER_PX, MAX_STROKE_PX = 26, 12
"""Longest run of ink along the rows and along the columns that may be part of letters. The edge of a page on a dark
table has longer ones, as rules have."""

SMOOTHING = 1, 2, 3, 2, 1
"""Weights of five rows of a profile, whose mean replaces the middle one."""

PARTS = 2
"""Number of parts, side by side, in which the sharpness of lines is measured. Each may be a column of its own, whose
lines are not at the height of the other's."""

MIN_GAIN = 1.12
"""Smallest gain in sharpness for which lines count as curved. Pages that are flat gain up to 1.08, even on photos."""

MIN_CURVE_PX = 2.5
"""Lines count as curved only if some place in them is at least this far above or below parallel straight lines, in the
picture of about 1000 pixels a side. It is a third of the height of a small letter."""

MIN_SPREAD = 1.15
"""Smallest width of a picture of two pages side by side, as a multiple of its height."""

FOLD_GAP, FOLD_REACH = 0.02, 0.12
"""Width of the gap without text at the fold between two pages, and how far it may be from the middle of the picture, as
shares of its width."""

MAX_INK_IN_FOLD = 0.05
"""Largest amount of ink in that gap, compared with the mean of the picture."""

ROW_STEP_PX = 8
"""Distance of the rows for which a curve is stored, in the picture of about 1000 pixels a side."""

ROWS_BEYOND = 1 / 8
"""How far curves are followed beyond the page, as a share of its height: a line may leave the page in its middle."""


@dataclass(frozen=True, slots=True)
class CurvedLines:
    """The curves of the lines on a page, in pixels of its picture."""

    columns: Numbers
    """Places across the page, ascending."""
    rows: Numbers
    """Heights at which lines run in the middle of their page, ascending. No part of a page is above the first or below
    the last of these lines."""
    heights: Numbers
    """For each column and each row, the height at which the line of that row runs at that column."""

    def height(self, column: float, row: float) -> float:
        """The height at which the line of any row runs at any column."""
        at_columns = [np.interp(row, self.rows, heights) for heights in self.heights]
        return float(np.interp(column, self.columns, at_columns))


def curved_lines(seen: Overview) -> CurvedLines | None:
    """The curves of the lines in a picture with dark letters; None if they are straight and parallel, or too few."""
    ink = seen.contrasts > INK_CONTRAST
    ink &= ~(runs_along(ink, axis=1, length=MAX_LETTER_PX + 1) | runs_along(ink, axis=0, length=MAX_STROKE_PX + 1))
    fold = _fold(ink)
    pages = [(0, ink)] if fold is None else [(0, ink[:, :fold]), (fold, ink[:, fold:])]
    found = [(left, page.shape, _curves(page)) for left, page in pages]
    if all(curves is None for _, _, curves in found):
        return None
    rows = _rows(ink.shape[0])
    columns, heights = [], []
    for left, (_, width), curves in found:
        across, of_page = curves or (np.array([0.0, width]), np.array([rows, rows]))
        columns.append(left + across)
        heights.append(of_page)
    return _on_page(np.concatenate(columns), rows, np.vstack(heights), height=ink.shape[0], scale=seen.step)


def _fold(ink: Mask) -> int | None:
    """The column of the fold between the two pages of an open book; None if the picture shows one page."""
    height, width = ink.shape
    if width < MIN_SPREAD * height:
        return None
    of_columns = ink.sum(axis=0).cumsum()
    gap = max(1, round(FOLD_GAP * width))
    starts = np.arange(round(0.5 * width - FOLD_REACH * width), round(0.5 * width + FOLD_REACH * width) - gap)
    of_gaps = of_columns[starts + gap] - of_columns[starts]
    if of_gaps.min() > MAX_INK_IN_FOLD * gap * of_columns[-1] / width:
        return None
    emptiest = starts[of_gaps == of_gaps.min()]
    return int(emptiest[emptiest.size // 2] + gap // 2)


def _rows(height: int) -> Numbers:
    """The rows for which curves are stored, some of them beyond a page of this height."""
    beyond = ROWS_BEYOND * height
    return np.arange(-beyond, height + beyond, ROW_STEP_PX)


def _curves(ink: Mask) -> tuple[Numbers, Numbers] | None:
    """The columns at which the lines of one page were measured, and the heights of the lines of `_rows` there; None if
    they are straight and parallel, or too few.
    """
    if min(ink.shape) < STRIPS:
        return None
    strips = _Strips(ink)
    slopes = strips.slopes()
    if slopes is None:
        return None
    followed = strips.followed(slopes)
    level = _sharpness(strips.profiles)
    # Most pages are flat and end here: to align their strips would take three times as long.
    if strips.sharpness(followed) <= level or not strips.are_curved(followed, slopes):
        return None
    heights = strips.aligned(followed)
    if strips.sharpness(heights) < MIN_GAIN * level or not strips.are_curved(heights, slopes):
        return None
    return (strips.columns, heights) if strips.count_lines(heights) >= MIN_LINES else None


def _on_page(columns: Numbers, rows: Numbers, heights: Numbers, *, height: int, scale: int) -> CurvedLines:
    """The lines in pixels of the picture, without those that are beyond the page everywhere."""
    seen = np.flatnonzero((heights.max(axis=0) >= 0) & (heights.min(axis=0) <= height))
    shown = slice(max(0, seen[0] - 1), seen[-1] + 2)
    return CurvedLines(scale * columns, scale * rows[shown], scale * heights[:, shown])


class _Strips:
    """The strips of a page."""

    def __init__(self, ink: Mask) -> None:
        self._height, width = ink.shape
        self._width = width // STRIPS
        left = (width - STRIPS * self._width) // 2
        inner = ink[:, left : left + STRIPS * self._width]
        profiles = inner.reshape(self._height, STRIPS, self._width).sum(axis=2, dtype=np.float64).T
        self.profiles = _smoothed(profiles)
        self.columns: Numbers = left + (np.arange(STRIPS) + 0.5) * self._width
        self._between: Numbers = (self.columns[1:] + self.columns[:-1]) / 2
        self.rows = _rows(self._height)
        self._bands = np.linspace(0, self._height, BANDS + 1).astype(int)
        self._middles: Numbers = (self._bands[1:] + self._bands[:-1]) / 2

    def slopes(self) -> Surface | None:
        """The slope of the lines everywhere; None if there is too little text."""
        rises, weights = _shifts(self.profiles[:-1], self.profiles[1:], self._bands, most=MAX_RISE_PX)
        if np.count_nonzero(weights.any(axis=0)) < MIN_BANDS:
            return None
        return fitted(*np.meshgrid(self._between, self._middles, indexing="ij"), rises / self._width, weights)

    def followed(self, slopes: Surface) -> Numbers:
        """The heights of the lines of `rows` in each strip, if lines have these slopes."""
        heights = np.empty((STRIPS, self.rows.size))
        heights[STRIPS // 2] = self.rows
        rise = slopes.across(self._between) * self._width
        for strip in range(STRIPS // 2, STRIPS - 1):
            heights[strip + 1] = heights[strip] + self._rise(slopes, rise[strip], heights[strip])
        for strip in range(STRIPS // 2, 0, -1):
            heights[strip - 1] = heights[strip] + self._rise(slopes, -rise[strip - 1], heights[strip])
        return heights

    def aligned(self, heights: Numbers) -> Numbers:
        """The heights, moved so that each strip agrees better with the others."""
        for most in MAX_SHIFTS_PX:
            profiles = self._sampled(heights)
            others = profiles.sum(axis=0) - profiles
            moved, weights = _shifts(others, profiles, self._bands, most=most)
            surface = fitted(*np.meshgrid(self.columns, self._middles, indexing="ij"), moved, weights)
            if surface is None:
                return heights
            aligned = heights + surface.at(self.columns, self.rows)
            if self.sharpness(aligned) <= self.sharpness(heights):
                return heights
            heights = aligned
        return heights

    def sharpness(self, heights: Numbers) -> float:
        """How sharply lines and gaps alternate if the lines have these heights, in parts of the page side by side."""
        return _sharpness(self._sampled(heights))

    def count_lines(self, heights: Numbers) -> int:
        """The number of lines if they have these heights."""
        profile = self._sampled(heights).sum(axis=0)
        starts, _ = runs_of(profile > profile.mean())
        return len(starts)

    def are_curved(self, heights: Numbers, slopes: Surface) -> bool:
        """True if lines with these heights are not straight and parallel where text is."""
        across = (slopes.columns[0] <= self.columns) & (self.columns <= slopes.columns[1])
        down = (slopes.rows[0] <= self.rows) & (self.rows <= slopes.rows[1])
        rises = (heights - self.rows)[np.ix_(across, down)]
        places = self.columns[across] - self.columns.mean()
        skew = (places @ rises).mean() / np.square(places).sum()
        curves = rises - skew * places[:, np.newaxis]
        return bool(np.abs(curves).max(initial=0.0) >= MIN_CURVE_PX)

    @staticmethod
    def _rise(slopes: Surface, curve: Numbers, heights: Numbers) -> Numbers:
        """How far lines at these heights move down on the way to the next strip. `curve` has the coefficients of this
        movement, measured on the border between the two strips.
        """
        halfway = heights + slopes.on_curve(curve, heights) / 2
        return slopes.on_curve(curve, halfway)

    def _sampled(self, heights: Numbers) -> Numbers:
        """The profiles of the strips with each line at its row."""
        # The heights are known for rows at equal distances, so a division finds the two that each row lies between.
        numbers, parts = np.divmod(np.arange(self._height) - self.rows[0], ROW_STEP_PX)
        first = numbers.astype(np.int64)
        places = heights[:, first] + (heights[:, first + 1] - heights[:, first]) * (parts / ROW_STEP_PX)
        upper = np.clip(places.astype(np.int64), 0, self._height - 2)
        above, below = (np.take_along_axis(self.profiles, upper + step, axis=1) for step in (0, 1))
        is_seen = (places >= 0) & (places <= self._height - 1)
        return np.where(is_seen, above + (below - above) * (places - upper), 0.0)


def _sharpness(profiles: Numbers) -> float:
    parts = profiles.reshape(PARTS, STRIPS // PARTS, -1).sum(axis=1)
    return float(np.square(np.diff(parts, axis=1)).sum() / max(1.0, parts.sum()))


def _sums(values: Numbers) -> Numbers:
    """The sum of all values before each place in a row, and of the whole row."""
    return np.pad(values.cumsum(axis=1), ((0, 0), (1, 0)))


def _smoothed(profiles: Numbers) -> Numbers:
    padded = np.pad(profiles, ((0, 0), (2, 2)))
    height = profiles.shape[1]
    smooth = np.zeros_like(profiles)
    for first, weight in enumerate(SMOOTHING):
        smooth += weight / sum(SMOOTHING) * padded[:, first : first + height]
    return smooth


def _shifts(first: Numbers, second: Numbers, bands: NDArray[np.int64], *, most: int) -> tuple[Numbers, Numbers]:
    """For each pair of profiles and each band, how many pixels the second profile is below the first one, at most
    `most` up or down; and the weight of this measurement, 0 if the two are not alike.
    """

    def in_bands(sums: Numbers, shift: int) -> Numbers:
        return np.asarray(sums[:, bands[1:] + shift] - sums[:, bands[:-1] + shift], dtype=np.float64)

    def variance(of_bands: Numbers, of_squares: Numbers) -> Numbers:
        return np.maximum(of_squares - np.square(of_bands) / sizes, 1e-6)

    sizes = np.diff(bands)
    shifts = np.arange(-most - 1, most + 2)
    of_first = in_bands(_sums(first), 0)
    spread = variance(of_first, in_bands(_sums(first * first), 0))
    around = np.pad(second, ((0, 0), (most + 1, most + 1)), mode="wrap")
    sums, sums_of_squares = _sums(around), _sums(around * around)
    products, alike, variances = np.empty_like(first), [], []
    for start in range(shifts.size):
        of_moved = in_bands(sums, start)
        variances.append(variance(of_moved, in_bands(sums_of_squares, start)))
        np.multiply(first, around[:, start : start + first.shape[1]], out=products)
        together = np.add.reduceat(products, bands[:-1], axis=1) - of_first * of_moved / sizes
        alike.append(together / np.sqrt(spread * variances[-1]))
    correlations = np.array(alike)
    best = correlations[1:-1].argmax(axis=0) + 1
    before, peak, after = (
        np.take_along_axis(correlations, (best + step)[np.newaxis], axis=0)[0] for step in (-1, 0, 1)
    )
    is_peak = (peak > MIN_ALIKE) & (peak >= before) & (peak >= after)
    # The vertex of the parabola through the best shift and its neighbours.
    vertex = np.clip((before - after) / np.minimum(2 * (before - 2 * peak + after), -1e-6), -0.5, 0.5)
    weights = np.where(is_peak, np.square(peak), 0) * np.sqrt(np.minimum(spread, variances[most + 1]))
    return shifts[best] + vertex, weights
