"""Child side: finds lines of text between those that Tesseract has read, and adds what is read there.

Tesseract's analysis of the layout now and then leaves out a line, or a few, in the middle of a text.
"""

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from docserver.layout import Block, Box, Line, Paragraph, around, lines_of
from docserver.ocr.image.runs import runs_of
from docserver.ocr.image.shades import INK_CONTRAST
from docserver.ocr.image.transform import PageImage, cropped, on_original
from docserver.ocr.recognition.tesseract import Recognised

MIN_LINES = 5
"""Fewest lines of a text in which others may be missed. In a shorter one, not enough is known about its lines."""

MIN_HEIGHT, MAX_HEIGHT = 0.5, 2.0
"""Height of a band of ink that may be a missed line, as a multiple of the height of the words that were read. Rules are
lower, and pictures are higher."""

MIN_WIDTH, MIN_INKED_SHARE = 8.0, 0.6
"""Width of such a band, as a multiple of that height, and smallest share of this width that has ink, if gaps between
letters do not count. Specks and scrawls have gaps that are wider."""

MIN_INK_IN_ROW = 0.03
"""Smallest share of the text's width that is ink in each row of a band."""

MARGIN = 0.3
"""Room around the words of a line that may have ink of these words, and around a band that is read with it, as a
multiple of the height of words."""

MAX_BANDS = 8
"""Most bands that are read. If there are more, they are parts of a picture, or of a text that cannot be read."""

SURE_FROM = 70.0
"""Smallest confidence of a line that is added, and of a text to which it is. Drawings are read with less."""


def with_missed_lines(
    recognised: Recognised, page: PageImage, *, recognise: Callable[[PageImage], Recognised]
) -> Recognised:
    """The text of a level page with the lines that were missed. Its boxes are in the page's picture."""
    lines = list(lines_of(recognised.blocks))
    if len(lines) < MIN_LINES or recognised.confidence < SURE_FROM:
        return recognised
    blocks = recognised.blocks
    for band in _bands(page, lines):
        part = cropped(page.as_original, band)
        for line in lines_of(on_original(recognise(part).blocks, part)):
            if line.confidence >= SURE_FROM:
                blocks = with_line(blocks, line)
    if blocks is recognised.blocks:
        return recognised
    return Recognised.of(blocks)


def _bands(page: PageImage, lines: Sequence[Line]) -> list[Box]:
    """The boxes of what may be missed lines in a page's picture, with some room around them."""
    step, ink = page.overview.step, page.overview.contrasts > INK_CONTRAST
    height = median(word.box[3] - word.box[1] for line in lines for word in line.words) / step
    margin = round(MARGIN * height)
    boxes = [_reduced(around(word.box for word in line.words), step) for line in lines]
    for left, top, right, bottom in boxes:
        # The boxes of some words are too low. The rest of their ink is no other line.
        room = max(margin, round(height) - (bottom - top))
        ink[max(0, top - room) : bottom + room, max(0, left - margin) : right + margin] = False
    left, top, right, bottom = around(boxes)
    bands = []
    is_inked = ink[top:bottom, left:right].sum(axis=1) > MIN_INK_IN_ROW * (right - left)
    for first, last in np.transpose(runs_of(is_inked)).tolist():
        columns = left + np.flatnonzero(ink[top + first : top + last, left:right].any(axis=0))
        start, end = int(columns[0]), int(columns[-1]) + 1
        gaps = np.diff(columns)
        inked = end - start - gaps[gaps > height].sum()
        is_line = MIN_HEIGHT * height <= last - first <= MAX_HEIGHT * height and end - start >= MIN_WIDTH * height
        if is_line and inked >= MIN_INKED_SHARE * (end - start):
            bands.append((start - margin, top + first - margin, end + margin, top + last + margin))
    if len(bands) > MAX_BANDS:
        return []
    width, below = page.image.size
    return [
        (max(0, step * start), max(0, step * first), min(width, step * end), min(below, step * last))
        for start, first, end, last in bands
    ]


def _reduced(box: Box, step: int) -> Box:
    left, top, right, bottom = box
    return left // step, top // step, -(-right // step), -(-bottom // step)


def with_line(blocks: Sequence[Block], line: Line) -> tuple[Block, ...]:
    """The blocks with another line. It follows the nearest line above it, if possible one that is not beside it. If
    there is none, the nearest one follows it.
    """
    if not blocks:
        return (Block(line.box, (Paragraph(line.box, (line,)),)),)
    nearest = min(lines_of(blocks), key=lambda other: _distance(other.box, line.box))
    return tuple(
        Block(
            around([block.box, line.box]), tuple(_inserted(paragraph, nearest, line) for paragraph in block.paragraphs)
        )
        if any(other is nearest for other in lines_of([block]))
        else block
        for block in blocks
    )


def _inserted(paragraph: Paragraph, nearest: Line, line: Line) -> Paragraph:
    is_above = _middle(nearest.box) < _middle(line.box)
    for number, other in enumerate(paragraph.lines):
        if other is nearest:
            place = number + is_above
            lines = (*paragraph.lines[:place], line, *paragraph.lines[place:])
            return Paragraph(around([paragraph.box, line.box]), lines)
    return paragraph


def _distance(above: Box, box: Box) -> tuple[bool, bool, float]:
    """How far a line is below another. Lines that are not below it, or beside it, are farther than all others."""
    is_beside = above[2] <= box[0] or box[2] <= above[0]
    return _middle(above) >= _middle(box), is_beside, abs(_middle(box) - _middle(above))


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
