"""Pages of which PDFium draws nothing, though others do: those in fonts of images without a gap before their `EI`."""

import io
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw, ImageFont
from PIL.TiffImagePlugin import STRIPBYTECOUNTS, STRIPOFFSETS, TiffImageFile

from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import render, text_layer
from docserver.ocr.pdf.pdfium import NotForPdfium, draw, opened
from tests.support.text_layers import CHECK

SIDE = 100
MAX_PIXELS = 1_000_000


def glyph() -> bytes:
    """The glyph of a letter: an image of one bit a pixel, compressed as in a fax, whose data ends right before `EI`."""
    letter = Image.new("1", (29, 29), 1)
    ImageDraw.Draw(letter).text((5, -2), "B", fill=0, font=ImageFont.load_default(size=30))
    file = io.BytesIO()
    letter.save(file, "TIFF", compression="group4")
    with TiffImageFile(io.BytesIO(file.getvalue())) as tiff:
        (start,), (length,) = tiff.tag_v2[STRIPOFFSETS], tiff.tag_v2[STRIPBYTECOUNTS]
    return (
        b"720 0 0 0 720 720 d1 720 0 0 720 0 0 cm BI /IM true /W 29 /H 29 /BPC 1 /D [0 1] /F /CCF /CS /G "
        b"/DP <</K -1 /Columns 29>> ID\n" + file.getvalue()[start : start + length] + b"EI\n"
    )


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A page with one word in such a font."""
    path = tmp_path / "type3.pdf"
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(SIDE, SIDE))
        font = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type3,
            FontBBox=Array([0, 0, 720, 720]),
            FontMatrix=Array([0.001, 0, 0, 0.001, 0, 0]),
            Encoding=Dictionary(BaseEncoding=Name.WinAnsiEncoding, Differences=Array([66, Name.B])),
            FirstChar=66,
            LastChar=66,
            Widths=Array([720]),
            CharProcs=Dictionary(B=pdf.make_stream(glyph())),
        )
        page.Resources = Dictionary(Font=Dictionary(F=pdf.make_indirect(font)))
        page.Contents = pdf.make_stream(b"BT /F 40 Tf 10 40 Td (BB) Tj ET")
        pdf.save(path)
    return str(path)


def test_a_page_of_which_pdfium_draws_no_letter_is_drawn_by_poppler(source: str, tmp_path: Path) -> None:
    with pytest.raises(NotForPdfium):
        draw(source, page=1, dpi=72, max_pixels=MAX_PIXELS)

    picture = render.draw(source, page=1, dpi=72, max_pixels=MAX_PIXELS, scratch=tmp_path)

    assert 0 in picture.image.tobytes()


def test_the_own_text_of_such_a_page_is_not_taken_for_hidden(source: str) -> None:
    with opened(source) as document, CHECK.of_document(document) as fonts, pytest.raises(TextLayerRejected) as refused:
        text_layer.read(document, source=source, page=1, dpi=72, max_pixels=MAX_PIXELS, fonts=fonts)

    assert str(refused.value) == "nothing of the text is drawn"
