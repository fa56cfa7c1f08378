"""Child side: finds the letters of a word that are drawn as others. A font may map several codes to one character, some
of them rightly. The text does not tell the codes, but their glyphs have other proportions.
"""

import math
import re
from collections.abc import Iterator

import numpy as np

from docserver.ocr.pdf.glyphs.glyph_pictures import GlyphDrawing
from docserver.ocr.pdf.glyphs.glyph_samples import Font, Part
from docserver.ocr.pdf.glyphs.glyph_shapes import MIN_INK
from docserver.ocr.pdf.words.text_words import TextPage

MIN_DIFFERENCE = 0.05
"""Smallest difference of the proportions of two glyphs, as the logarithm of their ratio, that tells them apart."""


def shown_characters(part: Part, text_page: TextPage, drawing: GlyphDrawing) -> Iterator[tuple[int, str]]:
    """The places in a word of those letters that are drawn as others, and what they may be read as, in regular
    expressions. All but the first letter of a ligature are read as nothing.
    """
    wrong = sorted(part.font.wrong, key=len, reverse=True)
    for match in re.finditer("|".join(map(re.escape, wrong)), part.text):
        if shown := _shown_at(part, match.start(), match[0], text_page, drawing):
            first, *others = range(part.start + match.start(), part.start + match.end())
            yield first, f"(?:{shown})"
            yield from ((place, "") for place in others)


def _shown_at(part: Part, place: int, char: str, text_page: TextPage, drawing: GlyphDrawing) -> str:
    """What the letter in this place of the part may be read as; nothing if its glyph is right."""
    wrong, codes = part.font.wrong[char], part.font.codes[char]
    if len(wrong) == len(codes):
        return "|".join(wrong.values())
    either = "|".join((re.escape(char), *wrong.values()))
    if part.first is None:
        return either
    left, bottom, right, top = text_page.ink(part.first + place)
    if min(right - left, top - bottom) <= 0:
        return either
    proportion = math.log((right - left) / (top - bottom))
    known = _proportions(part.font, char, drawing)
    nearest, other, *_ = sorted(codes, key=lambda code: abs(known[code] - proportion))
    differ = abs(known[nearest] - known[other]) >= MIN_DIFFERENCE
    # Glyphs are drawn small, so their proportions are not exact.
    is_clear = 2 * abs(known[nearest] - proportion) <= abs(known[other] - proportion)
    return wrong.get(nearest, "") if differ and is_clear else either


def _proportions(font: Font, char: str, drawing: GlyphDrawing) -> dict[int, float]:
    """Code → width of its glyph's ink as a multiple of its height, as a logarithm."""
    known = {}
    for code, glyph in zip(
        font.codes[char], drawing.glyphs(font.handle, font.codes[char], size=font.size), strict=True
    ):
        rows, columns = np.nonzero(glyph >= MIN_INK)
        known[code] = math.log((np.ptp(columns) + 1) / (np.ptp(rows) + 1)) if rows.size else math.inf
    return known
