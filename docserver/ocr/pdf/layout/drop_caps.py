"""Child side: puts large first letters of paragraphs, which reach down over several lines, into the first of these."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from docserver.ocr.pdf.layout.line_segments import PlacedWord

MIN_SIZE_RATIO = 1.8
"""Smallest size of such a letter, as a multiple of the size of the letters beside it."""

MAX_GAP = 1.0
"""Widest space behind it, as a share of the size of the letters beside it."""

CAPITAL = 0.75
"""Height of a capital, as a share of the size of its font. Accents and descenders have the rest."""

MIN_LINES = 2
"""Fewest lines beside it."""


def with_drop_caps_in_line(words: Sequence[PlacedWord]) -> list[PlacedWord]:
    """The words, each such letter before the word beside its top and on its line. The file may draw it later."""
    usual = median(word.size for word in words) if words else 0.0
    placed = list(words)
    for letter in words:
        if len(letter.text) != 1 or not letter.text.isupper() or letter.size < MIN_SIZE_RATIO * usual:
            continue
        beside = [word for word in words if _is_beside(word, letter)]
        if len({round(2 * word.baseline / word.size) for word in beside}) >= MIN_LINES:
            first = min(beside, key=lambda word: (word.baseline, word.x0))
            place = next(place for place, word in enumerate(placed) if word is letter)
            del placed[place]
            place = next(place for place, word in enumerate(placed) if word is first)
            placed.insert(place, replace(letter, baseline=first.baseline, size=first.size))
    return placed


def _is_beside(word: PlacedWord, letter: PlacedWord) -> bool:
    """True if a word stands right behind a large letter, between its top and its foot."""
    gap = word.x0 - letter.x1
    return (
        -MAX_GAP / 2 * word.size <= gap <= MAX_GAP * word.size
        and letter.size >= MIN_SIZE_RATIO * word.size
        and letter.baseline - CAPITAL * letter.size < word.baseline < letter.baseline + word.size / 2
    )
