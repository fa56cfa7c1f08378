"""Child side: joins words that PDFium parts though the gap between them is that between their own letters.

TeX spreads the letters of programs to the width of a typewriter's, and other programs draw each letter by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from docserver.ocr.pdf.words.pdf_words import PdfWord
from docserver.ocr.pdf.words.plausibility import LAST_OF_ALPHABETS
from docserver.ocr.pdf.words.text_words import TextPage

MAX_INK_GAP, MAX_INK_GAP_OF_SHORT = 0.4, 0.55
"""Widest gap between the ink of two such words, and of two short ones, as a share of the height of the higher one. The
rooms of their letters are asked for only then, to save time."""

SHORT = 2
"""Most letters of a short word. One of two such words is short, since PDFium parts at single letters."""

MAX_GAP, MAX_GAP_IN_ROW = 0.2, 0.17
"""Widest gap between two letters of a word, and between letters of a row, as a share of their height. Most spaces
have at least 0.25."""

MIN_GAP = 0.02
"""Smallest gap that is looked at, and largest difference of two equal ones, in the same way."""

_WORDS = frozenset("AEIOUYaeiouy")
"""Letters that are words of their own in some language."""


def joined_spread_letters(words: Sequence[PdfWord], text_page: TextPage) -> list[PdfWord]:
    """The words, with such ones joined that follow each other in the text."""
    gaps = dict(_gaps(words, text_page))
    if not gaps:
        return list(words)
    joined = _in_rows(words, gaps)
    # From both sides, because single letters have no gaps of their own but those to words that are joined to them.
    for place in (*reversed(gaps), *gaps):
        others = [
            *_inner_gaps(words[place], words[place + 1], text_page),
            *(gaps[beside] for beside in (place - 1, place + 1) if beside in joined),
        ]
        if any(gaps[place] - MIN_GAP <= other <= MAX_GAP for other in others):
            joined.add(place)
    whole = list(words[:1])
    for place, following in enumerate(words[1:]):
        if place in joined:
            whole[-1] = text_page.as_one(whole[-1], following)
        else:
            whole.append(following)
    return whole


def _in_rows(words: Sequence[PdfWord], gaps: Mapping[int, float]) -> set[int]:
    """The indexes of words in rows of single letters, and two together, with equal gaps."""
    lengths = {place: [len(word.text) for word in words[place : place + 2]] for place in gaps}
    letters = {
        place
        for place, gap in gaps.items()
        if gap <= MAX_GAP_IN_ROW
        and min(lengths[place]) == 1
        and max(lengths[place]) <= SHORT
        and all(word.text.isalpha() and word.text <= LAST_OF_ALPHABETS for word in words[place : place + 2])
    }
    pairs = [
        place
        for place in letters
        if place + 1 in letters
        and abs(gaps[place] - gaps[place + 1]) <= MIN_GAP
        # Short words in a row have narrow spaces in some fonts, as in "as I am".
        and any(len(word.text) == 1 and word.text not in _WORDS for word in words[place : place + 3])
    ]
    return {place for pair in pairs for place in (pair, pair + 1)}


def _gaps(words: Sequence[PdfWord], text_page: TextPage) -> Iterator[tuple[int, float]]:
    """The indexes of words to which the next one is that close, and the gaps, as a share of the letters' height."""
    for place, (word, following) in enumerate(pairwise(words)):
        if len(word.text) > SHORT < len(following.text) or following.first != word.end + 1:
            continue
        left, bottom, right, top = word.rect
        next_left, next_bottom, _, next_top = following.rect
        reach = max(top - bottom, next_top - next_bottom)
        max_gap = MAX_INK_GAP if max(len(word.text), len(following.text)) > SHORT else MAX_INK_GAP_OF_SHORT
        last, first = word.end - 1, following.first
        if (
            left < next_left <= right + max_gap * reach
            and text_page.is_generated(word.end)
            and MIN_GAP < (gap := _gap(last, first, text_page)) <= MAX_GAP
            and not word.orientation.turns
            and text_page.begin(last)[1] == text_page.begin(first)[1]
            # One of them may be invisible.
            and text_page.look(last) == text_page.look(first)
        ):
            yield place, gap


def _inner_gaps(word: PdfWord, following: PdfWord, text_page: TextPage) -> Iterator[float]:
    """The gaps before the last letter of a word, and behind the first letter of the next one."""
    if len(word.text) > 1:
        yield _gap(word.end - 2, word.end - 1, text_page)
    if len(following.text) > 1:
        yield _gap(following.first, following.first + 1, text_page)


def _gap(before: int, after: int, text_page: TextPage) -> float:
    _, bottom, end, top = text_page.room(before)
    return (text_page.room(after)[0] - end) / max(top - bottom, 1.0)
