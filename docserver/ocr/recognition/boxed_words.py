"""Child side: reads light or coloured letters in plain coloured boxes, which Tesseract takes for parts of pictures."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from docserver.layout import Block, Box, Line, Paragraph, Word, lines_of, words_of
from docserver.ocr.image.coloured_areas import coloured_areas, in_black_on_white
from docserver.ocr.image.transform import PageImage, cropped, from_original, known_places, on_original
from docserver.ocr.recognition.agreement import SURE_FROM
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.combination import with_words
from docserver.ocr.recognition.missed_lines import with_line
from docserver.ocr.recognition.tesseract import Recognised

MAX_READ = 6
"""Most boxes of a page that are read."""

MIN_LETTERS = 2
"""Fewest letters and digits of a line that is taken."""


def with_boxed_words(attempt: Attempt, page: PageImage, *, recognise: Callable[[PageImage], Recognised]) -> Attempt:
    """The attempt with the sure lines of coloured boxes, in place of what was read there with less weight. `page` is
    the level page that was read, and `recognise` reads a block of lines.
    """
    if page.warp or not coloured_areas(page.overview, ()):
        return attempt
    first = attempt.recognised.blocks
    seen = from_original(first, page)
    words = list(words_of(seen))
    areas = coloured_areas(page.overview, [word.box for word in words])
    taken: dict[int, list[Word]] = {}
    added: list[Line] = []
    whole = PageImage(page.image, page.dpi, page.image.size)
    for area in areas if len(areas) <= MAX_READ else []:
        part = cropped(whole, area)
        part = replace(part, image=in_black_on_white(part.image))
        lines = list(_sure_lines(on_original(recognise(part).blocks, part)))
        there = [word for word in words if _is_in(word.box, area)]
        if sum(map(_weight, (word for line in lines for word in line.words))) > sum(map(_weight, there)):
            taken |= {id(word): [] for word in there}
            added += lines
    if not added:
        return attempt
    blocks = with_words(seen, taken)
    for line in added:
        blocks = with_line(blocks, line) if blocks else (Block(line.box, (Paragraph(line.box, (line,)),)),)
    return replace(attempt, recognised=Recognised.of(on_original(blocks, page, known=known_places(seen, first))))


def _sure_lines(blocks: tuple[Block, ...]) -> Iterator[Line]:
    for line in lines_of(blocks):
        letters = sum(map(str.isalnum, "".join(word.text for word in line.words)))
        if line.confidence >= SURE_FROM and letters >= MIN_LETTERS:
            yield line


def _weight(word: Word) -> float:
    return len(word.text) * word.confidence


def _is_in(word: Box, area: Box) -> bool:
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    return area[0] <= x < area[2] and area[1] <= y < area[3]
