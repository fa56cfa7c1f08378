"""Child side: finds letters that a font of a PDF maps to other characters than it draws.

The glyphs of a page's fonts are compared with those of common fonts. Those that are more like another character are
read in some words of the page. Verdicts are remembered by the glyph's picture, so each glyph is judged once, whichever
document it is in.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from ctypes import addressof
from dataclasses import replace
from itertools import groupby, islice
from statistics import median
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from docserver.ocr.pdf.calls import font_of, object_at
from docserver.ocr.pdf.glyphs.glyph_mixups import OF_WIDTH
from docserver.ocr.pdf.glyphs.glyph_pictures import ONE_BYTE, GlyphDrawing, Pictures
from docserver.ocr.pdf.glyphs.glyph_samples import Doubt, Font, Part, ReadWords, judge
from docserver.ocr.pdf.glyphs.glyph_shapes import JUDGED, MIN_INK, TWINS, Clues, Likeness, alike, has_ink
from docserver.ocr.pdf.verification.left_out_letters import may_leave_out, unknown_where_left_out
from docserver.ocr.pdf.verification.shown_characters import shown_characters
from docserver.ocr.pdf.words.own_words import OwnWord
from docserver.ocr.pdf.words.pdf_words import UNMAPPED, PdfWord
from docserver.ocr.pdf.words.text_words import TextPage

MAX_VERDICTS = 50_000
"""Most glyphs whose verdicts are remembered. Each takes 200 bytes."""

MAX_CODES = 300
"""Most glyphs of a font that are compared on a page. Fonts map few characters twice."""

MAX_BLANK = ONE_BYTE
"""Most glyphs of a font for spaces, or for nothing, that are looked at."""

CODES = (2 * ONE_BYTE, 2048, 8192)
"""How many codes of a font are looked up at first, and then until all characters of a page have one. In most fonts,
letters and digits are among the first glyphs."""

MIN_HEIGHT, USUAL_HEIGHT, MIN_GLYPHS = 10, 28, 5
"""Letters of less height are drawn larger: the size of their font is not their own. Usual is this height from descender
to ascender, in pixels. Fewer glyphs may be signs, which are low."""

WITHOUT_ASCENDER = frozenset("acemnorsuvwxz")

PLAIN_DIGITS, MIN_DIGITS, OF_OWN_WIDTH = "23456789", 2, "imw"
"""Digits that look like no letter, how many of them have to be equally wide, and letters that have another width than
digits unless all characters of the font have one."""

MAX_WIDTH_DIFFERENCE = 2.0
"""Largest difference of the widths of two digits that are equally wide, in thousandths of their size."""

MISSING = 0
"""The code whose glyph is, in many fonts, the sign for characters that the font lacks."""

Key = tuple[int, str]
"""The hash of a glyph's picture, and the character that it is said to be."""


class MappingCheck:
    """Judges the glyphs of all documents that this process reads."""

    def __init__(self, read: ReadWords) -> None:
        self.read = read
        self._shown: dict[Key, str] = {}

    @contextmanager
    def of_document(self, document: Any) -> Iterator["DocumentFonts"]:
        """The check of the fonts of an open PDF."""
        with closing(DocumentFonts(document, self)) as fonts:
            yield fonts

    def shown(self, key: Key) -> str | None:
        """What the glyph may be read as if it shows another character, as a regular expression: empty if it does not,
        None if it was not judged yet.
        """
        return self._shown.get(key)

    def remember(self, key: Key, *, shown: str) -> None:
        if len(self._shown) >= MAX_VERDICTS:
            self._shown.clear()
        self._shown[key] = shown


