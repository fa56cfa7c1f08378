"""Child side: follows lines of text across a page, which are curved on photos of books. Recognises no text.

The page is cut into upright strips, and each strip is reduced to its profile: the ink in each row. From one strip to
the next, the profiles of several lines move up or down by the slope of these lines. Smooth surfaces are fitted to what
was measured, so that strips and places without text get the slope of what is around them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebval, chebvander, chebvander2d
from numpy.typing import NDArray
from PIL import Image

from docserver.ocr.image.ruling import runs_along
from docserver.ocr.image.shades import INK_CONTRAST, Mask, Numbers, contrast

STRIPS = 64
"""Number of strips. In one of them, a line with a slope of a fifth rises by less than a letter."""

BANDS = 20
"""Number of bands, each of a twentieth of the height, in which a strip is compared with others. A band has some lines.
"""

DEGREES = 6, 2
"""Degrees of the surfaces along and across the lines. Lines may be curved at one end and straight at the other."""

STIFFNESS = 1e-3
"""Weight of the surface's bends compared with its distance from what was measured."""

FITTINGS = 6
"""How many times a surface is fitted, each time with less weight on what is far from it."""

MAX_RISE_PX, MAX_SHIFTS_PX = 6, (6, 4, 3)
"""Largest shift from one strip to the next, and of a strip against all others in the first, second and third look, in
the picture of about 1000 pixels a side. Lines are 12 pixels apart and more."""

MIN_ALIKE, MIN_MEASURED = 0.3, 40
"""Smallest correlation of two profiles that are compared, and fewest of these places on a page with enough text."""

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
"""Smallest height by which lines leave the level, in the picture of about 1000 pixels a side: a third of a small
letter."""

ROW_STEP_PX = 8
"""Distance of the rows at which a curve is stored."""

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
    """Heights at which lines run in the middle of the page, ascending. No part of the page is above the first or below
    the last of these lines."""
    heights: Numbers
    """For each column and each row, the height at which the line of that row runs at that column."""

    def height(self, column: float, row: float) -> float:
        """The height at which the line of any row runs at any column."""
        at_columns = [np.interp(row, self.rows, heights) for heights in self.heights]
        return float(np.interp(column, self.columns, at_columns))


def curved_lines(image: Image.Image, *, reduction: int) -> CurvedLines | None:
    """The curves of the lines in a picture with dark letters; None if they are straight and parallel, or too few.

    `reduction` is the factor by which the picture is reduced before its lines are followed.
    """
    ink = contrast(image.convert("L").reduce(reduction)) > INK_CONTRAST
    ink &= ~(runs_along(ink, axis=1, length=MAX_LETTER_PX + 1) | runs_along(ink, axis=0, length=MAX_STROKE_PX + 1))
    if min(ink.shape) < STRIPS:
        return None
    strips = _Strips(ink)
    slopes = strips.slopes()
    if slopes is None:
        return None
    followed = strips.followed(slopes)
    level = strips.sharpness(np.broadcast_to(strips.rows, followed.shape))
    # Most pages are flat and end here: to align their strips would take three times as long.
    if strips.sharpness(followed) <= level or not strips.are_curved(followed, slopes):
        return None
    heights = strips.aligned(followed)
    if strips.sharpness(heights) < MIN_GAIN * level or not strips.are_curved(heights, slopes):
        return None
    seen = np.flatnonzero((heights.max(axis=0) >= 0) & (heights.min(axis=0) <= ink.shape[0]))
    rows = slice(max(0, seen[0] - 1), seen[-1] + 2)
    return CurvedLines(reduction * strips.columns, reduction * strips.rows[rows], reduction * heights[:, rows])


