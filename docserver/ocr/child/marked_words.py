"""Child side: reads words of a text layer together with the marks beside them, which may be a part of them."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageChops, ImageOps

from docserver.layout import Rect, Word, around, confidence_of, words_of
from docserver.ocr.image.decode import Picture
from docserver.ocr.pdf.coordinates import SlantedImage, whole_pixels
from docserver.ocr.pdf.glyphs.glyph_pictures import on_line
from docserver.ocr.pdf.glyphs.glyph_shapes import COMPARED, Likeness
from docserver.ocr.pdf.words.own_words import MarkedPart, MarkedWords
from docserver.ocr.recognition.attempt import Attempt

MAX_MARKED = 40
"""Most places of a page with such words that are read. Each takes some 30 ms."""

MIN_CONFIDENCE = 70.0
"""Smallest confidence of what is taken. Much of it is known from the text layer."""

MAX_HEIGHT_PX = 64
"""Height to which what is cut out is reduced if it is higher: that of letters of 12 points. Tesseract takes larger ones
for pictures."""

MIN_CONTRAST, MIN_RULE_SHARE = 64, 0.95
"""Contrast of ink with paper, in grey levels, and the smallest share of a line of pixels that is ink in a rule."""

BORDER, MARGIN = 0.15, 1.0
"""What is cut out around the words, and the paper that is added, as a share of their height. More may have parts of
other lines."""

MAX_JOINED_GAP = 0.25
"""Widest gap that is no space for certain, as a share of the letters' size."""

MAX_UNCLEAR_GAP, MAX_UNCLEAR_DASH_GAP = 0.4, 0.32
"""Widest gap beside a mark, and before a dash, that may be none though a space was read. A digit 1 has room on both
sides."""

OF_BOTH_CASES, MAX_SMALL_HEIGHT = frozenset("cosuvwxz"), 0.61
"""Letters whose capital looks like them, and the height of the highest small one, as a share of the letters' size."""

PLUS_AND_MINUS = "+-\u00b1"
"""Signs that belong to the number behind them."""

_UPRIGHT = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}


def cut_out(picture: Picture, marked: MarkedWords) -> Picture:
    """The picture of the words and their marks alone, upright."""
    upright = _upright(picture.image, marked, border=BORDER)
    height = upright.height
    paper = _paper(upright)
    alone = _without_rules(upright, paper=paper)
    if height > MAX_HEIGHT_PX:
        alone = alone.resize((max(1, round(alone.width * MAX_HEIGHT_PX / height)), MAX_HEIGHT_PX))
    return replace(picture, image=ImageOps.expand(alone, round(MARGIN * alone.height), fill=paper))


def are_as_read(picture: Picture, marked: MarkedWords, attempt: Attempt) -> bool:
    """True if those of the marks that are letters look like what they were read as."""
    match = _match(marked, attempt)
    if not match:
        return False
    paper = _paper(_upright(picture.image, marked, border=BORDER))
    for part, char in zip(marked.parts, match.groups(), strict=True):
        if part.heights and len(char) == 1:
            alone = _upright(picture.image, replace(marked, parts=(part,), upright=part.upright), border=0.0)
            ink = ImageChops.difference(alone, Image.new("L", alone.size, paper))
            top, bottom = part.heights
            is_other_case = char.lower() in OF_BOTH_CASES and char.isupper() != (top > MAX_SMALL_HEIGHT)
            likeness = Likeness(on_line(ink, top, bottom)[None])
            if char not in COMPARED or is_other_case or likeness.is_doubtful(0, char):
                return False
    return True


def _upright(image: Image.Image, marked: MarkedWords, *, border: float) -> Image.Image:
    """The part of the page's image with the words and their marks, in grey, turned so that they are upright; with this
    share of their height around them.
    """
    left, top, right, bottom = marked.upright or around(part.rect for part in marked.parts)
    border *= right - left if marked.turns % 2 and not marked.upright else bottom - top
    rect = left - border, top - border, right + border, bottom + border
    if marked.upright:
        turned = SlantedImage(marked.direction, width=0, height=0)
        outer = whole_pixels(turned.turn_back(rect), *image.size)
        return turned.part(image.crop(outer).convert("L"), rect, at=outer[:2])
    cut = image.crop(whole_pixels(rect, *image.size)).convert("L")
    return cut.transpose(_UPRIGHT[marked.turns]) if marked.turns else cut


def _paper(image: Image.Image) -> int:
    """The most frequent grey."""
    levels = image.histogram()
    return levels.index(max(levels))


def _without_rules(image: Image.Image, *, paper: int) -> Image.Image:
    """The picture without lines from one of its sides to the other, as those of a table are. No letter is as high."""
    pixels = np.array(image)
    is_ink = np.abs(pixels.astype(np.int16) - paper) >= MIN_CONTRAST
    for lines, across in ((pixels, is_ink), (pixels.T, is_ink.T)):
        is_rule = across.mean(axis=0) >= MIN_RULE_SHARE
        # The edges of a rule are blurred.
        is_rule[1:] |= is_rule[:-1].copy()
        is_rule[:-1] |= is_rule[1:].copy()
        lines[:, is_rule] = paper
    return Image.fromarray(pixels)


def words_with_marks(marked: MarkedWords, attempt: Attempt, *, size: tuple[int, int]) -> list[Word] | None:
    """What the words say with their marks, but for words that are as they are in the text layer; None if that is not
    certain: if anything else was read in the place of the own letters, or nothing in that of the marks. `size` is that
    of the page's image.
    """
    read = list(words_of(attempt.recognised.blocks))
    text = "".join(word.text for word in read)
    match = _match(marked, attempt)
    own = sum(len(part.word.pdf_word.text) for part in marked.parts if part.word)
    confidence = confidence_of(read)
    if not match or (marked.is_longer and len(text) <= own) or confidence < MIN_CONFIDENCE:
        return None
    starts = set(itertools.accumulate(len(word.text) for word in read))
    is_after_space = [match.start(number + 1) in starts for number in range(len(marked.parts))]
    if any(itertools.starmap(_is_unclear_gap, zip(marked.parts, marked.parts[1:], is_after_space[1:], strict=False))):
        return None
    joined = _joined(marked.parts, match.groups(), is_after_space)
    return [Word(says, whole_pixels(rect, *size), confidence) for says, rect in joined]


def _match(marked: MarkedWords, attempt: Attempt) -> re.Match[str] | None:
    """What was read, with a group for each part; None if it is anything else."""
    text = "".join(word.text for word in words_of(attempt.recognised.blocks))
    return re.fullmatch("".join(f"({part.seen_as})" for part in marked.parts), text)


def _is_unclear_gap(before: MarkedPart, part: MarkedPart, has_space: bool) -> bool:
    """True if a space was read between two parts, of which one is a mark, that may be too narrow for a space."""
    has_mark = None in (before.word, part.word) and not before.sign
    limit = MAX_UNCLEAR_DASH_GAP if part.sign else MAX_UNCLEAR_GAP
    return has_space and has_mark and MAX_JOINED_GAP < part.gap <= limit


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
