"""Lone letters that were read as capital and small letter."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import Block, Box, Line, Paragraph, Word, around, words_of
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.doubled_letters import without_doubled_letters
from docserver.ocr.recognition.tesseract import Recognised

FONT = ImageFont.load_default(size=40)


def box_of(text: str, left: int) -> Box:
    x0, y0, x1, y1 = FONT.getbbox(text)
    return int(left + x0), int(300 + y0), int(left + x1), int(300 + y1)


def texts(**read: str) -> list[str]:
    """What is left of a row, in which these words were read as others."""
    image, words = Image.new("L", (1000, 600), 255), []
    for number, (text, other) in enumerate(read.items()):
        left = 100 + 200 * number
        ImageDraw.Draw(image).text((left, 300), text, font=FONT, fill=0)
        words.append(Word(other, box_of(text, left), 60.0))
    line = Line(around(word.box for word in words), tuple(words))
    attempt = Attempt(Recognised.of((Block(line.box, (Paragraph(line.box, (line,)),)),)), 0, "eng")
    found = without_doubled_letters(attempt, PageImage(image, 300, image.size))
    return [word.text for word in words_of(found.recognised.blocks)]


@pytest.mark.parametrize("letter", ["C", "X", "S", "W", "c", "x", "s", "w"])
def test_one_mark_is_one_letter_with_the_case_that_its_height_shows(letter: str) -> None:
    other = letter.swapcase()

    assert texts(Anna="Anna", **{letter: letter + other}) == ["Anna", letter]
    assert texts(Anna="Anna", **{letter: other + letter}) == ["Anna", letter]


def test_a_letter_without_others_beside_it_is_a_capital() -> None:
    assert texts(C="Cc") == ["C"]


def test_two_letters_stay_two() -> None:
    assert texts(Anna="Anna", Cc="Cc", Xx="Xx", Aa="Aa") == ["Anna", "Cc", "Xx", "Aa"]
