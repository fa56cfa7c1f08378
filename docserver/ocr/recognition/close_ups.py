"""Child side: reads small places of a page at several sizes, and takes what most of these readings say."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from docserver.layout import Box, Word, around, words_of
from docserver.ocr.image.transform import PageImage, cropped, framed, paper_colour, scaled
from docserver.ocr.recognition.agreement import SURE_FROM as SURE_PAGE_FROM
from docserver.ocr.recognition.evidence import SURE_FROM
from docserver.ocr.recognition.tesseract import Recognised

HEIGHTS_PX = (22, 26, 30, 35, 40)
"""Heights to which a place is scaled to be read. Dirt is read as something else at most of them, a letter is not."""

MIN_ALIKE = 0.75
"""Smallest share of the readings that are equal if the text is sure: four of five, and three of three or four."""

NO_WORD_BELOW = 50.0
"""Confidence below which what was read may be no word."""

LEAST_SURE = 2
"""Fewest readings that are sure of letters in a place that may have a word."""

MAX_GAP = 0.8
"""Widest gap between two spots of a word or a short line, as a multiple of the height of the higher one. Points between
them are no spots."""

ROUND_LETTERS = "oO0°©®@"
"""What punched holes and the rings of cups are read as."""

SIGNS = ("+",)
"""Signs that are words of their own, as in columns that mark values. Dirt is read as others."""

MIN_ROUND_WIDTH = 0.9
"""Smallest width of such a ring as a multiple of its height. The digit 0 is narrower."""


class CloseUps:
    """The readings of places on a page. Each place is read once, without letters of the words around it."""

    def __init__(
        self,
        page: PageImage,
        recognise: Callable[[PageImage], Recognised],
        *,
        words: Sequence[Box] = (),
        heights_px: Sequence[int] = HEIGHTS_PX,
        frame_px: int = 0,
        sure_from: float = SURE_FROM,
    ) -> None:
        """With `frame_px`, each place is read in a frame of so much paper. `sure_from` is the smallest mean confidence
        of readings that agree.
        """
        self._page = page
        self._recognise = recognise
        self._words = words
        self._heights_px = heights_px
        self._frame_px = frame_px
        self._sure_from = sure_from
        self._readings: dict[Box, list[Recognised]] = {}

    def words(self, place: Box, *, margin_px: int, before: str | None = None) -> list[Word]:
        """What most of the readings of a place say, if that is sure; nothing if the first one confirms `before`, the
        text that was read there earlier. Up to `margin_px` around the place are read with it.
        """
        if place not in self._readings:
            self._readings[place] = list(self._read(place, margin_px, before))
        return _words(self._readings[place], place, count=len(self._heights_px), sure_from=self._sure_from)

    def may_be_word(self, place: Box) -> bool:
        """True if any reading of a place has text. The place must have been read."""
        return any(reading.text for reading in self._readings[place])

    def may_be_letters(self, place: Box) -> bool:
        """True if one reading of a place is sure of letters or digits, or all are half sure of some. The place must
        have been read.
        """
        readings = self._readings[place]
        likely = [reading.confidence for reading in readings if any(map(str.isalnum, reading.text))]
        return max(likely, default=0.0) >= SURE_PAGE_FROM or sum(likely) >= NO_WORD_BELOW * len(readings)

    def has_sure_letters(self, place: Box) -> bool:
        """True if two readings of a place are sure of letters or digits. The place must have been read."""
        sure = [reading for reading in self._readings[place] if reading.confidence >= SURE_PAGE_FROM]
        return sum(any(map(str.isalnum, reading.text)) for reading in sure) >= LEAST_SURE

    def _read(self, place: Box, margin_px: int, before: str | None) -> Iterator[Recognised]:
        """The readings of a place. They end once too few can agree, or if the first one confirms `before`."""
        part = part_with(place, self._page, margin_px=margin_px, words=self._words)
        texts: Counter[str] = Counter()
        for number, height_px in enumerate(self._heights_px, start=1):
            reading = self._recognise(framed(scaled(part, height_px / (place[3] - place[1])), self._frame_px))
            yield reading
            texts[reading.text] += 1
            if reading.text == before and number == 1:
                return
            most = max(count for text, count in texts.items() if text or len(texts) == 1)
            if set(texts) != {""} and most + len(self._heights_px) - number < MIN_ALIKE * len(self._heights_px):
                return


def part_with(place: Box, page: PageImage, *, margin_px: int, words: Iterable[Box]) -> PageImage:
    """The part of a page's picture with a place and the margin around it, in which paper covers the words beside it."""
    left, top, right, bottom = place
    width, height = page.image.size
    x0, y0 = max(0, left - margin_px), max(0, top - margin_px)
    part = cropped(page, (x0, y0, min(width, right + margin_px), min(height, bottom + margin_px)))
    inside = (left - x0, top - y0, right - x0, bottom - y0)
    image, letters = part.image.copy(), part.image.crop(inside)
    paper = paper_colour(part.image)
    for other in words:
        image.paste(paper, (other[0] - x0, other[1] - y0, other[2] - x0, other[3] - y0))
    image.paste(letters, inside)
    return replace(part, image=image)


def joined(spots: Iterable[Box]) -> list[list[Box]]:
    """The spots in groups: close ones beside each other in a line are together."""
    words: list[list[Box]] = []
    for spot in sorted(spots):
        for word in words:
            _, top, right, bottom = around(word)
            height = max(bottom - top, spot[3] - spot[1])
            if spot[0] - right <= MAX_GAP * height and min(bottom, spot[3]) - max(top, spot[1]) > 0:
                word.append(spot)
                break
        else:
            words.append([spot])
    return sorted(words, key=lambda word: around(word)[1])


def _words(readings: Sequence[Recognised], place: Box, *, count: int, sure_from: float) -> list[Word]:
    """What most of this many readings of a place say, if that is sure. The others count as ones without confidence."""
    ((text, _),) = Counter(reading.text for reading in readings).most_common(1)
    agreeing = [reading for reading in readings if reading.text == text]
    total = sum(reading.confidence for reading in agreeing)
    confidence = round(total / count, 2)
    left, top, right, bottom = place
    may_be_hole = text in ROUND_LETTERS and right - left >= MIN_ROUND_WIDTH * (bottom - top)
    is_word = text in SIGNS or any(map(str.isalnum, text))
    if confidence < SURE_FROM or total < sure_from * len(agreeing) or may_be_hole or not is_word:
        return []
    return [Word(word.text, word.box, confidence) for word in words_of(agreeing[0].blocks)]
