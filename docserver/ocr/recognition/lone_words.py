"""Child side: reads letters and short words that stand alone on a page, which Tesseract takes for dirt."""

from collections import Counter
from collections.abc import Callable, Sequence

from docserver.layout import Block, Box, Line, Paragraph, Rect, Word, around, confidence_of, text_of, words_of
from docserver.ocr.image.transform import PageImage, cropped, scaled
from docserver.ocr.recognition.evidence import FEW_WORDS, SURE_FROM
from docserver.ocr.recognition.tesseract import Recognised

HEIGHTS_PX = (22, 26, 30, 35, 40)
"""Heights to which a spot is scaled to be read. Dirt is read as something else at most of them, a letter is not."""

MARGIN = 0.8
"""Room around a spot that is read with it, as a share of its longer side."""

ROUND_LETTERS = "oO0°©®@"
"""What punched holes and the rings of cups are read as."""

MIN_ROUND_WIDTH = 0.9
"""Smallest width of such a ring as a multiple of its height. The digit 0 is narrower."""


def with_lone_words(
    recognised: Recognised, page: PageImage, *, spots: Sequence[Box], recognise: Callable[[PageImage], Recognised]
) -> tuple[Recognised, bool]:
    """The text of an upright page with the letters and words among these spots of its picture, and True if no other
    spot may be one. A text of more than a few words stays as it is. Words that Tesseract is not sure of are replaced.
    """
    before = list(words_of(recognised.blocks))
    if len(before) > FEW_WORDS:
        return recognised, True
    sure = [word for word in before if word.confidence >= SURE_FROM]
    found, is_all = [], True
    for spot in spots:
        place = page.to_original.on_rect(*spot)
        if any(_overlap(word.box, place) for word in sure):
            continue
        readings = [recognise(_part(page, spot, height_px)) for height_px in HEIGHTS_PX]
        words = _words(readings, spot)
        if words:
            found.append(_block(words))
        elif not any(_overlap(word.box, place) for word in before):
            is_all &= not any(reading.text for reading in readings)
    if not found:
        return recognised, is_all
    kept = [block for block in recognised.blocks if not any(_overlap(block.box, other.box) for other in found)]
    blocks = tuple(sorted((*kept, *found), key=lambda block: block.box[1]))
    return Recognised(text_of(blocks), blocks, confidence_of(words_of(blocks))), is_all


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
    confidence = round(sum(reading.confidence for reading in agreeing) / len(readings), 2)
    left, top, right, bottom = spot
    may_be_hole = text in ROUND_LETTERS and right - left >= MIN_ROUND_WIDTH * (bottom - top)
    if confidence < SURE_FROM or may_be_hole or not any(map(str.isalnum, text)):
        return []
    return [Word(word.text, word.box, confidence) for word in words_of(agreeing[0].blocks)]


def _block(words: Sequence[Word]) -> Block:
    box = around(word.box for word in words)
    return Block(box, (Paragraph(box, (Line(box, tuple(words)),)),))


def _overlap(rect: Rect, other: Rect) -> bool:
    return all(rect[low] < other[low + 2] and other[low] < rect[low + 2] for low in (0, 1))
