"""Child side: joins ideographs that stand below each other to the words of vertical lines, which begin on the right."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from docserver.layout import around
from docserver.ocr.pdf.coordinates import Point
from docserver.ocr.pdf.words.pdf_words import PdfWord, TextOrientation
from docserver.ocr.pdf.words.text_words import TextPage

LAST_ALPHABETIC = "\u2fff"
"""The last alphabetic character. Later ones are ideographs and syllables, which may be written below each other."""

MIN_LETTERS = 3
"""Fewest single characters below each other that are a vertical line. Two may be cells of a table."""

MIN_PITCH, MAX_PITCH = 0.6, 1.4
"""Smallest and largest distance of two characters in a vertical line, as a share of their size. Rows of tables have
1.5."""

MAX_OFFSET = 0.5
"""Largest distance of two characters to the side, and of the tops of two lines, as a share of their size. Digits are
narrower than ideographs."""

MAX_LINE_PITCH = 2.5
"""Largest distance of a line of one or two ideographs from the line before it, as a share of their size."""

DOWNWARDS = 3
"""Quarter turns of text that runs down in lines from right to left. Vertical lines do so, though their letters stand
upright."""

MAX_ACROSS = 3
"""Most characters that stand side by side in a vertical line, such as the digits of a day."""


def with_vertical_lines(words: Sequence[PdfWord], text_page: TextPage) -> list[PdfWord]:
    """The words, with those in vertical lines joined and marked as such."""
    if not _have_ideographs(words):
        return list(words)
    return list(_with_lines(_columns(words, text_page), text_page))


def in_vertical_lines(words: Sequence[PdfWord], text_page: TextPage) -> set[int]:
    """The indexes of letters that are painted in vertical lines, which may touch each other, but not those of ASCII,
    which stand side by side there.
    """
    if not _have_ideographs(words):
        return set()
    lines = filter(_is_line, _columns(words, text_page))
    return {word.first for line in lines for word in line if not word.text.isascii()}


def _columns(words: Sequence[PdfWord], text_page: TextPage) -> Iterator[list[PdfWord]]:
    """Words that are painted one after the other, each below the one before it. Other words are alone."""
    column: list[PdfWord] = []
    for word in words:
        if column and not _is_below(column[-1], word, text_page):
            yield column
            column = []
        column.append(word)
    if column:
        yield column


def _with_lines(columns: Iterable[list[PdfWord]], text_page: TextPage) -> Iterator[PdfWord]:
    line: list[PdfWord] = []
    for column in columns:
        is_next = bool(line) and _is_beside(line[0], column, text_page)
        if is_next or _is_line(column) or any(_runs_down(word, text_page) for word in column):
            line = column
            text, rect = "".join(word.text for word in line), around(word.rect for word in line)
            yield replace(
                line[0],
                text=text,
                rect=rect,
                end=line[-1].end,
                orientation=_downwards(line[0].orientation),
                is_vertical=True,
            )
        else:
            line = []
            yield from column


def _downwards(orientation: TextOrientation) -> TextOrientation:
    return replace(orientation, turns=(orientation.turns + DOWNWARDS) % 4)


def _is_beside(first: PdfWord, column: Sequence[PdfWord], text_page: TextPage) -> bool:
    """True if ideographs are the next line after that of which this is the first word. The last line may be short."""
    orientation, beside = first.orientation, column[0].orientation
    if beside.crooked or beside.turns != orientation.turns:
        return False
    if not all(len(word.text) == 1 and _is_ideographic(word) for word in column):
        return False
    aside, down = _step(text_page.origin(first), text_page.origin(column[0]), orientation)
    size = _size(first, text_page)
    return 0 < -aside <= MAX_LINE_PITCH * size and abs(down) <= MAX_OFFSET * size


def _is_line(column: Sequence[PdfWord]) -> bool:
    return len(column) >= MIN_LETTERS and 2 * sum(map(_is_ideographic, column)) > len(column)


def _is_below(before: PdfWord, word: PdfWord, text_page: TextPage) -> bool:
    if not all(_may_be_in_line(part, text_page) for part in (before, word)):
        return False
    orientation = before.orientation
    if word.orientation.turns != orientation.turns:
        return False
    end = text_page.last_origin(before) if _runs_down(before, text_page) else text_page.origin(before)
    aside, down = _step(end, text_page.origin(word), orientation)
    size = _size(before, text_page)
    return abs(aside) <= MAX_OFFSET * size and MIN_PITCH * size <= down <= MAX_PITCH * size


def _may_be_in_line(word: PdfWord, text_page: TextPage) -> bool:
    if word.orientation.crooked:
        return False
    return len(word.text) == 1 or _runs_down(word, text_page) or (word.text.isascii() and len(word.text) <= MAX_ACROSS)


def _runs_down(word: PdfWord, text_page: TextPage) -> bool:
    """True if a font for vertical lines draws the word."""
    if len(word.text) == 1 or not _is_ideographic(word):
        return False
    _, down = _step(text_page.origin(word), text_page.last_origin(word), word.orientation)
    return down >= MIN_PITCH * _size(word, text_page) * (len(word.text) - 1)


def _size(word: PdfWord, text_page: TextPage) -> float:
    """The width of an ideograph, in points. Their height in lines depends on the font."""
    return text_page.run(word, place=0).size


def _step(start: Point, end: Point, orientation: TextOrientation) -> tuple[float, float]:
    """How far one comes to the right and down from start to end, as one sees letters of this orientation upright."""
    x, y = end[0] - start[0], end[1] - start[1]
    return ((x, -y), (y, x), (-x, y), (-y, -x))[orientation.turns]


def _have_ideographs(words: Sequence[PdfWord]) -> bool:
    return not "".join([word.text for word in words]).isascii() and any(map(_is_ideographic, words))


def _is_ideographic(word: PdfWord) -> bool:
    return word.text[0] > LAST_ALPHABETIC or word.text[-1] > LAST_ALPHABETIC
