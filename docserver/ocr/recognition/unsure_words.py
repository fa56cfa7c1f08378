"""Child side: lets the second engine read the words of a page of which Tesseract is not sure, and the numbers and codes
of which it is not quite sure.

No list of words shows Tesseract that `15` is `75`, or that `MS` is `M5`.
"""

from dataclasses import replace

from docserver.layout import EngineName, Word, confidence_of, words_of
from docserver.ocr.image.transform import PageImage, box_on_original, from_original, known_places, on_original
from docserver.ocr.recognition.agreement import chosen
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.close_ups import part_with
from docserver.ocr.recognition.combination import with_words
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

MAX_READ = 40
"""Most words of a page that are read again, the least sure ones. Each takes about 0.02 s."""

MAX_CODE_LETTERS, MAX_LETTERS_OF_ANY_CASE = 4, 2
"""Most letters of a word that may be a code, or a number: in capitals, such as `MS` for `M5`, and in others, such as
`Al` for `41`."""


def is_number(word: Word) -> bool:
    """True if a word has digits, or may be a number or code that was read as letters."""
    text = word.text
    if any(map(str.isdigit, text)):
        return True
    may_be_code = (text.isupper() and len(text) <= MAX_CODE_LETTERS) or len(text) <= MAX_LETTERS_OF_ANY_CASE
    return text.isascii() and text.isalpha() and may_be_code


def _is_unsure(word: Word) -> bool:
    below = SURE_NUMBER_FROM if is_number(word) else SURE_WORD_FROM
    is_word = any(map(str.isalnum, word.text))
    return is_word and word.confidence < below and word.engine is EngineName.TESSERACT


def with_unsure_words_read_again(attempt: Attempt, page: PageImage, engine: Ppocr) -> Attempt:
    """The attempt with the unsure words that the second engine reads better. `page` is the level page that was read."""
    first = attempt.recognised.blocks
    # Without an unsure word, the words need not be mapped to the picture.
    if not any(map(_is_unsure, words_of(first))):
        return attempt
    seen = from_original(first, page)
    words = list(words_of(seen))
    unsure = sorted(filter(_is_unsure, words), key=lambda word: word.confidence)
    boxes = [word.box for word in words]
    taken: dict[int, list[Word]] = {}
    for word in unsure[:MAX_READ]:
        margin_px = round(ROOM * (word.box[3] - word.box[1]))
        part = part_with(word.box, page.as_original, margin_px=margin_px, words=boxes)
        found = engine.read(part.image.convert("RGB"), FoundLine((0, 0, *part.image.size), 0.0))
        least = word.confidence if is_number(word) else SURE_WORD_AGAIN_FROM
        if found and confidence_of(found) > least:
            taken[id(word)] = chosen([word], [replace(other, box=box_on_original(other.box, part)) for other in found])
    if not taken:
        return attempt
    after = on_original(with_words(seen, taken), page, known=known_places(seen, first))
    return replace(attempt, recognised=Recognised.of(after))
