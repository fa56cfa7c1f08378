"""Child side: leaves out words that nobody can read: letters that are squeezed, tiny, or drawn over each other."""

import math
from collections.abc import Iterable, Sequence

from docserver.ocr.pdf.coordinates import PointsToPixels
from docserver.ocr.pdf.drawing import hide
from docserver.ocr.pdf.page_objects import PageObjects
from docserver.ocr.pdf.words.own_words import OwnWord
from docserver.ocr.pdf.words.pdf_words import PdfWord
from docserver.ocr.pdf.words.text_characters import LETTER_HEIGHT
from docserver.ocr.pdf.words.text_words import TextPage

MIN_LETTER_WIDTH = 0.03
"""Smallest average width of letters that one can read, as a share of their height. That of an i is six times as
much."""

MIN_SIZE, MIN_SIZE_SHARE = 1.2, 1 / 400
"""Smallest size of letters that people read, in points and as a share of the page's longer side: the smaller of both.
Letters of 1.2 points are 0.3 mm high; a label of 150 points may be enlarged to fill the screen."""

NEVER_LEGIBLE = 0.5
"""Letters of at most this share of that size are never read. With a magnifying glass, larger ones may be."""

MIN_STACK, MAX_STACK_OFFSET = 3, 0.02
"""Fewest different letters over each other that are a symbol, and their largest distance, as a share of their height.
An accent or a line over a letter makes two."""


def without_illegible(
    words: Iterable[PdfWord], *, text_page: TextPage, objects: PageObjects, to_pixels: PointsToPixels
) -> list[PdfWord]:
    """The words, without those that are illegible, which are left out of all drawings too.

    PDFium draws a large blot for squeezed letters. Letters over each other are a symbol.
    """
    size = NEVER_LEGIBLE * _smallest_size(to_pixels)
    readable: list[PdfWord] = []
    illegible: list[PdfWord] = []
    for word in words:
        left, bottom, right, top = word.rect
        length, height = right - left, top - bottom
        narrow = MIN_LETTER_WIDTH * word.orientation.height * len(word.text)
        # Almost all words are so large, and drawn by so few objects, that nothing else has to be looked at.
        is_illegible = (
            length < size or height < size or length < narrow or height < narrow or word.objects >= MIN_STACK
        ) and (_is_tiny(word, size) or _is_squeezed(word, text_page) or _is_stack(word, text_page))
        (illegible if is_illegible else readable).append(word)
    if illegible:
        drawn = {text_page.address(index) for word in illegible for index in range(word.first, word.end)}
        for address in drawn - {word.address for word in readable}:
            if handle := objects.texts.pop(address, None):
                hide(handle)
    return readable


def legible(words: Sequence[OwnWord], to_pixels: PointsToPixels) -> list[OwnWord]:
    """The words without those whose letters are so small that nobody reads them without a magnifying glass."""
    size = _smallest_size(to_pixels)
    height = LETTER_HEIGHT * size
    return [word for word in words if word.orientation.height > height or not _has_ink_below(word.pdf_word, size)]


def _smallest_size(to_pixels: PointsToPixels) -> float:
    """The smallest size of legible letters, in points."""
    return min(MIN_SIZE, MIN_SIZE_SHARE * max(to_pixels.width, to_pixels.height) / to_pixels.pixels_per_point)


def _is_tiny(word: PdfWord, size: float) -> bool:
    """True if the letters of a word are at most of this size. The ink is looked at first, which saves asking for it."""
    return _has_ink_below(word, size) and 0.0 < word.orientation.height <= LETTER_HEIGHT * size


def _has_ink_below(word: PdfWord, size: float) -> bool:
    """True if the ink of no letter or digit is as high as this."""
    left, bottom, right, top = word.rect
    low, high = sorted((right - left, top - bottom))
    return low < size and high < size * len(word.text) and any(map(str.isalnum, word.text))


def _is_squeezed(word: PdfWord, text_page: TextPage) -> bool:
    """True if the letters of the word are so narrow that nobody can read them."""
    left, bottom, right, top = word.rect
    orientation = word.orientation
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
    height = word.orientation.height
    first = text_page.begin(word.first)
    others = map(text_page.begin, range(word.first + 1, word.end))
    return all(math.dist(first, other) <= MAX_STACK_OFFSET * height for other in others)
