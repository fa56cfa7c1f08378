"""Child side: how a page's picture becomes its text: prepared as it needs, read, and read again where that helps."""

from dataclasses import replace

from docserver.ocr.images import Picture
from docserver.ocr.looks import Look, look
from docserver.ocr.prepare import Prepared, on_page, scaled, straightened, turned
from docserver.ocr.tesseract import Layout, Recognised, Tesseract, words_of

LEAST_SKEW = 1.5
"""Degrees. Tesseract follows lines that lie less askew by itself."""

CLEAR = 3.0
"""A direction less clear than this is that of a picture or of noise."""

ON_ITS_SIDE = 0.5
"""Lines that lie across so much better than along: the page lies on its side."""

SMALL_PX = 300
"""A picture with a side below this holds too few letters to tell how they lie."""

THICK_PX = 8.0
"""Strokes of 10-point letters at 400 dpi; thicker ones are read as well at half the size, in half the time."""

LARGE_PX = 4000
"""A4 at 300 dpi is smaller; a page that is not cannot cost much."""

SURE = 50.0
"""Confidence of an upright text, however badly printed; one that is upside down is read with 20 to 40."""

TALL = 0.5
"""Share of the longer words that stand on end where Tesseract has found by itself that lines run downwards."""

LONG_WORD = 4
"""Letters of a word that is surely wider than it is high."""

DOWNWARDS = 270
"""The turn that sets lines which run downwards upright, in degrees clockwise."""


def read(picture: Picture, tesseract: Tesseract, *, languages: str) -> tuple[Recognised, int]:
    """What stands on the page, and the degrees clockwise by which it must be turned to be upright. Raises Unreadable.

    Tesseract reads lines that run downwards by itself, so of the four ways that a page may lie two are tried at most.
    """
    page = Prepared(picture.image, picture.dpi, picture.image.size)
    seen = look(page.image)
    if seen is None:
        return _read(page, tesseract, languages)
    page = _sized(page, seen)
    if seen.upright < ON_ITS_SIDE and min(page.image.size) > SMALL_PX:
        page = turned(page, 90)
    found = _read(_straight(page), tesseract, languages)
    if 0 < found[0].confidence < SURE:
        again = _read(_straight(turned(page, 180)), tesseract, languages)
        if again[0].weight > found[0].weight:
            return again
    return found


def _sized(page: Prepared, seen: Look) -> Prepared:
    if seen.stroke_px >= THICK_PX and max(page.image.size) > LARGE_PX:
        return scaled(page, 0.5)
    return page


def _straight(page: Prepared) -> Prepared:
    seen = look(page.image)
    if seen and abs(seen.skew) >= LEAST_SKEW and seen.clarity >= CLEAR:
        return straightened(page, seen.skew)
    return page


def _read(page: Prepared, tesseract: Tesseract, languages: str) -> tuple[Recognised, int]:
    found = tesseract.recognise(page.image, dpi=page.dpi, languages=languages, layout=Layout.PAGE)
    rotation = page.rotation + (DOWNWARDS if _runs_downwards(found) else 0)
    return replace(found, blocks=on_page(found.blocks, page)), rotation % 360


def _runs_downwards(found: Recognised) -> bool:
    boxes = [word.box for word in words_of(found.blocks) if len(word.text) >= LONG_WORD]
    tall = sum(box[3] - box[1] > box[2] - box[0] for box in boxes)
    return tall > TALL * len(boxes)
