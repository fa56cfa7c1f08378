"""Child side: reads large numerals and words beside smaller text.

Tesseract takes them for pictures, tears them apart, or joins those below each other.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

from docserver.layout import Block, Box, Line, Paragraph, Word, around, lines_of, words_of
from docserver.ocr.image.large_letters import has_only, rows_of_large_letters
from docserver.ocr.image.transform import PageImage, from_original, known_places, on_original
from docserver.ocr.recognition.agreement import SURE_FROM
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.close_ups import CloseUps
from docserver.ocr.recognition.combination import with_words
from docserver.ocr.recognition.missed_lines import with_line
from docserver.ocr.recognition.tesseract import Recognised

MAX_READ = 40
"""Most places that are read, each in up to 0.05 s. A page with more shows drawings."""

SURE_AGAIN_FROM, SURE_ALONE_FROM = 75.0, 85.0
"""Smallest confidence of what is taken, and of a lone digit or capital where nothing was read. Parts of pictures look
like single letters, mostly like small ones."""

MAX_SHORT = 2
"""Most letters of a numeral that was read as letters, though its box fits."""

MARGIN = 0.3
"""Room around a place that is read with it, as a multiple of its height."""

MIN_WIDTH, MIN_HEIGHT = 0.15, 0.4
"""Smallest width that a word and a place have in common if the word was read there, and smallest height of the word, as
multiples of the height of the place."""

MAX_UNREAD, MAX_BEYOND, MIN_SPACE, MAX_SPACE = 0.25, 0.5, 0.2, 1.0
"""Widest part of a place without a word, widest part of a word beyond it, smallest gap between two words, and widest
one between letters of a spaced word, as multiples of the height of the place. Words with smaller gaps are pieces."""

MAX_APART, MIN_BESIDE = 3.0, 0.1
"""Largest distance between a large word and a line beside it that belongs to it, in the same measure, and smallest
share of the lower one's height that they have in common. What is farther away may be in another column."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A row of large letters, and the words that were read there."""

    box: Box
    letters: int
    words: list[Word]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def fits(self) -> bool:
        """True if what was read there may be the text of these letters."""
        if not self.words or self.letters > sum(len(word.text) for word in self.words):
            return False
        left, top, right, bottom = self.box
        x0, y0, x1, y1 = around(word.box for word in self.words)
        unread = max(x0 - left, right - x1)
        beyond = max(left - x0, top - y0, x1 - right, y1 - bottom)
        ordered = sorted(self.words, key=lambda word: word.box[0])
        is_torn = any(after.box[0] - word.box[2] < MIN_SPACE * self.height for word, after in pairwise(ordered))
        return unread <= MAX_UNREAD * self.height and beyond <= MAX_BEYOND * self.height and not is_torn

    @property
    def is_sure(self) -> bool:
        """True if it fits and is no short word that may be a numeral. The list of words corrects longer ones."""
        return self.fits and (self.letters > MAX_SHORT or all(word.confidence >= SURE_FROM for word in self.words))

    def is_raised_beside(self, other: "_Place") -> bool:
        """True if this ends higher than another place to its left, as the pence of a price do."""
        is_close = 0 <= self.box[0] - other.box[2] <= MAX_UNREAD * other.height
        return is_close and self.height < other.height and other.box[3] - self.box[3] > MAX_UNREAD * other.height

    def continues(self, other: "_Place") -> bool:
        """True if another place is the beginning of the same word, which has wide gaps between its letters."""
        height = max(self.height, other.height)
        is_in_line = abs(self.box[3] - other.box[3]) <= MAX_UNREAD * height
        is_one_word = any(word is same for word in self.words for same in other.words)
        return is_in_line and is_one_word and self.box[0] - other.box[2] <= MAX_SPACE * height


def with_large_words(attempt: Attempt, page: PageImage, *, recognise: Callable[[PageImage], Recognised]) -> Attempt:
    """The attempt with large words that were missed or misread. It is marked as `left_out` if what may be a large word
    could not be read. `page` is the level page that was read.
    """
    first = attempt.recognised.blocks
    if not first:
        return attempt
    seen = from_original(first, page)
    words = list(words_of(seen))
    places = _places(page, words)
    boxes = [place.box for place in places]
    # A word that also has letters outside of all places, such as letters that touch, would lose these.
    unsure = [
        place
        for place in places
        if not place.is_sure and all(has_only(page.overview, boxes, word.box) for word in place.words)
    ]
    if not unsure or len(unsure) > MAX_READ:
        return attempt
    # A word as large as the page covers all but the place that is read.
    close_ups = CloseUps(page.as_original, recognise, words=[(0, 0, *page.image.size)])
    in_own_line = _in_own_line(unsure)
    taken: dict[int, list[Word]] = {}
    added: list[Line] = []
    left_out = attempt.left_out
    for place in unsure:
        found = _read(close_ups, place)
        if found:
            taken |= {id(word): [] for word in place.words}
            if id(place) in in_own_line:
                added.append(Line(around(word.box for word in found), tuple(found)))
            else:
                taken[id(place.words[0])] = found
        elif place.letters > 1 and not place.fits:
            left_out |= close_ups.has_sure_letters(place.box)
    if not taken and not added:
        return attempt if left_out == attempt.left_out else replace(attempt, left_out=left_out)
    after = on_original(_with_lines(with_words(seen, taken), added), page, known=known_places(seen, first))
    return replace(attempt, recognised=Recognised.of(after), left_out=left_out)


