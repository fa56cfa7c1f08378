"""Child side: how a page's picture becomes its text: prepared as it needs, read, and read again where that helps."""

from collections.abc import Iterator
from dataclasses import replace

from docserver.ocr.images import Picture
from docserver.ocr.looks import SMALL_PX, Look, look
from docserver.ocr.prepare import Prepared, evenly_lit, in_grey, on_page, scaled, straightened, turned
from docserver.ocr.tesseract import Layout, Recognised, Tesseract, words_of

LEAST_SKEW = 1.5
"""Degrees. Tesseract follows lines that lie less askew by itself."""

LEAST_SKEW_OF_PHOTOS = 0.5
"""Degrees. On photos lines fall by more at one end of the page than at the other."""

CLEAR = 1.7
"""A direction less clear than this is that of a picture or of noise; lines on photos, not quite parallel, have 2."""

ON_ITS_SIDE = 0.4
"""Lines that lie across so much better than along: the page lies on its side."""

THICK_PX = 8.0
"""Strokes of 10-point letters at 400 dpi; thicker ones are read as well at half the size, in half the time."""

LARGE_PX = 4000
"""A4 at 300 dpi is smaller; a page that is not cannot cost much."""

NARROW = 1.75
"""A page so much higher than wide is a receipt or a column: one block of lines, whatever gaps there are in them."""

UNEVEN = 0.7
"""Light so uneven hides letters from a threshold that is the same for the whole page."""

COLOURED = 64
"""Colours that differ more may tell letters from paper of the same shade; else grey is read as well, a third faster."""

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

    Tesseract reads lines that run downwards by itself, unless it is told that all is one block; so of the four ways
    that a page may lie two or three are tried, and only while none is read surely.
    """
    page = Prepared(picture.image, picture.dpi, picture.image.size)
    seen = look(page.image)
    if seen is None:
        return _read(page, tesseract, languages)
    page = _sized(_lit(page, seen), seen)
    candidates = _candidates(page, seen)
    best = _read(_straight(next(candidates), seen), tesseract, languages)
    while best[0].confidence < SURE and (candidate := next(candidates, None)):
        again = _read(_straight(candidate, seen), tesseract, languages)
        best = max(best, again, key=lambda reading: reading[0].weight)
    return best


def _candidates(page: Prepared, seen: Look) -> Iterator[Prepared]:
    """What the page may be, the likeliest first."""
    small = min(page.image.size) < SMALL_PX
    directions: tuple[int, ...]
    if seen.upright < ON_ITS_SIDE:
        directions = (90, 270, 0)
    elif small or _narrow(page):
        directions = (0, 180, 90)
    else:
        directions = (0, 180)
    yield turned(page, directions[0])
    grey = page
    if page.image.mode == "RGB":
        # Its colours may be what hid the letters.
        grey = in_grey(page)
        yield turned(grey, directions[0])
    for degrees in directions[1:]:
        yield turned(grey, degrees)


def _narrow(page: Prepared) -> bool:
    width, height = page.image.size
    return height > NARROW * width


def _lit(page: Prepared, seen: Look) -> Prepared:
    if seen.light < UNEVEN:
        return evenly_lit(page)
    return page if seen.colour > COLOURED else in_grey(page)


def _sized(page: Prepared, seen: Look) -> Prepared:
    if seen.stroke_px >= THICK_PX and max(page.image.size) > LARGE_PX:
        return scaled(page, 0.5)
    return page


def _straight(page: Prepared, seen: Look | None) -> Prepared:
    if page.rotation in (90, 270):
        # Seen were the lines that lay along the page as it came.
        seen = look(page.image)
    if seen is None:
        return page
    least = LEAST_SKEW_OF_PHOTOS if seen.light < UNEVEN else LEAST_SKEW
    if abs(seen.skew) >= least and seen.clarity >= CLEAR:
        return straightened(page, seen.skew)
    return page


def _read(page: Prepared, tesseract: Tesseract, languages: str) -> tuple[Recognised, int]:
    layout = Layout.BLOCK if _narrow(page) else Layout.PAGE
    found = tesseract.recognise(page.image, dpi=page.dpi, languages=languages, layout=layout)
    rotation = page.rotation + (DOWNWARDS if _runs_downwards(found) else 0)
    return replace(found, blocks=on_page(found.blocks, page)), rotation % 360


def _runs_downwards(found: Recognised) -> bool:
    boxes = [word.box for word in words_of(found.blocks) if len(word.text) >= LONG_WORD]
    tall = sum(box[3] - box[1] > box[2] - box[0] for box in boxes)
    return tall > TALL * len(boxes)
