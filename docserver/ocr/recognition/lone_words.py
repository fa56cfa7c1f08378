"""Child side: reads letters and short words that stand alone on a page, which Tesseract takes for dirt."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from docserver.layout import Block, Box, Line, Paragraph, Word, around, confidence_of, overlap, text_of, words_of
from docserver.ocr.image.transform import PageImage, cropped, scaled
from docserver.ocr.recognition.evidence import FEW_WORDS, SURE_FROM
from docserver.ocr.recognition.tesseract import Recognised

HEIGHTS_PX = (22, 26, 30, 35, 40)
"""Heights to which a spot is scaled to be read. Dirt is read as something else at most of them, a letter is not."""

LEAST_ALIKE = 4
"""Fewest of these readings that are equal if the text is sure."""

MAX_READ = 12
"""Most spots that are read, each in up to 0.05 s. A page with more that nothing explains is dirty, or a drawing."""

MARGIN = 0.8
"""Room around a spot that is read with it, as a share of its longer side."""

MAX_GAP = 0.8
"""Widest gap between two spots of a word or a short line, as a multiple of the height of the higher one. Points between
them are no spots."""

ROUND_LETTERS = "oO0°©®@"
"""What punched holes and the rings of cups are read as."""

MIN_ROUND_WIDTH = 0.9
"""Smallest width of such a ring as a multiple of its height. The digit 0 is narrower."""


class LoneWords:
    """The spots of ink on an upright page that is empty but for a few, and what they were read as."""

    def __init__(self, page: PageImage, spots: Sequence[Box], *, recognise: Callable[[PageImage], Recognised]) -> None:
        self._page = page
        self._words = _joined(spots)
        self._recognise = recognise
        self._readings: dict[Box, list[Recognised]] = {}
        """What the spots were read as that have been read."""

    def added_to(self, recognised: Recognised) -> tuple[Recognised, bool]:
        """The page's text with the letters and words among the spots, and True if no other spot may be one. A text of
        more than a few words stays as it is. Words that Tesseract is not sure of are replaced.
        """
        before = list(words_of(recognised.blocks))
        if len(before) > FEW_WORDS:
            return recognised, True
        sure = [word.box for word in before if word.confidence >= SURE_FROM]
        unread = [spots for spots in self._words if not all(self._is_in(spot, sure) for spot in spots)]
        if len(unread) > MAX_READ:
            return recognised, False
        found: list[list[Word]] = []
        is_all = True
        for spots in unread:
            words = self._words_of(around(spots))
            apart = [] if words or len(spots) == 1 else [spot for spot in spots if not self._is_in(spot, sure)]
            found += filter(None, [words, *map(self._words_of, apart)])
            is_read = words or (apart and all(map(self._words_of, apart)))
            if not is_read and not any(self._is_in(spot, [word.box for word in before]) for spot in spots):
                is_all &= not any(reading.text for reading in self._readings[around(spots)])
        return (_with(recognised, found) if found else recognised), is_all

    def _is_in(self, spot: Box, boxes: Iterable[Box]) -> bool:
        place = self._page.to_original.on_rect(*spot)
        return any(overlap(box, place) for box in boxes)

    def _words_of(self, spot: Box) -> list[Word]:
        if spot not in self._readings:
            self._readings[spot] = list(self._read(spot))
        return _words(self._readings[spot], spot)

    def _read(self, spot: Box) -> Iterator[Recognised]:
        """The readings of a spot, up to the first that shows that they do not agree."""
        texts: Counter[str] = Counter()
        for number, height_px in enumerate(HEIGHTS_PX, start=1):
            reading = self._recognise(_part(self._page, spot, height_px))
            yield reading
            texts[reading.text] += 1
            most = max(count for text, count in texts.items() if text or len(texts) == 1)
            if set(texts) != {""} and most + len(HEIGHTS_PX) - number < LEAST_ALIKE:
                return


def _joined(spots: Iterable[Box]) -> list[list[Box]]:
    """The spots, with those together that are beside each other in a line and close."""
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


def _part(page: PageImage, spot: Box, height_px: int) -> PageImage:
    """The part of the page with a spot, in which the spot has this height."""
    left, top, right, bottom = spot
    margin = int(MARGIN * max(right - left, bottom - top))
    width, height = page.image.size
    box = max(0, left - margin), max(0, top - margin), min(width, right + margin), min(height, bottom + margin)
    return scaled(cropped(page, box), height_px / (bottom - top))


def _words(readings: Sequence[Recognised], spot: Box) -> list[Word]:
    """What most of the readings of a spot say, if that is sure. The others count as readings without confidence."""
    ((text, _),) = Counter(reading.text for reading in readings).most_common(1)
    agreeing = [reading for reading in readings if reading.text == text]
    confidence = round(sum(reading.confidence for reading in agreeing) / len(HEIGHTS_PX), 2)
    left, top, right, bottom = spot
    may_be_hole = text in ROUND_LETTERS and right - left >= MIN_ROUND_WIDTH * (bottom - top)
    if confidence < SURE_FROM or may_be_hole or not any(map(str.isalnum, text)):
        return []
    return [Word(word.text, word.box, confidence) for word in words_of(agreeing[0].blocks)]


def _with(recognised: Recognised, found: Iterable[Sequence[Word]]) -> Recognised:
    """The text with these words, each in a block of its own, in place of what was read where they are."""
    added = [_block(words) for words in found]
    kept = (_without(block, [other.box for other in added]) for block in recognised.blocks)
    blocks = tuple(sorted((*filter(None, kept), *added), key=lambda block: block.box[1]))
    return Recognised(text_of(blocks), blocks, confidence_of(words_of(blocks)))


def _without(block: Block, boxes: Sequence[Box]) -> Block | None:
    """The block without its words in these places; None if it has no others."""
    paragraphs = []
    for paragraph in block.paragraphs:
        lines = []
        for line in paragraph.lines:
            words = tuple(word for word in line.words if not any(overlap(word.box, box) for box in boxes))
            if words:
                lines.append(Line(line.box if words == line.words else around(word.box for word in words), words))
        if lines:
            paragraphs.append(Paragraph(around(line.box for line in lines), tuple(lines)))
    return Block(around(part.box for part in paragraphs), tuple(paragraphs)) if paragraphs else None


def _block(words: Sequence[Word]) -> Block:
    box = around(word.box for word in words)
    return Block(box, (Paragraph(box, (Line(box, tuple(words)),)),))