class DocumentFonts:
    """The fonts of an open PDF. It must be closed before the PDF is."""

    def __init__(self, document: Any, check: MappingCheck) -> None:
        self._check = check
        self._drawing = GlyphDrawing(document)
        self._fonts: dict[int, Font] = {}

    def close(self) -> None:
        self._drawing.close()

    def unmapped_where_wrong(
        self, words: Sequence[OwnWord], text_page: TextPage, *, texts: Mapping[int, Any]
    ) -> list[OwnWord]:
        """The words, with UNMAPPED in place of each letter that is drawn as another one, and of each behind which
        others may be left out. `texts` are the page's text objects by their addresses. Raises TextLayerRejected.
        """
        used = self._used(words, text_page)
        if any(font.leaves_out for font in used):
            words = unknown_where_left_out(
                words, text_page, texts=texts, leaves_out=lambda address: bool(self._font_of(address).leaves_out)
            )
        doubts = [doubt for font, chars in used.items() if chars - font.checked for doubt in self._doubts(font, chars)]
        if not doubts and not any(font.wrong for font in used):
            return list(words)
        parts = list(self._parts(words, text_page))
        if doubts:
            for doubt, is_wrong in judge(doubts, parts, drawing=self._drawing, read=self._check.read).items():
                shown = doubt.likeness.shown(doubt.index) if is_wrong else ""
                self._check.remember((doubt.look, doubt.char), shown=shown)
                doubt.font.note(doubt.char, doubt.code, shown)
        marked = list(words)
        for part in parts:
            if part.font.wrong and (others := dict(shown_characters(part, text_page, self._drawing))):
                marked[part.word] = _marked(marked[part.word], others)
        return marked

    def with_drawn_blanks(self, texts: Iterable[Any]) -> list[Any]:
        """Those of these text objects in whose font something is drawn for a space, or for nothing."""
        if not any(font.draws_blanks for font in self._fonts.values()):
            return []
        return [handle for handle in texts if self._font_of(addressof(handle)).draws_blanks]

    def _used(self, words: Iterable[OwnWord], text_page: TextPage) -> dict[Font, set[str]]:
        """The letters that the words have in each font."""
        parts = [own for word in words for own in word.pdf_word.parts or (word.pdf_word,) if own.has_glyphs]
        addresses = iter(text_page.addresses(filter(_may_have_two_fonts, parts)))
        letters: dict[int, set[str]] = defaultdict(set)
        for address, together in groupby(parts, key=_address_of_one_font):
            if address is None:
                for own in together:
                    for one, letter in zip(islice(addresses, len(own.text)), own.text, strict=True):
                        letters[one].add(letter)
            else:
                letters[address].update("".join([own.text for own in together]))
        firsts = {own.address: own.first for own in parts}
        used: dict[Font, set[str]] = defaultdict(set)
        for address, known, chars in zip(letters, map(font_of, letters), letters.values(), strict=True):
            font = self._fonts.get(known) or self._font_of(address)
            if font.leaves_out is None and address in firsts:
                font.leaves_out = may_leave_out(text_page, firsts[address])
            used[font] |= chars
        return used

    def _parts(self, words: Iterable[OwnWord], text_page: TextPage) -> Iterator[Part]:
        def font_at(index: int) -> Font:
            return self._font_of(text_page.address(index))

        for index, word in enumerate(words):
            start = 0
            for own in word.pdf_word.parts or (word.pdf_word,):
                if own.has_glyphs:
                    is_as_drawn = len(own.text) == own.end - own.first
                    for first, text in _in_one_font(own, font_at):
                        place = own.first + first
                        yield Part(index, start + first, font_at(place), text, place if is_as_drawn else None)
                start += len(own.text)

    def _font_of(self, address: int) -> Font:
        """The font of a text object."""
        known = self._fonts.get(font := font_of(address))
        if known is None:
            handle = pdfium.FPDFTextObj_GetFont(object_at(address))
            self._drawing.keep(handle)
            known = self._fonts[font] = Font(handle)
        return known

    def _glyphs(self, font: Font, codes: Sequence[int]) -> Pictures:
        glyphs = self._drawing.glyphs(font.handle, codes, size=font.size)
        rows = np.flatnonzero((glyphs >= MIN_INK).any(axis=(0, 2)))
        # A line of a few dashes tells nothing of the letters.
        if len(codes) < MIN_GLYPHS or not rows.size or (height := rows[-1] - rows[0] + 1) > MIN_HEIGHT:
            return glyphs
        font.size *= USUAL_HEIGHT / height
        return self._drawing.glyphs(font.handle, codes, size=font.size)

    def _look_up(self, font: Font, chars: set[str]) -> None:
        """Find the codes of these characters."""
        needed = chars & JUDGED
        while font.looked_up < CODES[-1] and not needed <= font.codes.keys():
            first, end = font.looked_up, next(end for end in CODES if end > font.looked_up)
            found, blank = self._drawing.codes(font.handle, JUDGED | chars, first=first, end=end)
            for char, codes in found.items():
                font.codes.setdefault(char, []).extend(codes)
            font.blank += blank
            font.looked_up = end
            low = {char: [code for code in codes if code < ONE_BYTE] for char, codes in font.codes.items()}
            # PDFium ignores the higher byte of a code if the font has one byte a code.
            if low and all(len(codes) == 2 * len(low[char]) for char, codes in font.codes.items()):
                font.codes, font.looked_up = low, CODES[-1]
                font.blank = [code for code in font.blank if code < ONE_BYTE]

    def _are_digit_wide(self, font: Font, codes: Sequence[int]) -> dict[int, bool]:
        """For each of these codes, True if its glyph is as wide as the font's digits; none if that tells nothing."""
        digits, letters = (
            [font.codes[char][0] for char in chars if char in font.codes] for chars in (PLAIN_DIGITS, OF_OWN_WIDTH)
        )
        if len(digits) < MIN_DIGITS or not letters or not codes:
            return {}
        widths = self._drawing.widths(font.handle, list(dict.fromkeys((*digits, *letters, *codes))))
        if not widths:
            return {}
        width, count = Counter(widths[code] for code in digits).most_common(1)[0]
        if count < MIN_DIGITS or any(abs(widths[code] - width) <= MAX_WIDTH_DIFFERENCE for code in letters):
            return {}
        return {code: abs(widths[code] - width) <= MAX_WIDTH_DIFFERENCE for code in codes}

    def _doubts(self, font: Font, chars: set[str]) -> Iterator[Doubt]:
        """The glyphs for these characters that have to be read."""
        new = chars - font.checked
        self._look_up(font, new)
        several = {text for text in font.codes if len(text) > 1 and len(unicodedata.normalize("NFC", text)) > 1}
        new |= several - font.checked
        font.checked |= new
        judged = new & (JUDGED | several)
        coded = [(char, code) for char in sorted(judged) for code in font.codes.get(char, ())][:MAX_CODES]
        if not coded:
            return
        blank, font.blank = font.blank[:MAX_BLANK], []
        missing, *glyphs = self._glyphs(font, [MISSING, *(code for _, code in coded), *blank])
        of_blank, unknown = glyphs[len(coded) :], []
        font.draws_blanks |= any(
            code != MISSING and has_ink(glyph) and not np.array_equal(glyph, missing)
            for code, glyph in zip(blank, of_blank, strict=True)
        )
        for (char, code), glyph in zip(coded, glyphs, strict=False):
            look = hash(glyph.tobytes())
            shown = self._check.shown((look, char))
            if shown:
                font.note(char, code, shown)
            elif shown is None and has_ink(glyph) and (code == MISSING or not np.array_equal(glyph, missing)):
                unknown.append((char, code, look, glyph))
        if unknown:
            likeness = Likeness(np.stack([glyph for *_, glyph in unknown]))
            x_heights = [likeness.height(index) for index, (char, *_) in enumerate(unknown) if char in WITHOUT_ASCENDER]
            x_height = round(median(x_heights)) if x_heights else None
            are_wide = self._are_digit_wide(font, [code for char, code, *_ in unknown if char in OF_WIDTH])
            for index, (char, code, look, _) in enumerate(unknown):
                clues = Clues(x_height, are_wide.get(code))
                is_sure = likeness.is_surely_another(index, char, clues=clues)
                is_doubtful = is_sure or likeness.is_doubtful(index, char)
                if is_doubtful and not is_sure and char not in TWINS:
                    yield Doubt(font, char, code, look, likeness, index)
                    continue
                shown = likeness.shown(index) if is_doubtful else ""
                self._check.remember((look, char), shown=shown)
                font.note(char, code, shown)


