"""Where a word of a PDF page ends, if the file has no spaces but sets letters or cells of a table apart."""

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import layer

FONT, SIZE = "Times-Roman", 11


@pytest.mark.parametrize(
    ("pieces", "spacing", "degrees", "read"),
    [
        pytest.param(["307"], 40, 0, "3 0 7", id="digits over columns of a table"),
        pytest.param(["307"], 40, 90, "3 0 7", id="digits over columns of a turned table"),
        pytest.param(["Geometr", "yo", "fW", "oodwind"], 2.75, 0, "Geometry of Woodwind", id="words of a line"),
        pytest.param(["SU", "MM", "AR", "Y"], 1.5, 0, "SUMMARY", id="a spaced word"),
    ],
)
def test_characters_that_are_set_apart_are_words_if_the_gap_is_wide(
    pieces: list[str], spacing: float, degrees: int, read: str
) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.translate(200, 400)
        canvas.rotate(degrees)
        x = 0.0
        for piece in pieces:
            # Viewers put the spacing behind the last letter too, where the next piece begins without it.
            text = canvas.beginText(x, 0)
            text.setFont(FONT, SIZE)
            text.setCharSpace(spacing if len(piece) <= 3 else 0)
            text.textOut(piece)
            canvas.drawText(text)
            x += stringWidth(piece, FONT, SIZE) + (spacing * (len(piece) - 1) if len(piece) <= 3 else 0)

    assert layer(pdf(draw)).text.endswith("\n" + read)


@pytest.mark.parametrize(
    ("pieces", "read"),
    [
        pytest.param(["Federal", "Tort"], "{} {}", id="two words of a justified line"),
        pytest.param(["two", "days", "later"], "{} {} {}", id="three words"),
        pytest.param(["Au", "s", "t", "r", "ia"], "{}{}{}{}{}", id="letters drawn one by one"),
    ],
)
def test_pieces_without_gaps_are_words_if_a_little_space_is_between_them(pieces: list[str], read: str) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        x = 72.0
        for piece in pieces:
            canvas.drawString(x, 400, piece)
            x += stringWidth(piece, FONT, SIZE) + 1.3

    assert layer(pdf(draw)).text.splitlines()[-1] == read.format(*pieces)


def test_indices_that_are_drawn_after_their_line_are_read_in_it() -> None:
    def indices(canvas: Canvas) -> None:
        lines([*PROSE, "Of FD   and FD   one is less"])(canvas)
        text = canvas.beginText(72 + stringWidth("Of FD", FONT, SIZE), 684)
        text.setFont(FONT, 7)
        text.setCharSpace(stringWidth("   and FD", FONT, SIZE) - 3.5)
        text.textOut("34")
        canvas.drawText(text)

    assert layer(pdf(indices)).text.endswith("Of FD3 and FD4 one is less")


@pytest.mark.parametrize("numbers", ["8 10 12", "0 5 10 15 20", "98 99 100", "2 4 6 8 10", "2018 2019"])
@pytest.mark.parametrize("gap", [2, 3, 6])
def test_numbers_of_an_axis_that_are_drawn_digit_by_digit_stay_apart(numbers: str, gap: float) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.setFont("Helvetica", 10)
        x = 200.0
        for number in numbers.split():
            for digit in number:
                canvas.drawString(x, 400, digit)
                x += stringWidth(digit, "Helvetica", 10)
            x += gap

    assert layer(pdf(draw)).text.splitlines()[-1] == numbers
