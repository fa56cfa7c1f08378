"""Child side: reads light or coloured letters in plain coloured boxes, which Tesseract takes for parts of pictures."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from docserver.layout import Block, Line, Word, is_in, lines_of, words_of
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
    """The attempt with the sure lines of coloured boxes, in place of what was read there if that has fewer letters,
    or less sure ones. `page` is the level page that was read, and `recognise` reads a block of lines.
    """
    # Most pages have no coloured box. Then the words need not be mapped to the picture.
    if not coloured_areas(page.overview, ()):
        return attempt
    first = attempt.recognised.blocks
    seen = from_original(first, page)
    words = list(words_of(seen))
    areas = coloured_areas(page.overview, [word.box for word in words])
    if len(areas) > MAX_READ:
        return attempt
    taken: dict[int, list[Word]] = {}
    added: list[Line] = []
    for area in areas:
        part = cropped(page.as_original, area)
        part = replace(part, image=in_black_on_white(part.image))
        lines = list(_sure_lines(on_original(recognise(part).blocks, part)))
        there = [word for word in words if is_in(area, word.box)]
        if sum(map(_weight, (word for line in lines for word in line.words))) > sum(map(_weight, there)):
            taken |= {id(word): [] for word in there}
            added += lines
    if not added:
        return attempt
    blocks = with_words(seen, taken)
    for line in added:
        blocks = with_line(blocks, line)
    return replace(attempt, recognised=Recognised.of(on_original(blocks, page, known=known_places(seen, first))))


def _sure_lines(blocks: tuple[Block, ...]) -> Iterator[Line]:
    for line in lines_of(blocks):
        letters = sum(map(str.isalnum, "".join(word.text for word in line.words)))
        if line.confidence >= SURE_FROM and letters >= MIN_LETTERS:
            yield line


def _weight(word: Word) -> float:
    return len(word.text) * word.confidence
