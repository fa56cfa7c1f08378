"""Child side: compares glyphs with those of PDFium's own fonts, to see which are quite unlike the character that they
are said to be. Does not decide what they are: a glyph in an unusual shape may be like another character.
"""

import itertools
import math
import re
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cache, lru_cache
from string import ascii_letters, digits

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium
from PIL import Image
from pypdfium2 import PdfDocument

from docserver.ocr.pdf.glyphs.glyph_mixups import (
    ACCENTED,
    LIGATURES,
    MIN_ACCENT,
    MIN_LETTER,
    MIN_LIGATURE,
    MIN_MIXUP,
    MIN_OTHER_LIGATURE,
    OF_WIDTH,
    TALL,
    accented,
    mixed_up,
)
from docserver.ocr.pdf.glyphs.glyph_pictures import ABOVE, EM, ONE_BYTE, GlyphDrawing, Pictures

MODELS = (
    "Helvetica",
    "Helvetica-Bold",
    "Helvetica-Oblique",
    "Times-Roman",
    "Times-Bold",
    "Times-Italic",
    "Times-BoldItalic",
    "Courier",
    "Courier-Bold",
)
"""PDFium's own fonts that most others are like."""

DASHES = frozenset("-\xad\u2010\u2011\u2012\u2013\u2014\u2212")

COMPARED = frozenset(ascii_letters + digits + "$€£¥.,+%?#&@") | DASHES
"""The characters that are compared. Others are either in none of these fonts or do not matter as much."""

TWINS = dict(zip("аеорсухіјкмнАВЕІКМНОРСТХοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxijKMHABEIKMHOPCTXoABEZHIKMNOPTYX", strict=True))
"""Cyrillic and Greek letters, and the Latin ones that have the same shape, or whose small capitals have it."""

JUDGED = COMPARED | TWINS.keys() | set(LIGATURES)
"""All characters whose glyphs are judged."""

MIN_UNLIKENESS = 1.1
"""A glyph is doubtful if its distance from what it is said to be is this multiple of that from another character. In
230 fonts, 6 of 1000 glyphs are, and all but 8 of 10 000 glyphs in the place of another one."""

MIN_TWIN_UNLIKENESS = 1.5
"""The same for a Cyrillic or Greek letter. OCR need not confirm it: in 30 fonts, no Cyrillic letter has more than 1.2,
and of 100 in the place of another one, 3 have less than 1.5."""

SIDE, MARGIN = 20, 2
"""Longer side of the picture that is compared, and the paper around it, in pixels."""

MIN_INK = 64
"""Darkness of a pixel of the glyph itself, and not of its blurred edge, from 0 to 255."""

DIRECTIONS, FIELDS, SPREAD = 8, 7, 1.7
"""How many directions of edges are told apart, in how many rows and columns of fields, and how far an edge counts in
the fields around it, in pixels."""

PLACE_WEIGHT = 0.8
"""How much the height, the depth and the width count beside the shape, per em."""

MAX_DISTANCE = 0.3
"""Largest distance of a glyph from a character that it looks like, without a reading. Of right glyphs, 98 of 100 have
less; a drawing or a box has more."""

MAX_UNLIKENESS = 1.2
"""Largest distance of a glyph from what it may be read as, as a multiple of the smallest one."""

MIN_ASCENDER = 1.2
"""Smallest height of an ascender, as a multiple of that of letters without one."""

_WITH_SHAPE = frozenset(ascii_letters + digits) | set(LIGATURES)
"""The characters whose shape alone may show that they are others."""

_ALIKE = (frozenset("Iil1|!"), frozenset("Oo0"), DASHES)
"""Characters that one cannot tell apart without others beside them."""

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Models:
    """The glyphs of PDFium's own fonts."""

    chars: tuple[str, ...]
    """The characters of which there are glyphs, each once."""
    features: Features
    """One row for each glyph, those of a character together."""
    starts: npt.NDArray[np.int_]
    """For each character, its first row in `features`."""


@cache
def alike(char: str) -> frozenset[str]:
    """The characters that may have the glyph of this one: those that look like it, and its small capital."""
    char = TWINS.get(char, char)
    same = next((chars for chars in _ALIKE if char in chars), frozenset(char))
    # A small L looks like many others, but a capital never looks like it.
    return same if char == "L" else same | {char.lower(), char.upper()}


@dataclass(frozen=True, slots=True)
class Clues:
    """What the other glyphs of a font tell of one."""

    x_height: int | None
    """The height of small letters without ascenders, in pixels; None if there are none."""
    is_digit_wide: bool | None
    """True if it is as wide as the digits; None if that does not tell digits from letters, or there are none."""


def _read_as(char: str) -> frozenset[str]:
    """What OCR may read for a glyph of this character."""
    if char in LIGATURES:
        return frozenset((char,))
    return alike(char) | alike(char.lower()) if char.isascii() else frozenset((char, char.swapcase()))


