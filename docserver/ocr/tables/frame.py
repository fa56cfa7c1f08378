"""Child side: turns places on a page so that its lines are upright and level, and back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from docserver.layout import Block, Box, Rect, around, lines_of
from docserver.typography import rise, sink

MIN_WORDS, MIN_WIDTH = 4, 10
"""Fewest words of a line whose direction is measured, and its smallest width as a multiple of its height."""

MAX_SKEW = 10.0
"""Largest skew in degrees. No page is straightened by more."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """The relation of a page as it lies to the same page turned and straightened."""

    width: int
    height: int
    """Of the page as it lies."""
    rotation: int
    """Degrees clockwise by which the page must be turned, a multiple of 90."""
    skew: float = 0.0
    """Degrees by which its lines then fall to the right."""

    def point(self, x: float, y: float) -> Point:
        """A point on the turned and straightened page."""
        x, y = {
            0: (x, y),
            90: (self.height - y, x),
            180: (self.width - x, self.height - y),
            270: (y, self.width - x),
        }[self.rotation]
        cos, sin = self._angle
        return x * cos + y * sin, y * cos - x * sin

    def rect(self, box: Box) -> Rect:
        """The rectangle on the turned and straightened page that just fits into `box` on the page as it lies."""
        if not (self.rotation or self.skew):
            return box
        (x0, y0), (x1, y1) = self.point(box[0], box[1]), self.point(box[2], box[3])
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        wide, high = box[2] - box[0], box[3] - box[1]
        if self.rotation in (90, 270):
            wide, high = high, wide
        cos, sin = self._angle
        scale, sin = cos * cos - sin * sin, abs(sin)
        half_width = max(wide * cos - high * sin, wide / 2) / scale / 2
        half_height = max(high * cos - wide * sin, high / 2) / scale / 2
        return x - half_width, y - half_height, x + half_width, y + half_height

    def box(self, rect: Rect) -> Box:
        """The smallest box around a rectangle, on the page as it lies."""
        x0, y0, x1, y1 = rect
        corners = [self._back(x, y) for x, y in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))]
        left, top, right, bottom = around((x, y, x, y) for x, y in corners)
        return (
            min(max(math.floor(left), 0), self.width),
            min(max(math.floor(top), 0), self.height),
            min(max(math.ceil(right), 0), self.width),
            min(max(math.ceil(bottom), 0), self.height),
        )

    def _back(self, x: float, y: float) -> Point:
        cos, sin = self._angle
        x, y = x * cos - y * sin, y * cos + x * sin
        return {
            0: (x, y),
            90: (y, self.height - x),
            180: (self.width - x, self.height - y),
            270: (self.width - y, x),
        }[self.rotation]

    @property
    def _angle(self) -> Point:
        radians = math.radians(self.skew)
        return math.cos(radians), math.sin(radians)


def frame_of(blocks: Sequence[Block], *, width: int, height: int, rotation: int) -> Frame:
    """The frame of a page by the direction of its longest lines."""
    upright = Frame(width, height, rotation)
    slopes = []
    for line in lines_of(blocks):
        if len(line.words) < MIN_WORDS:
            continue
        rects = [(word.text, upright.rect(word.box)) for word in line.words]
        left, top, right, bottom = around(rect for _, rect in rects)
        if right - left >= MIN_WIDTH * (bottom - top):
            slopes.append((_slope([_baseline(text, rect) for text, rect in rects]), right - left))
    half = sum(weight for _, weight in slopes) / 2
    for slope, weight in sorted(slopes):
        half -= weight
        if half <= 0:
            skew = math.degrees(math.atan(slope))
            return Frame(width, height, rotation, skew if abs(skew) <= MAX_SKEW else 0.0)
    return upright


def _baseline(text: str, rect: Rect) -> Point:
    """The middle of the baseline of a word."""
    x0, y0, x1, y1 = rect
    return (x0 + x1) / 2, y1 - (y1 - y0) * sink(text) / (rise(text) + sink(text))


def _slope(points: Sequence[Point]) -> float:
    """That of the line which is nearest to the points (least squares)."""
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    across = sum((point[0] - x) ** 2 for point in points)
    return sum((point[0] - x) * (point[1] - y) for point in points) / across if across else 0.0
