"""Child side: decides whether what Tesseract read in a picture is text. Tesseract also reads patterns and drawings."""

from collections.abc import Sequence
from statistics import median

from docserver.layout import Word, words_of
from docserver.ocr.recognition.tesseract import Recognised
from docserver.typography import rise, sink

SURE_FROM = 60.0
"""Smallest confidence of a word that Tesseract is sure of. In patterns, it is sure of one word in five hundred."""

MIN_LETTERS, MIN_LETTERS_OF_LONG = 2, 3
"""Fewest letters and digits of a word that counts as evidence, and fewest different ones of a long word. Single letters
look like many things, but ideographs do not. In patterns, Tesseract is sure of many words below the second value, and
bars are read as words such as SEE."""

MIN_SURE_LETTERS_OF_LONG = 4
"""Fewest characters of all sure words with that many letters: in patterns, there may be one of three letters."""

FIRST_IDEOGRAPH = "\u2e80"

MIN_SURE_SHARE, MIN_SURE_SHARE_IF_SHORT = 0.07, 0.3
"""Smallest share of a text's letters that are in sure words: in those with the second of these numbers of letters, or
in all. Even a hardly legible receipt has a tenth of long ones. Patterns have up to a sixteenth, and a quarter in all.
"""

MIN_SINGLE, MIN_DIFFERENT_SINGLE, MIN_SURE_SHARE_OF_SINGLE = 20, 6, 0.5
"""Fewest sure words that are single letters or digits, as in the cells of tables, fewest different ones of them, and
smallest share of a text's letters that are then in sure words. Patterns are read as one letter many times."""

FEW_WORDS = 4
"""A text with at most this many words is kept, whatever its confidence: the picture may show just them."""

MAX_SHORT = 2
"""Most characters of a word that may be a drawing. A logo is read as 9 with the confidence of a real 9, and the corner
of a frame as 7. Longer words are rarely read in drawings, and with little confidence."""

MAX_SIZE_RATIO = 1.4
"""Largest size of a short word beside longer ones, as a multiple of theirs. A logo before a name is larger."""


def shows_text(recognised: Recognised) -> bool:
    """True if Tesseract is sure of more of the text than it is of what it reads in patterns."""
    words = list(words_of(recognised.blocks))
    characters, sure, sure_of_long = sum(len(word.text) for word in words), 0, 0
    enough_of_long = max(MIN_SURE_LETTERS_OF_LONG, MIN_SURE_SHARE * characters)
    single: list[str] = []
    for word in words:
        letters = sum(map(str.isalnum, word.text))
        is_long = len(set(filter(str.isalnum, word.text))) >= MIN_LETTERS_OF_LONG
        is_ideographic = word.text >= FIRST_IDEOGRAPH
        if word.confidence >= SURE_FROM and (letters >= MIN_LETTERS or is_ideographic):
            sure += len(word.text)
            sure_of_long += len(word.text) if is_long or is_ideographic else 0
            if sure_of_long >= enough_of_long:
                return True
        elif word.confidence >= SURE_FROM and letters:
            single.append(word.text)
    may_be_cells = len(single) >= MIN_SINGLE and len(set(single)) >= MIN_DIFFERENT_SINGLE
    if may_be_cells and sure + len(single) >= MIN_SURE_SHARE_OF_SINGLE * characters:
        return True
    return sure > 0 and sure >= MIN_SURE_SHARE_IF_SHORT * characters


def is_few_words(recognised: Recognised) -> bool:
    """True if the text has a few words, or one."""
    return 0 < sum(1 for _ in words_of(recognised.blocks)) <= FEW_WORDS


def is_nonsense(recognised: Recognised) -> bool:
    """True if this is more than a few words, and they are not text."""
    return sum(1 for _ in words_of(recognised.blocks)) > FEW_WORDS and not shows_text(recognised)


def may_be_drawings(words: Sequence[Word], *, is_sideways: bool) -> list[Word]:
    """Those words of a line that may as well be logos, symbols or corners: all if the line has only short words, else
    short ones that are larger than the others. `is_sideways` is True if the line runs upwards or downwards.
    """
    short = [word for word in words if len(word.text) <= MAX_SHORT and word.text < FIRST_IDEOGRAPH]
    if len(short) == len(words):
        return short
    size = median(_size(word, is_sideways=is_sideways) for word in words if word not in short)
    return [word for word in short if _size(word, is_sideways=is_sideways) > MAX_SIZE_RATIO * size]


def _size(word: Word, *, is_sideways: bool) -> float:
    """The size of a word's letters, in pixels."""
    left, top, right, bottom = word.box
    return ((right - left) if is_sideways else (bottom - top)) / (rise(word.text) + sink(word.text))
