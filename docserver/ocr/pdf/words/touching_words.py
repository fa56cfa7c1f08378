"""Child side: joins words that PDFium parts though the one begins where the other ends.

It parts a raised number from the comma behind it, and all letters of a page that it takes for one with vertical lines.
Browsers draw letters with an opacity or a position of their own after the rest of the page, so that PDFium has them in
other words, and a gap where they stand.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise, product

from docserver.layout import Rect
from docserver.ocr.pdf.words.pdf_words import UNMAPPED, PdfWord, upright
from docserver.ocr.pdf.words.text_words import TextPage

MAX_INK_GAP = 0.3
"""Widest gap between the ink of two words that may touch, as a share of the height of the higher one. The rooms of
their letters are asked for only then, to save time."""

MAX_WORD_GAP = 1.0
"""The same for a closing sign, and for words that the text does not have one after the other."""

MAX_DROP = 0.8
"""How far the top of a comma may be below the bottom of a raised number before it, as a share of their height."""

MAX_GAP, MAX_OFFSET = 0.02, 0.02
"""Widest gap between two letters of a word, and largest difference of their baselines, as a share of their height. A
space is at least 0.15 wide."""

MAX_CLOSING_GAP, MAX_CLOSING_OFFSET = 0.08, 0.5
"""The same for a raised number and a closing sign. TeX puts half a point behind such a number."""

MAX_LIGATURE_GAP = 0.08
"""Widest gap between the ink of a ligature and the next letter, and largest overlap of them, in the same way."""

MAX_KERNING = 0.16
"""Largest overlap of two letters of a word, such as To, in the same way."""

MIN_INDEX_SIZE, MAX_INDEX_SIZE = 0.4, 0.85
"""Smallest and largest size of an index, such as that of m2, as a share of the size of the letters beside it. A brace
over many lines is larger."""

MAX_UNKNOWN_GAP = 0.2
"""Widest gap between the ink of two letters whose font has no widths, in the same way."""

MAX_MARKS = 3
"""Most vowels and tones that stand over one letter."""

MAX_ADDED = 2
"""Most characters that PDFium adds between two words. The end of a line has two."""

LINE_END = 2
"""How many it adds at the end of a line."""

ROW = 16.0
"""Height of the rows in which words are found that stand beside each other, in points."""

MIN_REACH, REACH = 5.0, 20.0
"""Widest gap between the ink of two low signs, and of two letters, that may touch, in points. A typewriter's
full stop has much room."""

MIN_SHARED_HEIGHT = 0.25
"""Smallest height that two runs of one line share, as a share of the lower one. Successive lines hardly overlap."""

MAX_ROWS = 10
"""Most rows of a run that are looked at. Higher words are turned."""

MAX_RUNS, MAX_PAIRS = 20, 2000
"""Most runs of a row, and most pairs of words of two runs, that are looked at. A page with more has words over each
other."""

_CLOSING = frozenset(".,;:)]")


def joined_where_touching(
    words: Sequence[PdfWord], text_page: TextPage, *, turns: int = 0, apart: Container[int] = ()
) -> list[PdfWord]:
    """The words, with those joined that touch each other on a line, and indices with the words beside them: the words
    that are turned counterclockwise by these quarter turns. Those that begin at the indexes `apart` stay so.
    """
    next_places: dict[int, int] = {}
    later: set[int] = set()
    behind_indices: list[tuple[int, int]] = []

    def join(place: int, next_place: int) -> None:
        if place not in next_places and next_place not in later:
            next_places[place] = next_place
            later.add(next_place)

    rects = [upright(word.rect, turns) if turns else word.rect for word in words]
    for place, next_place in _close_pairs(words, rects):
        # Words of which nobody knows the letters are read from the picture, and others need not be.
        if UNMAPPED in words[place].text or UNMAPPED in words[next_place].text:
            continue
        if words[place].first in apart or words[next_place].first in apart:
            continue
        touch = _touch(words[place], words[next_place], text_page, turns=turns)
        if touch is _Touch.BEHIND_INDEX:
            behind_indices.append((place, next_place))
        elif touch and not _are_marks(words[place + 1 : next_place]):
            join(place, next_place)
    # The mark of a note stands before its text, and an index behind a letter.
    for place, next_place in behind_indices:
        if place in later:
            join(place, next_place)
    return [_whole(place, words, next_places) for place in range(len(words)) if place not in later]


def _are_marks(words: Sequence[PdfWord]) -> bool:
    """True if all that is drawn between two words are vowels and tones over their letters."""
    return 0 < len(words) <= MAX_MARKS and all(unicodedata.category(word.text[0]).startswith("M") for word in words)


def _whole(place: int, words: Sequence[PdfWord], next_places: dict[int, int]) -> PdfWord:
    word = words[place]
    while place in next_places:
        place = next_places[place]
        word = word.followed_by(words[place])
    return word


class _Touch(IntEnum):
    """How two words are beside each other that are one."""

    NONE = False
    ON_LINE = True
    BEHIND_INDEX = 2
    """The first one is an index beside the second one."""


@dataclass(slots=True)
class _Run:
    """Successive words of which each begins right of the one before, on its line."""

    first: int
    """Index of the first word."""
    end: int
    """Index behind the last one."""
    left: float
    right: float
    bottom: float
    top: float

    @classmethod
    def of(cls, place: int, rect: Rect) -> "_Run":
        left, bottom, right, top = rect
        return cls(place, place + 1, left, right, bottom, top)

    @property
    def rows(self) -> range:
        first = int(self.bottom // ROW)
        return range(first, min(int(self.top // ROW) + 1, first + MAX_ROWS))

    def add(self, rect: Rect) -> None:
        _, bottom, right, top = rect
        self.end += 1
        self.right = max(self.right, right)
        self.bottom = min(self.bottom, bottom)
        self.top = max(self.top, top)

    def may_touch(self, other: "_Run") -> bool:
        """True if two runs are on one line without a wide gap between them. One may stand in a gap of the other."""
        shared = min(self.top, other.top) - max(self.bottom, other.bottom)
        return self.left - other.right <= REACH >= other.left - self.right and shared > MIN_SHARED_HEIGHT * min(
            self.top - self.bottom, other.top - other.bottom
        )


def _close_pairs(words: Sequence[PdfWord], rects: Sequence[Rect]) -> Iterator[tuple[int, int]]:
    """The indexes of words whose ink is close beside each other: of two words that the text has one after the other,
    and of two that are apart in it.
    """
    runs = [_Run.of(0, rects[0])] if rects else []
    for place, (word, following) in enumerate(pairwise(words)):
        left, bottom, right, top = rects[place]
        next_left, next_bottom, _, next_top = rects[place + 1]
        added, gap = following.first - word.end, next_left - right
        if left < next_left and bottom < next_top and next_bottom < top:
            runs[-1].add(rects[place + 1])
            if added == LINE_END or (added == 1 and _may_be_close(gap, rects[place], rects[place + 1], following)):
                yield place, place + 1
        else:
            runs.append(_Run.of(place + 1, rects[place + 1]))
            # A comma is below a raised number.
            if added == LINE_END and left < next_left and following.text[0] in _CLOSING:
                yield place, place + 1
    for run, other in _runs_of_lines(runs):
        yield from _pairs_between(run, other, rects)


def _may_be_close(gap: float, rect: Rect, next_rect: Rect, following: PdfWord) -> bool:
    height = max(rect[3] - rect[1], next_rect[3] - next_rect[1])
    return gap < MAX_INK_GAP * height or (gap < MAX_WORD_GAP * height and following.text[0] in _CLOSING)


def _runs_of_lines(runs: Sequence[_Run]) -> Iterator[tuple[_Run, _Run]]:
    """The pairs of runs that may have words beside each other."""
    rows: dict[int, list[_Run]] = defaultdict(list)
    for run in runs:
        beside: dict[int, _Run] = {}
        for row in run.rows:
            others = rows[row]
            beside.update((other.first, other) for other in others if run.may_touch(other))
            if len(others) < MAX_RUNS:
                others.append(run)
        for other in beside.values():
            yield other, run


def _pairs_between(run: _Run, other: _Run, rects: Sequence[Rect]) -> Iterator[tuple[int, int]]:
    left, right = max(run.left, other.left) - REACH, min(run.right, other.right) + REACH
    places, others = (
        [place for place in range(one.first, one.end) if rects[place][2] >= left and rects[place][0] <= right]
        for one in (run, other)
    )
    if len(places) * len(others) > MAX_PAIRS:
        return
    for place, beside in product(places, others):
        if _are_close(rects[place], rects[beside]):
            yield place, beside
        elif _are_close(rects[beside], rects[place]):
            yield beside, place


def _are_close(before: Rect, after: Rect) -> bool:
    """True if the second rectangle is right of the first one on its line, and close to it."""
    height = max(before[3] - before[1], after[3] - after[1])
    return (
        before[0] < after[0] <= before[2] + max(MAX_WORD_GAP * height, MIN_REACH)
        and before[1] - MAX_DROP * height < after[3]
        and after[1] < before[3]
    )


def _touch(word: PdfWord, following: PdfWord, text_page: TextPage, *, turns: int) -> _Touch:
    """How the words are beside each other, if one does not see any space between them."""
    last, first = word.last, following.first
    if any(one.orientation.turns != turns for one in (word, following)):
        return _Touch.NONE
    _, bottom, end, top = text_page.room(last)
    start, next_bottom, _, next_top = text_page.room(first)
    size, next_size = top - bottom, next_top - next_bottom
    height = max(size, next_size) or 1.0
    if min(size, next_size) < MIN_INDEX_SIZE * height:
        return _Touch.NONE
    gap, offset = (
        (start - end) / height,
        abs(text_page.begin_upright(first)[1] - text_page.begin_upright(last)[1]) / height,
    )
    if offset <= MAX_OFFSET:
        return _Touch(_touch_on_line(word, following, text_page, gap=gap, height=height))
    if following.text[0] in _CLOSING:
        return _Touch(offset <= MAX_CLOSING_OFFSET and abs(gap) <= MAX_CLOSING_GAP)
    is_index = min(size, next_size) <= MAX_INDEX_SIZE * height and not _are_two_numbers(word.text, following.text)
    if not is_index or offset > MAX_CLOSING_OFFSET or abs(gap) > MAX_GAP:
        return _Touch.NONE
    return _Touch.BEHIND_INDEX if size < next_size else _Touch.ON_LINE


def _touch_on_line(word: PdfWord, following: PdfWord, text_page: TextPage, *, gap: float, height: float) -> bool:
    last, first = word.last, following.first
    if text_page.are_of_one_object(last, first) or not _are_added(word, following, text_page):
        return False
    advance = text_page.advance(last)
    if first == word.end + 1 and advance < 0.0:
        return gap <= MAX_UNKNOWN_GAP
    begin, (next_x, _) = text_page.begin_upright(last), text_page.begin_upright(first)
    left, _, end, _ = text_page.room(last)
    if word.text[-1].isascii() and text_page.begin_upright(last - 1) == begin:
        # The room of a ligature is that of its ink.
        return abs(next_x - end) <= MAX_LIGATURE_GAP * height
    start = text_page.room(first)[0]
    if (min(start, next_x) - end) / height > MAX_GAP:
        return False
    if -MAX_KERNING <= (next_x - begin[0] - advance) / height <= MAX_GAP:
        return True
    # The room of an italic letter may have no ends of its own, but those of the ink over the space.
    is_straight = max(abs(left - begin[0]), abs(start - next_x)) <= MAX_GAP * height
    return is_straight and gap >= -MAX_GAP


def _are_two_numbers(text: str, following: str) -> bool:
    """True if one might take a number and its index for one number."""
    return text[-1].isdigit() and any(map(str.isdigit, following))


def _are_added(word: PdfWord, following: PdfWord, text_page: TextPage) -> bool:
    """True if none of the characters between two words is a space that is drawn between them."""
    between = range(word.end, following.first)
    if len(between) > MAX_ADDED:
        return True
    left, right = text_page.begin_upright(word.last)[0], text_page.begin_upright(following.first)[0]
    return all(
        text_page.is_generated(index) or not left <= text_page.begin_upright(index)[0] <= right for index in between
    )
