"""Symbols that a page repeats, such as check boxes: they are no text, but letters like them are."""

import math
from collections.abc import Callable, Sequence

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, outlines, pdf
from tests.support.text_layers import whole_layer

COLUMN = [(300, 600 - 18 * number) for number in range(6)]
ROW = [(300 + 20 * number, 600) for number in range(5)]


def box(canvas: Canvas, x: float, y: float) -> None:
    canvas.rect(x, y, 14, 14)


def ticked(canvas: Canvas, x: float, y: float) -> None:
    box(canvas, x, y)
    canvas.lines([(x + 2, y + 7, x + 7, y + 2), (x + 7, y + 2, x + 12, y + 12)])


def circle(canvas: Canvas, x: float, y: float) -> None:
    canvas.circle(x, y, 6)


def star(canvas: Canvas, x: float, y: float) -> None:
    path = canvas.beginPath()
    for corner in range(10):
        radius, angle = 2.5 if corner % 2 else 6, corner * math.pi / 5
        (path.lineTo if corner else path.moveTo)(x + radius * math.sin(angle), y + radius * math.cos(angle))
    path.close()
    canvas.drawPath(path, fill=1)


def repeated(symbol: Callable[[Canvas, float, float], None], places: Sequence[tuple[float, float]]) -> Draw:
    def draw(canvas: Canvas) -> None:
        for x, y in places:
            symbol(canvas, x, y)

    return draw


@pytest.mark.parametrize("places", [COLUMN, ROW], ids=["column", "row"])
@pytest.mark.parametrize("symbol", [box, ticked, circle, star])
def test_equal_symbols_do_not_look_like_text(
    symbol: Callable[[Canvas, float, float], None], places: Sequence[tuple[float, float]]
) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), repeated(symbol, places))))

    assert (layer.patches, layer.shapes) == (None, ())


def test_words_beside_check_boxes_are_read() -> None:
    layer = whole_layer(
        pdf(both(lines(PROSE), repeated(box, COLUMN), outlines(["Yes, always"], x=320, y=540, width=90)))
    )

    assert layer.patches


def test_equal_letters_that_are_close_to_each_other_are_read() -> None:
    zeros = repeated(lambda canvas, x, y: canvas.ellipse(x, y, x + 6, y + 10), [(300 + 7 * n, 600) for n in range(8)])

    assert whole_layer(pdf(both(lines(PROSE), zeros))).patches