def _address_of_one_font(word: PdfWord) -> int | None:
    """The address of the text object whose font the word has; None if it may have two fonts."""
    return None if word.objects > 1 and _may_have_two_fonts(word) else word.address


def _may_have_two_fonts(word: PdfWord) -> bool:
    return word.objects > 1 and len(word.text) == word.end - word.first


def _in_one_font(word: PdfWord, font_at: Callable[[int], Font]) -> Iterator[tuple[int, str]]:
    """The letters of a word that are in one font, and the index of the first of them in the word."""
    if not _may_have_two_fonts(word):
        yield 0, word.text
        return
    for _, together in groupby(range(len(word.text)), key=lambda place: font_at(word.first + place)):
        first, *others = together
        yield first, word.text[first : first + 1 + len(others)]


def _marked(word: OwnWord, shown: Mapping[int, str]) -> OwnWord:
    """The word with UNMAPPED in place of wrong letters, and as what it may be read. `shown` has that for the places of
    wrong letters; nothing for those that are read with the one before.
    """
    letters = [UNMAPPED if place in shown else letter for place, letter in enumerate(word.pdf_word.text)]
    known = word.seen_as or map(_as_pattern, word.pdf_word.text)
    seen_as = tuple(shown.get(place, pattern) for place, pattern in enumerate(known))
    return replace(word, pdf_word=replace(word.pdf_word, text="".join(letters)), seen_as=seen_as)


def _as_pattern(letter: str) -> str:
    """What a letter of a word may be read as. OCR takes many signs for others."""
    if letter == UNMAPPED or not letter.isalnum():
        return ".{0,3}"
    return f"(?:{'|'.join(map(re.escape, sorted({letter, *alike(letter)})))})"
