"""Dots and accents above letters that were read as letters without any."""

from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw, ImageOps

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import Layout, Recognised
from docserver.ocr.recognition.unread_accents import has_unread_accents

WORD: Box = (60, 60, 120, 100)
CAPITAL: Box = (60, 60, 88, 100)
SMALL: Box = (96, 74, 120, 100)
TWO_DOTS: Sequence[Box] = [(65, 48, 71, 54), (77, 48, 83, 54)]
DOT_ABOVE_SMALL: Box = (104, 62, 110, 68)


def picture(*ink: Box) -> Image.Image:
    """A capital and a small letter, and more ink."""
    image = Image.new("L", (400, 200), 255)
    for left, top, right, bottom in (CAPITAL, SMALL, *ink):
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=0)
    return image


def is_unread(text: str, image: Image.Image, box: Box = WORD) -> bool:
    return has_unread_accents([Word(text, box, 96.0)], image)


@pytest.mark.parametrize(
    ("text", "ink"),
    [
        ("Uo", TWO_DOTS),
        ("6o", TWO_DOTS),
        ("Eo", [(70, 48, 80, 54)]),
        ("Ui", [*TWO_DOTS, DOT_ABOVE_SMALL]),
        ("Uo", [DOT_ABOVE_SMALL]),
    ],
)
def test_an_accent_that_the_text_lacks_is_found(text: str, ink: Sequence[Box]) -> None:
    assert is_unread(text, picture(*ink))
    assert is_unread(text, ImageOps.invert(picture(*ink)))


def test_an_accent_is_found_in_the_box_of_its_word_and_in_large_letters() -> None:
    image = picture(*TWO_DOTS)

    assert is_unread("Uo", image, (60, 48, 120, 100))
    assert is_unread("Uo", image.resize((2000, 1000)), (300, 300, 600, 500))


@pytest.mark.parametrize(
    ("text", "ink"),
    [
        ("Uo", []),
        ("Üo", TWO_DOTS),
        ("Üi", [*TWO_DOTS, DOT_ABOVE_SMALL]),
        ("Éo", [(70, 48, 80, 54)]),
        ("U\u201c", [DOT_ABOVE_SMALL]),
        ("\u0631\u0646", TWO_DOTS),
        pytest.param("Uo", [(60, 50, 120, 53)], id="a line above the word"),
        pytest.param("Uo", [(70, 51, 71, 52)], id="a speck"),
        pytest.param("Uo", [(70, 34, 76, 40)], id="the end of the line above"),
        pytest.param("Uo", [(20, 60, 48, 100), (30, 48, 36, 54)], id="an accent of the word beside it"),
    ],
)
def test_what_is_no_accent_or_was_read_is_not_found(text: str, ink: Sequence[Box]) -> None:
    assert not is_unread(text, picture(*ink))


class ReadsOneLine:
    def __init__(self, text: str) -> None:
        self._text = text

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages, layout
        scale = picture.width / 400
        left, top, right, bottom = (round(scale * side) for side in WORD)
        box = left, top, right, bottom
        line = Line(box, tuple(Word(word, box, 96.0) for word in self._text.split()))
        return Recognised(self._text, (Block(box, (Paragraph(box, (line,)),)),), 96.0)


@pytest.mark.parametrize(("text", "left_out"), [("Uo", True), ("Üo", False), ("Uo and three more words", False)])
def test_a_page_of_few_words_with_an_accent_that_is_not_read_needs_review(text: str, *, left_out: bool) -> None:
    attempt = PageReader(Picture(picture(*TWO_DOTS), None), ReadsOneLine(text), turning=False).read("eng")

    assert (attempt.recognised.text, attempt.left_out) == (text, left_out)
