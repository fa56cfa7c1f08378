"""Words with unmapped letters in another direction than the page: what they say, where, and what leaves it open."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Block, Line, Paragraph, Word, words_of
from docserver.model import Reading, Source
from docserver.ocr.child import mixed
from docserver.ocr.pdf.words.own_words import TextLayer
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.tesseract import Recognised
from tests.support.samples.pdf_layers import PROSE, Draw, both, in_unmapped_font, lines, pdf, without_mapping
from tests.support.text_layers import DPI, whole_layer

PX = DPI / 72


def label(*texts: tuple[str, bool], angle: float) -> Draw:
    """Texts behind each other, in a font with a mapping or in one without, at this angle."""

    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.translate(300, 400)
        canvas.rotate(angle)
        x = 0.0
        for text, is_mapped in texts:
            (lines if is_mapped else in_unmapped_font)([text], x=x, top=0)(canvas)
            x += canvas.stringWidth(text, "Times-Roman" if is_mapped else "Numbered", 11)
        canvas.restoreState()

    return draw


def layer_with(draw: Draw) -> TextLayer:
    return whole_layer(without_mapping(pdf(both(lines(PROSE), draw))))


def joined(layer: TextLayer, text: str, *, confidence: float = 95.0) -> Reading:
    """The page if this is read of its only turned word."""
    words, x = [], 0
    for word in text.split():
        words.append(Word(word, (x, 0, x + 10 * len(word), 20), confidence))
        x += 10 * len(word) + 10
    line = Line((0, 0, max(x, 1), 20), tuple(words))
    read = Attempt(Recognised(text, (Block(line.box, (Paragraph(line.box, (line,)),)),), 0.0), 0, "eng")
    return mixed.join(layer, None, {}, turned=[(word, read) for word in layer.turned], review_below=80)


CONFIRMED = ("Con", True), ("fi", False), ("rmed cases", True)


@pytest.mark.parametrize("angle", [90, 180, 270, 45, -20, 135])
def test_a_turned_word_with_unmapped_letters_is_read_into_its_place(angle: float) -> None:
    layer = layer_with(label(*CONFIRMED, angle=angle))

    reading = joined(layer, "Confirmed")

    assert reading.text == "\n".join(PROSE) + "\n\nConfirmed cases"
    assert (reading.source, reading.rotation, reading.needs_review) == (Source.MIXED, 0, False)
    assert 99 < reading.confidence < 100
    assert layer.patches is None
    assert {word.text: word.confidence for word in words_of(reading.blocks)}["Confirmed"] == 95.0


def test_the_own_letters_of_a_turned_word_are_not_taken_from_the_picture() -> None:
    layer = layer_with(label(("\u2013I0", True), ("fi", False), angle=90))

    assert joined(layer, "-lOfi").text.endswith("\n\n\u2013I0fi")


@pytest.mark.parametrize(
    ("read", "confidence"),
    [("Conrmed", 95.0), ("Confined", 95.0), ("Con firmed", 95.0), ("Confirmed", 60.0), ("", 95.0)],
    ids=["a letter too few", "another letter", "a space", "not sure", "nothing"],
)
def test_a_page_with_a_turned_word_that_is_not_read_for_certain_needs_review(read: str, confidence: float) -> None:
    reading = joined(layer_with(label(*CONFIRMED, angle=90)), read, confidence=confidence)

    assert reading.text == "\n".join(PROSE) + "\n\ncases"
    assert (reading.confidence, reading.needs_review) == (99.0, True)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_the_words_in_a_turned_line_without_any_mapping_are_behind_each_other(angle: float) -> None:
    layer = layer_with(label(("Total/cases", False), angle=angle))

    reading = joined(layer, "Total cases")

    assert reading.text.endswith("\n\nTotal cases")
    first, second = (word.box for word in list(words_of(reading.blocks))[-2:])
    along = int(angle % 180 == 90)
    assert first[along] != second[along]
    assert (first[along] > second[along]) is (angle in (90, 180))
    assert first[1 - along] == second[1 - along]


def test_several_words_in_a_slanted_line_without_any_mapping_are_left_open() -> None:
    reading = joined(layer_with(label(("Total/cases", False), angle=45)), "Total cases")

    assert "Total" not in reading.text
    assert reading.needs_review


def test_upright_words_without_a_mapping_on_an_upright_page_are_read_with_the_page() -> None:
    layer = layer_with(label(*CONFIRMED, angle=0))

    assert not layer.turned
    assert layer.patches


def test_turned_bullets_without_a_mapping_need_not_be_read() -> None:
    layer = layer_with(label(("\u2022", False), (" cases", True), angle=90))

    assert layer.is_exact
    assert layer.reading().text.endswith("cases")
