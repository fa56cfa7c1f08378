"""A receipt is read as one block of lines, and again as other pages are if that is not sure."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from bench import camera
from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised

BOX = (40, 60, 560, 90)


def words(count: int, confidence: float) -> Recognised:
    line = Line(BOX, (Word("receipt", BOX, confidence),) * count)
    return Recognised("receipt " * count, (Block(BOX, (Paragraph(BOX, (line,)),)),), confidence)


class ByLayout:
    """Reads a receipt in two layouts."""

    def __init__(self, as_block: Recognised, as_page: Recognised) -> None:
        self._read = {Layout.BLOCK: as_block, Layout.PAGE: as_page}

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del picture, dpi, languages
        return self._read.get(layout, NOTHING)


def receipt() -> Picture:
    image = Image.new("L", (600, 1600), 250)
    for top in range(60, 1540, 60):
        ImageDraw.Draw(image).rectangle((40, top, 560, top + 24), fill=20)
    return Picture(image, None, 1.0)


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
    attempt = PageReader(receipt(), ByLayout(as_block, as_page), turning=True).read("eng")

    assert attempt.recognised.confidence == (as_page if is_page_taken else as_block).confidence


@pytest.mark.parametrize(("languages", "is_page_taken"), [("eng", False), ("eng+rus", True)])
def test_a_receipt_that_the_second_engine_reads_again_is_not_read_twice_by_tesseract(
    languages: str, is_page_taken: bool
) -> None:
    as_block, as_page = words(30, 75.0), words(30, 80.0)

    reader = PageReader(receipt(), ByLayout(as_block, as_page), turning=True, has_second=True)

    taken = as_page if is_page_taken else as_block
    assert reader.read(languages).recognised.confidence == taken.confidence


def test_a_curved_receipt_that_the_second_engine_does_not_read_again_is_read_twice() -> None:
    image, font = Image.new("L", (800, 2000), 250), ImageFont.load_default(size=22)
    for top in range(60, 1940, 44):
        ImageDraw.Draw(image).text((120, top), "Bread and butter 12 pieces of 4.50 each 54.00", fill=20, font=font)
    as_block, as_page = words(30, 75.0), words(30, 80.0)

    reader = PageReader(Picture(camera.curled(image), None), ByLayout(as_block, as_page), turning=True, has_second=True)

    assert reader.read("eng").recognised.confidence == as_page.confidence
