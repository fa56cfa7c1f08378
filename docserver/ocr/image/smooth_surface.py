"""Child side: fits a smooth surface through values that were measured at some places of a page."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebvander, chebvander2d

from docserver.ocr.image.shades import Numbers

DEGREES = 6, 2
"""Degrees of the surfaces along and across the lines. Lines may be curved at one end and straight at the other."""

STIFFNESS = 1e-3
"""Weight of the surface's bends compared with its distance from what was measured."""

FITTINGS = 6
"""How many times a surface is fitted, each time with less weight on what is far from it."""

MIN_MEASURED = 40
"""Fewest places with a value through which a surface is fitted."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A smooth surface over a page: a sum of Chebyshev polynomials. Beyond the places that were measured, it
    keeps the value that it has at the last of them.
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
        places = _scaled(rows, self.rows)
        # The recurrence of numpy's chebval, which takes several times as long for so few terms.
        lower, last = curve[-2], curve[-1]
        for term in curve[-3::-1]:
            lower, last = term - last, lower + last * (2 * places)
        values: Numbers = lower + last * places
        return values


def _scaled(places: Numbers, ends: tuple[float, float]) -> Numbers:
    """From -1 at one end to 1 at the other, and no more."""
    first, last = ends
    scaled: Numbers = np.minimum(np.maximum((2 * places - first - last) / max(1.0, last - first), -1), 1)
    return scaled


def fitted(columns: Numbers, rows: Numbers, values: Numbers, weights: Numbers) -> Surface | None:
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
    return Surface(of_columns, of_rows, coefficients.reshape(along.size, down.size))
