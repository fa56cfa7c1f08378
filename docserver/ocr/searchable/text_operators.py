"""Child side: a page's words as the PDF operators that lay them, invisible, over its picture. Opens no file."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from pikepdf import Matrix

from docserver.model import Box, Paragraph, Reading, Word
from docserver.ocr.searchable.geometry import numbers, turned, upright_size
from docserver.typography import clean, rise, runs_right_to_left, sink

ADVANCE = 0.5
"""Of the font's size: the width of every glyph."""

STEPS = 20
"""How finely the heights of words are told apart: by a twentieth of the font's size."""

HIGHEST, DEEPEST = 21, 8
"""In such steps. Poppler believes no font that claims more."""

LEAST_WIDTH = 1
LEAST_SIZE = 1.0
"""Pixels. A box without area still has its place."""

_LEFT_TO_RIGHT_RUN = re.compile(r"[\dA-Za-z\u00c0-\u058f]+(?:[.,:/+-][\dA-Za-z\u00c0-\u058f]+)*")


@dataclass(frozen=True, slots=True)
class Face:
    """A font by how far its letters are said to rise above and sink below their line, in STEPS."""

    rise: int
    sink: int

    @property
    def name(self) -> str:
        return f"Words{self.rise}x{self.sink}"


Encode = Callable[[str], bytes]
"""A text as the codes of its characters, in hexadecimal."""


def text_layer(reading: Reading, *, place: Matrix, encode: Encode) -> tuple[bytes, set[Face]]:
    """The operators that lay a page's words out, and the faces that they use.

    `place` leads from pixels of the page set upright, counted from the bottom left, to where it is to be drawn.
    """
    size = (reading.width, reading.height)
    _, height = upright_size(size, reading.rotation)
    pen = _Pen(height, encode)
    for block in reading.blocks:
        for paragraph in block.paragraphs:
            _paragraph(_upright(paragraph, size, reading.rotation), pen)
    shown = [f"q {numbers(place.shorthand, digits=8)} cm BT 3 Tr", *pen.shown, "ET Q\n"]
    return "\n".join(shown).encode("ascii"), pen.faces


class _Pen:
    """Writes the operators down."""

    def __init__(self, height: int, encode: Encode) -> None:
        """`height` of the page, in pixels."""
        self.faces: set[Face] = set()
        self.shown: list[str] = []
        self._height = height
        self._encode = encode

    def take(self, face: Face, size: float) -> None:
        self.faces.add(face)
        self.shown.append(f"/{face.name} {size:.2f} Tf")

    def show(self, text: str, *, across: tuple[int, int], foot: float, size: float) -> None:
        """Show a text between two places of a line, as wide as it is there."""
        x0, x1 = across
        stretch = 100 * max(x1 - x0, LEAST_WIDTH) / (ADVANCE * size * len(text))
        codes = self._encode(in_sight(text)).decode("ascii")
        self.shown.append(f"{stretch:.2f} Tz 1 0 0 1 {x0} {self._height - foot:.2f} Tm <{codes}> Tj")


def _upright(paragraph: Paragraph, size: tuple[int, int], degrees: int) -> list[list[Word]]:
    return [
        [
            Word(text, turned(word.box, size, degrees), word.confidence)
            for word in line.words
            if (text := clean(word.text).strip())
        ]
        for line in paragraph.lines
    ]


def _paragraph(lines: Sequence[Sequence[Word]], pen: _Pen) -> None:
    """One size for all of it, so that readers of the PDF take its words for one text."""
    baselines = [_Baseline.of(line) for line in lines]
    size = _size([(word, base) for line, base in zip(lines, baselines, strict=True) for word in line])
    for line, base in zip(lines, baselines, strict=True):
        for word, following in zip_longest(line, line[1:]):
            x0, _, x1, _ = word.box
            foot = base.at(word.box)
            pen.take(_face(word, foot, size), size)
            pen.show(word.text, across=(x0, x1), foot=foot, size=size)
            if following:
                # Where words stand close, readers would take them for one.
                left, right = sorted((word.box, following.box))
                pen.show(" ", across=(left[2], right[0]), foot=foot, size=size)


def _face(word: Word, foot: float, size: float) -> Face:
    return Face(
        rise=min(max(round((foot - word.box[1]) / size * STEPS), 1), HIGHEST),
        sink=min(max(round((word.box[3] - foot) / size * STEPS), 0), DEEPEST),
    )


def in_sight(text: str) -> str:
    """The characters from left to right as they are seen: PDF paints glyphs, and its readers turn them back.

    Enough of the Unicode bidirectional algorithm for one word: what runs from right to left is reversed, but not the
    numbers and Latin letters in it.
    """
    if not runs_right_to_left(text):
        return text
    runs, end = [], 0
    for found in _LEFT_TO_RIGHT_RUN.finditer(text):
        runs += [text[end : found.start()][::-1], found[0]]
        end = found.end()
    return "".join([*runs, text[end:][::-1]][::-1])


@dataclass(frozen=True, slots=True)
class _Baseline:
    """The line that letters stand on: y = level + slope x, y downwards."""

    level: float
    slope: float

    @classmethod
    def of(cls, words: Sequence[Word]) -> "_Baseline":
        feet = sorted((_middle(word.box), word.box[3] - _sunk(word)) for word in words)
        half = (len(feet) + 1) // 2
        slope = 0.0
        if len(feet) > 3:
            # The median of the slopes between the halves' words does not mind a few odd boxes.
            slope = median(
                (right[1] - left[1]) / max(right[0] - left[0], 1)
                for left, right in zip(feet, feet[half:], strict=False)
            )
        return cls(median(y - slope * x for x, y in feet) if feet else 0.0, slope)

    def at(self, box: Box) -> float:
        return self.level + self.slope * _middle(box)


def _middle(box: Box) -> float:
    return (box[0] + box[2]) / 2


def _sunk(word: Word) -> float:
    """Pixels of the word that are below its line."""
    share = sink(word.text)
    return (word.box[3] - word.box[1]) * share / (rise(word.text) + share)


def _size(words: Iterable[tuple[Word, _Baseline]]) -> float:
    sizes = [(base.at(word.box) - word.box[1]) / rise(word.text) for word, base in words]
    return max(median(sizes), LEAST_SIZE) if sizes else LEAST_SIZE
