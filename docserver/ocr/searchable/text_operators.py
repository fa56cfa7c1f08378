"""Child side: writes the PDF operators that draw a page's words as invisible text. Opens no file."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from pikepdf import Matrix

from docserver.layout import Box, Paragraph, Word
from docserver.model import Reading, Source
from docserver.ocr.searchable.geometry import format_numbers, turn_box, turn_size
from docserver.ocr.searchable.glyphless_font import ADVANCE, MAX_RISE, MAX_SINK, STEPS, FontVariant, GlyphlessFont
from docserver.typography import rise, runs_right_to_left, sink
from docserver.xml_text import clean

MIN_WIDTH = 1
MIN_FONT_SIZE = 1.0
"""Smallest width and font size in pixels, so that a word whose box has no area still has a place."""

_LEFT_TO_RIGHT_RUN = re.compile(r"[\dA-Za-z\u00c0-\u058f]+(?:[.,:/+-][\dA-Za-z\u00c0-\u058f]+)*")


def invisible_text(
    reading: Reading, *, matrix: Matrix, font: GlyphlessFont, own_too: bool = False
) -> tuple[bytes, set[FontVariant]]:
    """The operators that draw a page's words, and the font variants that they use. Words of the page's own text are
    left out unless `own_too`.

    `matrix` maps pixels of the page with upright text, with y upwards, to points of the PDF page.
    """
    _, height = turn_size((reading.width, reading.height), reading.rotation)
    operators = _TextOperators(height, font)
    for block in reading.blocks:
        if own_too or reading.source_of(block) is Source.OCR:
            for paragraph in block.paragraphs:
                _write_paragraph(_upright_lines(paragraph, reading, own_too=own_too), operators)
    # 3 Tr makes text invisible: letters are neither filled nor stroked.
    lines = [f"q {format_numbers(matrix.shorthand, digits=8)} cm BT 3 Tr", *operators.lines, "ET Q\n"]
    return "\n".join(lines).encode("ascii"), operators.variants


class _TextOperators:
    """Collects the operators of one page's text object."""

    def __init__(self, page_height: int, font: GlyphlessFont) -> None:
        """`page_height` is the height of the page with upright text, in pixels."""
        self.lines: list[str] = []
        self.variants: set[FontVariant] = set()
        self._page_height = page_height
        self._font = font

    def set_font(self, variant: FontVariant, size: float) -> None:
        self.variants.add(variant)
        self.lines.append(f"/{variant.name} {size:.2f} Tf")

    def show(self, text: str, *, left: int, right: int, baseline: float, size: float) -> None:
        """Draw a text, stretched so that it reaches from `left` to `right`. All arguments are in pixels."""
        stretch = 100 * max(right - left, MIN_WIDTH) / (ADVANCE * size * len(text))
        codes = self._font.encode(visual_order(text)).decode("ascii")
        self.lines.append(f"{stretch:.2f} Tz 1 0 0 1 {left} {self._page_height - baseline:.2f} Tm <{codes}> Tj")


def _upright_lines(paragraph: Paragraph, reading: Reading, *, own_too: bool) -> list[list[Word]]:
    """The words that were recognised, or all of them, with their boxes on the page with upright text."""
    size = (reading.width, reading.height)
    return [
        [
            Word(text, turn_box(word.box, size, reading.rotation), word.confidence)
            for word in line.words
            if (text := clean(word.text).strip()) and (own_too or reading.source_of_word(word) is Source.OCR)
        ]
        for line in paragraph.lines
    ]


def _write_paragraph(lines: Sequence[Sequence[Word]], operators: _TextOperators) -> None:
    """Draw a paragraph in a single font size, so that PDF readers keep it together."""
    baselines = [_Baseline.of(line) for line in lines]
    size = _font_size([(word, base) for line, base in zip(lines, baselines, strict=True) for word in line])
    for line, base in zip(lines, baselines, strict=True):
        for word, following in zip_longest(line, line[1:]):
            left, _, right, _ = word.box
            baseline = base.at(word.box)
            operators.set_font(_variant(word, baseline, size), size)
            operators.show(word.text, left=left, right=right, baseline=baseline, size=size)
            if following:
                # Draw a space between words, because otherwise PDF readers would join words that are close.
                first, second = sorted((word.box, following.box))
                operators.show(" ", left=first[2], right=second[0], baseline=baseline, size=size)


def _variant(word: Word, baseline: float, size: float) -> FontVariant:
    return FontVariant(
        rise=min(max(round((baseline - word.box[1]) / size * STEPS), 1), MAX_RISE),
        sink=min(max(round((word.box[3] - baseline) / size * STEPS), 0), MAX_SINK),
    )


def visual_order(text: str) -> str:
    """The characters from left to right, as they are displayed. PDF text has this order, and PDF readers reorder it.

    This is the part of the Unicode bidirectional algorithm that a single word needs: right-to-left text is reversed,
    but the numbers and Latin letters in it are not.
    """
    if not runs_right_to_left(text):
        return text
    runs, end = [], 0
    for match in _LEFT_TO_RIGHT_RUN.finditer(text):
        runs += [text[end : match.start()][::-1], match[0]]
        end = match.end()
    return "".join([*runs, text[end:][::-1]][::-1])


@dataclass(frozen=True, slots=True)
class _Baseline:
    """The line on which letters stand: y = level + slope * x, where y grows downwards."""

    level: float
    slope: float

    @classmethod
    def of(cls, words: Sequence[Word]) -> "_Baseline":
        points = sorted((_middle(word.box), word.box[3] - _descent(word)) for word in words)
        half = (len(points) + 1) // 2
        slope = 0.0
        if len(points) > 3:
            # Take the slope from each word of the left half to a word of the right half. The median of these slopes is
            # not affected by a few wrong boxes.
            slope = median(
                (right[1] - left[1]) / max(right[0] - left[0], 1)
                for left, right in zip(points, points[half:], strict=False)
            )
        return cls(median(y - slope * x for x, y in points) if points else 0.0, slope)

    def at(self, box: Box) -> float:
        return self.level + self.slope * _middle(box)


def _middle(box: Box) -> float:
    return (box[0] + box[2]) / 2


def _descent(word: Word) -> float:
    """The height of the part of the word's box that is below the baseline, in pixels, estimated from its letters."""
    share = sink(word.text)
    return (word.box[3] - word.box[1]) * share / (rise(word.text) + share)


def _font_size(words: Iterable[tuple[Word, _Baseline]]) -> float:
    """The font size in pixels: the median of the sizes estimated from the words' heights above their baselines."""
    sizes = [(base.at(word.box) - word.box[1]) / rise(word.text) for word, base in words]
    return max(median(sizes), MIN_FONT_SIZE) if sizes else MIN_FONT_SIZE
