"""Child side: finds rows of boxes that a PDF page draws as one frame with dividers, or as ticks on a line, such as the
boxes for an account number in a form that was flattened.
"""

from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref, c_float
from itertools import pairwise

import pypdfium2.raw as pdfium
from pypdfium2 import PdfMatrix

from docserver.layout import Rect
from docserver.ocr.pdf.page_objects import PlacedObject

MAX_SEGMENTS = 2_000
"""Most segments of a page's paths that are looked at. A page with more is a drawing."""

MIN_BOXES = 4
"""Fewest boxes of a row. Shorter rows may be anything."""

MIN_LENGTH, MAX_LENGTH = 2.0, 40.0
"""Length of the shortest and the longest divider, in points."""

MIN_PITCH, MAX_PITCH, MAX_TICK_PITCH = 5.0, 40.0, 24.0
"""Smallest and largest distance of two dividers, and largest one of two ticks, in points."""

MAX_WIDTH, MAX_TICK = 1.4, 0.45
"""Largest width of a box as a multiple of its height, and largest length of a tick as a share of their distance. Cells
of tables are between these."""

TOLERANCE = 1.0
"""Largest difference of the distances, and of the ends, of the dividers of a row, in points."""

MAX_SLOPE = 0.1
"""Largest distance of the ends of an upright line from each other along the x axis, in points."""

Upright = tuple[float, float, float]
"""The x, the lower and the upper end of a line."""


def boxes_between_dividers(paths: Sequence[PlacedObject]) -> Iterator[Rect]:
    """The boxes, in points."""
    rows: list[list[Upright]] = []
    for line in sorted(_uprights(paths), key=lambda line: (round(line[1]), line)):
        row = next((row for row in rows[-3:] if _are_level(row[0], line)), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    for row in rows:
        yield from _boxes(sorted(row))


def _are_level(one: Upright, other: Upright) -> bool:
    return abs(one[1] - other[1]) <= TOLERANCE and abs(one[2] - other[2]) <= TOLERANCE


def _boxes(row: Sequence[Upright]) -> Iterator[Rect]:
    """The boxes between successive lines that have about the same distance, if there are enough."""
    lines = [line for place, line in enumerate(row) if not place or line[0] - row[place - 1][0] > TOLERANCE]
    run: list[Upright] = []
    for line in [*lines, (float("inf"), 0.0, 0.0)]:
        if len(run) > 1 and abs((line[0] - run[-1][0]) - (run[1][0] - run[0][0])) > TOLERANCE:
            yield from _boxes_of(run)
            run = run[-1:]
        run.append(line)


def _boxes_of(run: Sequence[Upright]) -> Iterable[Rect]:
    pitch, length = run[1][0] - run[0][0], run[0][2] - run[0][1]
    is_tick = length <= MAX_TICK * pitch and pitch <= MAX_TICK_PITCH
    if len(run) <= MIN_BOXES or not MIN_PITCH <= pitch <= MAX_PITCH or not (is_tick or pitch <= MAX_WIDTH * length):
        return []
    height = pitch if is_tick else length
    return [(left, bottom, right, bottom + height) for (left, bottom, _), (right, *_) in pairwise(run)]


def _uprights(paths: Iterable[PlacedObject]) -> Iterator[Upright]:
    """The upright lines of the paths, also those that are sides of rectangles."""
    left = MAX_SEGMENTS
    for path in paths:
        left -= pdfium.FPDFPath_CountSegments(path.handle)
        if left < 0:
            return
        points = list(points_of(path))
        for (x0, y0, _), (x1, y1, begins) in pairwise(points):
            if not begins and abs(x0 - x1) <= MAX_SLOPE and MIN_LENGTH <= abs(y0 - y1) <= MAX_LENGTH:
                yield x0, min(y0, y1), max(y0, y1)


def points_of(path: PlacedObject) -> Iterator[tuple[float, float, bool]]:
    """The corners of a path on the page, and True for those where a part of it begins."""
    own, x, y = pdfium.FS_MATRIX(), c_float(), c_float()
    pdfium.FPDFPageObj_GetMatrix(path.handle, byref(own))
    matrix = PdfMatrix.from_raw(own).multiply(path.matrix)
    for index in range(pdfium.FPDFPath_CountSegments(path.handle)):
        segment = pdfium.FPDFPath_GetPathSegment(path.handle, index)
        pdfium.FPDFPathSegment_GetPoint(segment, byref(x), byref(y))
        begins = pdfium.FPDFPathSegment_GetType(segment) == pdfium.FPDF_SEGMENT_MOVETO
        yield *matrix.on_point(x.value, y.value), begins