class Likeness:
    """How unlike glyphs are to each of the characters that are compared."""

    def __init__(self, glyphs: Pictures) -> None:
        """`glyphs` have ink."""
        models, features = _models(), _features(glyphs)
        self._features = features
        squares, of_models = ((of**2).sum(axis=1) for of in (features, models.features))
        distances = squares[:, None] + of_models[None] - 2 * features @ models.features.T
        self._chars = models.chars
        # Of equal glyphs, rounding may give less than nothing.
        self._distances = np.minimum.reduceat(np.maximum(distances, 0), models.starts, axis=1)
        self._heights = ABOVE - (glyphs >= MIN_INK).any(axis=2).argmax(axis=1)

    def is_doubtful(self, glyph: int, char: str) -> bool:
        """True if the glyph is more like some other character than this one."""
        if len(char) > 1:
            return False
        to_chars = self._distances[glyph][_are_compared(self._chars)]
        is_same = np.array([other in alike(char) for other in self._chars if other in COMPARED])
        multiple = MIN_TWIN_UNLIKENESS if char in TWINS else MIN_UNLIKENESS
        return bool(to_chars[is_same].min() > multiple * to_chars[~is_same].min())

    def is_surely_another(self, glyph: int, char: str, *, clues: "Clues") -> bool:
        """True if the shape, or what the other glyphs of its font tell, shows that the glyph is no such character."""
        if char in LIGATURES:
            others = [ligature for ligature in LIGATURES if ligature != char]
            return self._is_rather(glyph, others, [char], MIN_OTHER_LIGATURE) or self._is_rather(
                glyph, ascii_letters, [char], MIN_LETTER
            )
        if len(char) > 1:
            return self._shows_one_character(glyph, char)
        return char in _WITH_SHAPE and (self._shows_another(glyph, char) or self._is_another_of(glyph, char, clues))

    def _shows_one_character(self, glyph: int, text: str) -> bool:
        """True if a glyph that is said to be several characters looks like a single one, and not like these."""
        distance = self._distance(glyph, _WITH_SHAPE - set(LIGATURES))
        if distance > MAX_DISTANCE or not COMPARED.issuperset(text):
            return False
        to_text = float(np.square(_models_of(text) - self._features[glyph]).sum(axis=1).min())
        return to_text > MIN_LIGATURE * distance

    def _shows_another(self, glyph: int, char: str) -> bool:
        looks, others = mixed_up(char)
        same = alike(char) & _WITH_SHAPE
        return (
            self._is_rather(glyph, others, looks, MIN_MIXUP)
            or self._is_rather(glyph, accented(char), same, MIN_ACCENT)
            or (char.isalpha() and self._is_rather(glyph, LIGATURES, same, MIN_LIGATURE))
        )

    def _is_another_of(self, glyph: int, char: str, clues: "Clues") -> bool:
        """True if the glyph has the height or the width of another character that may look like this one."""
        if char in TALL and clues.x_height is not None and self._heights[glyph] > MIN_ASCENDER * clues.x_height:
            return self._is_rather(glyph, TALL[char], [char], 1.0)
        if char in OF_WIDTH and clues.is_digit_wide is not None and clues.is_digit_wide != char.isdigit():
            return self._is_rather(glyph, OF_WIDTH[char], [char], 1.0)
        return False

    def _is_rather(self, glyph: int, others: Iterable[str], chars: Iterable[str], multiple: float) -> bool:
        """True if the glyph looks like one of the others, and is over `multiple` times as far from these characters."""
        distance = self._distance(glyph, others)
        return distance <= MAX_DISTANCE and self._distance(glyph, chars) > multiple * distance

    def shown(self, glyph: int) -> str:
        """What the glyph may be read as, as a regular expression: the characters that it is most like, and those that
        look like them.
        """
        to_chars = self._distances[glyph]
        nearest = itertools.compress(self._chars, to_chars <= MAX_UNLIKENESS * to_chars.min())
        return "|".join(map(re.escape, sorted(set().union(*map(_read_as, nearest)))))

    def height(self, glyph: int) -> int:
        """How far above the baseline the glyph ends, in pixels."""
        return int(self._heights[glyph])

    def _distance(self, glyph: int, chars: Iterable[str]) -> float:
        return float(self._distances[glyph, _columns(frozenset(chars))].min(initial=math.inf))

    def is_more_like(self, glyph: int, other: str, *, than: str) -> bool:
        """True if the glyph is more like one character than another."""
        if other not in self._chars:
            return False
        to_chars = dict(zip(self._chars, self._distances[glyph], strict=True))
        return bool(to_chars[other] < min(to_chars.get(char, np.inf) for char in alike(than)))


def has_ink(glyph: Pictures) -> bool:
    return bool(glyph.max() >= MIN_INK)


