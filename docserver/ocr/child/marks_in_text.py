"""Child side: puts boxes to tick into the text of a page, as signs among the words of the lines that they stand in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from docserver.elements import SELECTED, SelectionMark, Table, TableCell, pack_elements
from docserver.layout import (
    Block,
    Box,
    EngineName,
    Line,
    Paragraph,
    Word,
    around,
    confidence_of,
    is_in,
    marks_of,
    pack_blocks,
    text_of,
    words_of,
)
from docserver.model import Reading, Source

MARKED, EMPTY = "☒", "☐"

SHORT = 2
"""Longest word that is the sign of a box itself: a box or tick of a font, or an X that was typed into it."""

MAX_DISTANCE = 8.0
"""Longest distance of a box from the line that it is put into, as a multiple of its side."""

MAX_OFFSET = 0.6
"""Largest distance of the middle of a box from that of its line, as a share of the height of both together."""


@dataclass(slots=True)
class _Line:
    """A line of a page, with the places of its block and paragraph."""

    block: int
    paragraph: int
    words: list[Word]
    box: Box
    """The box around the words, on the upright page."""


def with_own_marks(reading: Reading) -> Reading:
    """The reading of a page's own text with signs for the boxes that were found with it."""
    return with_marks(reading, reading.elements.selection_marks or ())


def with_marks(reading: Reading, marks: Sequence[SelectionMark], *, letters: Sequence[Word] = ()) -> Reading:
    """The reading with a sign for each mark in which no other one stands, and with letters that were read in boxes."""
    if not (marks or letters):
        return reading
    blocks = reading.blocks
    short = [word.box for word in words_of(blocks) if len(word.text) <= SHORT]
    signs = (Word(MARKED if mark.state == SELECTED else EMPTY, mark.box, mark.confidence) for mark in marks)
    new = [word for word in (*signs, *letters) if not any(is_in(word.box, box) for box in short)]
    if not new:
        return reading
    page = _Upright(reading.rotation, reading.width, reading.height)
    lines = [
        _Line(block, paragraph, list(line.words), page.box(around(word.box for word in line.words)))
        for block, (_, paragraphs) in enumerate((block.box, block.paragraphs) for block in blocks)
        for paragraph, part in enumerate(paragraphs)
        for line in part.lines
    ]
    alone: list[Word] = []
    for word in new:
        line = page.line_of(word, lines)
        if line is None:
            alone.append(word)
        else:
            page.insert(word, line)
    together = page.with_lines_of_their_own(_blocks(lines), alone)
    confidence = reading.confidence
    if reading.source is Source.OCR:
        # It is lower than that of the words where the page has letters that were not read.
        earlier = confidence_of(words_of(blocks))
        lowered = min(1.0, reading.confidence / earlier) if earlier else 1.0
        confidence = round(lowered * confidence_of(words_of(together)), 2)
    tables = _with_signs(reading.elements.tables, list(words_of(together)), new)
    elements = pack_elements(replace(reading.elements, tables=tables))
    second = marks_of(word.engine is EngineName.PPOCR for word in words_of(together))
    text, layout = text_of(together), pack_blocks(together)
    return replace(
        reading, confidence=confidence, text=text, layout=layout, second_engine=second, packed_elements=elements
    )


def _with_signs(
    tables: Iterable[Table] | None, words: Sequence[Word], signs: Iterable[Word]
) -> tuple[Table, ...] | None:
    """The tables of a page whose words are now these, with the signs in their cells."""
    if tables is None:
        return None
    added = set(map(id, signs))
    # The earlier words are still in their order.
    places = [place for place, word in enumerate(words) if id(word) not in added]
    new = [place for place, word in enumerate(words) if id(word) in added]
    return tuple(
        replace(table, cells=tuple(_cell(cell, words, places, new) for cell in table.cells)) for table in tables
    )


def _cell(cell: TableCell, words: Sequence[Word], places: Sequence[int], new: Iterable[int]) -> TableCell:
    inside = [place for place in new if is_in(cell.box, words[place].box)]
    numbers = tuple(sorted([*(places[number] for number in cell.words), *inside]))
    text = " ".join(words[number].text for number in numbers) if inside else cell.text
    return replace(cell, words=numbers, text=text)


@dataclass(frozen=True, slots=True)
class _Upright:
    """A page that is turned until its text is upright."""

    rotation: int
    width: int
    height: int

    def box(self, box: Box) -> Box:
        x0, y0, x1, y1 = box
        match self.rotation:
            case 90:
                return self.height - y1, x0, self.height - y0, x1
            case 180:
                return self.width - x1, self.height - y1, self.width - x0, self.height - y0
            case 270:
                return y0, self.width - x1, y1, self.width - x0
        return box

    def line_of(self, word: Word, lines: Iterable[_Line]) -> _Line | None:
        """The nearest line at the height of a mark."""
        left, top, right, bottom = self.box(word.box)
        side = max(right - left, bottom - top)
        nearest, least = None, MAX_DISTANCE * side
        for line in lines:
            x0, y0, x1, y1 = line.box
            offset = abs(y0 + y1 - top - bottom) / 2
            distance = max(0, x0 - right, left - x1)
            if offset <= MAX_OFFSET * (bottom - top + y1 - y0) / 2 and distance < least:
                nearest, least = line, distance
        return nearest

    def insert(self, word: Word, line: _Line) -> None:
        """Put a mark into its place in a line, which may run from right to left."""
        middles = [sum(self.box(other.box)[::2]) for other in line.words]
        middle = sum(self.box(word.box)[::2])
        is_leftwards = middles[0] > middles[-1]
        place = sum((other > middle) if is_leftwards else (other < middle) for other in middles)
        line.words.insert(place, word)
        line.box = around((line.box, self.box(word.box)))

    def with_lines_of_their_own(self, blocks: Sequence[Block], words: Iterable[Word]) -> tuple[Block, ...]:
        """The blocks, and a block for each mark beside which there is no line, before the first one that is lower."""
        placed = list(blocks)
        for word in words:
            _, top, _, bottom = self.box(word.box)
            line = Line(word.box, (word,))
            lower = (n for n, block in enumerate(placed) if 2 * self.box(block.box)[1] > top + bottom)
            place = next(lower, len(placed))
            placed.insert(place, Block(word.box, (Paragraph(word.box, (line,)),)))
        return tuple(placed)


def _blocks(lines: Iterable[_Line]) -> list[Block]:
    """Lines put together again to paragraphs and blocks."""
    blocks: dict[int, dict[int, list[Line]]] = {}
    for line in lines:
        box = around(word.box for word in line.words)
        blocks.setdefault(line.block, {}).setdefault(line.paragraph, []).append(Line(box, tuple(line.words)))
    together = []
    for paragraphs in blocks.values():
        parts = tuple(Paragraph(around(line.box for line in part), tuple(part)) for part in paragraphs.values())
        together.append(Block(around(part.box for part in parts), parts))
    return together
