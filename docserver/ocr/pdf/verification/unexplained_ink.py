"""Child side: finds what a page's text objects draw that is in no word.

Of several spaces in a row, PDFium gives one. So letters that a font maps to spaces may leave no trace in the text.
"""

import itertools
from collections.abc import Iterable
from functools import partial

import numpy as np
import numpy.typing as npt

from docserver.layout import Box, Rect, around
from docserver.ocr.image.spots import components, thickened
from docserver.ocr.pdf.coordinates import join_near
from docserver.ocr.pdf.words.text_cells import BesideWords

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


def places_of_unexplained(beside: BesideWords, contrast: npt.NDArray[np.uint8]) -> list[Rect]:
    """Where there is ink beside words. `contrast` shows how much the texts change each pixel of a drawn page."""
    ink = (contrast >= MIN_CONTRAST) & beside.is_beside
    # One dimension takes a fifth of the time that two take.
    places = np.flatnonzero(ink)
    # Letters have two pixels in a row. The edges that words have beside their boxes mostly have not.
    if places.size < MIN_PIXELS or not np.any(places[1:] - places[:-1] == 1):
        return []
    rows, columns = np.divmod(places, ink.shape[1])
    cells = np.zeros((ink.shape[0] // CELL + 1, ink.shape[1] // CELL + 1), bool)
    cells[rows // CELL, columns // CELL] = True
    boxes = itertools.islice(components(thickened(cells)), MAX_PLACES)
    found = (_letters_in(ink, (CELL * x0, CELL * y0, CELL * x1, CELL * y1)) for x0, y0, x1, y1 in boxes)
    return [rect for rect in found if rect]


def touch(one: Rect, other: Rect, *, within: float) -> bool:
    """True if two places on a line are this close beside each other."""
    return one[0] - within <= other[2] and other[0] - within <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def joined_places(places: Iterable[Rect], *, within: float) -> list[Rect]:
    """The places, with those joined that are this close beside each other on a line."""
    return join_near(sorted(places), are_near=partial(touch, within=within))


def _letters_in(ink: npt.NDArray[np.bool_], place: Box) -> Rect | None:
    """The rectangle around the letters in a place; None if it has only edges of letters of the words beside it."""
    left, top, right, bottom = place
    part = ink[top:bottom, left:right]
    if np.count_nonzero(part) < MIN_PIXELS:
        return None
    letters = [box for box in components(part) if _may_be_letter(part, box)]
    if not letters:
        return None
    x0, y0, x1, y1 = around(letters)
    return left + x0, top + y0, left + x1, top + y1


def _may_be_letter(ink: npt.NDArray[np.bool_], box: Box) -> bool:
    left, top, right, bottom = box
    return right - left >= MIN_WIDTH and bool(np.count_nonzero(ink[top:bottom, left:right]) >= MIN_PIXELS)
