"""Child side: the outlines of what a PDF page's paths draw beside words: what is as small as a character, and the
straight lines of the rest. Does not judge what they are.
"""

from collections.abc import Iterator, Sequence
from ctypes import byref, c_float, c_int
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium
from pypdfium2 import PdfMatrix

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import Points, PointsToPixels, around_points
from docserver.ocr.pdf.glyphs.letter_shapes import CORNERS, MAX_PATHS, RECTANGLE
from docserver.ocr.pdf.page_objects import PlacedObject

MAX_SEGMENTS = 2_000
"""Most segments of a page's paths that are looked at one by one. Each takes 2 µs, and ruled forms have
some hundreds."""

MAX_RULE_WIDTH = 3.0
"""Width of the widest rule, in pixels of the drawing."""

LINE = 2
"""Corners of a line."""

WITHOUT_PARTS = (LINE, LINE + 1, RECTANGLE)
"""Segments of large paths that are taken for a line or a rectangle, to save time. Two lines have as many as four."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a path, or a part of one, draws. Lengths are in pixels of the drawing."""

    points: Points
    """Rows of x and y: its corners, and those around its curves."""
    half: float = 0.0
    """Half the width of its stroke; 0 if it is filled only."""
    is_frame: bool = False
    """True if it is a rectangle that is not filled."""

    def rect(self, points: Points) -> Rect:
        """The rectangle around it where its corners are at these points."""
        left, top, right, bottom = around_points(points)
        x = y = self.half
        if len(points) == LINE:
            # A line is as long as from one end to the other.
            x, y = (0.0, y) if right - left > bottom - top else (x, 0.0)
        return left - x, top - y, right + x, bottom + y


@dataclass(slots=True)
class Outlines:
    small: list[Outline] = field(default_factory=list)
    rules: list[Outline] = field(default_factory=list)
    """Each is a straight line."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The squares of a drawing in which outlines are looked for."""

    is_near: npt.NDArray[np.bool_]
    square: int
    """Side of a square in pixels."""

    def has(self, points: Points) -> npt.NDArray[np.bool_]:
        """For each of these points, True if it is in such a square."""
        height, width = self.is_near.shape
        columns, rows = np.clip(points / self.square, 0, (width - 1, height - 1)).astype(int).T
        return np.asarray(self.is_near[rows, columns])


def outlines(
    paths: Sequence[PlacedObject], *, to_pixels: PointsToPixels, scale: float, longest: float, near: Grid
) -> Outlines:
    """The outlines of at most this length in some squares, and the rules of the page if there are any. `scale` is the
    size of the drawing as a multiple of the page's image.
    """
    found = Outlines()
    if not paths or len(paths) > MAX_PATHS:
        return found
    to_drawing = np.array(to_pixels.matrix.get()).reshape(3, 2) * scale
    corners = np.array([path.bounds for path in paths]).reshape(-1, 2) @ to_drawing[:2] + to_drawing[2]
    ends = np.sort(np.nan_to_num(corners).reshape(-1, 2, 2), axis=1)
    are_small = np.ptp(ends, axis=1).max(axis=1) <= longest
    large: list[int] = []
    segments_left = MAX_SEGMENTS
    for index in np.flatnonzero(~are_small | near.has(ends.mean(axis=1))).tolist():
        path, is_small = paths[index], are_small[index]
        segments = pdfium.FPDFPath_CountSegments(path.handle)
        if not is_small and segments in WITHOUT_PARTS:
            large.append(index)
            continue
        segments_left -= segments
        if segments_left < 0:
            break
        half, is_filled = _stroke(path, to_drawing)
        parts = list(_parts(path, segments, to_drawing))
        for part in [np.concatenate(parts)] if is_small else parts:
            if np.ptp(part, axis=0).max() > longest:
                found.rules += (Outline(part[place : place + LINE], half) for place in range(len(part) - 1))
            elif near.has(part.mean(axis=0)[None])[0]:
                found.small.append(_outline(part, half, is_filled=is_filled))
    for index in large if found.small else ():
        found.rules += _rules(ends[index], has_stroke=_stroke(paths[index], to_drawing)[0] > 0)
    return found


def _outline(points: Points, half: float, *, is_filled: bool) -> Outline:
    return Outline(points, half, is_frame=not is_filled and len(points) in (CORNERS, RECTANGLE))


def _rules(ends: Points, *, has_stroke: bool) -> Iterator[Outline]:
    """The rule that is drawn in this rectangle, or those around it."""
    (left, top), (right, bottom) = ends
    x, y = (left + right) / 2, (top + bottom) / 2
    if bottom - top <= MAX_RULE_WIDTH:
        yield Outline(np.array([(left, y), (right, y)]), (bottom - top) / 2)
    elif right - left <= MAX_RULE_WIDTH:
        yield Outline(np.array([(x, top), (x, bottom)]), (right - left) / 2)
    elif has_stroke:
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
        yield from (Outline(corners[side : side + LINE]) for side in range(CORNERS))


def _stroke(path: PlacedObject, to_drawing: Points) -> tuple[float, bool]:
    """Half the width of the path's stroke in pixels of the drawing, and True if it is filled."""
    fill, stroke, width = c_int(), c_int(), c_float()
    pdfium.FPDFPath_GetDrawMode(path.handle, byref(fill), byref(stroke))
    is_filled = fill.value != pdfium.FPDF_FILLMODE_NONE
    if not stroke.value:
        return 0.0, is_filled
    pdfium.FPDFPageObj_GetStrokeWidth(path.handle, byref(width))
    matrix = _matrix(path, to_drawing)
    return width.value * float(np.sqrt(abs(np.linalg.det(matrix[:2])))) / 2, is_filled


def _matrix(path: PlacedObject, to_drawing: Points) -> Points:
    """Maps the path's own coordinates to those of the drawing."""
    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(path.handle, byref(own))
    on_page = np.array(PdfMatrix.from_raw(own).multiply(path.matrix).get()).reshape(3, 2)
    on_page[:2], on_page[2] = on_page[:2] @ to_drawing[:2], on_page[2] @ to_drawing[:2] + to_drawing[2]
    return on_page


def _parts(path: PlacedObject, segments: int, to_drawing: Points) -> Iterator[Points]:
    """The points of each part of a path."""
    x, y = c_float(), c_float()
    to_x, to_y = byref(x), byref(y)
    points: list[tuple[float, float]] = []
    starts: list[int] = []
    for index in range(segments):
        segment = pdfium.FPDFPath_GetPathSegment(path.handle, index)
        pdfium.FPDFPathSegment_GetPoint(segment, to_x, to_y)
        if pdfium.FPDFPathSegment_GetType(segment) == pdfium.FPDF_SEGMENT_MOVETO:
            starts.append(index)
        points.append((x.value, y.value))
    matrix = _matrix(path, to_drawing)
    on_drawing = np.array(points) @ matrix[:2] + matrix[2]
    for part in np.split(on_drawing, starts[1:]):
        if len(part):
            yield part
