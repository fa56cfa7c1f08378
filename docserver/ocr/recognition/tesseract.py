"""Child side: the parts that both ways to call Tesseract share: page layouts, the result, and parsing its TSV."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.layout import Block, Box, Line, Paragraph, Word, confidence_of, text_of, words_of
from docserver.ocr.errors import Unreadable
from docserver.ocr.languages import NAMES

WORD_LEVEL = 5
TSV_COLUMNS = 12


class Layout(IntEnum):
    """What Tesseract assumes about the picture: the page segmentation modes that we use, by Tesseract's numbers."""

    PAGE = 3
    COLUMN = 4
    BLOCK = 6
    LINE = 7
    LETTER = 10


@dataclass(frozen=True, slots=True)
class Recognised:
    """The text that Tesseract recognised in one picture."""

    text: str
    blocks: tuple[Block, ...]
    confidence: float

    @classmethod
    def of(cls, blocks: tuple[Block, ...]) -> "Recognised":
        """What is in these blocks."""
        return cls(text_of(blocks), blocks, confidence_of(words_of(blocks)))

    @property
    def weight(self) -> float:
        """The sum over all letters of their confidence, 0 to 100. Of two readings of a picture, the better has more."""
        return sum(len(word.text) * word.confidence for word in words_of(self.blocks))


NOTHING = Recognised("", (), 0.0)
"""The result for a picture without text."""


class Tesseract(Protocol):
    """A way to call Tesseract."""

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        """Read a picture of mode 1, L or RGB. Raises Unreadable."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of Tesseract's TSV."""

    level: int
    place: tuple[int, int, int]
    """The numbers of the block, the paragraph and the line."""
    box: Box
    confidence: float
    text: str


def check_languages(languages: str) -> None:
    """Raise Unreadable unless these look like names of models."""
    if not NAMES.fullmatch(languages):
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, "The languages are not named as in eng+deu.")


def not_installed(languages: str, detail: str) -> Unreadable:
    """The exception for a model that is missing."""
    return Unreadable(
        DocumentErrorCode.UNSUPPORTED,
        f"Not all of the languages {languages} are installed on this server.",
        detail=detail,
    )


def recognised(text: str, table: str) -> Recognised:
    """The result, from Tesseract's text and its TSV."""
    blocks = tuple(parse(table))
    return Recognised(text.rstrip(), blocks, confidence_of(words_of(blocks)))


def parse(table: str) -> Iterator[Block]:
    """The blocks of Tesseract's TSV in its order, without empty words, lines, paragraphs and blocks."""
    rows = [row for line in table.split("\n")[1:] if (row := _row(line))]
    boxes = {(row.level, row.place): row.box for row in rows if row.level < WORD_LEVEL}
    words = [row for row in rows if row.level == WORD_LEVEL and row.text.strip()]
    for block, in_block in itertools.groupby(words, key=lambda row: row.place[0]):
        paragraphs = []
        for paragraph, in_paragraph in itertools.groupby(in_block, key=lambda row: row.place[1]):
            lines = tuple(
                Line(boxes[4, place], tuple(Word(row.text.strip(), row.box, row.confidence) for row in in_line))
                for place, in_line in itertools.groupby(in_paragraph, key=lambda row: row.place)
            )
            paragraphs.append(Paragraph(boxes[3, (block, paragraph, 0)], lines))
        yield Block(boxes[2, (block, 0, 0)], tuple(paragraphs))


def _row(line: str) -> _Row | None:
    # Split only at tabs: a word may contain unusual white space, at which a bare split would split too.
    cells = line.split("\t", TSV_COLUMNS - 1)
    if len(cells) < TSV_COLUMNS - 1:
        return None
    left, top, width, height = (int(cell) for cell in cells[6:10])
    return _Row(
        level=int(cells[0]),
        place=(int(cells[2]), int(cells[3]), int(cells[4])),
        box=(left, top, left + width, top + height),
        confidence=round(min(100.0, max(0.0, float(cells[10]))), 2),
        text=cells[11] if len(cells) == TSV_COLUMNS else "",
    )
