"""Child side: finds what a page's text objects draw that is in no word.

Of several spaces in a row, PDFium gives one. So letters that a font maps to spaces may leave no trace in the text.
"""

import itertools
from collections.abc import Iterable
from functools import partial

from PIL import Image, ImageDraw, ImageFilter

from docserver.layout import Box, Rect, around
from docserver.ocr.pdf.coordinates import join_near
from docserver.ocr.pdf.text_cells import components

MIN_CONTRAST = 64
"""Smallest contrast of a pixel that belongs to a letter for certain, and not to its blurred edge, in grey levels."""

CELL = 4
"""Side of a cell in pixels. Ink in neighbouring cells is in one place."""

MIN_PIXELS = 6
"""Fewest pixels of a letter. A 1 of eight points has as many. At most four pixels of a word's letters are beside its
box."""

MIN_WIDTH = 2
"""Smallest width of a letter, in pixels. The edge of a word's letter that is beside its box has one pixel."""

MAX_PLACES = 200
"""Most places that are returned. A page with more has a font without any meaning."""


def places_of_unexplained(words: Iterable[Rect], contrast: Image.Image) -> list[Rect]:
    """Where there is ink that is in none of these words. `contrast` shows how much the texts change each pixel of a
    drawn page.
    """
    ink = contrast.point([255 * (level >= MIN_CONTRAST) for level in range(256)])
    draw = ImageDraw.Draw(ink)
    for left, top, right, bottom in words:
        draw.rectangle((int(left) - 1, int(top) - 1, int(right) + 1, int(bottom) + 1), fill=0)
    if not ink.getbbox():
        return []
    cells = ink.reduce(CELL).point([0] + [255] * 255).filter(ImageFilter.MaxFilter(3))
    boxes = itertools.islice(components(cells), MAX_PLACES)
    found = (_letters_in(ink, (CELL * x0, CELL * y0, CELL * x1, CELL * y1)) for x0, y0, x1, y1 in boxes)
    return [rect for rect in found if rect]


def touch(one: Rect, other: Rect, *, within: float) -> bool:
    """True if two places on a line are this close beside each other."""
    return one[0] - within <= other[2] and other[0] - within <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def joined_places(places: Iterable[Rect], *, within: float) -> list[Rect]:
    """The places, with those joined that are this close beside each other on a line."""
    return join_near(sorted(places), are_near=partial(touch, within=within))


def _letters_in(ink: Image.Image, place: Box) -> Rect | None:
    """The rectangle around the letters in a place; None if it has only edges of letters of the words beside it."""
    left, top, *_ = place
    part = ink.crop(place)
    if part.histogram()[255] < MIN_PIXELS:
        return None
    letters = [box for box in components(part.copy()) if _may_be_letter(part, box)]
    if not letters:
        return None
    x0, y0, x1, y1 = around(letters)
    return left + x0, top + y0, left + x1, top + y1


def _may_be_letter(ink: Image.Image, box: Box) -> bool:
    left, _, right, _ = box
    return right - left >= MIN_WIDTH and ink.crop(box).histogram()[255] >= MIN_PIXELS
