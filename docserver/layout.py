"""The layout of a page as values: blocks, paragraphs, lines and words with their boxes; and its packed form."""

import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

import orjson

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the page's picture, origin at the top left, x1 and y1 exclusive."""

Rect = tuple[float, float, float, float]
"""x0, y0, x1, y1 of a rectangle, x0 <= x1 and y0 <= y1. Unit and origin are stated where it is used."""

AnyRect = TypeVar("AnyRect", Box, Rect)

EXACT = 100.0
"""The confidence of a word of a PDF's text layer, because it is not guessed."""


class EngineName(StrEnum):
    """An engine that reads pictures."""

    TESSERACT = "tesseract"
    PPOCR = "ppocr"


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    box: Box
    confidence: float
    """0 to 100, as the engine gives it; EXACT for words of a text layer."""
    engine: EngineName = EngineName.TESSERACT
    """Who has read the word, if it was read from a picture. It is not in the packed form."""


def confidence_of(words: Iterable[Word]) -> float:
    """The mean of the words' confidences weighted by their length, 0 to 100; 0 if there are none."""
    weighted = [(len(word.text), word.confidence) for word in words]
    length = sum(weight for weight, _ in weighted)
    return round(sum(weight * confidence for weight, confidence in weighted) / length, 2) if length else 0.0


@dataclass(frozen=True, slots=True)
class Line:
    box: Box
    words: tuple[Word, ...]

    @property
    def confidence(self) -> float:
        return confidence_of(self.words)


@dataclass(frozen=True, slots=True)
class Paragraph:
    box: Box
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Block:
    box: Box
    paragraphs: tuple[Paragraph, ...]


def pack_blocks(blocks: Sequence[Block]) -> bytes:
    """Blocks as compressed JSON. Blocks, paragraphs and lines are [box, parts]; words are [text, box, confidence]."""
    return zlib.compress(
        orjson.dumps(
            [
                (
                    block.box,
                    [
                        (
                            paragraph.box,
                            [
                                (line.box, [(word.text, word.box, word.confidence) for word in line.words])
                                for line in paragraph.lines
                            ],
                        )
                        for paragraph in block.paragraphs
                    ],
                )
                for block in blocks
            ]
        ),
        level=6,
    )


def unpack_blocks(packed: bytes) -> tuple[Block, ...]:
    """The inverse of `pack_blocks`."""
    return tuple(
        Block(
            tuple(box),
            tuple(
                Paragraph(
                    tuple(paragraph_box),
                    tuple(
                        Line(
                            tuple(line_box), tuple(Word(text, tuple(word_box), conf) for text, word_box, conf in words)
                        )
                        for line_box, words in lines
                    ),
                )
                for paragraph_box, lines in paragraphs
            ),
        )
        for box, paragraphs in orjson.loads(zlib.decompress(packed))
    )


def unpack_words(packed: bytes) -> Iterator[list[tuple[Sequence[int], Sequence[tuple[str, Sequence[int], float]]]]]:
    """The lines of each paragraph: their boxes, and their words as in the packed form. This takes a fraction of the
    time of `unpack_blocks`.
    """
    for _, paragraphs in orjson.loads(zlib.decompress(packed)):
        for _, lines in paragraphs:
            yield lines


def marks_of(words: Iterable[bool]) -> bytes | None:
    """Which words are marked: a bit for each, the lowest one of the first byte for the first word; None if none is."""
    bits = sum(1 << place for place, is_marked in enumerate(words) if is_marked)
    return bits.to_bytes(-(-bits.bit_length() // 8), "little") or None


def with_engines(blocks: Sequence[Block], second: bytes) -> tuple[Block, ...]:
    """The blocks with the second engine as the one that has read the words marked in `second`."""
    bits = int.from_bytes(second, "little")
    places = itertools.count()

    def line_with_engines(line: Line) -> Line:
        marked = ((word, bits >> place & 1) for word, place in zip(line.words, places, strict=False))
        words = (replace(word, engine=EngineName.PPOCR) if is_marked else word for word, is_marked in marked)
        return Line(line.box, tuple(words))

    return tuple(
        Block(
            block.box,
            tuple(
                Paragraph(paragraph.box, tuple(map(line_with_engines, paragraph.lines)))
                for paragraph in block.paragraphs
            ),
        )
        for block in blocks
    )


def engine_of(block: Block) -> EngineName:
    """The engine that has read most letters of a block."""
    second, letters = 0, 0
    for word in words_of([block]):
        letters += len(word.text)
        second += len(word.text) if word.engine is EngineName.PPOCR else 0
    return EngineName.PPOCR if 2 * second > letters else EngineName.TESSERACT


def lines_of(blocks: Sequence[Block]) -> Iterator[Line]:
    """All lines in reading order."""
    return (line for block in blocks for paragraph in block.paragraphs for line in paragraph.lines)


def words_of(blocks: Sequence[Block]) -> Iterator[Word]:
    """All words in reading order."""
    return (word for line in lines_of(blocks) for word in line.words)


def text_of(blocks: Iterable[Block]) -> str:
    """The text in the same form as from Tesseract: one line per line, and an empty line between paragraphs."""
    return "\n\n".join(
        "\n".join(" ".join(word.text for word in line.words) for line in paragraph.lines)
        for block in blocks
        for paragraph in block.paragraphs
    )


def around(rects: Iterable[AnyRect]) -> AnyRect:
    """The smallest rectangle around these."""
    lefts, tops, rights, bottoms = zip(*rects, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def area(rect: AnyRect) -> float:
    x0, y0, x1, y1 = rect
    return (x1 - x0) * (y1 - y0)


def overlap(one: AnyRect, other: AnyRect) -> bool:
    """True if the rectangles have a part in common, and not just a side."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def is_in(place: Rect, rect: Rect) -> bool:
    """True if the middle of the rectangle is in this place."""
    left, top, right, bottom = place
    x0, y0, x1, y1 = rect
    return left <= (x0 + x1) / 2 <= right and top <= (y0 + y1) / 2 <= bottom


def with_boxes(paragraph: Paragraph, box: Callable[[Box], Box]) -> Paragraph:
    """Apply the function `box` to every box of the paragraph: its own box, and those of its lines and words."""

    def line_with_boxes(line: Line) -> Line:
        words = (Word(word.text, box(word.box), word.confidence, word.engine) for word in line.words)
        return Line(box(line.box), tuple(words))

    return Paragraph(box(paragraph.box), tuple(map(line_with_boxes, paragraph.lines)))
