"""Child side: finds letters that a font of a PDF maps to other characters than it draws.

The glyphs of a page's fonts are compared with those of common fonts. Those that are more like another character are
read in some words of the page. Verdicts are remembered by the glyph's picture, so each glyph is judged once, whichever
document it is in.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from ctypes import addressof
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from docserver.ocr.pdf.glyph_pictures import ONE_BYTE, GlyphDrawing, Pictures
from docserver.ocr.pdf.glyph_samples import Doubt, Font, Part, ReadWords, judge
from docserver.ocr.pdf.glyph_shapes import JUDGED, MIN_INK, TWINS, Likeness, has_ink
from docserver.ocr.pdf.own_words import OwnWord
from docserver.ocr.pdf.pdf_words import UNMAPPED, PdfWord
from docserver.ocr.pdf.text_words import TextPage

MAX_VERDICTS = 50_000
"""Most glyphs whose verdicts are remembered. Each takes 200 bytes."""

MAX_CODES = 300
"""Most glyphs of a font that are compared on a page. Fonts map few characters twice."""

CODES = (2 * ONE_BYTE, 2048, 8192)
"""How many codes of a font are looked up at first, and then until all characters of a page have one. In most fonts,
letters and digits are among the first glyphs."""

MIN_HEIGHT, USUAL_HEIGHT, MIN_GLYPHS = 10, 28, 5
"""Letters of less height are drawn larger: the size of their font is not their own. Usual is this height from descender
to ascender, in pixels. Fewer glyphs may be signs, which are low."""

MISSING = 0
"""The code whose glyph is, in many fonts, the sign for characters that the font lacks."""

Key = tuple[int, str]
"""The hash of a glyph's picture, and the character that it is said to be."""


class MappingCheck:
    """Judges the glyphs of all documents that this process reads."""

    def __init__(self, read: ReadWords) -> None:
        self.read = read
        self._is_wrong: dict[Key, bool] = {}

    @contextmanager
    def of_document(self, document: Any) -> Iterator["DocumentFonts"]:
        """The check of the fonts of an open PDF."""
        with closing(DocumentFonts(document, self)) as fonts:
            yield fonts

    def is_wrong(self, key: Key) -> bool | None:
        """True if the glyph shows another character; None if it was not judged yet."""
        return self._is_wrong.get(key)

    def remember(self, key: Key, *, is_wrong: bool) -> None:
        if len(self._is_wrong) >= MAX_VERDICTS:
            self._is_wrong.clear()
        self._is_wrong[key] = is_wrong


class DocumentFonts:
    """The fonts of an open PDF. It must be closed before the PDF is."""

    def __init__(self, document: Any, check: MappingCheck) -> None:
        self._check = check
        self._drawing = GlyphDrawing(document)
        self._fonts: dict[int, Font] = {}

    def close(self) -> None:
        self._drawing.close()

    def unmapped_where_wrong(self, words: Sequence[OwnWord], text_page: TextPage) -> list[OwnWord]:
        """The words, with UNMAPPED in place of each letter that is drawn as another one."""
        parts = list(self._parts(words, text_page))
        used: dict[Font, set[str]] = defaultdict(set)
        for part in parts:
            used[part.font].update(part.text)
        doubts = [doubt for font, chars in used.items() if chars - font.checked for doubt in self._doubts(font, chars)]
        if doubts:
            for doubt, is_wrong in judge(doubts, parts, drawing=self._drawing, read=self._check.read).items():
                self._check.remember((doubt.look, doubt.char), is_wrong=is_wrong)
                if is_wrong:
                    doubt.font.wrong.add(doubt.char)
        marked = list(words)
        for part in parts:
            if not part.font.wrong.isdisjoint(part.text):
                marked[part.word] = _marked(marked[part.word], part)
        return marked

    def _parts(self, words: Iterable[OwnWord], text_page: TextPage) -> Iterator[Part]:
        fonts: dict[int, Font] = {}

        def font_of(index: int) -> Font:
            if (address := text_page.address(index)) not in fonts:
                fonts[address] = self._font(pdfium.FPDFTextObj_GetFont(text_page.text_object(index)))
            return fonts[address]

        for index, word in enumerate(words):
            start = 0
            for own in word.pdf_word.parts or (word.pdf_word,):
                if own.has_glyphs:
                    for first, text in _in_one_font(own, font_of):
                        yield Part(index, start + first, font_of(own.first + first), text)
                start += len(own.text)

    def _font(self, handle: Any) -> Font:
        address = addressof(handle.contents)
        if address not in self._fonts:
            self._drawing.keep(handle)
            self._fonts[address] = Font(handle)
        return self._fonts[address]

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
            for char, codes in self._drawing.codes(font.handle, JUDGED | chars, first=first, end=end).items():
                font.codes.setdefault(char, []).extend(codes)
            font.looked_up = end
            low = {char: [code for code in codes if code < ONE_BYTE] for char, codes in font.codes.items()}
            # PDFium ignores the higher byte of a code if the font has one byte a code.
            if low and all(len(codes) == 2 * len(low[char]) for char, codes in font.codes.items()):
                font.codes, font.looked_up = low, CODES[-1]

    def _doubts(self, font: Font, chars: set[str]) -> Iterator[Doubt]:
        """The glyphs for these characters that have to be read."""
        new = chars - font.checked
        font.checked |= new
        self._look_up(font, new)
        coded = [(char, code) for char in sorted(new & JUDGED) for code in font.codes.get(char, ())][:MAX_CODES]
        if not coded:
            return
        missing, *glyphs = self._glyphs(font, [MISSING, *(code for _, code in coded)])
        unknown = []
        for (char, code), glyph in zip(coded, glyphs, strict=True):
            look = hash(glyph.tobytes())
            is_wrong = self._check.is_wrong((look, char))
            if is_wrong:
                font.wrong.add(char)
            elif is_wrong is None and has_ink(glyph) and (code == MISSING or not np.array_equal(glyph, missing)):
                unknown.append((char, code, look, glyph))
        if unknown:
            likeness = Likeness(np.stack([glyph for *_, glyph in unknown]))
            for index, (char, code, look, _) in enumerate(unknown):
                is_doubtful = likeness.is_doubtful(index, char)
                if is_doubtful and char not in TWINS:
                    yield Doubt(font, char, code, look, likeness, index)
                    continue
                self._check.remember((look, char), is_wrong=is_doubtful)
                if is_doubtful:
                    font.wrong.add(char)


def _in_one_font(word: PdfWord, font_of: Callable[[int], Font]) -> Iterator[tuple[int, str]]:
    """The letters of a word that are in one font, and the index of the first of them in the word."""
    if word.objects < 2 or len(word.text) != word.end - word.first:
        yield 0, word.text
        return
    for _, together in groupby(range(len(word.text)), key=lambda place: font_of(word.first + place)):
        first, *others = together
        yield first, word.text[first : first + 1 + len(others)]


def _marked(word: OwnWord, part: Part) -> OwnWord:
    letters = list(word.pdf_word.text)
    for place, char in enumerate(part.text, start=part.start):
        if char in part.font.wrong:
            letters[place] = UNMAPPED
    return replace(word, pdf_word=replace(word.pdf_word, text="".join(letters)))
