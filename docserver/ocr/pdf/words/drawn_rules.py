"""Child side: the ruled lines that a PDF page draws as lines, thin rectangles, or sides of frames."""

from collections.abc import Iterator, Sequence
from ctypes import addressof, byref, c_int
from itertools import pairwise

import numpy as np
import pypdfium2.raw as pdfium

from docserver.layout import Rect
from docserver.ocr.pdf.calls import bounds_of
from docserver.ocr.pdf.coordinates import PointsToPixels
from docserver.ocr.pdf.page_objects import UNMOVED, PlacedObject
from docserver.ocr.pdf.words.box_dividers import points_of

MAX_PATHS = 5_000
"""Most paths of a page that are looked at. A page with more is a drawing. Each takes about a microsecond."""

MAX_SEGMENTS = 2_000
"""Most segments of paths with several parts that are looked at one by one."""

MAX_WIDTH, MIN_LENGTH = 2.5, 6.0
"""Width of the widest rule and length of the shortest one, in points."""

LINE, FRAME = 2, (4, 5)
"""Segments of a line, and of a rectangle."""


def drawn_rules(paths: Sequence[PlacedObject], to_pixels: PointsToPixels) -> list[Rect]:
    """Rectangles in which rules are drawn, in pixels of the page's image."""
    if not paths or len(paths) > MAX_PATHS:
        return []
    bounds = bounds_of([addressof(path.handle) for path in paths])
    for number, path in enumerate(paths):
        if path.matrix is not UNMOVED:
            bounds[number] = path.bounds
    widths, heights = bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]
    are_long = np.maximum(widths, heights) >= MIN_LENGTH
    are_thin = np.minimum(widths, heights) <= MAX_WIDTH
    rules: list[Rect] = [tuple(rect) for rect in bounds[are_long & are_thin].tolist()]
    left = MAX_SEGMENTS
    for index in np.flatnonzero(are_long & ~are_thin).tolist():
        path = paths[index]
        segments = pdfium.FPDFPath_CountSegments(path.handle)
        if segments <= LINE or (not _is_stroked(path) and segments in FRAME):
            continue
        if segments in FRAME:
            rules += _sides(*bounds[index].tolist())
            continue
        left -= segments
        if left < 0:
            break
        rules += _lines(path)
    return list(to_pixels.rects(rules)) if rules else []


def _is_stroked(path: PlacedObject) -> bool:
    fill, stroke = c_int(), c_int()
    pdfium.FPDFPath_GetDrawMode(path.handle, byref(fill), byref(stroke))
    return bool(stroke.value)


def _sides(left: float, bottom: float, right: float, top: float) -> Iterator[Rect]:
    yield left, bottom, right, bottom
    yield left, top, right, top
    yield left, bottom, left, top
    yield right, bottom, right, top


def _lines(path: PlacedObject) -> Iterator[Rect]:
    """The level and the upright lines of a path with several parts, whose thin parts may be filled."""
    parts: list[list[tuple[float, float]]] = []
    for x, y, begins in points_of(path):
        if begins or not parts:
            parts.append([])
        parts[-1].append((x, y))
    is_stroked = _is_stroked(path)
    for part in parts:
        xs, ys = zip(*part, strict=True)
        rect = min(xs), min(ys), max(xs), max(ys)
        if min(rect[2] - rect[0], rect[3] - rect[1]) <= MAX_WIDTH:
            if max(rect[2] - rect[0], rect[3] - rect[1]) >= MIN_LENGTH:
                yield rect
        elif is_stroked:
            for (x0, y0), (x1, y1) in pairwise([*part, part[0]] if len(part) > LINE + 1 else part):
                wide, high = abs(x1 - x0), abs(y1 - y0)
                if min(wide, high) <= MAX_WIDTH / 5 and max(wide, high) >= MIN_LENGTH:
                    yield min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
