"""Lines that Tesseract leaves out of the middle of a text: which are read again, and where their words go."""

from dataclasses import dataclass, field

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import Layout, Recognised

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")
MISSED = 4
WIDTH, HEIGHT = 800, 1000
"""As large as the picture in which bands of ink are measured."""


def box_of(row: int) -> Box:
    return (100, 100 + 60 * row, 700, 124 + 60 * row)


def text(*rows: int, confidence: float = 95.0) -> Recognised:
    lines = tuple(Line(box_of(row), (Word(WORDS[row], box_of(row), confidence),)) for row in rows)
    box = box_of(rows[0])[:2] + box_of(rows[-1])[2:]
    return Recognised("\n".join(WORDS[row] for row in rows), (Block(box, (Paragraph(box, lines),)),), confidence)


def sheet(missed: Box, *, letters: bool = True) -> Image.Image:
    """A page with bars for letters; of the line that is missed, something in its place."""
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    places = [(missed, letters), *((box_of(row), True) for row in range(len(WORDS)) if row != MISSED)]
    for (left, top, right, bottom), in_letters in places:
        for x in range(left, right, 16 if in_letters else 1):
            ImageDraw.Draw(image).rectangle((x, top, x + 7, bottom - 1), fill=0)
    return image


@dataclass
class BlindToOneLine:
    """Reads all lines of a page but one, and of parts of the page what it is told to."""

    of_part: float
    """Confidence with which it reads a part."""
    parts: list[tuple[int, int]] = field(default_factory=list)

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages
        if layout is Layout.PAGE:
            return text(*(row for row in range(len(WORDS)) if row != MISSED))
        self.parts.append(picture.size)
        box = (8, 8, picture.width - 8, picture.height - 8)
        line = Line(box, (Word(WORDS[MISSED], box, self.of_part),))
        return Recognised(WORDS[MISSED], (Block(box, (Paragraph(box, (line,)),)),), self.of_part)


def read(page: Image.Image, tesseract: BlindToOneLine) -> Attempt:
    return PageReader(Picture(page, None), tesseract, turning=False).read("eng")


def test_a_missed_line_is_read_and_stands_in_its_place() -> None:
    tesseract = BlindToOneLine(90.0)

    recognised = read(sheet(box_of(MISSED)), tesseract).recognised

    assert recognised.text.split() == list(WORDS)
    assert recognised.confidence < 95
    (block,) = recognised.blocks
    assert block.paragraphs[0].lines[MISSED].box == pytest.approx(box_of(MISSED), abs=16)


def test_what_is_not_read_for_sure_is_not_added() -> None:
    recognised = read(sheet(box_of(MISSED)), BlindToOneLine(60.0)).recognised

    assert WORDS[MISSED] not in recognised.text


def test_a_line_whose_words_have_too_low_boxes_is_not_added_again() -> None:
    left, top, right, bottom = box_of(MISSED)

    class ReadsHalfOfTheLine(BlindToOneLine):
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            recognised = super().recognise(picture, dpi=dpi, languages=languages, layout=layout)
            if layout is not Layout.PAGE:
                return recognised
            half = (left, bottom - 6, right, bottom)
            block = Block(half, (Paragraph(half, (Line(half, (Word("half", half, 95.0),)),)),))
            return Recognised(f"{recognised.text}\n\nhalf", (*recognised.blocks, block), 95.0)

    tesseract = ReadsHalfOfTheLine(90.0)
    recognised = read(sheet((left, top - 10, right, bottom)), tesseract).recognised

    assert not tesseract.parts
    assert WORDS[MISSED] not in recognised.text


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(sheet((100, 350, 700, 353), letters=False), id="a rule"),
        pytest.param(sheet((300, 340, 308, 364)), id="a stroke"),
        pytest.param(sheet((100, 320, 700, 388), letters=False), id="a picture"),
    ],
)
def test_other_ink_between_lines_is_not_read(page: Image.Image) -> None:
    tesseract = BlindToOneLine(90.0)

    recognised = read(page, tesseract).recognised

    assert (recognised.text, tesseract.parts) == ("\n".join(word for word in WORDS if word != WORDS[MISSED]), [])
