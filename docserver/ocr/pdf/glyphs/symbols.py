"""Child side: finds symbols that a PDF page repeats, such as check boxes and stars. Does not find letters."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import pypdfium2.raw as pdfium
from pypdfium2 import PdfMatrix

from docserver.layout import Rect
from docserver.ocr.pdf.glyphs.letter_shapes import (
    CORNERS,
    MAX_KINDS,
    MAX_PATHS,
    MAX_SHAPES,
    MIN_REPEATS,
    RECTANGLE,
    Shape,
    are_close,
    is_round,
    is_single,
)
from docserver.ocr.pdf.page_objects import PlacedObject

MIN_SIDE, MAX_SIDE = 3.0, 24.0
"""Shortest and longest side of a symbol, in points. Larger shapes hold words."""

MAX_CORNERS = 100
"""Most corners of a shape that are looked at. A star has ten, and a letter with curves some thirty."""


class _Outline(Enum):
    BOX = "box"
    """No letter looks like it."""
    ROUND = "round"
    """A circle or a rounded box. An O looks like it, and a zero."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class _Outlined(Shape):
    outline: _Outline


def symbols(paths: Sequence[PlacedObject]) -> list[Rect]:
    """The places of equal shapes that are no letters, in points. They are filled or not.

    Letters of one kind may repeat too. They are close to each other or to letters of other kinds.
    """
    if len(paths) > MAX_PATHS:
        return []
    shapes = [_shape(path) for path in paths if _is_small(path.bounds)]
    if len(shapes) > MAX_SHAPES:
        return []
    kinds = Counter(shape.kind for shape in shapes)
    repeated = [shape for shape in shapes if kinds[shape.kind] >= MIN_REPEATS]
    letters = [shape for shape in shapes if shape.outline is _Outline.OTHER]
    if len({shape.kind for shape in letters}) <= MAX_KINDS:
        letters = [shape for shape in letters if shape not in repeated or not is_single(shape.rect)]
    return [
        shape.rect
        for shape in repeated
        if shape not in letters
        and not any(are_close(shape.rect, letter.rect) for letter in letters)
        and (shape.outline is _Outline.BOX or not any(_are_neighbours(shape, other) for other in repeated))
    ]


def _are_neighbours(shape: Shape, other: Shape) -> bool:
    """True if two equal shapes may be letters of one word."""
    return shape is not other and shape.kind == other.kind and are_close(shape.rect, other.rect)


def _is_small(rect: Rect) -> bool:
    return all(MIN_SIDE <= rect[low + 2] - rect[low] <= MAX_SIDE for low in (0, 1))


def _shape(path: PlacedObject) -> _Outlined:
    count = pdfium.FPDFPath_CountSegments(path.handle)
    # The path's own bounds include its stroke with the tips of its corners.
    corners = set(_corners(path, min(count, MAX_CORNERS)))
    xs, ys = (sorted(set(side)) for side in zip(*corners, strict=True))
    outline = _Outline.OTHER
    if count in (CORNERS, RECTANGLE) and len(corners) == CORNERS and 2 * len(xs) == 2 * len(ys) == CORNERS:
        outline = _Outline.BOX
    elif is_round(path, count):
        outline = _Outline.ROUND
    shape = Shape.of((xs[0], ys[0], xs[-1], ys[-1]), data=count)
    return _Outlined(shape.rect, shape.kind, outline)


def _corners(path: PlacedObject, count: int) -> Iterator[tuple[float, float]]:
    """The first points of a path, in points of the page."""
    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(path.handle, own)
    matrix = PdfMatrix.from_raw(own).multiply(path.matrix)
    x, y = pdfium.c_float(), pdfium.c_float()
    for index in range(count):
        pdfium.FPDFPathSegment_GetPoint(pdfium.FPDFPath_GetPathSegment(path.handle, index), x, y)
        on_page = matrix.on_point(x.value, y.value)
        yield round(on_page[0], 2), round(on_page[1], 2)
