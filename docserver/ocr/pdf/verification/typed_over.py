"""Child side: finds words of a PDF page over which other words are drawn, and what one may see there. Does not read it.

A letter may be patched: something covers it, and another letter is drawn in its place.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import PointsToPixels
from docserver.ocr.pdf.verification.seen_ink import Candidate
from docserver.ocr.pdf.words.own_words import MarkedPart, MarkedWords, OwnWord

MIN_OVERLAP = 0.6
"""Smallest share of the smaller of two words that is over the other one, along their lines and across. Neighbouring
letters that are kerned, and labels of a map that cross each other, share less."""

MAX_SIZE_RATIO = 1.5
"""Largest size of the letters of one of the words, as a multiple of that of the other. Watermarks are larger."""

MAX_BASELINE_OFFSET = 0.12
"""Largest distance of the baselines of two such words, as a share of the letters' height. An index has 0.2."""

STRIKES = frozenset("-\u2013\u2014_=~/|")
"""Signs that underline words, or strike them out, if one sees what is under them."""

BLOCK = "\u2588"
"""A sign that only covers what is behind it."""

MAX_OFFSET = 1.2
"""How far from its place in a word of equally wide letters a letter may be, in letters."""


@dataclass(frozen=True, slots=True)
class TypedOver:
    """Two words, of which one is drawn over the other."""

    under: int
    over: int
    is_patch: bool
    """True if what is under the second word cannot be seen, because something covers it."""


def are_typed_over(word: Candidate, other: Candidate) -> bool:
    """True if one of two overlapping words is drawn where letters of the other are."""
    if word.text == other.text or max(word.height, other.height) > MAX_SIZE_RATIO * min(word.height, other.height):
        return False
    shorter, longer = sorted((word, other), key=lambda either: len(either.text))
    if longer.is_sign:
        return False
    place = shared(word.rect, other.rect)
    shares = [
        (place[low + 2] - place[low]) / max(min(rect[low + 2] - rect[low] for rect in (word.rect, other.rect)), 0.1)
        for low in (0, 1)
    ]
    # A comma that is drawn over a point reaches below it.
    return max(shares) >= MIN_OVERLAP and (shorter.is_sign or min(shares) >= MIN_OVERLAP)


def shared(rect: Rect, other: Rect) -> Rect:
    """What two overlapping rectangles have in common."""
    return max(rect[0], other[0]), max(rect[1], other[1]), min(rect[2], other[2]), min(rect[3], other[3])


def in_one_line(pairs: Iterable[TypedOver], words: Sequence[OwnWord], to_pixels: PointsToPixels) -> list[TypedOver]:
    """Those of the pairs, which are numbers of these words, that stand on the same baseline. The boxes of slanted
    words, and of letters with an index, share more than their ink does.
    """
    return [pair for pair in pairs if _are_level(words[pair.under], words[pair.over], to_pixels)]


def _are_level(word: OwnWord, other: OwnWord, to_pixels: PointsToPixels) -> bool:
    if word.orientation.crooked or other.orientation.crooked or word.orientation.turns != other.orientation.turns:
        return False
    across = int((word.orientation.turns - to_pixels.turns) % 2 == 0)
    offset = abs(word.baseline[across] - other.baseline[across])
    return offset <= MAX_BASELINE_OFFSET * word.orientation.height * to_pixels.pixels_per_point


def patched_words(
    pairs: Iterable[TypedOver], words: Sequence[OwnWord], to_pixels: PointsToPixels
) -> Iterator[MarkedWords]:
    """The words of which a letter is patched, with what is drawn over them."""
    over: dict[int, list[OwnWord]] = defaultdict(list)
    for pair in pairs:
        over[pair.under].append(words[pair.over])
    for under, others in over.items():
        word = words[under]
        turns = int(word.direction(to_pixels)) // 90
        seen = "|".join(map(re.escape, _patched(word, others, turns)))
        first = MarkedPart(word.rect, f"(?:{seen})", word, 0.0)
        rest = (MarkedPart(other.rect, "", other, 0.0) for other in others)
        yield MarkedWords((first, *rest), turns, is_longer=False)


def _patched(word: OwnWord, over: Sequence[OwnWord], turns: int) -> Iterator[str]:
    """What the word may say with these others over one of its letters."""
    text = word.pdf_word.text
    new = "".join(other.pdf_word.text for other in over).replace(BLOCK, "")
    place = _share_before(word.rect, over[0].rect, turns) * len(text) - 0.5
    for index in range(len(text)):
        if abs(index - place) <= MAX_OFFSET:
            yield text[:index] + new + text[index + max(1, len(new)) :]


def _share_before(rect: Rect, inner: Rect, turns: int) -> float:
    """The share of a word that is before the middle of what is over it."""
    left, top, right, bottom = rect
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    along = (x - left, bottom - y, right - x, y - top)[turns]
    return along / max((bottom - top) if turns % 2 else (right - left), 1.0)
