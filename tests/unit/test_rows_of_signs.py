"""Rows of one repeated sign, and lines of text that are no such rows."""

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.recognition.rows_of_signs import without_rows_of_signs
from docserver.ocr.recognition.tesseract import Recognised


def drawn(text: str, *, font: str = "DejaVuSansMono.ttf") -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A picture of one line, a little blurred, and the box of the line."""
    picture = Image.new("L", (760, 80), 240)
    draw, letters = ImageDraw.Draw(picture), ImageFont.truetype(font, 24)
    draw.text((20, 20), text, fill=40, font=letters)
    left, top, right, bottom = (int(side) for side in draw.textbbox((20, 20), text, font=letters))
    return picture.filter(ImageFilter.GaussianBlur(1)), (left, top, right, bottom)


def read(box: tuple[int, int, int, int], *, confidence: float) -> Recognised:
    lines = (Line(box, (Word("ROK", box, confidence),)), Line(box, (Word("TOTAL", box, 95.0),)))
    return Recognised("ROK\nTOTAL", (Block(box, (Paragraph(box, lines),)),), 60.0)


@pytest.mark.parametrize("font", ["DejaVuSansMono.ttf", "DejaVuSans.ttf"])
@pytest.mark.parametrize("row", ["*" * 36, "* " * 18, "#" * 32, "+" * 30, "=*" * 14])
def test_a_row_of_signs_is_left_out(row: str, font: str) -> None:
    picture, box = drawn(row, font=font)

    recognised = without_rows_of_signs(read(box, confidence=40.0), picture)

    assert (recognised.text, recognised.confidence) == ("TOTAL", 95.0)


@pytest.mark.parametrize(
    "text", ["GOODS SOLD ARE NOT RETURNABLE", "minimum illicit willing", "00100200100 100 200", "*** NO REFUND ***"]
)
def test_unsure_text_stays(text: str) -> None:
    picture, box = drawn(text)

    assert without_rows_of_signs(read(box, confidence=40.0), picture).text == "ROK\nTOTAL"


def test_a_rule_stays() -> None:
    picture = Image.new("L", (760, 80), 240)
    ImageDraw.Draw(picture).rectangle((20, 30, 700, 33), fill=40)

    assert without_rows_of_signs(read((20, 28, 700, 36), confidence=40.0), picture).text == "ROK\nTOTAL"


def test_a_repeated_letter_that_is_read_for_sure_stays() -> None:
    picture, box = drawn("X" * 30)

    assert without_rows_of_signs(read(box, confidence=90.0), picture).text == "ROK\nTOTAL"
