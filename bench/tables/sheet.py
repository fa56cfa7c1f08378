"""A page of text and rules, drawn by PDFium with the standard fonts: as a PDF, and as the picture of it."""

import ctypes
from io import BytesIO
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

A4 = (595.0, 842.0)

RULE_WIDTH = 0.7

FONTS = ("Helvetica", "Times-Roman", "Courier")
BOLD = {"Helvetica": "Helvetica-Bold", "Times-Roman": "Times-Bold", "Courier": "Courier-Bold"}


class Sheet:
    """An A4 page, in points from its upper left corner."""

    def __init__(self) -> None:
        self._document = pypdfium2.PdfDocument.new()
        self._page = self._document.new_page(*A4)
        self._fonts: dict[str, Any] = {}

    def width(self, text: str, font: str, size: float) -> float:
        """How wide a text is."""
        width = ctypes.c_float()
        total = 0.0
        for character in text:
            pdfium.FPDFFont_GetGlyphWidth(self._font(font), ord(character), size, width)
            total += width.value
        return total

    def text(self, place: tuple[float, float], text: str, font: str, size: float) -> None:
        """Write a text. `place` is where it begins on its baseline."""
        x, baseline = place
        item = pdfium.FPDFPageObj_CreateTextObj(self._document.raw, self._font(font), size)
        codes = [*map(ord, text), 0]
        pdfium.FPDFText_SetText(item, (ctypes.c_ushort * len(codes))(*codes))
        pdfium.FPDFPageObj_Transform(item, 1, 0, 0, 1, x, A4[1] - baseline)
        pdfium.FPDFPage_InsertObject(self._page.raw, item)

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> None:
        path = pdfium.FPDFPageObj_CreateNewPath(x0, A4[1] - y0)
        pdfium.FPDFPath_LineTo(path, x1, A4[1] - y1)
        pdfium.FPDFPath_SetDrawMode(path, pdfium.FPDF_FILLMODE_NONE, 1)
        pdfium.FPDFPageObj_SetStrokeWidth(path, RULE_WIDTH)
        pdfium.FPDFPageObj_SetStrokeColor(path, 0, 0, 0, 255)
        pdfium.FPDFPage_InsertObject(self._page.raw, path)

    def pdf(self) -> bytes:
        self._page.gen_content()
        file = BytesIO()
        self._document.save(file)
        return file.getvalue()

    def picture(self, dpi: int) -> Image.Image:
        self._page.gen_content()
        image: Image.Image = self._page.render(scale=dpi / 72, grayscale=True).to_pil()
        return image

    def _font(self, name: str) -> Any:
        if name not in self._fonts:
            self._fonts[name] = pdfium.FPDFText_LoadStandardFont(self._document.raw, name.encode())
        return self._fonts[name]
