"""Accents that a PDF draws over letters, as TeX does, and signs that look like accents and are none."""

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from docserver.ocr.pdf.words import accents
from tests.support.samples.pdf_layers import PROSE, Draw, lines, pdf
from tests.support.text_layers import layer

FONT, SIZE = "Times-Roman", 11

ACUTE, CEDILLA = "\xb4", "\xb8"


def accented(text: str, *over: tuple[int, str], x: float, y: float) -> Draw:
    """The text, and after it each accent over the letter at a place in the text."""

    def draw(canvas: Canvas) -> None:
        canvas.drawString(x, y, text)
        for place, accent in over:
            before, letter = (stringWidth(part, FONT, SIZE) for part in (text[:place], text[place]))
            canvas.drawString(x + before + (letter - stringWidth(accent, FONT, SIZE)) / 2, y, accent)

    return draw


def test_a_circumflex_is_an_accent_too() -> None:
    def words(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        accented("the fete", (5, "\u02c6"), x=72, y=600)(canvas)

    assert layer(pdf(words)).text.endswith("the fête")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_accents_that_are_drawn_over_letters_are_part_of_them(degrees: int) -> None:
    def names(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        canvas.setFont(FONT, SIZE)
        accented("Laszlo Lukacs, Jorg and Francois", (1, ACUTE), (10, ACUTE), (16, "¨"), (28, CEDILLA), x=0, y=0)(
            canvas
        )

    assert layer(pdf(names)).text.endswith("Lászlo Lukács, Jörg and François")


def test_a_page_full_of_signs_is_read_without_a_search_for_their_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accents, "MAX_ACCENTS", 1)

    draw = accented("naive naive", (2, "¨"), (8, "¨"), x=72, y=600)

    assert "ï" not in layer(pdf(draw)).text


def test_an_accent_between_other_words_is_part_of_its_letter() -> None:
    def names(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawString(72, 600, "Muller and ")
        canvas.drawString(72 + stringWidth("M", FONT, SIZE) + 1, 600, "¨")
        canvas.drawString(72 + stringWidth("Muller and ", FONT, SIZE), 600, "others")

    assert layer(pdf(names)).text.endswith("Müller and others")


def test_an_accent_before_its_letter_is_part_of_it() -> None:
    def name(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawString(72, 600, "M")
        x = 72 + stringWidth("M", FONT, SIZE)
        canvas.drawString(x + 1, 600, "¨")
        canvas.drawString(x, 600, "uller and M")

    assert layer(pdf(name)).text.endswith("Müller and M")


@pytest.mark.parametrize("text", ["run `make` in ~/src for x^2", f"a ~ b ^ c ` d ¨ e {ACUTE} f"])
def test_signs_beside_letters_are_no_accents(text: str) -> None:
    assert layer(pdf(lines([*PROSE, text]))).text.endswith(text)


def test_a_quotation_mark_above_the_edge_of_a_letter_is_no_accent() -> None:
    def tool(canvas: Canvas) -> None:
        lines([*PROSE, "the tool `sow"])(canvas)
        end = 72 + stringWidth("the tool `sow", FONT, SIZE)
        canvas.drawString(end - stringWidth("`", FONT, SIZE) / 2 - 0.2, 770 - 14 * len(PROSE), "`")

    assert "ẁ" not in layer(pdf(tool)).text


def test_accents_over_letters_that_unicode_has_only_without_them_stay_as_they_are() -> None:
    def formula(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        accented("q", (0, "¨"), x=72, y=600)(canvas)

    assert layer(pdf(formula)).text.endswith("q¨")
