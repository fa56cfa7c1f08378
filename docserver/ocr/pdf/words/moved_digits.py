"""Child side: puts digits in order that a file draws from left to right only in part, as 12 and then 34 before them."""

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import pairwise

from docserver.ocr.pdf.words.pdf_words import PdfWord, upright
from docserver.ocr.pdf.words.text_words import TextPage

MAX_BEARING = 0.3
"""Widest blank before the ink of the first digit, as a share of the letters' height."""

MIN_SPACE = 0.155
"""Smallest space between two words, in the same way."""

MIN_STEP = 0.1
"""Smallest distance of two signs of a number, in the same way. A full stop is 0.2 wide."""

_TWO_DIGITS = re.compile(r"\d\D?\d|[.,]\d")


def with_digits_in_order(words: Iterable[PdfWord], text_page: TextPage) -> Iterator[PdfWord]:
    """The words, with the letters of those with digits as they stand on the page."""
    for word in words:
        if (
            not word.text.isalpha()
            and _TWO_DIGITS.search(word.text)
            and len(word.text) == word.end - word.first
            and _is_moved(word, text_page)
        ):
            yield from _in_order(word, text_page)
        else:
            yield word


def _is_moved(word: PdfWord, text_page: TextPage) -> bool:
    """True if the word does not begin with its first letter. Looking only at this saves time."""
    orientation = word.orientation
    if orientation.crooked or word.right_to_left:
        return False
    left, *_ = upright(word.rect, orientation.turns)
    return text_page.begin_upright(word.first)[0] > left + MAX_BEARING * orientation.height


def _in_order(word: PdfWord, text_page: TextPage) -> Iterator[PdfWord]:
    """The word or words that the letters are from left to right; the word itself if some are over each other."""
    height = word.orientation.height
    letters = [text_page.part(word, place, place + 1) for place in range(len(word.text))]
    letters.sort(key=lambda letter: text_page.begin_upright(letter.first))
    begins = [text_page.begin_upright(letter.first) for letter in letters]
    # Beside text from the right to the left, the letters of a word are in order already.
    are_as_drawn = all(ord(letter.text) == text_page.code(letter.first) for letter in letters)
    if not are_as_drawn or any(x1 - x0 < MIN_STEP * height or y0 != y1 for (x0, y0), (x1, y1) in pairwise(begins)):
        yield word
        return
    wholes = [[letters[0]]]
    for before, letter in pairwise(letters):
        if text_page.room(letter.first)[0] - text_page.room(before.first)[2] > MIN_SPACE * height:
            wholes.append([])
        wholes[-1].append(letter)
    yield from (reduce(PdfWord.followed_by, whole) for whole in wholes)
