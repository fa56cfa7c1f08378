"""Child side: reads what lies otherwise on an upright page: headings and labels that run upwards, lines upside down."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from docserver.layout import Block, Box, Line, Paragraph, around, lines_of, overlap
from docserver.ocr.image.transform import PageImage, cropped, from_original, on_original, paper_colour, turned
from docserver.ocr.image.unread_letters import letters_on_side
from docserver.ocr.recognition.agreement import SURE_FROM as SURE_PAGE_FROM
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.missed_lines import with_line
from docserver.ocr.recognition.tesseract import Recognised

MIN_LETTERS = 6
"""Fewest letters on their side, or of an unsure line, for which the rest of a page is turned."""

UPSIDE_DOWN_BELOW, SURE_IF_TURNED_FROM, MAX_UPSIDE_DOWN = 68.0, 85.0, 3
"""Confidence of a line on a sure page below which it may be upside down, and smallest one after it was turned. A page
with more such lines than the last value is badly printed."""

MARGIN = 0.5
"""Room around such a line that is read with it, as a multiple of its height."""

MIN_WORD_LETTERS, SURE_FROM = 3, 70.0
"""Fewest letters of the longest word of a line that is sure, and its smallest confidence. Lines that are upside down
have less, and across words that run upwards, single letters are read."""


def with_turned_rest(attempt: Attempt, page: PageImage, *, recognise: Callable[[PageImage], Recognised]) -> Attempt:
    """The attempt with lines that run upwards or downwards, or are upside down, in place of what was read there in
    unsure lines. `page` is the level page that was read.
    """
    first = attempt.recognised.blocks
    sure = [word.box for line in lines_of(from_original(first, page)) if _is_sure(line) for word in line.words]
    unsure = [word for line in lines_of(first) if not _is_sure(line) for word in line.words]
    is_read = not attempt.unread_share and sum(len(word.text) for word in unsure) < MIN_LETTERS
    if page.warp or is_read:
        return attempt
    found = list(_upside_down(attempt, page, recognise)) if attempt.recognised.confidence >= SURE_PAGE_FROM else []
    if letters_on_side(page.overview, sure) >= MIN_LETTERS:
        rest = _without(page, sure)
        for degrees in (90, 270):
            part = turned(rest, degrees)
            found += filter(_is_sure, lines_of(on_original(recognise(part).blocks, part)))
    lines: list[Line] = []
    for line in sorted(found, key=lambda line: -line.confidence):
        if not _overlaps(line.box, lines):
            lines.append(line)
    if not lines:
        return attempt
    blocks = tuple(_kept(first, {id(word) for word in unsure if _overlaps(word.box, lines)}))
    for line in lines:
        blocks = with_line(blocks, line)
    return replace(attempt, recognised=Recognised.of(blocks))


def _without(page: PageImage, boxes: Iterable[Box]) -> PageImage:
    """The page with paper in these places."""
    image = page.image.copy()
    paper = paper_colour(image)
    for box in boxes:
        image.paste(paper, box)
    return replace(page, image=image)


def _upside_down(attempt: Attempt, page: PageImage, recognise: Callable[[PageImage], Recognised]) -> Iterator[Line]:
    """The lines of a sure page that are read surely if they are turned by 180 degrees."""
    lines = [
        line
        for line in lines_of(from_original(attempt.recognised.blocks, page))
        if line.confidence < UPSIDE_DOWN_BELOW and sum(len(word.text) for word in line.words) >= MIN_LETTERS
    ]
    for line in lines if len(lines) <= MAX_UPSIDE_DOWN else []:
        left, top, right, bottom = line.box
        margin = round(MARGIN * (bottom - top))
        box = max(0, left - margin), max(0, top - margin), right + margin, bottom + margin
        part = turned(cropped(page, box), 180)
        read = on_original(recognise(part).blocks, part)
        yield from filter(_is_sure_if_turned, lines_of(read))


def _is_sure_if_turned(line: Line) -> bool:
    # Many digits are digits upside down too.
    letters = sum(map(str.isalpha, "".join(word.text for word in line.words)))
    return _is_sure(line) and line.confidence >= SURE_IF_TURNED_FROM and letters >= MIN_LETTERS


def _is_sure(line: Line) -> bool:
    longest = max(sum(map(str.isalnum, word.text)) for word in line.words)
    return longest >= MIN_WORD_LETTERS and line.confidence >= SURE_FROM


def _overlaps(box: Box, lines: Iterable[Line]) -> bool:
    return any(overlap(box, line.box) for line in lines)


def _kept(blocks: Iterable[Block], wrong: set[int]) -> Iterator[Block]:
    """The blocks without these words and what gets empty."""
    for block in blocks:
        paragraphs = []
        for paragraph in block.paragraphs:
            rows = [tuple(word for word in line.words if id(word) not in wrong) for line in paragraph.lines]
            lines = tuple(Line(around(word.box for word in row), row) for row in rows if row)
            if lines:
                paragraphs.append(Paragraph(around(line.box for line in lines), lines))
        if paragraphs:
            yield Block(around(paragraph.box for paragraph in paragraphs), tuple(paragraphs))
