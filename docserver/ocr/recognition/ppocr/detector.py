"""Child side: finds the lines of text in a picture with PP-OCR's detector.

The detector (differentiable binarization, arXiv:1911.08947) gives for each pixel the probability that it is in the core
of a line. A core is a line without its margins, so that neighbours do not touch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docserver.layout import Box, Rect
from docserver.ocr.image.runs import runs_in_rows
from docserver.ocr.image.shades import Mask

Probabilities = NDArray[np.float32]

SIDE_PX = 960
"""Longer side of the picture that the detector gets of an A4 page."""

MAX_PX, MAX_SIDE_PX = SIDE_PX * 704, 2400
"""Most pixels of that picture, and its longest side. A long receipt may be longer than SIDE_PX."""

STEP_PX = 32
"""The sides of that picture are multiples of this."""

CORE_FROM, LINE_FROM = 0.3, 0.5
"""Smallest probability of a pixel in a core, and smallest mean of those of a core."""

MIN_CORE_PX = 3
"""Smallest height and width of a core."""

MIN_SINKING = 0.15
"""Smallest difference in height between the ends of a line that is levelled, as a share of the line's height."""

MARGIN = 1.6
"""A line reaches beyond its core by this number times the core's area, divided by the core's circumference."""

ROOM = 0.25
"""Margin of a line of which the letters are known, as a share of their height."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line of text that was found in a picture."""

    box: Box
    """It has a margin around the line."""
    slope: float
    """How far the line sinks with each pixel to the right."""

    @property
    def _sinks(self) -> int:
        """How much lower the right end is than the left one; 0 if that does not matter."""
        left, top, right, bottom = self.box
        sinks = self.slope * (right - left)
        return round(sinks) if MIN_SINKING * (bottom - top) <= abs(sinks) < (bottom - top) / 2 else 0

    def shown(self, picture: Image.Image) -> Image.Image:
        """The part of the picture with the line, which is level there."""
        left, top, right, bottom = self.box
        sinks, width = self._sinks, right - left
        if not sinks:
            return picture.crop(self.box)
        slope, height = sinks / width, bottom - top - abs(sinks)
        first = top + abs(sinks) / 2 - sinks / 2
        return picture.transform(
            (width, height),
            Image.Transform.AFFINE,
            (1, 0, left, slope, 1, first),
            Image.Resampling.BILINEAR,
        )

    def on_picture(self, box: Box) -> Box:
        """The place in the picture of a box in what is shown."""
        left, top, right, _ = self.box
        x0, y0, x1, y1 = box
        sinks = self._sinks
        down = top + (abs(sinks) - sinks) / 2 + sinks * (x0 + x1) / 2 / (right - left)
        return left + x0, round(y0 + down), left + x1, round(y1 + down)


def line_around(box: Box, size: tuple[int, int]) -> FoundLine:
    """The level line in a picture of this size whose letters are in a box, with a margin as found lines have."""
    left, top, right, bottom = box
    margin = ROOM * (bottom - top)
    return FoundLine(_clipped((left - margin, top - margin, right + margin, bottom + margin), (1, 1), size), 0.0)


class Detector:
    """Finds lines."""

    def __init__(self, session: Any) -> None:
        """`session` is ONNX Runtime's, of the detector's model."""
        self._session = session

    def lines(self, picture: Image.Image) -> list[FoundLine]:
        """The lines in a picture of mode RGB, in no order."""
        size = _size(picture.size)
        pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), np.float32)
        given = (pixels / 127.5 - 1.0).transpose(2, 0, 1)[np.newaxis]
        (probabilities,) = self._session.run(None, {"x": given})
        scale = picture.width / size[0], picture.height / size[1]
        return list(_lines(probabilities[0, 0], scale, picture.size))


def _size(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, math.sqrt(MAX_PX / (width * height)), MAX_SIDE_PX / max(size))
    return _step(width * scale), _step(height * scale)


def _step(side: float) -> int:
    return max(1, round(side / STEP_PX)) * STEP_PX


def _lines(probabilities: Probabilities, scale: tuple[float, float], size: tuple[int, int]) -> Iterator[FoundLine]:
    across, down = scale
    sums = np.pad(np.cumsum(probabilities, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    for rows, starts, ends in _cores(probabilities > CORE_FROM):
        left, top, right, bottom = int(starts.min()), int(rows[0]), int(ends.max()), int(rows[-1]) + 1
        width, height = right - left, bottom - top
        area = int((ends - starts).sum())
        mean = float((sums[rows, ends] - sums[rows, starts]).sum()) / area
        if min(width, height) < MIN_CORE_PX or mean < LINE_FROM:
            continue
        slope = _slope(rows, starts, ends) if width > 3 * height else 0.0
        thickness = min(height, max(area / width, height - abs(slope) * width))
        margin = MARGIN * width * thickness / (2 * (width + thickness))
        outer: Rect = (left - margin, top - margin, right + margin, bottom + margin)
        box = _clipped(outer, scale, size)
        yield FoundLine(box, slope * down / across)


def _clipped(box: Rect, scale: tuple[float, float], size: tuple[int, int]) -> Box:
    across, down = scale
    left, top, right, bottom = box
    return (
        max(0, math.floor(left * across)),
        max(0, math.floor(top * down)),
        min(size[0], math.ceil(right * across)),
        min(size[1], math.ceil(bottom * down)),
    )


def _slope(rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> float:
    """The slope of the straight line through a core's pixels."""
    count = ends - starts
    middle = (starts + ends - 1) / 2
    x, y = np.average(middle, weights=count), np.average(rows, weights=count)
    spread = (count * ((middle - x) ** 2 + (count**2 - 1) / 12)).sum()
    return float((count * (middle - x) * (rows - y)).sum() / spread) if spread else 0.0


def _cores(mask: Mask) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """The connected runs of each core: their rows, first columns, and the columns after, from top to bottom."""
    rows, starts, ends = runs_in_rows(mask)
    group = list(range(len(rows)))

    def root(run: int) -> int:
        while group[run] != run:
            group[run] = group[group[run]]
            run = group[run]
        return run

    above = 0
    for run, (row, start, end) in enumerate(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True)):
        while above < run and (rows[above] < row - 1 or (rows[above] == row - 1 and ends[above] <= start)):
            above += 1
        other = above
        while other < run and rows[other] == row - 1 and starts[other] < end:
            group[root(run)] = root(other)
            other += 1
    roots = np.array([root(run) for run in range(len(rows))], np.int64)
    for first in np.unique(roots):
        members = roots == first
        yield rows[members], starts[members], ends[members]
