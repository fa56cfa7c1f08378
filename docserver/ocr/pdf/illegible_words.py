"""Child side: leaves out words that nobody can read: letters that are squeezed, tiny, or drawn over each other."""

import math
from collections.abc import Iterable

from docserver.ocr.pdf.coordinates import PointsToPixels
from docserver.ocr.pdf.drawing import hide
from docserver.ocr.pdf.page_objects import PageObjects
from docserver.ocr.pdf.pdf_words import PdfWord
from docserver.ocr.pdf.text_words import TextPage

MIN_LETTER_WIDTH = 0.03
"""Smallest average width of letters that one can read, as a share of their height. That of an i is six times as
much."""

MIN_HEIGHT = 1 / 2500
"""Smallest height of letters that one can read, as a share of the page's longer side: a third of a point on A4."""

MAX_ROOM = 3.0
"""Height of the room that a font has for such letters, as a multiple of that of their ink, is at most this."""

MIN_STACK, MAX_STACK_OFFSET = 3, 0.02
"""Fewest different letters over each other that are a symbol, and their largest distance, as a share of their height.
An accent or a line over a letter makes two."""


def without_illegible(
    words: Iterable[PdfWord], *, text_page: TextPage, objects: PageObjects, to_pixels: PointsToPixels
) -> list[PdfWord]:
    """The words, without those that are illegible, which are left out of all drawings too.

    PDFium draws a large blot for squeezed letters. Letters over each other are a symbol.
    """
    min_height = MIN_HEIGHT * max(to_pixels.width, to_pixels.height) / to_pixels.pixels_per_point
    readable: list[PdfWord] = []
    illegible: list[PdfWord] = []
    for word in words:
        is_illegible = (
            _is_tiny(word, min_height, text_page) or _is_squeezed(word, text_page) or _is_stack(word, text_page)
        )
        (illegible if is_illegible else readable).append(word)
    if illegible:
        drawn = {text_page.address(index) for word in illegible for index in range(word.first, word.end)}
        for address in drawn - {word.address for word in readable}:
            if handle := objects.texts.pop(address, None):
                hide(handle)
    return readable


def _is_tiny(word: PdfWord, min_height: float, text_page: TextPage) -> bool:
    """True if the ink of no letter or digit is as high as this."""
    left, bottom, right, top = word.rect
    low, high = sorted((right - left, top - bottom))
    if low >= min_height or high >= min_height * len(word.text) or not any(map(str.isalnum, word.text)):
        return False
    # The ink of some letters is not known.
    return 0.0 < text_page.orientation(word).height < MAX_ROOM * min_height


def _is_squeezed(word: PdfWord, text_page: TextPage) -> bool:
    """True if the letters of the word are so narrow that nobody can read them."""
    left, bottom, right, top = word.rect
    orientation = text_page.orientation(word)
    limit = MIN_LETTER_WIDTH * orientation.height * len(word.text)
    # The ink is looked at first, which saves asking for the room.
    ink = top - bottom if orientation.turns % 2 else right - left
    if ink >= limit or orientation.crooked or word.is_vertical:
        return False
    start, end = text_page.extent(word)
    return end - start < limit


def _is_stack(word: PdfWord, text_page: TextPage) -> bool:
    """True if several letters are drawn over each other, as for the button of a form in a font of symbols."""
    if word.objects < MIN_STACK or len(set(word.text)) < MIN_STACK:
        return False
    height = text_page.orientation(word).height
    first = text_page.begin(word.first)
    others = map(text_page.begin, range(word.first + 1, word.end))
    return all(math.dist(first, other) <= MAX_STACK_OFFSET * height for other in others)
