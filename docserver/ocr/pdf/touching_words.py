"""Child side: joins words that PDFium parts though the one begins where the other ends.

It parts a raised number from the comma behind it. Where a program draws the indices of a line last, PDFium reads them
in the middle of the line, though the letters there are of one word.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from docserver.layout import Rect
from docserver.ocr.pdf.pdf_words import PdfWord
from docserver.ocr.pdf.text_words import TextPage

MAX_INK_GAP = 0.3
"""Widest gap between the ink of two words that may touch, as a share of the height of the first. The rooms of their
letters are asked for only then, to save time."""

MAX_WORD_GAP = 1.0
"""Widest gap between two words that the text has one after the other, in the same way."""

MAX_GAP, MAX_OFFSET = 0.02, 0.02
"""Widest gap between two letters of a word, and largest difference of their baselines, as a share of their height. A
space is at least 0.15 wide."""

MAX_CLOSING_GAP, MAX_CLOSING_OFFSET = 0.08, 0.5
"""The same for a raised number and a closing sign. TeX puts half a point behind such a number."""

MAX_UNKNOWN_GAP = 0.2
"""Widest gap between the ink of two letters whose font has no widths, in the same way."""

MAX_ADDED = 2
"""Most characters that PDFium adds between two words. The end of a line has two."""

SQUARE = 8.0
"""Side of the squares of a grid in which words are found that begin where others end, in points."""

MAX_STARTS = 20
"""Most words of a square that are looked at. A page with more has words over each other."""

_CLOSING = frozenset(".,;:)]")


def joined_where_touching(words: Sequence[PdfWord], text_page: TextPage) -> list[PdfWord]:
    """The words, with those joined that touch each other on a line."""
    next_places: dict[int, int] = {}
    later: set[int] = set()
    for place, next_place in _close_pairs(words):
        if place not in next_places and next_place not in later and _touch(words[place], words[next_place], text_page):
            next_places[place] = next_place
            later.add(next_place)
    return [_whole(place, words, next_places) for place in range(len(words)) if place not in later]


def _whole(place: int, words: Sequence[PdfWord], next_places: dict[int, int]) -> PdfWord:
    word = words[place]
    while place in next_places:
        place = next_places[place]
        word = word.followed_by(words[place])
    return word


def _close_pairs(words: Sequence[PdfWord]) -> Iterator[tuple[int, int]]:
    """The indexes of words whose ink is close beside each other: of a word and a closing sign behind it, and of two
    words that are apart in the text.
    """
    ends: list[int] = []
    starts: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, (word, following) in enumerate(pairwise(words)):
        left, bottom, right, top = word.rect
        next_left, next_bottom, _, next_top = following.rect
        is_in_line = left < next_left and bottom < next_top and next_bottom < top
        if not is_in_line:
            ends.append(place)
        if not is_in_line or next_left > right + MAX_WORD_GAP * (top - bottom):
            there = starts[_square(next_left, next_bottom)]
            if len(there) < MAX_STARTS:
                there.append(place + 1)
        elif 0 < following.first - word.end <= MAX_ADDED and (
            next_left < right + MAX_INK_GAP * (top - bottom) or following.text[0] in _CLOSING
        ):
            yield place, place + 1
    for place in ends:
        _, bottom, right, _ = rect = words[place].rect
        column, row = _square(right, bottom)
        for square in product(range(column - 1, column + 2), range(row - 1, row + 2)):
            for start in starts.get(square, ()):
                if _are_close(rect, words[start].rect):
                    yield place, start


def _square(x: float, y: float) -> tuple[int, int]:
    return int(x // SQUARE), int(y // SQUARE)


def _are_close(before: Rect, after: Rect) -> bool:
    """True if the second rectangle is right of the first one on its line, and close to it."""
    limit = before[2] + MAX_INK_GAP * (before[3] - before[1])
    return before[0] < after[0] <= limit and before[1] < after[3] and after[1] < before[3]


def _touch(word: PdfWord, following: PdfWord, text_page: TextPage) -> bool:
    """True if one does not see any space between the two words."""
    last, first = word.end - 1, following.first
    orientations = text_page.orientation(word), text_page.orientation(following)
    # One of them may be invisible.
    if any(orientation.turns for orientation in orientations) or text_page.look(last) != text_page.look(first):
        return False
    left, bottom, end, top = text_page.room(last)
    start, next_bottom, _, next_top = text_page.room(first)
    (x, y), (next_x, next_y) = text_page.begin(last), text_page.begin(first)
    height = max(top - bottom, next_top - next_bottom) or 1.0
    gap, offset = (start - end) / height, abs(next_y - y) / height
    if offset > MAX_OFFSET and following.text[0] in _CLOSING:
        return offset <= MAX_CLOSING_OFFSET and abs(gap) <= MAX_CLOSING_GAP
    if offset > MAX_OFFSET or not _are_added(word, following, text_page):
        return False
    if text_page.are_of_one_object(last, first):
        return False
    if first == word.end + 1 and text_page.has_negative_width(last):
        return gap <= MAX_UNKNOWN_GAP
    # The room of an italic letter may have no ends of its own, but those of the ink over the space.
    is_straight = max(abs(left - x), abs(start - next_x)) <= MAX_GAP * height
    return is_straight and abs(gap) <= MAX_GAP


def _are_added(word: PdfWord, following: PdfWord, text_page: TextPage) -> bool:
    """True if none of the characters between two words is a space that is drawn between them."""
    between = range(word.end, following.first)
    if len(between) > MAX_ADDED:
        return True
    left, right = text_page.begin(word.end - 1)[0], text_page.begin(following.first)[0]
    return all(text_page.is_generated(index) or not left <= text_page.begin(index)[0] <= right for index in between)
