"""Child side: makes blocks in reading order of words that stand on a page's image in one or several directions."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from statistics import median

from docserver.layout import EXACT, Block, Box, Line, Paragraph, Rect, Word
from docserver.ocr.pdf.coordinates import Point, TurnedImage
from docserver.ocr.pdf.reading_order import OrderedBlock, PlacedWord, order_words
from docserver.typography import rise, runs_right_to_left, sink

MAX_RECOGNISED_CONFIDENCE = 99.0
"""Most confidence of a word that was recognised on a page with exact words, so that the two can be told apart."""

LETTER_HEIGHT = 1.15
"""Height of letters from descender to ascender, as a multiple of the font's size."""


class PagePlacement:
    """Words on a page's image, by their direction: quarter turns counterclockwise from upright."""

    def __init__(self, *, width: int, height: int) -> None:
        self._images = tuple(TurnedImage(turns, width=width, height=height) for turns in range(4))
        self._words: dict[int, list[PlacedWord]] = {}

    def add(self, text: str, rect: Rect, *, baseline: Point, size: float, right_to_left: bool, turns: int) -> None:
        """Add an exact word. `rect`, `baseline` and `size` are in pixels of the image as it lies."""
        image = self._images[turns]
        x0, y0, x1, y1 = image.turn(rect)
        _, y = image.turn_point(baseline)
        placed = PlacedWord(
            text=text, x0=x0, y0=y0, x1=x1, y1=y1, baseline=y, size=max(size, 1.0), right_to_left=right_to_left
        )
        self._words.setdefault(turns, []).append(placed)

    def add_recognised(self, words: Sequence[Word], *, turns: int) -> None:
        """Add words that were recognised in one line."""
        image = self._images[turns]
        boxes = [image.turn(word.box) for word in words]
        sizes = [
            (bottom - top) / (rise(word.text) + sink(word.text))
            for word, (_, top, _, bottom) in zip(words, boxes, strict=True)
        ]
        size = median(sizes)
        baseline = median(bottom - sink(word.text) * size for word, (*_, bottom) in zip(words, boxes, strict=True))
        for word, (x0, y0, x1, y1) in zip(words, boxes, strict=True):
            self._words.setdefault(turns, []).append(
                PlacedWord(
                    text=word.text,
                    x0=x0,
                    y0=y0,
                    x1=x1,
                    y1=y1,
                    baseline=baseline,
                    size=max(size * LETTER_HEIGHT, 1.0),
                    right_to_left=runs_right_to_left(word.text),
                    confidence=min(word.confidence, MAX_RECOGNISED_CONFIDENCE),
                )
            )

    def blocks(self) -> Iterator[Block]:
        """Blocks in reading order, the most frequent direction first. No block has both paragraphs that are exact and
        paragraphs with recognised words.
        """
        for turns, words in sorted(self._words.items(), key=lambda item: -len(item[1])):
            for ordered in order_words(words):
                yield from _blocks(ordered, self._images[turns])


def text_of(blocks: Iterable[Block]) -> str:
    """The text in the same form as from OCR: one line per line, and an empty line between paragraphs."""
    return "\n\n".join(
        "\n".join(" ".join(word.text for word in line.words) for line in paragraph.lines)
        for block in blocks
        for paragraph in block.paragraphs
    )


def _blocks(ordered: OrderedBlock, image: TurnedImage) -> Iterator[Block]:
    paragraphs = [_paragraph(lines, image) for lines in ordered]
    for _, alike in groupby(paragraphs, key=_is_exact):
        same = tuple(alike)
        yield Block(_around(paragraph.box for paragraph in same), same)


def _is_exact(paragraph: Paragraph) -> bool:
    return all(word.confidence == EXACT for line in paragraph.lines for word in line.words)


def _paragraph(ordered: Sequence[Sequence[PlacedWord]], image: TurnedImage) -> Paragraph:
    lines = []
    for ordered_line in ordered:
        words = tuple(
            Word(word.text, image.turn_back((word.x0, word.y0, word.x1, word.y1)), word.confidence)
            for word in ordered_line
        )
        lines.append(Line(_around(word.box for word in words), words))
    return Paragraph(_around(line.box for line in lines), tuple(lines))


def _around(boxes: Iterable[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
