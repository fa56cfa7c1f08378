"""Lines that Tesseract has found to run downwards: those of a page on its side, or of a script that may do so."""

from dataclasses import dataclass, field

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.ocr.image.analysis import analyse
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.orientation import is_read_upright, with_level_lines
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import Layout, Recognised

CHARACTERS = "本合同自双方签字盖章之日起生效"


def line(box: Box, confidence: float) -> Recognised:
    """One line, every character of which is a word, as in Chinese."""
    words = tuple(Word(character, box, confidence) for character in CHARACTERS)
    return Recognised(CHARACTERS, (Block(box, (Paragraph(box, (Line(box, words),)),)),), confidence)


@dataclass
class Vertical:
    """Reads a line on end in the first picture, and the same along the second with this confidence."""

    along: float
    shown: list[Image.Image] = field(default_factory=list)

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages, layout
        self.shown.append(picture)
        return line((50, 50, 80, 700), 93.0) if len(self.shown) == 1 else line((50, 50, 700, 80), self.along)


@pytest.mark.parametrize(
    ("along", "rotation"),
    [pytest.param(94.0, 270, id="a page on its side"), pytest.param(30.0, 0, id="lines that are written downwards")],
)
def test_lines_that_run_downwards_are_set_upright_if_they_are_read_as_well_then(along: float, rotation: int) -> None:
    page = Image.new("L", (800, 900), 250)
    for top in range(60, 840, 60):
        ImageDraw.Draw(page).rectangle((60, top, 740, top + 24), fill=20)
    tesseract = Vertical(along)

    attempt = PageReader(Picture(page, None, 1.0), tesseract, turning=True).read("chi_sim")

    assert (attempt.recognised.confidence, attempt.rotation) == (max(along, 93.0), rotation)
    assert [picture.width > picture.height for picture in tesseract.shown] == [False, True]


def test_a_page_that_has_no_lines_when_it_is_turned_is_not_straightened() -> None:
    page = Image.new("L", (800, 900), 250)
    for top in range(60, 840, 60):
        ImageDraw.Draw(page).rectangle((60, top, 740, top + 24), fill=20)
    analysis = analyse(page)
    assert analysis
    blank = PageImage(Image.new("L", (900, 800), 255), None, (800, 900), rotation=90)

    assert with_level_lines(blank, analysis) is blank


def test_a_coloured_page_is_tried_in_grey_too_and_in_other_directions_in_grey_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Image.new("RGB", (800, 900), "white")
    for top in range(60, 840, 60):
        ImageDraw.Draw(page).rectangle((60, top, 740, top + 24), fill="darkred")
    reader = PageReader(Picture(page, None), Vertical(30.0), turning=True)
    monkeypatch.setattr(reader, "_directions", lambda _: (0, 90))
    assert reader._analysis

    assert reader._variants(reader._analysis) == [(0, "RGB"), (0, "L"), (90, "L")]


@pytest.mark.parametrize(
    ("words", "confidence", "upright"),
    [
        pytest.param(60, 52.0, True, id="a long text that is hardly legible"),
        pytest.param(60, 30.0, False, id="a long text that is upside down"),
        pytest.param(4, 52.0, False, id="a line that is upside down"),
    ],
)
def test_a_long_text_needs_less_confidence_to_be_upright(words: int, confidence: float, upright: bool) -> None:
    page = Image.new("L", (800, 900), 250)
    ImageDraw.Draw(page).rectangle((60, 60, 740, 84), fill=20)
    analysis = analyse(page)
    box = (50, 50, 700, 80)
    line_of_words = Line(box, (Word("word", box, confidence),) * words)
    text = Recognised("", (Block(box, (Paragraph(box, (line_of_words,)),)),), confidence)

    assert analysis
    assert is_read_upright(text, page=PageImage(page, None, page.size), analysis=analysis) is upright