@cache
def _columns(chars: frozenset[str]) -> list[int]:
    """Where the distances from these characters are."""
    return [place for place, char in enumerate(_models().chars) if char in chars]


@cache
def _are_compared(chars: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return np.array([char in COMPARED for char in chars])


@cache
def _models() -> _Models:
    pictures: list[Pictures] = []
    chars: list[str] = []
    with PdfDocument.new() as document, closing(GlyphDrawing(document)) as drawing:
        for name in MODELS:
            font = pdfium.FPDFText_LoadStandardFont(document, name.encode())
            known, _ = drawing.codes(font, COMPARED | ACCENTED, first=0, end=ONE_BYTE)
            codes = {char: of_char[0] for char, of_char in known.items()}
            pictures.append(drawing.glyphs(font, list(codes.values())))
            pictures += [drawing.word(font, [codes[char] for char in ligature]) for ligature in LIGATURES]
            chars += [*codes, *LIGATURES]
            pdfium.FPDFFont_Close(font)
    order = np.argsort(chars, kind="stable")
    each, starts = np.unique(np.array(chars)[order], return_index=True)
    return _Models(tuple(each.tolist()), _features(np.concatenate(pictures)[order]), starts)


@lru_cache(maxsize=100)
def _models_of(text: str) -> Features:
    """The features of several characters beside each other in each of PDFium's own fonts."""
    pictures = []
    with PdfDocument.new() as document, closing(GlyphDrawing(document)) as drawing:
        for name in MODELS:
            font = pdfium.FPDFText_LoadStandardFont(document, name.encode())
            codes, _ = drawing.codes(font, set(text), first=0, end=ONE_BYTE)
            pictures.append(drawing.word(font, [codes[char][0] for char in text]))
            pdfium.FPDFFont_Close(font)
    return _features(np.concatenate(pictures))


def _features(glyphs: Pictures) -> Features:
    """For each glyph, how strong edges of each direction are in each part of it, and where it is on its line."""
    ink = glyphs >= MIN_INK
    (top, bottom), (left, right) = (_ends(np.any(ink, axis=axis)) for axis in (2, 1))
    side = SIDE + 2 * MARGIN
    shapes = np.zeros((len(glyphs), side, side), np.uint8)
    for shape, glyph, *box in zip(shapes, glyphs, left, top, right, bottom, strict=True):
        picture = _normalised(glyph, *box)
        height, width = picture.shape
        y, x = (side - height) // 2, (side - width) // 2
        shape[y : y + height, x : x + width] = picture
    edges = np.sqrt(_fields(shapes.astype(np.float32)))
    edges /= np.linalg.norm(edges, axis=1, keepdims=True)
    places = np.stack([ABOVE - top, ABOVE - bottom, np.minimum(right - left, EM) / 2], axis=1)
    return np.hstack([edges, PLACE_WEIGHT / EM * places]).astype(np.float32)


def _ends(is_inked: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """For each row, the first true place and the place after the last one."""
    return is_inked.argmax(axis=1), is_inked.shape[1] - is_inked[:, ::-1].argmax(axis=1)


def _normalised(glyph: Pictures, left: int, top: int, right: int, bottom: int) -> Pictures:
    """The part of the picture that has ink, brought nearer to a square than it is."""
    sides = right - left, bottom - top
    width, height = (max(2, round(SIDE * math.sqrt(length / max(sides)))) for length in sides)
    part = Image.fromarray(glyph[top:bottom, left:right])
    return np.asarray(part.resize((width, height), Image.Resampling.BILINEAR))


def _fields(shapes: Features) -> Features:
    """For each shape and direction, how strong its edges are in each part of it."""
    across, down = shapes[:, 1:-1, 2:] - shapes[:, 1:-1, :-2], shapes[:, 2:, 1:-1] - shapes[:, :-2, 1:-1]
    strength = np.hypot(across, down)
    direction = np.arctan2(down, across) * np.float32(DIRECTIONS / (2 * np.pi)) + np.float32(DIRECTIONS)
    # An edge between two directions counts for both.
    first = direction.astype(np.int8)
    of_second = direction - first
    edges = np.zeros((DIRECTIONS, *strength.shape), np.float32)
    for index in range(DIRECTIONS):
        np.copyto(edges[index], strength * (1 - of_second), where=first % DIRECTIONS == index)
        edges[index] += np.where((first + 1) % DIRECTIONS == index, strength * of_second, 0)
    side = strength.shape[1]
    centres = np.linspace(MARGIN, side - MARGIN - 1, FIELDS)
    weights = np.exp(-((np.arange(side) - centres[:, None]) ** 2) / (2 * SPREAD**2)).astype(np.float32).T
    rows = (edges @ weights).swapaxes(2, 3) @ weights
    return rows.transpose(1, 0, 2, 3).reshape(len(shapes), -1)
