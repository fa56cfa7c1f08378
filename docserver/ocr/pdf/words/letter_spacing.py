"""Child side: joins the letters of words that are drawn with wide spaces between all letters, such as S U M M A R Y."""

import itertools
from collections.abc import Iterator, Sequence
from statistics import median

from docserver.ocr.pdf.words.pdf_words import PdfWord
from docserver.ocr.pdf.words.plausibility import share_of_common_pairs
from docserver.ocr.pdf.words.text_words import TextPage

MIN_LETTERS = 4
"""Fewest letters that are joined. A, B and C may be the heads of three columns."""

MAX_LENGTH = 2
"""Most characters of what is one letter."""

_SEVERAL_SHORT = bytes(MIN_LETTERS * [True])
"""Stands for successive words that are short enough to be letters. Most pages have none."""

MAX_GAP = 1.2
"""Widest space between two letters, as a share of the letters' height. Columns of a table are further apart."""

MAX_WORD_GAP = 3.0
"""Widest space between two words, as a share of the letters' height."""

MIN_WORD_GAP = 1.75
"""Smallest space between two words, as a multiple of the usual space between two letters."""

MAX_IRREGULARITY = 0.02
"""Largest difference of distances that are equal, as a share of them. Letters of a typewriter, and some that are drawn
one by one, have equal distances, and narrow ones have more space around them."""

MIN_WORD_DISTANCE = 1.4
"""Smallest distance of the first letter of a word from the letter before it, as a multiple of the usual distance."""

MAX_BASELINE_OFFSET = 0.1
"""Largest difference of the baselines of two letters, as a share of the letters' height."""

MIN_COMMON_SHARE = 0.4
"""Smallest share of pairs of letters that are common in some language. Lists such as A B C D and Y N Y N have fewer."""


def without_letter_spacing(words: Sequence[PdfWord], text_page: TextPage) -> list[PdfWord]:
    """The words, with letters joined that are words only together."""
    if _SEVERAL_SHORT not in bytes([len(word.text) <= MAX_LENGTH for word in words]):
        return list(words)
    return [
        whole
        for is_letter, alike in itertools.groupby(words, key=_is_letter)
        for whole in (_in_lines(list(alike), text_page) if is_letter else alike)
    ]


def _is_letter(word: PdfWord) -> bool:
    """True if the word is a letter or digit, which may have a quotation mark, a colon or the like beside it."""
    return len(word.text) <= MAX_LENGTH and sum(map(str.isalnum, word.text)) == 1 and not word.right_to_left


def _in_lines(letters: Sequence[PdfWord], text_page: TextPage) -> Iterator[PdfWord]:
    line: list[PdfWord] = []
    for letter in letters:
        if line and _step(line[-1], letter, text_page) is None:
            yield from _words(line, text_page)
            line = []
        line.append(letter)
    yield from _words(line, text_page)


def _step(first: PdfWord, second: PdfWord, text_page: TextPage) -> tuple[float, float] | None:
    """The distance from the start of a letter to that of the next one, and the space between them, in points; None if
    the second is not close behind the first, on its line.
    """
    orientation = first.orientation
    if orientation.crooked or second.orientation.turns != orientation.turns:
        return None
    (x0, y0), (x1, y1) = text_page.origin(first), text_page.origin(second)
    is_upright, forwards = orientation.turns % 2 == 0, orientation.turns in (0, 1)
    along, across = (x1 - x0, y1 - y0) if is_upright else (y1 - y0, x1 - x0)
    low, high = (0, 2) if is_upright else (1, 3)
    gap = second.rect[low] - first.rect[high] if forwards else first.rect[low] - second.rect[high]
    if (along > 0) != forwards or abs(across) > MAX_BASELINE_OFFSET * orientation.height:
        return None
    return (abs(along), gap) if gap <= MAX_WORD_GAP * orientation.height else None


def _words(line: Sequence[PdfWord], text_page: TextPage) -> Iterator[PdfWord]:
    """The words of a line of letters; the letters themselves if that does not look like words."""
    if len(line) < MIN_LETTERS:
        yield from line
        return
    steps = [_step(first, second, text_page) or (0.0, 0.0) for first, second in itertools.pairwise(line)]
    words = [line[0]]
    for letter, is_new in zip(line[1:], _word_starts(steps), strict=True):
        if is_new:
            words.append(letter)
        else:
            words[-1] = words[-1].followed_by(letter)
    is_dense = median(gap for _, gap in steps) <= MAX_GAP * line[0].orientation.height
    has_letters = sum(any(map(str.isalpha, letter.text)) for letter in line) >= MIN_LETTERS
    if is_dense and has_letters and share_of_common_pairs(word.text for word in words) >= MIN_COMMON_SHARE:
        yield from words
    else:
        yield from line


def _word_starts(steps: Sequence[tuple[float, float]]) -> list[bool]:
    """For each letter but the first, True if it begins a word."""
    distances, gaps = zip(*steps, strict=True)
    distance, gap = median(distances), median(gaps)
    regular = sum(abs(other - distance) <= MAX_IRREGULARITY * distance for other in distances)
    if 2 * regular > len(distances):
        return [other > MIN_WORD_DISTANCE * distance for other in distances]
    return [other > MIN_WORD_GAP * gap for other in gaps]
