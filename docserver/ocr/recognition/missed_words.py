"""Child side: reads words that Tesseract has missed in a row of others, and once more those that it is not sure of.

Tesseract's analysis of the layout takes short numbers in the columns of tables for dirt.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from docserver.layout import Box, Word, around, is_in, words_of
from docserver.ocr.image.lone_dashes import lone_dashes
from docserver.ocr.image.transform import PageImage, from_original, known_places, on_original
from docserver.ocr.image.unread_letters import places_of_unread_letters
from docserver.ocr.recognition.agreement import SURE_FROM
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.close_ups import NO_WORD_BELOW, CloseUps, joined
from docserver.ocr.recognition.combination import MAX_GAP, are_close, rows_of, with_lines, with_words
from docserver.ocr.recognition.misread_columns import misread_columns
from docserver.ocr.recognition.tesseract import Recognised
from docserver.ocr.recognition.unsure_words import is_number

MAX_UNSURE, MAX_MISSED = 12, 30
"""Most unsure words and most missed ones that are read once more, each in up to 0.03 s. A page with more is badly
printed, or has drawings."""

MIN_CELLS = 2
"""Fewest cells of a column that was read as a line that runs downwards."""

HEIGHTS_PX = (40, 26, 30)
"""Heights to which each of them is scaled to be read, until two readings differ. The first one confirms most of what is
right. All three agree on wrong words no more often than four of five did, and take half of the time."""

MISSED_HEIGHTS_PX, FRAME_PX = (40, 26, 30, 35), 20
"""The same for missed words, of which three readings must agree, and the paper around each of them. Without it,
Tesseract hardly reads single digits on grainy paper."""

MAX_GAP_INSIDE = 0.3
"""Widest gap between a word and ink that belongs to it though its box is too narrow, as a multiple of the height of the
higher one."""

DASH_CONFIDENCE = 90.0
"""Confidence of a dash that stands alone in a cell of a table. Its shape and place show it, and no engine has read it.
"""

MIN_GAP_APART = 0.8
"""Smallest gap between a word and ink that may be another one, in the same measure. Less may be dirt beside it."""

MIN_WIDTH = 0.3
"""Smallest width of what may be a word, as a multiple of its height. Pieces of the edge of a page are narrower."""

MARGIN = 0.3
"""Room around a word that is read with it, in the same measure."""


def with_missed_words(
    attempt: Attempt, page: PageImage, *, recognise: Callable[[PageImage], Recognised], numbers: bool = True
) -> Attempt:
    """The attempt with words that were missed or misread, and the places of those that cannot be read for certain.
    `page` is the level page that was read. Without `numbers`, unsure numbers are left to the second engine.
    """
    first = attempt.recognised.blocks
    seen = from_original(first, page)
    dropped = _in_misread_columns(list(words_of(seen)), page)
    words = [word for word in words_of(seen) if id(word) not in dropped]
    boxes = [word.box for word in words]
    # What is around a word is its frame.
    spots = [
        spot for spot in places_of_unread_letters(page.overview, boxes) if not any(is_in(spot, box) for box in boxes)
    ]
    parts = _parts(words, spots)
    unread = set(spots).difference(*parts.values())
    dashes = [Word(dash.text, dash.box, DASH_CONFIDENCE) for dash in lone_dashes(page.overview, [*boxes, *unread])]
    missed = [around(group) for group in joined(unread)]
    # What seems to be missed may be in the text of a word beside it, whose box is too narrow: `along` for `a long`.
    unsure = [
        word
        for word in words
        if _is_unsure(word, numbers=numbers)
        or parts[id(word)]
        or any(are_close(word.box, place, MAX_GAP) for place in missed)
    ]
    if not (unsure or missed or dashes) or len(unsure) > MAX_UNSURE or len(missed) > MAX_MISSED:
        return attempt
    close_ups = CloseUps(page.as_original, recognise, words=boxes, heights_px=HEIGHTS_PX)
    taken = dropped | {
        id(word): found
        for word in unsure
        if (found := _again(close_ups, word, around([word.box, *parts[id(word)]]), others=boxes))
    }
    in_frames = _in_frames(page, recognise, boxes)
    found = [*dashes, *(word for place in missed for word in _alone(in_frames, place, others=boxes))]
    kept = [word for word in unsure if id(word) not in taken]
    added = rows_of(word for word in found if not any(_has_taken_in(other, word) for other in kept))
    unsettled = (place for place in missed if _is_unread(place, in_frames, words, has_second=not numbers))
    attempt = replace(attempt, missed=tuple(unsettled))
    if not taken and not added:
        return attempt
    after = on_original(with_lines(with_words(seen, taken), added), page, known=known_places(seen, first))
    return replace(attempt, recognised=Recognised.of(after))


def _in_frames(page: PageImage, recognise: Callable[[PageImage], Recognised], words: Sequence[Box]) -> CloseUps:
    """The readings of places where words were missed."""
    heights_px, sure_from = MISSED_HEIGHTS_PX, SURE_FROM
    whole = page.as_original
    return CloseUps(whole, recognise, words=words, heights_px=heights_px, frame_px=FRAME_PX, sure_from=sure_from)


def _in_misread_columns(words: Sequence[Word], page: PageImage) -> dict[int, list[Word]]:
    """The ids of the words that take the place of cells below each other, none of which they are."""
    columns = misread_columns(words)
    others = [word.box for word in words if word not in columns]
    places = places_of_unread_letters(page.overview, others) if columns else []
    cells = [place for place in places if any(is_in(word.box, place) for word in columns)]
    return {id(word): [] for word in columns} if len(cells) >= MIN_CELLS else {}


def _parts(words: Sequence[Word], spots: Iterable[Box]) -> dict[int, list[Box]]:
    """The spots that belong to words whose boxes are too narrow, each to the nearest one, by the ids of all words."""
    parts: dict[int, list[Box]] = {id(word): [] for word in words}
    for spot in spots:
        close = [word for word in words if are_close(word.box, spot, MAX_GAP_INSIDE)]
        if close:
            nearest = min(close, key=lambda word: max(word.box[0] - spot[2], spot[0] - word.box[2]))
            parts[id(nearest)].append(spot)
    return parts


def _has_taken_in(word: Word, other: Word) -> bool:
    """True if another word may be a part of this one's text."""
    return are_close(word.box, other.box, MAX_GAP) and other.text in word.text


