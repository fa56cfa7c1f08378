"""Letters in boxes that are drawn on the page, as in a form that was filled in and flattened."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import layer


def boxed(canvas: Canvas, text: str, *, y: float = 400, width: float = 16, step: float = 16) -> None:
    """A letter in each box; a space leaves out the box."""
    for place, letter in enumerate(text):
        if letter != " ":
            canvas.rect(72 + place * step, y, width, 18)
            canvas.drawString(72 + place * step + 4, y + 5, letter)


def with_boxes(*rows: str, width: float = 16, step: float = 16) -> str:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        for number, row in enumerate(rows):
            boxed(canvas, row, y=400 - 18 * number, width=width, step=step)

    return layer(pdf(draw)).text


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ("DE8937", "DE8937"),
        ("24121999", "24121999"),
        ("24 12 1999", "24 12 1999"),
        ("MUELLER", "MUELLER"),
        ("MTWTFSS", "M T W T F S S"),
        ("123456", "1 2 3 4 5 6"),
    ],
)
@pytest.mark.parametrize("step", [16, 19])
def test_letters_in_a_row_of_boxes_are_of_one_word(row: str, read: str, step: float) -> None:
    assert with_boxes(row, step=step).splitlines()[-1] == read


def test_digits_in_a_grid_are_not_of_one_number() -> None:
    assert with_boxes("7294", "3816", "5072").splitlines()[-3:] == ["7 2 9 4", "3 8 1 6", "5 0 7 2"]


def test_digits_in_wide_cells_are_not_of_one_number() -> None:
    assert with_boxes("7294", width=40, step=40).splitlines()[-1] == "7 2 9 4"


def divided(text: str, *, height: float, rows: int = 1, pitch: float = 16, framed: bool) -> str:
    """What is read of letters in one frame with dividers, or between ticks on a line; the same in each row."""

    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        end = 72 + pitch * len(text)
        if framed:
            canvas.rect(72, 400, end - 72, height)
        else:
            canvas.line(72, 400, end, 400)
        for place in range(framed, len(text) + 1 - framed):
            canvas.line(72 + place * pitch, 400, 72 + place * pitch, 400 + height)
        for row in range(rows):
            for place, letter in enumerate(text):
                canvas.drawString(72 + place * pitch + 4, 405 + 16 * row, letter)

    return layer(pdf(draw)).text.splitlines()[-1]


@pytest.mark.parametrize(("height", "framed"), [(18, True), (5, False)])
@pytest.mark.parametrize("row", ["GB29NWBK60161331926819", "24121999"])
def test_letters_between_dividers_and_ticks_are_of_one_word(row: str, height: float, *, framed: bool) -> None:
    assert divided(row, height=height, framed=framed) == row


@pytest.mark.parametrize(("height", "rows", "pitch"), [(36, 2, 16), (12, 1, 36), (12, 1, 24)])
def test_digits_between_the_rules_of_a_table_are_not_of_one_number(height: float, rows: int, pitch: float) -> None:
    assert divided("7294", height=height, rows=rows, pitch=pitch, framed=True) == "7 2 9 4"
