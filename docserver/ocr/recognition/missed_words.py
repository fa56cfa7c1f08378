"""Child side: reads words that Tesseract has missed in a row of others, and once more those that it is not sure of.

Tesseract's analysis of the layout takes short numbers in the columns of tables for dirt.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from docserver.layout import Box, Word, around, is_in, words_of
from docserver.ocr.image.transform import PageImage, from_original, known_places, on_original
from docserver.ocr.image.unread_letters import places_of_unread_letters
from docserver.ocr.recognition.agreement import SURE_FROM
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.close_ups import CloseUps, joined
from docserver.ocr.recognition.combination import with_lines, with_words
from docserver.ocr.recognition.tesseract import Recognised
from docserver.ocr.recognition.unsure_words import is_number

MAX_READ = 12
"""Most missed words, and most unsure ones, that are read once more, each in up to 0.03 s. A page with more is badly
printed, or has drawings."""

HEIGHTS_PX = (40, 26, 30)
"""Heights to which each of them is scaled to be read, until two readings differ. The first one confirms most of what is
right. All three agree on wrong words no more often than four of five did, and take half of the time."""

NO_WORD_BELOW = 50.0
"""Confidence below which what was read may be no word."""

MAX_GAP = 1.5
"""Widest gap between two words of a line, as a multiple of the height of the higher one."""

MAX_GAP_INSIDE = 0.3
"""Widest gap between a word and ink that belongs to it though its box is too narrow, in the same measure."""

MARGIN = 0.3
"""Room around a word that is read with it, in the same measure."""


def with_missed_words(
    attempt: Attempt, page: PageImage, *, recognise: Callable[[PageImage], Recognised], numbers: bool = True
) -> Attempt:
    """The attempt with words that were missed or misread. `page` is the level page that was read. Without `numbers`,
    unsure numbers are left to the second engine.
    """
    if page.warp:
        return attempt
    first = attempt.recognised.blocks
    seen = from_original(first, page)
    words = list(words_of(seen))
    boxes = [word.box for word in words]
    # What is around a word is its frame.
    spots = [
        spot for spot in places_of_unread_letters(page.overview, boxes) if not any(is_in(spot, box) for box in boxes)
    ]
    parts = {id(word): [spot for spot in spots if _are_close(word.box, spot, MAX_GAP_INSIDE)] for word in words}
    missed = [around(group) for group in joined(set(spots).difference(*parts.values()))]
    # What seems to be missed may be in the text of a word beside it, whose box is too narrow: `along` for `a long`.
    unsure = [
        word
        for word in words
        if _is_unsure(word, numbers=numbers)
        or parts[id(word)]
        or any(_are_close(word.box, place, MAX_GAP) for place in missed)
    ]
    if not unsure + missed or len(unsure) > MAX_READ or len(missed) > MAX_READ:
        return attempt
    close_ups = CloseUps(page.as_original, recognise, words=boxes, heights_px=HEIGHTS_PX)
    taken = {
        id(word): found
        for word in unsure
        if (found := _read(close_ups, around([word.box, *parts[id(word)]]), others=boxes, before=word))
    }
    kept = [word for word in unsure if id(word) not in taken]
    found = [word for place in missed for word in _read(close_ups, place, others=boxes)]
    added = _rows(word for word in found if not any(_has_taken_in(other, word) for other in kept))
    if not taken and not added:
        return attempt
    after = on_original(with_lines(with_words(seen, taken), added), page, known=known_places(seen, first))
    return replace(attempt, recognised=Recognised.of(after))


def _rows(words: Iterable[Word]) -> list[list[Word]]:
    """The words, with those together that follow each other in a line."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.box[0]):
        for row in rows:
            if _are_close(row[-1].box, word.box, MAX_GAP):
                row.append(word)
                break
        else:
            rows.append([word])
    return rows


def _has_taken_in(word: Word, other: Word) -> bool:
    """True if another word may be a part of this one's text."""
    return _are_close(word.box, other.box, MAX_GAP) and other.text in word.text


def _are_close(one: Box, other: Box, max_gap: float) -> bool:
    """True if two places are beside each other in a line. `max_gap` is the widest gap between them as a multiple of
    the height of the higher one. The lower one must reach the middle of the higher one's height: raised digits and
    small print beside a price do not.
    """
    gap = max(one[0], other[0]) - min(one[2], other[2])
    lower, higher = sorted((one, other), key=lambda place: place[3] - place[1])
    is_in_line = 2 * lower[1] <= higher[1] + higher[3] <= 2 * lower[3]
    return is_in_line and gap <= max_gap * (higher[3] - higher[1])


def _is_unsure(word: Word, *, numbers: bool) -> bool:
    """True for unsure numbers and codes, and for what may be no word at all."""
    below = SURE_FROM if numbers and is_number(word) else NO_WORD_BELOW
    return word.confidence < below and any(map(str.isalnum, word.text))


def _read(close_ups: CloseUps, place: Box, *, others: Iterable[Box], before: Word | None = None) -> list[Word]:
    """What is in a place; nothing if that is not sure, was read before, or is where another word is."""
    margin_px = round(MARGIN * (place[3] - place[1]))
    words = close_ups.words(place, margin_px=margin_px, before=before.text if before else None)
    elsewhere = [box for box in others if before is None or box != before.box]
    if any(word.confidence < SURE_FROM or any(is_in(word.box, box) for box in elsewhere) for word in words):
        return []
    return words
