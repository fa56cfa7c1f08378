"""Child side: finds large first letters that stand apart from the rest of their words."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from docserver.ocr.pdf.words.own_words import OwnWord
from docserver.ocr.pdf.words.text_words import TextPage

MIN_SIZE_RATIO = 1.3
"""Smallest size of such a letter, as a multiple of the size of the letters behind it."""

MAX_GAP = 0.2
"""Widest gap behind it, as a share of the height of the letters behind it. A space between words is wider."""

MAX_BEARING = 0.06
"""The part of the gap that belongs to the large letter itself, as a share of its height."""

_WORDS = frozenset("AI")
"""Letters that are often words of their own. Only a space tells, and programs leave it out behind a large letter."""


def initials(words: Sequence[OwnWord], text_page: TextPage) -> Iterator[tuple[OwnWord, OwnWord]]:
    """Pairs of successive words that are one: its first letter and the rest. The file has no space between them."""
    for first, rest in pairwise(words):
        letter = first.pdf_word.text
        if (
            len(letter) == 1
            and letter.isupper()
            and letter not in _WORDS
            and rest.pdf_word.text[0].isalpha()
            and first.orientation.height >= MIN_SIZE_RATIO * rest.orientation.height
            and first.orientation.turns == rest.orientation.turns
            and not (first.orientation.crooked or rest.orientation.crooked)
            and _are_close(first, rest, text_page)
            and all(map(text_page.is_generated, range(first.pdf_word.end, rest.pdf_word.first)))
        ):
            yield first, rest


def _are_close(first: OwnWord, rest: OwnWord, text_page: TextPage) -> bool:
    """True if the rest begins right behind the letter, and not above or below it."""
    _, bottom, right, top = text_page.ink(first.pdf_word.first)
    left, low, _, high = text_page.ink(rest.pdf_word.first)
    height = rest.orientation.height
    return (
        -MAX_GAP * height <= left - right <= MAX_GAP * height + MAX_BEARING * first.orientation.height
        and min(top, high) - max(bottom, low) >= 0.0
    )
