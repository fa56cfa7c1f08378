"""Child side: finds letters and short words that a PDF page draws as shapes. Does not read them."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from ctypes import c_int
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium

from docserver.layout import Rect, is_in
from docserver.ocr.pdf.coordinates import PointsToPixels, join_near, scaled
from docserver.ocr.pdf.page_objects import PlacedObject

MAX_PATHS = 2_000
"""Most paths of a page that are looked at. A page with more is a drawing."""

MIN_SEGMENTS = 7
"""Fewest segments of a letter's outline. Rectangles have four or five, triangles and arrowheads fewer."""

RECTANGLE, CORNERS = 5, 4
"""Segments of a rectangle, and its corners. Circles and rounded rectangles have as many curves, or fewer."""

MIN_SIDE, MAX_SIDE, MAX_LENGTH = 3.0, 48.0, 60.0
"""Height of the lowest and of the highest letters, and length of the longest word, in points. What is larger looks like
text in the drawn page."""

MAX_LARGE_SIDE, MAX_LARGE = 300.0, 6
"""Longest side of a large letter, in points, and most large outlines of a page. A page with more is a drawing."""

MAX_LARGE_SLENDERNESS = 2.5
"""Largest length of such a letter as a multiple of its shorter side. Words that are one outline are longer."""

MIN_REPEATS, MAX_KINDS = 3, 2
"""Equal shapes of single letters are markers if there are so many of them and so few kinds of shapes."""

MAX_SLENDERNESS = 1.6
"""Largest length of a single letter or symbol as a multiple of its height, and the reverse."""

MAX_GAP = 0.3
"""Widest gap between two letters of a word, as a share of their height."""

MAX_PIXEL, MAX_PIXELS = 12.0, 500
"""Longest side of a rectangle that may be a pixel of a letter, or several in a row, in points; and most of them."""

PER_POINT = 2
"""Pixels per point at which it is found which of these rectangles touch each other. They may be half a point apart."""

MAX_INK_SHARE = 0.75
"""Largest share of its box that a letter of rectangles fills. Stripes that make a shade fill all of it."""

MAX_PLAIN_SIDE = 1.2
"""Longest side of a rectangle or circle that may belong to a word, such as an l, an o or a point, as a multiple of the
longest side of a letter of the word."""

MAX_SHAPES = 300
"""Most shapes that are put together to words. A page with more has long words too, which look like text."""

MAX_PLACES = 100
"""Most places that are given. Reading one takes about 20 ms."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape or a small picture that may be a letter or a short word."""

    rect: Rect
    """In points."""
    kind: tuple[int, int, int]
    """How much data it has, its width and its height: the same for equal shapes."""

    @classmethod
    def of(cls, rect: Rect, *, data: int) -> "Shape":
        left, bottom, right, top = rect
        return cls(rect, (data, round(right - left), round(top - bottom)))


def large_letters(paths: Sequence[PlacedObject]) -> list[Rect]:
    """The places, in points, of outlines that may be letters of a large size, if the page has only a few."""
    if len(paths) > MAX_PATHS:
        return []
    large = [path for path in paths if _is_large_letter(path.bounds)]
    if len(large) > MAX_LARGE:
        return []
    return [path.bounds for path in large if is_outline(path, pdfium.FPDFPath_CountSegments(path.handle))]


def _is_large_letter(rect: Rect) -> bool:
    left, bottom, right, top = rect
    low, high = sorted((right - left, top - bottom))
    return MAX_LENGTH < high <= min(MAX_LARGE_SIDE, MAX_LARGE_SLENDERNESS * low)


def letter_shapes(
    paths: Sequence[PlacedObject], *, words: Sequence[Rect], to_pixels: PointsToPixels
) -> tuple[list[Rect], list[Rect]]:
    """The places of what looks like letters and is in none of these words, and of such shapes that are repeated as
    markers are; in pixels of the page's image, MAX_PLACES of either at most.
    """
    if len(paths) > MAX_PATHS:
        return [], []
    shapes, markers = parted(itertools.chain(_outlines(paths), _pixel_letters(paths)))
    letters = [shape.rect for shape in shapes[:MAX_SHAPES]]
    places = large_letters(paths)
    places += [
        place
        for place in together([*letters, *_plain_shapes(paths, letters)])
        if is_short_word(place) and any(is_in(place, letter) for letter in letters)
    ]
    repeated = [shape.rect for shape in markers]
    single, several = (
        [
            rect
            for rect in map(to_pixels.rect, rects)
            if to_pixels.is_on_image(rect) and not any(belongs_to(word, rect) for word in words)
        ][:MAX_PLACES]
        for rects in (places, repeated)
    )
    return single, several


def parted(shapes: Iterable[Shape]) -> tuple[list[Shape], list[Shape]]:
    """The shapes, and apart from them those that are repeated as markers are."""
    shapes = list(shapes)
    kinds = Counter(shape.kind for shape in shapes)
    if len(kinds) > MAX_KINDS:
        return shapes, []
    markers = [shape for shape in shapes if kinds[shape.kind] >= MIN_REPEATS and is_single(shape.rect)]
    return [shape for shape in shapes if shape not in markers], markers


def _outlines(paths: Iterable[PlacedObject]) -> Iterator[Shape]:
    """The paths that look like the outline of a letter or a short word, and like nothing else."""
    for path in paths:
        segments = pdfium.FPDFPath_CountSegments(path.handle)
        if segments >= MIN_SEGMENTS and is_short_word(rect := path.bounds) and is_outline(path, segments):
            yield Shape.of(rect, data=segments)