def _is_unsure(word: Word, *, numbers: bool) -> bool:
    """True for unsure numbers and codes, and for what may be no word at all."""
    below = SURE_FROM if numbers and is_number(word) else NO_WORD_BELOW
    return word.confidence < below and any(map(str.isalnum, word.text))


def _is_unread(place: Box, close_ups: CloseUps, words: Iterable[Word], *, has_second: bool) -> bool:
    """True if a place that was read may have a word of its own, and its readings differ. A second engine that reads it
    then tells dirt from letters better.
    """
    left, top, right, bottom = place
    is_stroke = right - left < MIN_WIDTH * (bottom - top)
    is_apart = not any(are_close(word.box, place, MIN_GAP_APART) for word in words)
    may_be = close_ups.may_be_letters(place) or (has_second and close_ups.may_be_word(place))
    return is_apart and not is_stroke and may_be and not close_ups.words(place, margin_px=0)


def _again(close_ups: CloseUps, word: Word, place: Box, *, others: Iterable[Box]) -> list[Word]:
    """What takes the place of a word; nothing if that is not sure."""
    words = _alone(close_ups, place, others=[box for box in others if box != word.box], before=word.text)
    return words if all(found.confidence >= SURE_FROM for found in words) else []


def _alone(close_ups: CloseUps, place: Box, *, others: Iterable[Box], before: str | None = None) -> list[Word]:
    """What is in a place; nothing if it was read before, or is where another word is."""
    words = close_ups.words(place, margin_px=round(MARGIN * (place[3] - place[1])), before=before)
    is_elsewhere = any(is_in(word.box, box) or is_in(box, word.box) for word in words for box in others)
    return [] if is_elsewhere else words