def _places(page: PageImage, words: Sequence[Word]) -> list[_Place]:
    places: list[_Place] = []
    for row in rows_of_large_letters(page.overview, [word.box for word in words]):
        there = [word for word in words if _was_read_in(word.box, row.box)]
        place = _Place(row.box, row.letters, there)
        first = next((other for other in places if place.continues(other)), None)
        if first:
            places.remove(first)
            place = _joined(first, place)
        places.append(place)
    return places


def _in_own_line(places: Sequence[_Place]) -> set[int]:
    """The ids of the places whose text needs a line of its own: nothing was read there, or a word is in several places,
    or the place is raised beside another one, as in prices, or has such a one beside it.
    """
    counts = Counter(id(word) for place in places for word in place.words)
    apart = {id(place) for place in places if not place.words or any(counts[id(word)] > 1 for word in place.words)}
    for place, other in permutations(places, 2):
        if place.is_raised_beside(other):
            apart |= {id(place), id(other)}
    return apart


def _joined(first: _Place, second: _Place) -> _Place:
    words = first.words + [word for word in second.words if not any(word is other for other in first.words)]
    return _Place(around([first.box, second.box]), first.letters + second.letters, words)


def _was_read_in(word: Box, place: Box) -> bool:
    width = min(word[2], place[2]) - max(word[0], place[0])
    height = min(word[3], place[3]) - max(word[1], place[1])
    word_height, place_height = word[3] - word[1], place[3] - place[1]
    is_beside = width >= MIN_WIDTH * place_height and 2 * height >= min(word_height, place_height)
    return is_beside and word_height >= MIN_HEIGHT * place_height


def _read(close_ups: CloseUps, place: _Place) -> list[Word]:
    """What is in a place; nothing if that is not sure."""
    found = close_ups.words(place.box, margin_px=round(MARGIN * place.height))
    text = "".join(word.text for word in found)
    is_alone = not place.words and len(text) == 1
    least = SURE_ALONE_FROM if is_alone else SURE_AGAIN_FROM
    if (is_alone and text.islower()) or not all(word.confidence >= least for word in found):
        return []
    # Tesseract's boxes are too large where only one word is, and would hide what is beside it.
    return [Word(text, place.box, found[0].confidence)] if len(found) == 1 else found


def _with_lines(blocks: tuple[Block, ...], added: Iterable[Line]) -> tuple[Block, ...]:
    """The blocks with lines of large letters. Each goes before the first line to its right, or if there is none, after
    the nearest one to its left.
    """
    for line in sorted(added, key=lambda line: line.box[0]):
        beside = [other for other in lines_of(blocks) if _are_beside(line.box, other.box)]
        height = line.box[3] - line.box[1]
        right = [other for other in beside if 0 <= other.box[0] - line.box[2] <= MAX_APART * height]
        left = [other for other in beside if 0 <= line.box[0] - other.box[2] <= MAX_APART * height]
        if right:
            nearest = min(right, key=lambda other: other.box[0]).box[0]
            first = min((other for other in right if other.box[0] <= nearest + height), key=lambda other: other.box[1])
            blocks = _inserted(blocks, first, (line, first))
        elif left:
            last = max(left, key=lambda other: other.box[2])
            blocks = _inserted(blocks, last, (last, line))
        else:
            blocks = with_line(blocks, line)
    return blocks


def _are_beside(box: Box, other: Box) -> bool:
    overlap = min(box[3], other[3]) - max(box[1], other[1])
    return overlap >= MIN_BESIDE * min(box[3] - box[1], other[3] - other[1])


def _inserted(blocks: Iterable[Block], place: Line, lines: tuple[Line, Line]) -> tuple[Block, ...]:
    """The blocks with two lines in the place of one."""
    return tuple(
        Block(
            around([block.box, *(line.box for line in lines)]),
            tuple(
                Paragraph(
                    around([paragraph.box, *(line.box for line in lines)]),
                    tuple(new for line in paragraph.lines for new in (lines if line is place else (line,))),
                )
                if any(line is place for line in paragraph.lines)
                else paragraph
                for paragraph in block.paragraphs
            ),
        )
        if any(line is place for line in lines_of([block]))
        else block
        for block in blocks
    )