def _pixel_letters(paths: Iterable[PlacedObject]) -> Iterator[Shape]:
    """Groups of small filled rectangles that touch each other and look like a letter together."""
    pixels = list(itertools.islice(_pixels(paths), MAX_PIXELS))
    if len(pixels) < MIN_SEGMENTS:
        return
    for sides in _groups(np.floor(PER_POINT * np.array(pixels)).astype(int)):
        left, low = sides[:, :2].min(axis=0)
        right, high = sides[:, 2:].max(axis=0) + 1
        rect = scaled((float(left), float(low), float(right), float(high)), 1 / PER_POINT)
        if is_short_word(rect):
            ink = np.zeros((high - low, right - left), bool)
            for x0, y0, x1, y1 in sides - (left, low, left, low):
                ink[y0 : y1 + 1, x0 : x1 + 1] = True
            if (spots := np.count_nonzero(ink)) <= MAX_INK_SHARE * ink.size:
                yield Shape.of(rect, data=int(spots))


def _groups(sides: npt.NDArray[np.int_]) -> Iterator[npt.NDArray[np.int_]]:
    """The rectangles that touch others, together with these. They have columns and rows of a fine grid."""
    left, low, right, high = sides.T
    touch = (left[:, None] <= right + 1) & (low[:, None] <= high + 1)
    touch &= touch.T
    pending = {int(one) for one in np.flatnonzero(touch.sum(axis=0) > 1)}
    while pending:
        group = [pending.pop()]
        for one in group:
            others = pending.intersection(np.flatnonzero(touch[one]).tolist())
            pending -= others
            group += others
        yield sides[group]


def _pixels(paths: Iterable[PlacedObject]) -> Iterator[Rect]:
    for path in paths:
        if pdfium.FPDFPath_CountSegments(path.handle) in (CORNERS, RECTANGLE) and _is_filled(path):
            rect = path.bounds
            if _length(rect) <= MAX_PIXEL:
                yield rect


def _plain_shapes(paths: Iterable[PlacedObject], letters: Sequence[Rect]) -> list[Rect]:
    """Filled rectangles, circles and the like, MAX_SHAPES at most, that are close enough to letters to be some too."""
    if not letters:
        return []
    longest = MAX_PLAIN_SIDE * max(map(_length, letters))
    rects = (path.bounds for path in paths if _is_filled(path))
    small = (rect for rect in rects if _length(rect) <= longest and rect not in letters)
    return list(itertools.islice(small, MAX_SHAPES))


def _length(rect: Rect) -> float:
    left, bottom, right, top = rect
    return max(right - left, top - bottom)


def is_short_word(rect: Rect) -> bool:
    left, bottom, right, top = rect
    low, high = sorted((right - left, top - bottom))
    return low <= MAX_SIDE and MIN_SIDE <= high <= MAX_LENGTH


def is_single(rect: Rect) -> bool:
    """True if the shape in this place may be a single letter or a symbol."""
    left, bottom, right, top = rect
    low, high = sorted((right - left, top - bottom))
    return high <= MAX_SLENDERNESS * low


def is_outline(path: PlacedObject, segments: int) -> bool:
    """True if the path is filled, and is no circle, no rounded rectangle and no frame of rectangles."""
    if not _is_filled(path) or is_round(path, segments):
        return False
    kinds = _kinds_of_segments(path, segments)
    parts = kinds[pdfium.FPDF_SEGMENT_MOVETO]
    return bool(kinds[pdfium.FPDF_SEGMENT_BEZIERTO]) or segments != RECTANGLE * parts or parts > MIN_SEGMENTS


def is_round(path: PlacedObject, segments: int) -> bool:
    """True if the path is a circle or a rounded rectangle, or several."""
    kinds = _kinds_of_segments(path, segments)
    parts, curves, lines = (
        kinds[kind] for kind in (pdfium.FPDF_SEGMENT_MOVETO, pdfium.FPDF_SEGMENT_BEZIERTO, pdfium.FPDF_SEGMENT_LINETO)
    )
    # PDFium counts three segments for each curve.
    return 0 < curves <= 3 * CORNERS * parts and lines <= CORNERS * parts


def _kinds_of_segments(path: PlacedObject, segments: int) -> Counter[int]:
    return Counter(
        pdfium.FPDFPathSegment_GetType(pdfium.FPDFPath_GetPathSegment(path.handle, index)) for index in range(segments)
    )


def _is_filled(path: PlacedObject) -> bool:
    fill, stroke = c_int(), c_int()
    pdfium.FPDFPath_GetDrawMode(path.handle, fill, stroke)
    return bool(fill.value != pdfium.FPDF_FILLMODE_NONE)


def together(rects: Iterable[Rect]) -> list[Rect]:
    """Those rectangles joined that are as close to each other as the letters of a word."""
    return join_near(rects, are_near=are_close)


def are_close(rect: Rect, other: Rect) -> bool:
    """True if two shapes may be letters of one word."""
    reach = MAX_GAP * max(map(_letter_height, (rect, other)))
    return all(rect[low] - reach <= other[low + 2] and other[low] - reach <= rect[low + 2] for low in (0, 1))


def _letter_height(rect: Rect) -> float:
    """The height of the letters in this place. A single letter is higher than wide, and words are longer than high."""
    left, bottom, right, top = rect
    return _length(rect) if is_single(rect) else min(right - left, top - bottom)


def belongs_to(word: Rect, shape: Rect) -> bool:
    """True if the shape is at the place of the word, or a box around it."""
    return is_in(word, shape) or is_in(shape, word)
