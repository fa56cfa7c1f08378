"""Shadows of words on a PDF page, also of letters that are drawn one by one: one sees one word."""

import pytest
from reportlab.lib.colors import HexColor
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, pdf
from tests.support.text_layers import whole_layer

SIZE = 24


def letters(text: str, *, x: float, y: float, colours: list[str]) -> Draw:
    """The letters of a text, each drawn by itself, in these colours by turns."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", SIZE)
        for place, letter in enumerate(text):
            canvas.setFillColor(HexColor(colours[place % len(colours)]))
            if letter != " ":
                canvas.drawString(x + stringWidth(text[:place], "Helvetica", SIZE), y, letter)

    return draw


def text_beside_prose(*draws: Draw) -> str:
    """The text of a page with these below PROSE, in black at the end, without PROSE."""
    text = whole_layer(pdf(both(lines(PROSE), *draws))).reading().text
    return text.removeprefix("\n".join(PROSE)).strip()


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("offset", [(1, -1), (-1, 1), (2, 0), (0, -2)])
@pytest.mark.parametrize("text", ["Winter sale", "coffee", "a row of"])
def test_letters_with_shadows_are_read_once(text: str, offset: tuple[float, float], count: int) -> None:
    shadows = (
        letters(text, x=72 + step * offset[0], y=500 + step * offset[1], colours=[f"#{10 * step:02d}8080"])
        for step in range(count, 0, -1)
    )

    assert text_beside_prose(*shadows, letters(text, x=72, y=500, colours=["#000000"])) == text


@pytest.mark.parametrize(("offset", "count"), [((9, -3), 1), ((-5, -5), 2), ((6, -3), 2)])
def test_a_string_with_shadows_is_read_once(offset: tuple[float, float], count: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", SIZE)
        for step in range(count, -1, -1):
            canvas.setFillGray(0.1 * step)
            canvas.drawString(72 + step * offset[0], 500 + step * offset[1], "Winter sale")

    assert text_beside_prose(draw) == "Winter sale"


def test_letters_in_many_colours_are_all_read() -> None:
    text = "ill fallen coffee off"

    assert text_beside_prose(letters(text, x=72, y=500, colours=["#ff0000", "#00aa00", "#0000ff"])) == text


def test_equal_words_in_two_colours_are_both_read() -> None:
    words = letters("sold sold sold", x=72, y=500, colours=["#ff0000"] * 5 + ["#0000ff"] * 5)

    assert text_beside_prose(words) == "sold sold sold"
