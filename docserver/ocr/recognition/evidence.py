"""Child side: decides whether what Tesseract read in a picture is text. Tesseract also reads nonsense in patterns."""

from docserver.layout import words_of
from docserver.ocr.recognition.tesseract import Recognised

SURE_FROM = 60.0
"""Smallest confidence of a word that Tesseract is sure of. In patterns, it is sure of one word in five hundred."""

MIN_LETTERS = 2
"""Fewest letters of a word that counts as evidence. Single letters look like many things, but ideographs do not."""

FIRST_IDEOGRAPH = "\u2e80"

MIN_SURE_SHARE = 0.03
"""Smallest share of a text's letters that are in sure words. Even a hardly legible receipt has a tenth."""

FEW_WORDS = 4
"""A text with at most this many words is kept, whatever its confidence: the picture may show just them."""


def shows_text(recognised: Recognised) -> bool:
    """True if Tesseract is sure of more of the text than it is of what it reads in patterns."""
    letters, sure = 0, 0
    for word in words_of(recognised.blocks):
        letters += len(word.text)
        if word.confidence >= SURE_FROM and (len(word.text) >= MIN_LETTERS or word.text >= FIRST_IDEOGRAPH):
            sure += len(word.text)
    return sure > 0 and sure >= MIN_SURE_SHARE * letters


def is_nonsense(recognised: Recognised) -> bool:
    """True if this is more than a few words, and they are not text."""
    return sum(1 for _ in words_of(recognised.blocks)) > FEW_WORDS and not shows_text(recognised)
