"""Child side: lets the second engine read the words of a page of which Tesseract is not sure, the numbers and codes of
which it is not quite sure, and the places that it could not read.

No list of words shows Tesseract that `15` is `75`, or that `MS` is `M5`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from docserver.layout import Box, EngineName, Word, confidence_of, words_of
from docserver.ocr.image.transform import PageImage, box_on_original, from_original, known_places, on_original
from docserver.ocr.recognition.agreement import chosen
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.close_ups import part_with
from docserver.ocr.recognition.combination import rows_of, with_lines, with_words
from docserver.ocr.recognition.doubled_letters import ALIKE
from docserver.ocr.recognition.ppocr.detector import ROOM, FoundLine
from docserver.ocr.recognition.ppocr.engine import Ppocr
from docserver.ocr.recognition.tesseract import Recognised

SURE_NUMBER_FROM, SURE_WORD_FROM = 95.0, 70.0
"""Smallest confidences of a number and of another word that are not read again. On sure pages of receipts, forms and
books, the two engines read 38 numbers differently of which Tesseract was less sure than this: the second engine was
right in 29, and Tesseract in 5."""

SURE_WORD_AGAIN_FROM = 85.0
"""The second engine must be surer than this of a word that is no number. In old print, it misreads words of which
Tesseract is not sure either, but which are right."""

SURE_MISSED_FROM = 85.0
"""Smallest confidence of a word where Tesseract's readings differ. It reads dirt with less."""

MAX_READ = 40
"""Most words of a page that are read again, the least sure ones. Each takes about 0.02 s."""

MAX_CODE_LETTERS, MAX_LETTERS_OF_ANY_CASE = 4, 2
"""Most letters of a word that may be a code, or a number: in capitals, such as `MS` for `M5`, and in others, such as
`Al` for `41`."""

MIXED = re.compile(r"[^\W\d_]([/@|]|\.(?=\w))|[a-z][A-Z]|([a-hj-vyz])\2\2")
"""What units, addresses and codes have: signs between letters, capitals behind small letters, a letter three times."""

NO_TEXT = re.compile(r"\w.?\||([a-hj-vyz])\1\1")
"""What a word has only by mistake: a bar in it, or a letter three times that is neither in `www` nor in `viii`."""

UNIT, CAPITAL_LITRE = re.compile(r"[^\W\d_]{1,4}/[mdµun]?[lL]"), re.compile(r"\b(\w{0,2}mol|[mk]?I?U|[mµunk]?g)/I\b")
"""Units such as `U/l`, of which the second engine makes `UA`, and those in which it takes the litre for a capital `I`.
"""

SEPARATORS = re.compile(r"(?<=\d)[.,:'\u2019](?=\d)|(?<=.\D)[.,;:]$")
"""What the second engine leaves out at times. Behind digits, dirt may be a point to Tesseract."""


def is_number(word: Word) -> bool:
    """True if a word has digits, or may be a number or code that was read as letters."""
    text = word.text
    if any(map(str.isdigit, text)) or MIXED.search(text):
        return True
    may_be_code = (text.isupper() and len(text) <= MAX_CODE_LETTERS) or len(text) <= MAX_LETTERS_OF_ANY_CASE
    return text.isascii() and text.isalpha() and may_be_code


def _is_unsure(word: Word) -> bool:
    below = SURE_NUMBER_FROM if is_number(word) else SURE_WORD_FROM
    is_word = any(map(str.isalnum, word.text))
    is_unsure = is_word and word.confidence < below and word.engine is EngineName.TESSERACT
    return is_unsure and not UNIT.fullmatch(word.text)


def _least(word: Word) -> float:
    """The second engine must be surer than this of another reading of a word."""
    if NO_TEXT.search(word.text):
        return 0.0
    return word.confidence if is_number(word) else SURE_WORD_AGAIN_FROM


def _are_alike(text: str, other: str) -> bool:
    """True if two texts differ only in what does not show in a word that is read alone, such as a capital that looks
    like a small letter, or in points that the second engine leaves out.
    """
    if text == other:
        return False
    if len(text) != len(other):
        return len(other) < len(text) and SEPARATORS.sub("", text) == SEPARATORS.sub("", other)
    return all(
        one == another or {one, another} == {"l", "I"} or (one.lower() == another.lower() and one.lower() in ALIKE)
        for one, another in zip(text, other, strict=True)
    )


def with_unsure_words_read_again(attempt: Attempt, page: PageImage, engine: Ppocr) -> Attempt:
    """The attempt with the unsure words that the second engine reads better, and the missed ones of which it is sure.
    `page` is the level page that was read.
    """
    first = attempt.recognised.blocks
    # Without an unsure word, the words need not be mapped to the picture.
    if not attempt.missed and not any(map(_is_unsure, words_of(first))):
        return attempt
    seen = from_original(first, page)
    words = list(words_of(seen))
    unsure = sorted(filter(_is_unsure, words), key=lambda word: word.confidence)
    boxes = [word.box for word in words]
    taken: dict[int, list[Word]] = {}
    for word in unsure[:MAX_READ]:
        found = _read(word.box, page, engine, boxes)
        if not found or _are_alike(word.text, " ".join(other.text for other in found)):
            continue
        if confidence_of(found) > _least(word):
            taken[id(word)] = chosen([word], found)
    missed = {place: _read(place, page, engine, boxes) for place in attempt.missed}
    added = {place: found for place, found in missed.items() if _is_sure_word(found)}
    unread = [place for place, found in missed.items() if found and place not in added]
    if not taken and not added:
        return replace(attempt, missed=tuple(unread))
    after = with_lines(with_words(seen, taken), rows_of(word for found in added.values() for word in found))
    after = on_original(after, page, known=known_places(seen, first))
    return replace(attempt, recognised=Recognised.of(after), missed=tuple(unread))


def _is_sure_word(found: Sequence[Word]) -> bool:
    is_word = any(map(str.isalnum, "".join(word.text for word in found)))
    return is_word and confidence_of(found) >= SURE_MISSED_FROM


def _read(place: Box, page: PageImage, engine: Ppocr, words: Sequence[Box]) -> list[Word]:
    """What the second engine reads in a place of a page, without the letters of the words around it."""
    margin_px = round(ROOM * (place[3] - place[1]))
    part = part_with(place, page.as_original, margin_px=margin_px, words=words)
    found = engine.read(part.image.convert("RGB"), FoundLine((0, 0, *part.image.size), 0.0))
    return [
        replace(word, text=CAPITAL_LITRE.sub(r"\1/l", word.text), box=box_on_original(word.box, part)) for word in found
    ]
