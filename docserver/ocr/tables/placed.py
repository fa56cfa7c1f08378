"""Child side: words, and segments of lines, as they stand on a page that is turned upright and level."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from docserver.layout import Block, Line, Paragraph, Rect, around
from docserver.ocr.tables.frame import Frame
from docserver.typography import rise, sink

MIN_GAP = 1.0
"""Narrowest gap between two cells of a row, as a share of the letters' size. Spaces in justified lines stay below it.
"""

MAX_LEVEL_DIFFERENCE = 0.4
"""Largest distance of the baselines of cells that stand beside each other, as a share of the letters' size."""

MIN_FULL_LINES = 0.5
"""Smallest share of the lines of a paragraph of prose that are full. A line is full if the first word of the next one
had no room in it."""

PROSE = ((3, 30), (5, 15))
"""Pairs of fewest lines of a paragraph of prose, and of the fewest letters that they then have on average. Cells may
have a few short lines."""


class PlacedWord(NamedTuple):
    """A word with its place. A tuple, to save time."""

    number: int
    """Its place among the words of the page in reading order."""
    text: str
    rect: Rect
    """Without ascenders and descenders where it has none. y grows downwards."""

    @property
    def middle(self) -> tuple[float, float]:
        x0, y0, x1, y1 = self.rect
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(slots=True)
class Segment:
    """Words of a line without a wide gap between them, from left to right."""

    words: list[PlacedWord]
    size: float
    """That of the font of its line, in pixels."""
    baseline: float
    block: int = 0
    """The number of its block on the page."""
    is_prose: bool = False
    rect: Rect = (0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        self.rect = around(word.rect for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    def parted(self, place: int) -> tuple["Segment", "Segment"]:
        """Its words before this place, and the others."""
        return (
            Segment(self.words[:place], self.size, self.baseline, self.block),
            Segment(self.words[place:], self.size, self.baseline, self.block),
        )


Row = list[Segment]
"""Segments on about one baseline, from left to right."""


@dataclass(frozen=True, slots=True)
class PlacedPage:
    """The segments of a page's lines, those of prose apart. Most pages have hardly anything else."""

    segments: list[Segment]
    prose: list[tuple[Line, int, int]]
    """Lines with the indexes of their first words and the numbers of their blocks."""
    frame: Frame

    def of_prose(self) -> list[Segment]:
        return [
            replace(segment, is_prose=True)
            for line, index, block in self.prose
            for segment in _segments(line, index, self.frame, block=block)
        ]


def placed_page(blocks: Sequence[Block], frame: Frame) -> PlacedPage:
    page = PlacedPage([], [], frame)
    index = 0
    for number, block in enumerate(blocks):
        for paragraph in block.paragraphs:
            is_prose = _is_prose(paragraph, frame)
            for line in paragraph.lines:
                if is_prose:
                    page.prose.append((line, index, number))
                else:
                    page.segments.extend(_segments(line, index, frame, block=number))
                index += len(line.words)
    return page


def rows_of(segments: Iterable[Segment]) -> list[Row]:
    """The rows of segments from top to bottom."""
    rows: list[Row] = []
    for segment in sorted(segments, key=lambda segment: segment.baseline):
        row = next((row for row in rows[-2:] if _fits(segment, row)), None)
        if row is None:
            rows.append([segment])
        else:
            row.append(segment)
    for row in rows:
        row.sort(key=lambda segment: segment.rect[0])
    return rows


def is_full(line: Segment, following: Segment, *, right: float) -> bool:
    """True if the first word of the following line has no room behind a line that may go on up to `right`."""
    x0, _, x1, _ = following.words[0].rect
    return line.rect[2] + line.size / 4 + x1 - x0 > right


def _segments(line: Line, first: int, frame: Frame, *, block: int) -> Iterator[Segment]:
    placed = [PlacedWord(first + place, word.text, frame.rect(word.box)) for place, word in enumerate(line.words)]
    if not placed:
        return
    size = max(1.0, median(_size(word) for word in placed))
    # That of the line: the boxes of single words may be wrong.
    baseline = median(word.rect[3] - size * sink(word.text) for word in placed)
    placed.sort(key=lambda word: word.rect[0])
    start = 0
    for place, (word, following) in enumerate(pairwise(placed), start=1):
        if following.rect[0] - word.rect[2] > MIN_GAP * size:
            yield Segment(placed[start:place], size, baseline, block)
            start = place
    yield Segment(placed[start:], size, baseline, block)


def _size(word: PlacedWord) -> float:
    return (word.rect[3] - word.rect[1]) / (rise(word.text) + sink(word.text))


def _fits(segment: Segment, row: Row) -> bool:
    nearest = min(row, key=lambda other: max(other.rect[0] - segment.rect[2], segment.rect[0] - other.rect[2]))
    size = min(segment.size, nearest.size)
    return abs(segment.baseline - nearest.baseline) <= MAX_LEVEL_DIFFERENCE * size and all(
        segment.rect[0] >= other.rect[2] - size / 2 or segment.rect[2] <= other.rect[0] + size / 2 for other in row
    )


def _is_prose(paragraph: Paragraph, frame: Frame) -> bool:
    """True if the paragraph has enough lines that are long, without wide gaps, and mostly full."""
    lines = [line for line in paragraph.lines if line.words]
    letters = sum(len(word.text) + 1 for line in lines for word in line.words)
    if not any(len(lines) >= fewest and letters >= least * len(lines) for fewest, least in PROSE):
        return False
    rects = [frame.rect(line.box) for line in lines]
    right = max(x1 for *_, x1, _ in rects)
    full = 0
    for (_, top, end, bottom), following in zip(rects, lines[1:], strict=False):
        x0, _, x1, _ = frame.rect(following.words[0].box)
        full += end + (bottom - top) / 4 + x1 - x0 > right
    with_gaps = sum(has_gap(line, frame, least=MIN_GAP) for line in lines)
    return full >= MIN_FULL_LINES * (len(lines) - 1) and with_gaps <= 1


def has_gap(line: Line, frame: Frame, *, least: float) -> bool:
    """True if the line has a gap between words that is at least this share of its height."""
    start, end = (1, 3) if frame.rotation in (90, 270) else (0, 2)
    widest = least * (line.box[3 - start] - line.box[1 - start])
    return any(
        following.box[start] - word.box[end] > widest or word.box[start] - following.box[end] > widest
        for word, following in pairwise(line.words)
    )