@dataclass(frozen=True, slots=True)
class _Surface:
    """A smooth surface over a page: a sum of Chebyshev polynomials. Beyond the places that were measured, it goes on as
    at the last of them.
    """

    columns: tuple[float, float]
    rows: tuple[float, float]
    """The first and the last place in both directions."""
    coefficients: Numbers

    def at(self, columns: Numbers, rows: Numbers) -> Numbers:
        """The values at all pairs of a column and a row."""
        return self.across(columns) @ chebvander(_scaled(rows, self.rows), DEGREES[1]).T

    def across(self, columns: Numbers) -> Numbers:
        """For each column, the coefficients of the curve that the surface has from top to bottom."""
        return np.asarray(chebvander(_scaled(columns, self.columns), DEGREES[0]) @ self.coefficients, dtype=np.float64)

    def on_curve(self, curve: Numbers, rows: Numbers) -> Numbers:
        """The values at these rows, on one of the curves of `across`."""
        return np.asarray(chebval(_scaled(rows, self.rows), curve), dtype=np.float64)


def _scaled(places: Numbers, ends: tuple[float, float]) -> Numbers:
    """From -1 at one end to 1 at the other, and no more."""
    first, last = ends
    return np.clip((2 * places - first - last) / max(1.0, last - first), -1, 1)


def _fitted(columns: Numbers, rows: Numbers, values: Numbers, weights: Numbers) -> _Surface | None:
    """The surface through these values; None if fewer than MIN_MEASURED have a weight. Outliers hardly count."""
    measured = weights > 0
    if np.count_nonzero(measured) < MIN_MEASURED:
        return None
    columns, rows, values, weights = (of[measured] for of in (columns, rows, values, weights))
    of_columns, of_rows = (columns.min(), columns.max()), (rows.min(), rows.max())
    terms = chebvander2d(_scaled(columns, of_columns), _scaled(rows, of_rows), DEGREES)
    along, down = (np.arange(degree + 1) ** 2 for degree in DEGREES)
    stiffness = np.diag(STIFFNESS * (along[:, np.newaxis] + down).ravel() + 1e-9)
    given = weights = weights / weights.sum()
    for _ in range(FITTINGS):
        weighted = terms.T * weights
        coefficients = np.linalg.solve(weighted @ terms + weights.sum() * stiffness, weighted @ values)
        off = np.abs(values - terms @ coefficients)
        weights = given / (1 + np.square(off / max(1e-3, 2 * np.median(off))))
    return _Surface(of_columns, of_rows, coefficients.reshape(along.size, down.size))


