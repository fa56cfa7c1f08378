"""Child side: draws glyphs of a PDF's fonts, and words in them, apart from the pages. Does not judge what it draws."""

import ctypes
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_float, c_uint32, c_ushort
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium
from PIL import Image, ImageOps
from pypdfium2 import PdfDocument

from docserver.ocr.pdf.calls import address_of, has_no_mapping, origins_of_units

EM = 32
"""Size at which single glyphs are drawn, in pixels. Digits are 23 pixels high."""

PITCH, ABOVE, BELOW = 2 * EM, 44, 20
"""Width of the cell in which a glyph is drawn, and its height above and below the baseline, in pixels."""

ONE_BYTE = 256
"""Number of the codes of one byte."""

CODE_PITCH = 64.0
"""Distance at which codes are put beside each other to see how the font maps them, in points."""

WIDTHS_SIZE = 1000.0
"""Size of letters whose widths are measured, in points."""

SPACE, NO_BREAK_SPACE = 0x20, 0xA0

Pictures = npt.NDArray[np.uint8]
"""Grey pictures of the same size. Ink is 255, paper is 0."""


class GlyphDrawing:
    """Draws with the fonts of one PDF, on pages of another document, which leaves the PDF as it is."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._paper = PdfDocument.new()
        self._kept = self._paper.new_page(1, 1)

    def close(self) -> None:
        self._paper.close()

    def keep(self, font: Any) -> None:
        """Keep a font in memory until this is closed, so that no other font has its address."""
        pdfium.FPDFPage_InsertObject(self._kept, pdfium.FPDFPageObj_CreateTextObj(self._document, font, 1.0))

    def codes(
        self, font: Any, characters: Collection[str], *, first: int, end: int
    ) -> tuple[dict[str, list[int]], list[int]]:
        """The codes from `first` to before `end` that the font maps to each of these characters and to no other, those
        that it maps to several characters, and those that it maps to spaces or to nothing; none if the codes of the
        font have unequal lengths.
        """
        text = self.text(font, range(first, end), size=1.0, pitch=CODE_PITCH)
        if text is None:
            return {}, []
        codes: dict[str, list[int]] = defaultdict(list)
        with self._page([text], width=(end - first) * CODE_PITCH, height=CODE_PITCH) as page:
            text_page = pdfium.FPDFText_LoadPage(page)
            printed: dict[int, str] = {}
            indexes: dict[int, int] = {}
            for x, char, index in _printed(text_page):
                place = round(x / CODE_PITCH)
                printed[place] = printed[place] + char if place in printed else char
                indexes[place] = index
            text_address = address_of(text_page)
            for place, char in printed.items():
                # PDFium takes a code that the font does not map for the character of this number.
                if (char in characters or len(char) > 1) and has_no_mapping(text_address, indexes[place]) != 1:
                    codes[char].append(first + place)
            pdfium.FPDFText_ClosePage(text_page)
        return codes, [first + place for place in range(end - first) if place not in printed]

    def glyphs(self, font: Any, codes: Sequence[int], *, size: float = EM) -> Pictures:
        """The pictures of the glyphs that the font has for these codes, which it has."""
        text = self.text(font, codes, size=size, pitch=PITCH)
        pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, PITCH / 4, BELOW)
        drawn = self.drawn([text], width=len(codes) * PITCH, height=ABOVE + BELOW)
        return np.ascontiguousarray(drawn.reshape(ABOVE + BELOW, len(codes), PITCH).swapaxes(0, 1))

    def word(self, font: Any, codes: Sequence[int]) -> Pictures:
        """The picture of the glyphs of a few codes beside each other, as one."""
        text = self.text(font, codes, size=EM)
        pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, PITCH / 4, BELOW)
        return self.drawn([text], width=PITCH, height=ABOVE + BELOW)[None]

    def widths(self, font: Any, codes: Sequence[int]) -> dict[int, float]:
        """The widths of the glyphs of these codes, which the font maps to single characters, in thousandths of the
        letters' size; none if these cannot be told.
        """
        text = self.text(font, [*codes, codes[0]], size=WIDTHS_SIZE)
        with self._page([text], width=2 * WIDTHS_SIZE * (len(codes) + 1), height=WIDTHS_SIZE) as page:
            text_page = pdfium.FPDFText_LoadPage(page)
            places = [x for x, _, _ in _printed(text_page)]
            pdfium.FPDFText_ClosePage(text_page)
        if len(places) != len(codes) + 1:
            return {}
        return {code: round(after - before) for code, (before, after) in zip(codes, pairwise(places), strict=True)}

    def text(self, font: Any, codes: Sequence[int], *, size: float, pitch: float = 0.0) -> Any:
        """A text object with these codes, at this distance from each other, or as the font has it. None if PDFium
        takes these codes for others.
        """
        text = pdfium.FPDFPageObj_CreateTextObj(self._document, font, size)
        pdfium.FPDFText_SetCharcodes(text, (c_uint32 * len(codes))(*codes), len(codes))
        others = len(codes) - 1
        if pitch and others:
            places = (c_float * others)(*(pitch * np.arange(1, len(codes))).tolist())
            if not pdfium.FPDFText_SetPositions(text, places, others):
                pdfium.FPDFPageObj_Destroy(text)
                return None
        return text

    def drawn(self, objects: Sequence[Any], *, width: int, height: int) -> Pictures:
        """A picture of these text objects, which are used up."""
        picture = np.full((height, width), 255, np.uint8)
        with self._page(objects, width=width, height=height) as page:
            pixels = picture.ctypes.data_as(ctypes.c_void_p)
            bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, pixels, width)
            pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_GRAYSCALE)
            pdfium.FPDFBitmap_Destroy(bitmap)
        return np.invert(picture)

    @contextmanager
    def _page(self, objects: Sequence[Any], *, width: float, height: float) -> Iterator[Any]:
        page = pdfium.FPDFPage_New(self._paper, 1, width, height)
        try:
            for text in objects:
                pdfium.FPDFPage_InsertObject(page, text)
            yield page
        finally:
            pdfium.FPDF_ClosePage(page)
            pdfium.FPDFPage_Delete(self._paper, 1)


def on_line(ink: Image.Image, top: float, bottom: float) -> Pictures:
    """The picture of a glyph that is given without margins, at its place on a line: its upper and its lower end are so
    far above the baseline, as shares of the letters' size.
    """
    size = max(1, round(ink.width * (top - bottom) * EM / ink.height)), max(1, round((top - bottom) * EM))
    cell = Image.new("L", (PITCH, ABOVE + BELOW))
    cell.paste(ink.resize(size, Image.Resampling.BOX), (PITCH // 4, round(ABOVE - top * EM)))
    return np.asarray(ImageOps.autocontrast(cell))


def _printed(text_page: Any) -> Iterator[tuple[float, str, int]]:
    """For each unit of the text that is no space and that PDFium did not add: where its character begins, the unit, and
    the index of the character. Between codes that are far from each other, PDFium adds spaces.
    """
    count = pdfium.FPDFText_CountChars(text_page)
    units = (c_ushort * (count + 1))()
    pdfium.FPDFText_GetText(text_page, 0, count, units)
    chars = {number: chr(unit) for number, unit in enumerate(units[:]) if unit > SPACE and unit != NO_BREAK_SPACE}
    for number, index, x in origins_of_units(address_of(text_page), chars):
        yield x, chars[number], index
