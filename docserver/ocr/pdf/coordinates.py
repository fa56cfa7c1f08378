"""Child side: the ways between a PDF page's points, its picture's pixels, and that picture turned for its text."""

import math
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from docserver.model import Box
from docserver.ocr.errors import NoLayer

Rect = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class View:
    """From points of a page, y upwards, to pixels of its picture, y downwards."""

    matrix: tuple[float, float, float, float, float, float]
    """a, b, c, d, e, f: a point (x, y) goes to (a x + b y + c, d x + e y + f)."""
    turns: int
    """Quarter turns clockwise by which the page is shown."""
    width: int
    height: int
    """Pixels."""

    @classmethod
    def of(cls, page: Any, *, width: int, height: int) -> "View":
        """Of what is shown of a page, which is its crop box. Raises NoLayer."""
        box = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(page, box)
        if not (box.left < box.right and box.bottom < box.top):
            raise NoLayer("the page has no area")
        turns = pdfium.FPDFPage_GetRotation(page)
        across, up = (box.right - box.left, box.top - box.bottom)
        x_step, y_step = (width / up, height / across) if turns % 2 else (width / across, height / up)
        matrix = (
            (x_step, 0.0, -box.left * x_step, 0.0, -y_step, box.top * y_step),
            (0.0, x_step, -box.bottom * x_step, y_step, 0.0, -box.left * y_step),
            (-x_step, 0.0, box.right * x_step, 0.0, y_step, -box.bottom * y_step),
            (0.0, -x_step, box.top * x_step, -y_step, 0.0, box.right * y_step),
        )[turns]
        return cls(matrix, turns, width, height)

    @property
    def zoom(self) -> float:
        """Pixels per point."""
        return abs(self.matrix[0] + self.matrix[1])

    def point(self, x: float, y: float) -> Point:
        a, b, c, d, e, f = self.matrix
        return a * x + b * y + c, d * x + e * y + f

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
        if not self.turns:
            return rect
        return _spanned(self.enter_point(rect[:2]), self.enter_point(rect[2:]))

    def leave(self, rect: Rect) -> Box:
        """Back to the picture, in whole pixels of it."""
        if self.turns:
            rect = _spanned(self._leave_point(rect[:2]), self._leave_point(rect[2:]))
        left, top, right, bottom = rect
        x0 = min(max(0, math.floor(left)), self.width - 1)
        y0 = min(max(0, math.floor(top)), self.height - 1)
        return x0, y0, max(x0 + 1, min(math.ceil(right), self.width)), max(y0 + 1, min(math.ceil(bottom), self.height))

    def _leave_point(self, point: Point) -> Point:
        x, y = point
        return ((x, y), (y, self.height - x), (self.width - x, self.height - y), (self.width - y, x))[self.turns]


def _spanned(first: Point, second: Point) -> Rect:
    (x0, y0), (x1, y1) = first, second
    if x0 > x1:
        x0, x1 = x1, x0
    if y0 > y1:
        y0, y1 = y1, y0
    return x0, y0, x1, y1
