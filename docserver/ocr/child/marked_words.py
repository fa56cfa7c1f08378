"""Child side: reads words of a text layer together with the marks beside them, which may be a part of them."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from PIL import Image, ImageOps

from docserver.layout import Rect, Word, around, confidence_of, words_of
from docserver.ocr.image.decode import Picture
from docserver.ocr.pdf.coordinates import whole_pixels
from docserver.ocr.pdf.own_words import MarkedPart, MarkedWords
from docserver.ocr.recognition.attempt import Attempt

MAX_MARKED = 40
"""Most places of a page with such words that are read. Each takes some 30 ms."""

MIN_CONFIDENCE = 70.0
"""Smallest confidence of what is taken. Much of it is known from the text layer."""

BORDER, MARGIN = 0.15, 1.0
"""What is cut out around the words, and the paper that is added, as a share of their height. More may have parts of
other lines."""

MAX_JOINED_GAP = 0.2
"""Widest gap that is no space for certain, as a share of the letters' size."""

PLUS_AND_MINUS = "+-\u00b1"
"""Signs that belong to the number behind them."""

_UPRIGHT = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}


def cut_out(picture: Picture, marked: MarkedWords) -> Picture:
    """The picture of the words and their marks alone, upright."""
    left, top, right, bottom = around(part.rect for part in marked.parts)
    height = right - left if marked.turns % 2 else bottom - top
    border = BORDER * height
    box = whole_pixels((left - border, top - border, right + border, bottom + border), *picture.image.size)
    cut = picture.image.crop(box).convert("L")
    upright = cut.transpose(_UPRIGHT[marked.turns]) if marked.turns else cut
    paper = sorted(upright.crop((0, 0, upright.width, 1)).tobytes())[upright.width // 2]
    return replace(picture, image=ImageOps.expand(upright, round(MARGIN * height), fill=paper))


def words_with_marks(marked: MarkedWords, attempt: Attempt, *, size: tuple[int, int]) -> list[Word] | None:
    """What the words say with their marks, but for words that are as they are in the text layer; None if that is not
    certain: if anything else was read in the place of the own letters, or nothing in that of the marks. `size` is that
    of the page's image.
    """
    read = list(words_of(attempt.recognised.blocks))
    text = "".join(word.text for word in read)
    match = re.fullmatch("".join(f"({part.seen_as})" for part in marked.parts), text)
    own = sum(len(part.word.pdf_word.text) for part in marked.parts if part.word)
    confidence = confidence_of(read)
    if not match or (marked.is_longer and len(text) <= own) or confidence < MIN_CONFIDENCE:
        return None
    starts = set(itertools.accumulate(len(word.text) for word in read))
    is_after_space = [match.start(number + 1) in starts for number in range(len(marked.parts))]
    joined = _joined(marked.parts, match.groups(), is_after_space)
    return [Word(says, whole_pixels(rect, *size), confidence) for says, rect in joined]


def _joined(
    parts: Sequence[MarkedPart], read: Sequence[str], is_after_space: Sequence[bool]
) -> Iterator[tuple[str, Rect]]:
    """The text and the place of each word that is not as in the text layer."""
    words: list[tuple[list[MarkedPart], str]] = []
    for part, text, has_space in zip(parts, read, is_after_space, strict=True):
        says = part.sign or text
        if words and _is_joined(words, part, text, has_space=has_space):
            words[-1] = [*words[-1][0], part], words[-1][1] + says
        else:
            words.append(([part], says))
    for together, says in words:
        first = together[0].word
        if len(together) > 1 or not first or first.pdf_word.text != says:
            yield says, around(part.rect for part in together)


def _is_joined(
    words: Sequence[tuple[Sequence[MarkedPart], str]], part: MarkedPart, text: str, *, has_space: bool
) -> bool:
    """True if no space is between the last of the words and this part, as which this text was read."""
    last, says = words[-1]
    is_first = len(words) == 1 or words[-2][1][-1].isalpha()
    is_minus = len(last) == 1 and says in PLUS_AND_MINUS and is_first and text[0].isdigit()
    # A dash between words may have spaces that are not read.
    is_dash = "-" in {part.sign, last[-1].sign}
    may_be_joined = not is_dash or not (says[-1].isalpha() or text[0].isalpha())
    return is_minus or part.gap <= MAX_JOINED_GAP or (may_be_joined and not has_space)
