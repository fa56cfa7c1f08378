"""Child side: reads words of a text layer whose letters are unknown and that stand in another direction than the page,
such as a label along an axis. Each is read alone, turned so that it is upright.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from docserver.layout import Rect, Word, confidence_of, words_of
from docserver.ocr.pdf.coordinates import PointsToPixels, ends_of_slanted
from docserver.ocr.pdf.glyphs.glyph_shapes import alike
from docserver.ocr.pdf.verification.upright_words import BOTTOM, TOP
from docserver.ocr.pdf.words.own_words import MarkedPart, MarkedWords, OwnWord
from docserver.ocr.pdf.words.pdf_words import UNMAPPED
from docserver.ocr.pdf.words.placement import MAX_RECOGNISED_CONFIDENCE
from docserver.ocr.pdf.words.text_characters import LETTER_HEIGHT
from docserver.ocr.recognition.attempt import Attempt

MAX_TURNED = 40
"""Most such words of a page that are read. Each takes some 30 ms."""

MIN_CONFIDENCE = 70.0
"""Smallest confidence of what is taken, that of lines in other patches."""

DASHES, STRAIGHT_QUOTES, QUOTES = "[-\u2010-\u2015\u2212]", "'\"", "['\"\u2018-\u201e]{1,2}"
"""Signs that OCR takes for each other, as regular expressions, and quotes that Unicode does not call such."""


def alone(word: OwnWord, to_pixels: PointsToPixels) -> MarkedWords:
    """The word as what is to be cut out of the page's picture."""
    part = MarkedPart(word.rect, "", word, 0.0)
    direction = word.direction(to_pixels)
    turns = round(direction / 90) % 4
    if not word.orientation.slant:
        return MarkedWords((part,), turns)
    height = word.orientation.height * to_pixels.pixels_per_point
    left, right, baseline = ends_of_slanted(word.rect, word.baseline, size=height, direction=direction)
    size = height / LETTER_HEIGHT
    return MarkedWords((part,), turns, direction, (left, baseline - TOP * size, right, baseline + BOTTOM * size))


def as_read(word: OwnWord, attempt: Attempt, to_pixels: PointsToPixels) -> list[tuple[OwnWord, float]]:
    """What the word says, in the place of the word, and how sure that is; nothing if its own letters were not read."""
    read = list(words_of(attempt.recognised.blocks))
    confidence = min(confidence_of(read), MAX_RECOGNISED_CONFIDENCE)
    own = word.pdf_word.text
    # Where no letter is known, spaces are not known either.
    are_unknown = not own.strip(UNMAPPED)
    text = (" " if are_unknown else "").join(part.text for part in read)
    match = re.fullmatch("".join(map(_pattern, own, word.seen_as or own)), text)
    if not match or confidence < MIN_CONFIDENCE:
        return []
    if len(read) > 1 and are_unknown:
        return [] if word.orientation.slant else list(_parts(word, read, to_pixels))
    said = "".join(seen if letter == UNMAPPED else letter for letter, seen in zip(own, match.groups(), strict=True))
    # Otherwise, it is not known whether there is a space between several words.
    return [(_saying(word, said, word.rect), confidence)] if len(read) == 1 else []


def _pattern(letter: str, seen_as: str) -> str:
    """What a letter of the word may be read as, as a group of a regular expression."""
    if letter == UNMAPPED:
        return f"({'.{1,3}' if seen_as == UNMAPPED else seen_as})"
    category = unicodedata.category(letter)
    if category == "Pd":
        return f"({DASHES})"
    if category in ("Pi", "Pf") or letter in STRAIGHT_QUOTES:
        return f"({QUOTES})"
    return f"({'|'.join(map(re.escape, sorted({letter, *alike(letter)})))})"


def _parts(word: OwnWord, read: Sequence[Word], to_pixels: PointsToPixels) -> Iterator[tuple[OwnWord, float]]:
    """Several words that were read in the place of one."""
    turns = round(word.direction(to_pixels) / 90) % 4
    left, top, right, bottom = word.rect
    length = bottom - top if turns % 2 else right - left
    first, end = read[0].box[0], read[-1].box[2]
    for part in read:
        start, stop = ((side - first) / (end - first) * length for side in (part.box[0], part.box[2]))
        rect: Rect = (
            (left + start, top, left + stop, bottom),
            (left, bottom - stop, right, bottom - start),
            (right - stop, top, right - start, bottom),
            (left, top + start, right, top + stop),
        )[turns]
        yield _saying(word, part.text, rect), min(part.confidence, MAX_RECOGNISED_CONFIDENCE)


def _saying(word: OwnWord, said: str, rect: Rect) -> OwnWord:
    return replace(word, pdf_word=replace(word.pdf_word, text=said), rect=rect)
