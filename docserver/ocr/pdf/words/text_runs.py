"""Child side: what each text object draws of a word, and where such parts are words or numbers of their own."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MIN_RISE = 0.15
"""Smallest rise of a raised number, as a share of the letters' size. Exponents rise by 0.3."""

MAX_SMALLER_SIZE = 0.75
"""Largest size of small digits beside large ones on the same baseline, such as those of cents, as a share of it."""

MIN_LINE_DISTANCE = 0.8
"""Smallest distance of two lines, as a share of the letters' size. PDFium takes the end of a line and the beginning of
another for one word, where no space is between them and one of them is turned, or if both are short."""

MAX_SIZE_RATIO = 10.0
"""Largest size of letters, as a multiple of the size of those beside them in a word. A letter at the beginning of a
chapter is as high as five lines. Letters that are far smaller are not seen."""

MIN_STEP = 0.15
"""Smallest distance between the beginnings of two characters that follow each other, as a share of the letters' size.
Narrow letters have 0.2."""

MIN_COSINE = 0.5
"""Smallest cosine of the angle between the directions of letters of one word. Words on a curve turn by less."""

_END_OF_NUMBER = re.compile(r"\d[.,]?\Z")
_NUMBER = re.compile(r"[-+\u2212]?\d")


@dataclass(slots=True)
class Run:
    """The characters of a word that one text object draws."""

    place: int
    """The index of the first one in the word."""
    end: int
    """The index behind the last one."""
    x: float
    y: float
    """Where the baseline begins, in points."""
    cos: float
    sin: float
    """The direction of the baseline."""
    size: float
    """Of the letters, in points."""

    def is_far_smaller_or_larger(self, before: "Run") -> bool:
        """True if these characters and those before them are not letters of one word."""
        return max(self.size, before.size) > MAX_SIZE_RATIO * min(self.size, before.size)

    def is_turned_from(self, before: "Run") -> bool:
        """True if these characters run in another direction than those before them."""
        return self.cos * before.cos + self.sin * before.sin < MIN_COSINE

    def rises_from(self, before: "Run", *, by: float) -> bool:
        """True if these characters are higher or lower than those before them, by this share of the letters' size."""
        across = abs(before.cos * (self.y - before.y) - before.sin * (self.x - before.x))
        return across > by * before.size

    def steps_back(self, before: "Run", *, last: tuple[float, float]) -> bool:
        """True if these characters begin where the last one before them does, and are drawn over it."""
        along = before.cos * (self.x - last[0]) + before.sin * (self.y - last[1])
        return along < MIN_STEP * before.size


def lines_of(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each line, those apart that are far smaller or larger, or run in another direction."""
    lines: list[list[Run]] = []
    for run in runs:
        before = lines[-1][-1] if lines else None
        if before and not (
            run.rises_from(before, by=MIN_LINE_DISTANCE)
            or run.is_far_smaller_or_larger(before)
            or run.is_turned_from(before)
        ):
            lines[-1].append(run)
        else:
            lines.append([run])
    return lines


def are_two_numbers(letters: str, before: Run, after: Run) -> bool:
    """True if what two successive runs draw of these letters looks like one number, but is two."""
    place = after.place
    if not (_END_OF_NUMBER.search(letters, max(0, place - 2), place) and _NUMBER.match(letters, place)):
        return False
    # Small digits after a point or comma on the same baseline are of the same number.
    is_smaller = min(before.size, after.size) < MAX_SMALLER_SIZE * max(before.size, after.size)
    return after.rises_from(before, by=MIN_RISE) or (is_smaller and letters[place - 1].isdigit())
