"""Compares what was read on a page with the words that one sees there. Reads nothing itself."""

import io
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pikepdf

from bench.silence.sheet import Rect, Sample, Word

SURE_FROM = 80.0
"""Confidence from which a mixed page that needs no review is believed, as by docserver's own default."""

EXACT = 100.0

MIN_OVERLAP = 0.3
"""Smallest share of the smaller one of two boxes in which they overlap if they are of the same word."""


@dataclass(frozen=True, slots=True)
class ReadWord:
    text: str
    rect: Rect
    """x0, y0, x1, y1 in pixels of the page as viewers show it."""
    confidence: float


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What was read on a page."""

    width: int
    source: str
    confidence: float
    needs_review: bool
    words: tuple[ReadWord, ...]
    """In the order in which they were read."""

    @classmethod
    def of(cls, page: dict[str, Any]) -> "ReadPage":
        """A page of a JSON result."""
        words = tuple(
            ReadWord(word["text"], tuple(word["box"]), word["confidence"])
            for block in page["blocks"]
            for line in block["lines"]
            for word in line["words"]
        )
        return cls(page["width"], page["source"], page["confidence"], page["needs_review"], words)

    @property
    def is_sure(self) -> bool:
        """True if the page claims that its text, most of it or all the file's own, is right."""
        return self.source != "ocr" and not self.needs_review and self.confidence >= SURE_FROM


@dataclass(slots=True)
class Misses:
    """The words that are wrong on a page."""

    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)

    def by_kind(self) -> dict[str, list[str]]:
        return {"lost": self.lost, "invented": self.invented, "misplaced": self.misplaced}

    def __bool__(self) -> bool:
        return any(self.by_kind().values())

    def __str__(self) -> str:
        return "; ".join(f"{kind}: {' '.join(words)}" for kind, words in self.by_kind().items() if words)


def misses(sample: Sample, page: ReadPage) -> Misses:
    """The words that are lost, invented or misplaced on a page."""
    found = Misses()
    seen = dict(zip(sample.words, _in_pixels(sample, page), strict=True))
    unused = dict(enumerate(page.words))
    places: dict[int, Word] = {}
    # First the words that are where they should be, since other words may say the same.
    for is_in_place in (True, False):
        for word, rect in seen.items():
            if word in places.values():
                continue
            place = next(
                (place for place, read in unused.items() if _is(read, word, rect, anywhere=not is_in_place)), None
            )
            if place is not None:
                del unused[place]
                places[place] = word
                if not is_in_place:
                    found.misplaced.append(word.text)
    for word, rect in seen.items():
        if word.certain and word not in places.values():
            # What is recognised says itself how sure it is. It counts if nothing was recognised.
            recognised = [
                place for place, read in unused.items() if read.confidence < EXACT and _overlap(read.rect, rect)
            ]
            for place in recognised:
                del unused[place]
            if not recognised:
                found.lost.append(word.text)
    # What is left of a word that is cut in two is a word too.
    cut = [rect for word, rect in seen.items() if not word.certain]
    found.invented += [read.text for read in unused.values() if not any(_overlap(read.rect, rect) for rect in cut)]
    found.misplaced += _out_of_order([places[place] for place in sorted(places)], sample.words)
    return found


def _is(read: ReadWord, word: Word, rect: Rect, *, anywhere: bool) -> bool:
    return read.text == word.text and (anywhere or _overlap(read.rect, rect) >= MIN_OVERLAP)


def _overlap(one: Rect, other: Rect) -> float:
    width, height = (min(one[end], other[end]) - max(one[end - 2], other[end - 2]) for end in (2, 3))
    smaller = min((rect[2] - rect[0]) * (rect[3] - rect[1]) for rect in (one, other))
    return max(width, 0.0) * max(height, 0.0) / max(smaller, 1e-9)


def _out_of_order(read: Sequence[Word], written: Sequence[Word]) -> list[str]:
    """The words that do not come after those of their line and flow that they should follow."""
    place = {word: number for number, word in enumerate(read)}
    wrong = []
    lines: dict[int, list[Word]] = defaultdict(list)
    for word in written:
        if word in place:
            lines[word.line].append(word)
    for words in lines.values():
        wrong += [after.text for before, after in itertools.pairwise(words) if place[after] != place[before] + 1]
    firsts = [words[0] for words in lines.values()]
    return wrong + [
        after.text
        for before, after in itertools.pairwise(firsts)
        if before.flow == after.flow and place[after] < place[before]
    ]


def _in_pixels(sample: Sample, page: ReadPage) -> Iterator[Rect]:
    """Where the words of a sample are on the page as viewers show it."""
    with pikepdf.open(io.BytesIO(sample.data)) as pdf:
        shown = pdf.pages[0]
        left, bottom, right, top = (float(side) for side in shown.cropbox)
        turns = int(shown.obj.get("/Rotate", 0)) // 90 % 4
    width, height = right - left, top - bottom
    scale = page.width / (height if turns % 2 else width)
    for word in sample.words:
        x0, y0, x1, y1 = word.rect
        rect = x0 - left, top - y1, x1 - left, top - y0
        across, down = width, height
        for _ in range(turns):
            rect = down - rect[3], rect[0], down - rect[1], rect[2]
            across, down = down, across
        yield rect[0] * scale, rect[1] * scale, rect[2] * scale, rect[3] * scale
