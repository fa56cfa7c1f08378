"""Child side: corrects signs by their ink: `|` for a part of a frame is left out, and `=` may be a hyphen or bullet."""

import re
from dataclasses import replace
from statistics import median

from docserver.layout import Block, Word, words_of
from docserver.ocr.image.sign_shapes import SignShape, sign_shape
from docserver.ocr.image.transform import PageImage, from_original
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.combination import with_others
from docserver.ocr.recognition.tesseract import Recognised

LOW_SIGNS = frozenset("-\u2010\u2011\u2013\u2014\u2015\u2212_.,·•")
"""Signs that may be low bars. A misread one is something else."""

BULLET, HYPHEN = "■", "-"

BAR_FOR_LITRE = re.compile(r"(?<=[^\W\d_]/)\|$")
"""The bar in units such as `mmol/|`."""

SURE_FROM = 85.0
"""Confidence from which a lone letter or digit is one. Hyphens and bullets are read as some with less."""

MAX_SIGNS = 100
"""Most signs of a page that are looked at, each in up to 1 ms. A page with more has drawings."""


def with_signs_as_drawn(attempt: Attempt, page: PageImage) -> Attempt:
    """The attempt without signs that are parts of rules, and with hyphens, bullets and litres that were read as other
    signs. `page` is the original page, turned upright, with its rules.
    """
    first = attempt.recognised.blocks
    others: dict[int, Word | None] = {
        id(word): replace(word, text=BAR_FOR_LITRE.sub("l", word.text))
        for word in words_of(first)
        if BAR_FOR_LITRE.search(word.text)
    }
    if any(map(_may_be_sign, words_of(first))):
        others |= _read_signs(first, page)
    return replace(attempt, recognised=Recognised.of(with_others(first, others))) if others else attempt


def _read_signs(blocks: tuple[Block, ...], page: PageImage) -> dict[int, Word | None]:
    """The ids of words that are other signs, and what takes their places."""
    words = list(zip(words_of(blocks), words_of(from_original(blocks, page)), strict=True))
    heights = [seen.box[3] - seen.box[1] for word, seen in words if not _is_sign(word)]
    signs = [(word, seen) for word, seen in words if _may_be_sign(word)]
    others: dict[int, Word | None] = {}
    if not heights or len(signs) > MAX_SIGNS:
        return others
    letter_px = median(heights)
    for word, seen in signs:
        shape = sign_shape(page.overview.grey, seen.box, letter_px=letter_px)
        if shape is SignShape.RULE and _is_sign(word):
            others[id(word)] = None
        elif shape is SignShape.BAR and word.text not in LOW_SIGNS:
            others[id(word)] = replace(word, text=HYPHEN)
        elif shape is SignShape.SQUARE:
            others[id(word)] = replace(word, text=BULLET)
    return others


def _is_sign(word: Word) -> bool:
    return not any(map(str.isalnum, word.text))


def _may_be_sign(word: Word) -> bool:
    return _is_sign(word) or (len(word.text) == 1 and word.confidence < SURE_FROM)