class _Strips:
    """The strips of a page."""

    def __init__(self, ink: Mask) -> None:
        self._height, width = ink.shape
        self._width = width // STRIPS
        left = (width - STRIPS * self._width) // 2
        inner = ink[:, left : left + STRIPS * self._width]
        profiles = inner.reshape(self._height, STRIPS, self._width).sum(axis=2, dtype=np.float64).T
        self._profiles = _smoothed(profiles)
        self.columns: Numbers = left + (np.arange(STRIPS) + 0.5) * self._width
        self._between: Numbers = (self.columns[1:] + self.columns[:-1]) / 2
        beyond = ROWS_BEYOND * self._height
        self.rows: Numbers = np.arange(-beyond, self._height + beyond, ROW_STEP_PX)
        self._bands = np.linspace(0, self._height, BANDS + 1).astype(int)
        self._middles: Numbers = (self._bands[1:] + self._bands[:-1]) / 2

    def slopes(self) -> _Surface | None:
        """The slope of the lines everywhere; None if there is too little text."""
        rises, weights = _shifts(self._profiles[:-1], self._profiles[1:], self._bands, most=MAX_RISE_PX)
        return _fitted(*np.meshgrid(self._between, self._middles, indexing="ij"), rises / self._width, weights)

    def followed(self, slopes: _Surface) -> Numbers:
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
            surface = _fitted(*np.meshgrid(self.columns, self._middles, indexing="ij"), moved, weights)
            if surface is None:
                return heights
            aligned = heights + surface.at(self.columns, self.rows)
            if self.sharpness(aligned) <= self.sharpness(heights):
                return heights
            heights = aligned
        return heights

    def sharpness(self, heights: Numbers) -> float:
        """How sharply lines and gaps alternate if the lines have these heights, in parts of the page side by side."""
        parts = self._sampled(heights).reshape(PARTS, STRIPS // PARTS, -1).sum(axis=1)
        return float(np.square(np.diff(parts, axis=1)).sum() / max(1.0, parts.sum()))

    def are_curved(self, heights: Numbers, slopes: _Surface) -> bool:
        """True if lines with these heights are not straight and parallel where text is."""
        across = (slopes.columns[0] <= self.columns) & (self.columns <= slopes.columns[1])
        down = (slopes.rows[0] <= self.rows) & (self.rows <= slopes.rows[1])
        rises = (heights - self.rows)[np.ix_(across, down)]
        places = self.columns[across] - self.columns.mean()
        skew = (places @ rises).mean() / np.square(places).sum()
        curves = rises - skew * places[:, np.newaxis]
        return bool(np.abs(curves).max(initial=0.0) >= MIN_CURVE_PX)

    @staticmethod
    def _rise(slopes: _Surface, curve: Numbers, heights: Numbers) -> Numbers:
        """By how much lines at these heights rise to the next strip. `curve` has the rise for all rows between them."""
        halfway = heights + slopes.on_curve(curve, heights) / 2
        return slopes.on_curve(curve, halfway)

    def _sampled(self, heights: Numbers) -> Numbers:
        """The profiles of the strips with each line at its row."""
        rows = np.arange(self._height)
        places = (np.interp(rows, self.rows, of_strip) for of_strip in heights)
        pairs = zip(places, self._profiles, strict=True)
        return np.array([np.interp(at, rows, profile, left=0.0, right=0.0) for at, profile in pairs])


def _smoothed(profiles: Numbers) -> Numbers:
    padded = np.pad(profiles, ((0, 0), (2, 2)))
    height = profiles.shape[1]
    smooth = np.zeros_like(profiles)
    for first, weight in enumerate(SMOOTHING):
        smooth += weight / sum(SMOOTHING) * padded[:, first : first + height]
    return smooth


def _shifts(first: Numbers, second: Numbers, bands: NDArray[np.int64], *, most: int) -> tuple[Numbers, Numbers]:
    """For each pair of profiles and each band, how far down the second one must be looked at to see the first one, at
    most `most` pixels up or down; and the weight of this, 0 if they are not alike.
    """

    def in_bands(values: Numbers) -> Numbers:
        sums: Numbers = np.add.reduceat(values, bands[:-1], axis=1)
        return sums

    def variance(profiles: Numbers) -> Numbers:
        spread: Numbers = in_bands(profiles * profiles) - np.square(in_bands(profiles)) / sizes
        return np.maximum(spread, 1e-6)

    sizes = np.diff(bands)
    shifts = np.arange(-most - 1, most + 2)
    of_first, spread = in_bands(first), variance(first)
    alike = []
    for shift in shifts:
        moved = np.roll(second, -shift, axis=1)
        together = in_bands(first * moved) - of_first * in_bands(moved) / sizes
        alike.append(together / np.sqrt(spread * variance(moved)))
    correlations = np.array(alike)
    best = correlations[1:-1].argmax(axis=0) + 1
    before, peak, after = (
        np.take_along_axis(correlations, (best + step)[np.newaxis], axis=0)[0] for step in (-1, 0, 1)
    )
    is_peak = (peak > MIN_ALIKE) & (peak >= before) & (peak >= after)
    # The vertex of the parabola through the best shift and its neighbours.
    vertex = np.clip((before - after) / np.minimum(2 * (before - 2 * peak + after), -1e-6), -0.5, 0.5)
    weights = np.where(is_peak, np.square(peak), 0) * np.sqrt(np.minimum(spread, variance(second)))
    return shifts[best] + vertex, weights
