"""Words that PDFium parts though one sees no space, such as those that are drawn in several pieces."""

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import layer, refusal

FONT, SIZE, SMALL = "Times-Roman", 11, 7


def width(text: str, size: float = SIZE) -> float:
    return float(stringWidth(text, FONT, size))


@pytest.mark.parametrize("rise", [4.5, -3])
@pytest.mark.parametrize(
    ("gap", "read"), [(0.5, "at 20 km2), and on"), (2.2, "at 20 km2 ), and on")], ids=["as TeX does", "a space"]
)
def test_a_closing_sign_behind_a_small_number_belongs_to_its_word(rise: float, gap: float, read: str) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawString(72, 400, "at 20 km")
        x = 72 + width("at 20 km")
        canvas.setFont(FONT, SMALL)
        canvas.drawString(x, 400 + rise, "2")
        canvas.setFont(FONT, SIZE)
        canvas.drawString(x + width("2", SMALL) + gap, 400, "), and on")

    assert layer(pdf(draw)).text.splitlines()[-1] == read


@pytest.mark.parametrize(("gap", "read"), [(0, "assigned a value"), (2.2, "assi gned a value")])
def test_letters_beside_which_an_index_is_drawn_too_late_are_of_one_word(gap: float, read: str) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawString(72, 400, "FD")
        x = 72 + width("FD  ")
        canvas.drawString(x, 400, "is assi")
        canvas.setFont(FONT, SMALL)
        canvas.drawString(72 + width("FD"), 397.5, "3")
        canvas.setFont(FONT, SIZE)
        canvas.drawString(x + width("is assi") + gap, 400, "gned a value")

    assert layer(pdf(draw)).text.splitlines()[-1].endswith(read)


def test_letters_between_which_a_space_is_drawn_elsewhere_are_of_one_word() -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawString(72, 400, "the effects of t")
        canvas.drawString(72 + width("the effects of"), 400, " ")
        canvas.drawString(72 + width("the effects of t"), 400, "he loss")

    assert layer(pdf(draw)).text.splitlines()[-1] == "the effects of the loss"


def test_letters_that_are_drawn_from_the_right_are_read_from_the_picture() -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        text = canvas.beginText(172, 400)
        text.setFont("Courier", SIZE)
        # Each letter is 0.6 wide.
        text.setCharSpace(-1.2 * SIZE)
        text.textOut("ecno")
        canvas.drawText(text)

    assert refusal(pdf(draw)) == "letters in the wrong order"


def test_a_word_that_may_be_hidden_is_not_joined_to_one_that_is_seen() -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawString(72, 400, "a visible sea")
        canvas.drawString(72, 350, "below")
        text = canvas.beginText(72 + width("a visible sea"), 400)
        text.setTextRenderMode(3)
        text.textOut("shore")
        canvas.drawText(text)

    assert layer(pdf(draw)).text.endswith("\na visible sea\n\nbelow")
