"""Child side: decides which words would be visible of those for which PDFium has no glyphs and draws nothing."""

from collections.abc import Sequence
from ctypes import c_uint
from typing import Any

from PIL import Image, ImageChops
from pypdfium2.raw import FPDFPageObj_GetFillColor

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import touched_pixels
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.page_objects import PageObjects
from docserver.ocr.pdf.verification.seen_ink import MIN_CONTRAST

MAX_COVERED_SHARE = 0.5
"""Largest share of a visible word's box that may be painted over."""


def would_show(
    words: Sequence[tuple[int, Rect]], *, whole: Image.Image, drawing: PageDrawing, objects: PageObjects
) -> list[bool]:
    """For each word, True if it would be visible in a viewer that has its font. It is given by the address of its text
    object and its place in pixels of the drawing.

    Only what is painted after all of these words is taken to be over them.
    """
    later = max((objects.others_before[address] for address, _ in words), default=0)
    opaque = None
    if objects.others[later:]:
        opaque = drawing.opaque_without((*objects.texts.values(), *objects.others[:later]))
    places = ((address, touched_pixels(rect, *whole.size)) for address, rect in words)
    return [
        _has_own_colour(objects.texts[address], whole.crop(place)) and not (opaque and _is_covered(opaque.crop(place)))
        for address, place in places
    ]


def _has_own_colour(text_object: Any, there: Image.Image) -> bool:
    """True if the text is not transparent, and not all that is drawn there has its colour."""
    red, green, blue, alpha = (c_uint() for _ in range(4))
    if not FPDFPageObj_GetFillColor(text_object, red, green, blue, alpha):
        return True
    colour = Image.new("RGB", (1, 1), (red.value, green.value, blue.value)).convert("L").resize(there.size)
    return alpha.value > 0 and any(ImageChops.difference(there, colour).histogram()[MIN_CONTRAST:])


def _is_covered(opaque: Image.Image) -> bool:
    return opaque.histogram()[255] > MAX_COVERED_SHARE * opaque.width * opaque.height
