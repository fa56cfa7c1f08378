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


def test_letters_of_a_page_that_seems_to_have_vertical_lines_are_of_one_word() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Courier", SIZE)
        for row in range(8):
            for column in (72, 380):
                for place, letter in enumerate("12.50 -3.00"):
                    if letter != " ":
                        canvas.drawString(column + 0.6 * SIZE * place, 770 - 14 * row, letter)

    assert set(layer(pdf(draw)).text.split()) == {"12.50", "-3.00"}


@pytest.mark.parametrize("alpha", [1, 0.5])
def test_letters_that_are_drawn_after_the_page_are_of_the_word_in_which_they_stand(alpha: float) -> None:
    text = "Total 1,250.00 EUR"
    pieces = {text.index("2"): "2", text.index(".00"): ".", text.index("R"): "R"}

    def draw(canvas: Canvas) -> None:
        for place, letter in enumerate(text):
            if letter != " " and place not in pieces:
                canvas.drawString(72 + width(text[:place]), 790, letter)
        lines(PROSE)(canvas)
        canvas.setFillAlpha(alpha)
        for place, letter in pieces.items():
            canvas.drawString(72 + width(text[:place]), 790, letter)

    assert layer(pdf(draw)).text.splitlines()[0] == text


def test_an_index_that_is_drawn_after_the_page_is_of_its_word_unless_that_is_a_number() -> None:
    raised = {"H": ("2", -2), "19": ("95", 4.5), "see 7": ("3", 4.5)}

    def draw(canvas: Canvas) -> None:
        x, places = 72.0, {}
        for part in ("Water H", "O costs 19", ", see 7", "."):
            canvas.drawString(x, 790, part)
            x += width(part)
            places[part] = x
            before = next((ending for ending in raised if part.endswith(ending)), None)
            x += width(raised[before][0], SMALL) if before else 0
        lines(PROSE)(canvas)
        canvas.setFont(FONT, SMALL)
        for part, end in places.items():
            for before, (index, rise) in raised.items():
                if part.endswith(before):
                    canvas.drawString(end, 790 + rise, index)

    assert layer(pdf(draw)).text.splitlines()[0] == "Water H2O costs 19 95, see 7 3."


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
