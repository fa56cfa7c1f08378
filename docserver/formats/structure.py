"""Finds headings and lists in the paragraphs of a page. Headings are found by the size of their letters."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from docserver.elements import Table
from docserver.formats.page_parts import Part
from docserver.layout import Box, Line, Paragraph, Word, with_boxes
from docserver.model import Reading
from docserver.typography import rise, sink

HEADING_LEVELS = ((1.8, 1), (1.4, 2), (1.2, 3))
"""Pairs of a ratio and a heading's level. A heading of this level has letters that are at least `ratio` times as large
as those of the body. Sizes measured from boxes are off by up to a tenth, so with a lower ratio ordinary lines would
become headings."""

HEADING_LINES = 3
HEADING_LETTERS = 200
"""Most lines and letters of a heading. A longer paragraph is ordinary text, even if its letters are large."""

OPENINGS = "\"'([\u00ab\u00bf\u00a1\u2018\u201a\u201c\u201e"
UNFINISHED = (".", ",", ";", ":", "\u3002")

BODY_LETTERS = 200
"""If a page has fewer letters, as a title page has, its letters are compared with the body of the whole document."""

SIDEWAYS = (90, 270)

BULLET = "•"
BULLETS = "•◦▪●○■□‣\u2043"
_BULLET = re.compile(rf"[{BULLETS}]")
_DASH = re.compile(r"[-*+·\u2013\u2014]")
_NUMBER = re.compile(r"(\d{1,3})([.)])")


@dataclass(frozen=True, slots=True)
class Item:
    """A heading (`level` from 1), an item of a list (`marker` as in Markdown), or a paragraph (neither is set)."""

    lines: list[list[str]]
    """The words of each line, without the marker."""
    level: int = 0
    marker: str = ""


class Heights:
    """Measures the size of the body's letters, on a page and in the whole document, and finds headings by it."""

    def __init__(self, of_pages: Iterable[Sequence[Paragraph]]) -> None:
        self._whole = _typical(word for paragraphs in of_pages for word in _words(paragraphs))
        self._body = 0.0

    def measure(self, paragraphs: Sequence[Paragraph]) -> None:
        """Set the size of the body's letters: from the paragraphs of this page if they have enough letters, else from
        the whole document.
        """
        letters = sum(len(word.text) for word in _words(paragraphs))
        self._body = _typical(_words(paragraphs)) if letters >= BODY_LETTERS else self._whole

    def heading_level(self, paragraph: Paragraph) -> int:
        """The level of a heading, 1 for the largest; 0 for a paragraph that is not a heading."""
        text = "".join(word.text for word in _words([paragraph]))
        if len(paragraph.lines) > HEADING_LINES or len(text) > HEADING_LETTERS or not _reads_like_heading(text):
            return 0
        size = _typical(_words([paragraph]))
        return next((level for times, level in HEADING_LEVELS if size >= times * self._body), 0)


def upright_paragraphs(reading: Reading) -> list[Paragraph]:
    """The paragraphs of a page in their order. If the text is sideways, the sides of all boxes are swapped, so that
    their widths and heights are those of upright text.
    """
    paragraphs = [paragraph for block in reading.blocks for paragraph in block.paragraphs]
    if reading.rotation not in SIDEWAYS:
        return paragraphs
    return [with_boxes(paragraph, _swapped) for paragraph in paragraphs]


def items(parts: Sequence[Part], heights: Heights) -> Iterator[Item | Table]:
    """The paragraphs and tables of a page in their order. A paragraph is split where an item of a list begins."""
    paragraphs = [part for part in parts if isinstance(part, Paragraph)]
    heights.measure(paragraphs)
    levels = [heights.heading_level(paragraph) for paragraph in paragraphs]
    body = [paragraph for paragraph, level in zip(paragraphs, levels, strict=True) if not level]
    markers = _markers([line for paragraph in body for line in paragraph.lines])
    level_of = dict(zip(map(id, paragraphs), levels, strict=True))
    for part in parts:
        if isinstance(part, Table):
            yield part
        elif level := level_of[id(part)]:
            yield Item([[word.text for word in line.words] for line in part.lines], level=level)
        else:
            yield from _split(part, markers)


def _swapped(box: Box) -> Box:
    return (box[1], box[0], box[3], box[2])


def _split(paragraph: Paragraph, markers: dict[int, str]) -> Iterator[Item]:
    item = Item([])
    for line in paragraph.lines:
        marker = markers.get(id(line), "")
        words = [word.text for word in line.words]
        if marker:
            if item.lines:
                yield item
            item = Item([], marker=marker)
            words = _without_marker(words)
        item.lines.append(words)
    yield item


def _markers(lines: Sequence[Line]) -> dict[int, str]:
    """The marker of each line that begins an item of a list, by the `id()` of the line.

    A number or dash at the start of a line counts as a marker only if the next or previous candidate belongs to the
    same list.
    """
    candidates = {id(line): kind for line in lines if (kind := _kind(line))}
    pairs = [_continues(*pair) for pair in pairwise(candidates.values())]
    return {
        line: kind if _NUMBER.fullmatch(kind) else "-"
        for index, (line, kind) in enumerate(candidates.items())
        if kind == BULLET or any(pairs[max(0, index - 1) : index + 1])
    }


def _kind(line: Line) -> str:
    """The possible marker at the start of a line: BULLET for any bullet, a dash, a number with its point, or ""."""
    first = line.words[0].text if line.words else ""
    if _BULLET.match(first) and (len(first) > 1 or len(line.words) > 1):
        return BULLET
    if len(line.words) > 1 and (_DASH.fullmatch(first) or _NUMBER.fullmatch(first)):
        return first
    return ""


def _continues(first: str, second: str) -> bool:
    """True if the second marker continues the list of the first."""
    numbers = _NUMBER.fullmatch(first), _NUMBER.fullmatch(second)
    if numbers[0] and numbers[1]:
        return int(numbers[1][1]) == int(numbers[0][1]) + 1 and numbers[0][2] == numbers[1][2]
    return first == second


def _without_marker(words: list[str]) -> list[str]:
    if _BULLET.match(words[0]) and len(words[0]) > 1:
        return [words[0][1:], *words[1:]]
    return words[1:]


def _words(paragraphs: Iterable[Paragraph]) -> Iterator[Word]:
    return (word for paragraph in paragraphs for line in paragraph.lines for word in line.words)


def _typical(words: Iterable[Word]) -> float:
    """The median font size of all letters, in pixels, from the heights of the words; 0 without words."""
    sizes = sorted((_size(word), len(word.text)) for word in words if _has_letter(word.text))
    half = sum(letters for _, letters in sizes) / 2
    for size, letters in sizes:
        half -= letters
        if half <= 0:
            return size
    return 0.0


def _size(word: Word) -> float:
    """The font size of a word, in pixels. Its box is only as high as its letters, so a word without tall or hanging
    letters has a lower box; `rise` and `sink` correct for that.
    """
    return (word.box[3] - word.box[1]) / (rise(word.text) + sink(word.text))


def _reads_like_heading(text: str) -> bool:
    """False for text that looks like a sentence, the end of a sentence, or a list item with a misread bullet."""
    first = text.lstrip(OPENINGS)[:1]
    return first.isalnum() and not first.islower() and not text.endswith(UNFINISHED)


def _has_letter(text: str) -> bool:
    return any(character.isalnum() for character in text)
