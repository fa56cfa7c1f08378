"""Child side: the ways between a PDF page's points, its picture's pixels, and that picture turned for its text."""

import math
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from docserver.model import Box
from docserver.ocr.faults import NoLayer

Rect = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class View:
    """From points of a page, y upwards, to pixels of its picture, y downwards."""

    left: float
    bottom: float
    right: float
    top: float
    """What of the page is shown, in points: the crop box."""
    turns: int
    """Quarter turns clockwise by which the page is shown."""
    width: int
    height: int
    """Pixels."""

    @classmethod
    def of(cls, page: Any, *, width: int, height: int) -> "View":
        """Raises NoLayer."""
        box = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(page, box)
        if not (box.left < box.right and box.bottom < box.top):
            raise NoLayer("the page has no area")
        turns = pdfium.FPDFPage_GetRotation(page)
        return cls(box.left, box.bottom, box.right, box.top, turns, width, height)

    @property
    def zoom(self) -> float:
        """Pixels per point."""
        return self.width / (self.top - self.bottom if self.turns % 2 else self.right - self.left)

    def point(self, x: float, y: float) -> Point:
        across, up = (x - self.left) / (self.right - self.left), (y - self.bottom) / (self.top - self.bottom)
        u, v = ((across, 1 - up), (up, across), (1 - across, up), (1 - up, 1 - across))[self.turns]
        return u * self.width, v * self.height

    def rect(self, left: float, bottom: float, right: float, top: float) -> Rect:
        return _spanned(self.point(left, bottom), self.point(right, top))

    def shows(self, rect: Rect) -> bool:
        """Whether some of it lies on the picture."""
        left, top, right, bottom = rect
        return left < self.width and right > 0 and top < self.height and bottom > 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture turned so that text which stands `turns` quarter turns counter-clockwise in it is upright."""

    turns: int
    width: int
    height: int
    """Of the picture before it is turned."""

    def enter_point(self, point: Point) -> Point:
        x, y = point
        return ((x, y), (self.height - y, x), (self.width - x, self.height - y), (y, self.width - x))[self.turns]

    def enter(self, rect: Rect) -> Rect:
        return _spanned(self.enter_point(rect[:2]), self.enter_point(rect[2:]))

    def leave(self, rect: Rect) -> Box:
        """Back to the picture, in whole pixels of it."""
        left, top, right, bottom = _spanned(self._leave_point(rect[:2]), self._leave_point(rect[2:]))
        x0 = min(max(0, math.floor(left)), self.width - 1)
        y0 = min(max(0, math.floor(top)), self.height - 1)
        return x0, y0, max(x0 + 1, min(math.ceil(right), self.width)), max(y0 + 1, min(math.ceil(bottom), self.height))

    def _leave_point(self, point: Point) -> Point:
        x, y = point
        return ((x, y), (y, self.height - x), (self.width - x, self.height - y), (self.width - y, x))[self.turns]


def _spanned(first: Point, second: Point) -> Rect:
    (x0, y0), (x1, y1) = first, second
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
