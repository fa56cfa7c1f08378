"""A receipt is read as one block of lines, and again as other pages are if that is not sure."""

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised

BOX = (40, 60, 560, 90)


def words(count: int, confidence: float) -> Recognised:
    line = Line(BOX, (Word("receipt", BOX, confidence),) * count)
    return Recognised("receipt " * count, (Block(BOX, (Paragraph(BOX, (line,)),)),), confidence)


@pytest.mark.parametrize(
    ("as_block", "as_page", "is_page_taken"),
    [
        pytest.param(words(30, 75.0), words(30, 80.0), True, id="surer"),
        pytest.param(words(30, 75.0), words(30, 77.0), False, id="hardly surer"),
        pytest.param(words(30, 75.0), words(20, 90.0), False, id="surer, with fewer words"),
        pytest.param(words(30, 85.0), words(30, 95.0), False, id="sure at first"),
    ],
)
def test_the_second_text_of_a_receipt_is_taken_if_it_is_surer_and_lacks_nothing(
    as_block: Recognised, as_page: Recognised, is_page_taken: bool
) -> None:
    class ByLayout:
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            del picture, dpi, languages
            return {Layout.BLOCK: as_block, Layout.PAGE: as_page}.get(layout, NOTHING)

    receipt = Image.new("L", (600, 1600), 250)
    for top in range(60, 1540, 60):
        ImageDraw.Draw(receipt).rectangle((40, top, 560, top + 24), fill=20)

    attempt = PageReader(Picture(receipt, None, 1.0), ByLayout(), turning=True).read("eng")

    assert attempt.recognised.confidence == (as_page if is_page_taken else as_block).confidence
