"""Child side: makes blocks in reading order of words that stand on a page's image in one or several directions."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median
from typing import NamedTuple

from docserver.layout import EXACT, Block, Box, Line, Paragraph, Rect, Word, around
from docserver.ocr.pdf.coordinates import Point, TurnedImage, ends_of_slanted, point_along
from docserver.ocr.pdf.layout.line_segments import PlacedWord
from docserver.ocr.pdf.layout.reading_order import OrderedBlock, order_words
from docserver.ocr.pdf.words.text_characters import LETTER_HEIGHT
from docserver.typography import rise, runs_right_to_left, sink

MAX_RECOGNISED_CONFIDENCE = 99.0
"""Most confidence of a word that was recognised on a page with exact words, so that the two can be told apart."""

MAX_BEND = 40.0
"""Largest difference of the directions of successive words of a bent line, such as a name on a map, in degrees."""

MAX_SLANT_DIFFERENCE = 0.5
"""Largest difference of the directions of two slanted words that are put in order together, in degrees."""


class _Last(NamedTuple):
    """The exact word that was added last."""

    word: PlacedWord
    rect: Rect
    """On the image as it lies."""
    direction: float
    line: float
    """The direction in which its line began."""

    def gap_before(self, rect: Rect, *, length: float, size: float, direction: float) -> float | None:
        """The space between this word and one that goes on with the same line, which is bent; None if it does not."""
        if direction == self.direction == self.line or abs((direction - self.direction + 180) % 360 - 180) > MAX_BEND:
            return None
        gap = math.dist(
            point_along(self.rect, (self.word.x1 - self.word.x0) / 2, direction=self.direction),
            point_along(rect, -length / 2, direction=direction),
        )
        return gap if gap <= size else None


class PagePlacement:
    """Words on a page's image, by their direction: degrees counterclockwise from upright."""

    def __init__(self, *, width: int, height: int) -> None:
        self._images = {90.0 * turns: TurnedImage(turns, width=width, height=height) for turns in range(4)}
        self._words: dict[float, list[PlacedWord]] = {}
        self._last: _Last | None = None

    def add(
        self,
        text: str,
        rect: Rect,
        *,
        box: Box,
        baseline: Point,
        size: float,
        right_to_left: bool,
        direction: float,
        confidence: float = EXACT,
    ) -> None:
        """Add a word of the text layer. Its places and `size` are in pixels of the image as it lies."""
        size = max(size, 1.0)
        line = direction
        if image := self._images.get(direction):
            x0, _, x1, _ = image.turn(rect)
            _, y = image.turn_point(baseline)
        else:
            line = self._like(direction)
            x0, x1, y = ends_of_slanted(rect, baseline, size=size, direction=line)
        last = self._last
        if last and (gap := last.gap_before(rect, length=x1 - x0, size=size, direction=direction)) is not None:
            # Go on as if the line were straight.
            line, y = last.line, last.word.baseline
            x0, x1 = last.word.x1 + gap, last.word.x1 + gap + x1 - x0
        placed = PlacedWord(
            text=text,
            x0=x0,
            x1=x1,
            baseline=y,
            size=size,
            right_to_left=right_to_left,
            box=box,
            confidence=confidence,
        )
        self._words.setdefault(line, []).append(placed)
        self._last = _Last(placed, rect, direction, line)

    def add_upright(self, words: list[PlacedWord]) -> None:
        """Add exact words that stand upright on the image as it lies, if there are no others."""
        self._words[0.0] = words

    def add_recognised(self, words: Sequence[Word], *, turns: int) -> None:
        """Add words that were recognised in one line."""
        direction = 90.0 * turns
        image = self._images[direction]
        boxes = [image.turn(word.box) for word in words]
        sizes = [
            (bottom - top) / (rise(word.text) + sink(word.text))
            for word, (_, top, _, bottom) in zip(words, boxes, strict=True)
        ]
        size = median(sizes)
        baseline = median(bottom - sink(word.text) * size for word, (*_, bottom) in zip(words, boxes, strict=True))
        for word, (x0, _, x1, _) in zip(words, boxes, strict=True):
            self._words.setdefault(direction, []).append(
                PlacedWord(
                    text=word.text,
                    x0=x0,
                    x1=x1,
                    baseline=baseline,
                    size=max(size * LETTER_HEIGHT, 1.0),
                    right_to_left=runs_right_to_left(word.text),
                    box=word.box,
                    confidence=min(word.confidence, MAX_RECOGNISED_CONFIDENCE),
                )
            )

    def blocks(self) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
        """Blocks in reading order, the most frequent direction first, and apart from these the blocks that are upside
        down beside most words. No block has both paragraphs that are exact and paragraphs with recognised words.
        """
        blocks: list[Block] = []
        upside_down: list[Block] = []
        rotation = self.rotation
        for direction, words in sorted(self._words.items(), key=lambda item: -len(item[1])):
            is_upside_down = abs(direction - rotation) % 360 == 180
            for ordered in order_words(words):
                (upside_down if is_upside_down else blocks).extend(_blocks(ordered))
        return tuple(blocks), tuple(upside_down)

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which the image must be turned so that most of the words stand upright."""
        numbers = [0] * 4
        for direction, words in self._words.items():
            numbers[round(direction / 90) % 4] += len(words)
        return 90 * numbers.index(max(numbers))

    def _like(self, direction: float) -> float:
        """A slanted direction, or one like it that has words."""
        alike = (known for known in self._words if abs(known - direction) <= MAX_SLANT_DIFFERENCE)
        return next((known for known in alike if known not in self._images), direction)


def _blocks(ordered: OrderedBlock) -> Iterator[Block]:
    paragraphs = [_paragraph(lines) for lines in ordered]
    for _, alike in groupby(paragraphs, key=_is_exact):
        same = tuple(alike)
        yield Block(around(paragraph.box for paragraph in same), same)


def _is_exact(paragraph: Paragraph) -> bool:
    return all(word.confidence == EXACT for line in paragraph.lines for word in line.words)


def _paragraph(ordered: Sequence[Sequence[PlacedWord]]) -> Paragraph:
    lines = []
    for ordered_line in ordered:
        words = tuple([Word(word.text, word.box, word.confidence) for word in ordered_line])
        lines.append(Line(around([word.box for word in words]), words))
    return Paragraph(around([line.box for line in lines]), tuple(lines))
