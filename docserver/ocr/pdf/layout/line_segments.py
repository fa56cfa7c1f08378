"""Child side: joins the words that a text layer draws one after the other into segments of lines.

What a segment is part of, a column or a table, is not decided here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docserver.layout import EXACT, Box

MAX_WORD_GAP = 1.0
"""Widest space between two words of a line, as a share of the letters' size. Justified text stays below it."""

MAX_BASELINE_OFFSET = 0.35
"""Largest difference of baselines within a line, as a share of the letters' size. Exponents and indices differ by about
0.3."""

MAX_RAISED_LENGTH = 5
"""Most characters of a raised number, such as [12]."""

MAX_RAISED_SIZE = 0.85
"""Largest size of a raised number, such as cents after euros, as a share of the size of the letters beside it."""

MAX_RISE = 0.6
"""Largest rise of such a number, as a share of the size of the letters beside it. It hardly exceeds capitals."""

MAX_RAISED_GAP = 0.5
"""Widest space before or behind such a number, as a share of the size of the letters beside it."""


@dataclass(slots=True)
class PlacedWord:
    """A word with its place on an image that is turned so that the word is upright. Pixels; y grows downwards. Not
    frozen, to save time.
    """

    text: str
    x0: float
    x1: float
    baseline: float
    size: float
    """Height of the letters from ascender to descender."""
    right_to_left: bool
    box: Box
    """On the image as it lies."""
    confidence: float = EXACT


@dataclass(slots=True)
class Segment:
    """Successive words on one line, without a wide gap between them."""

    words: list[PlacedWord]
    order: int
    """The position of the segment's first word in the order in which words are drawn."""
    x0: float
    x1: float
    baseline: float
    size: float

    @property
    def top(self) -> float:
        """The top without ascenders, so that lines with little spacing do not overlap."""
        return self.baseline - 0.6 * self.size

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def letters(self) -> int:
        return sum(len(word.text) for word in self.words) + len(self.words) - 1


def segments_of(words: Sequence[PlacedWord]) -> Iterator[Segment]:
    segment: Segment | None = None
    for order, word in enumerate(words):
        if segment is not None and _continues(segment, word):
            segment.words.append(word)
            segment.x0, segment.x1 = min(segment.x0, word.x0), max(segment.x1, word.x1)
            if word.size > segment.size:
                segment.size, segment.baseline = word.size, word.baseline
            continue
        if segment is not None:
            yield segment
        segment = Segment([word], order, word.x0, word.x1, word.baseline, word.size)
    if segment is not None:
        yield segment


def _continues(segment: Segment, word: PlacedWord) -> bool:
    """True if the word is on the segment's line, close to the segment's last word."""
    size = max(segment.size, word.size)
    last = segment.words[-1]
    if abs(segment.baseline - word.baseline) > MAX_BASELINE_OFFSET * size:
        return is_raised(last, word) or is_raised(word, last)
    if word.right_to_left != last.right_to_left:
        # Where text of two writing directions meets, the next word may be on either side of the segment.
        gap = max(word.x0 - segment.x1, segment.x0 - word.x1)
    else:
        gap = last.x0 - word.x1 if word.right_to_left else word.x0 - last.x1
    return -MAX_BASELINE_OFFSET * size < gap < MAX_WORD_GAP * size


def is_raised(word: PlacedWord, beside: PlacedWord) -> bool:
    """True if the first word is a raised number right beside the other word, on its line."""
    gap = max(word.x0 - beside.x1, beside.x0 - word.x1)
    return (
        len(word.text) <= MAX_RAISED_LENGTH
        and word.size <= MAX_RAISED_SIZE * beside.size
        and 0 < beside.baseline - word.baseline <= MAX_RISE * beside.size
        and -MAX_BASELINE_OFFSET * word.size < gap < MAX_RAISED_GAP * beside.size
    )
