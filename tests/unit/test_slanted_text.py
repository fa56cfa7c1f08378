"""Slanted text that a page's own text lacks: what looks like it has to be read, and lines and symbols have not."""

from collections.abc import Callable

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, outlines, pdf, scan
from tests.support.text_layers import whole_layer


def turned(draw: Draw, *, angle: float) -> Draw:
    def turned_draw(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.translate(300, 420)
        canvas.rotate(angle)
        draw(canvas)
        canvas.restoreState()

    return turned_draw


@pytest.mark.parametrize("angle", [-60, -45, -30, 20, 35, 50, 65])
@pytest.mark.parametrize("drawn", [outlines, scan])
@pytest.mark.parametrize(
    ("texts", "width"), [(["Received"], 60), (["Share of all cases"], 110), (["Paid", "14 May"], 60)]
)
def test_slanted_text_that_the_layer_lacks_has_to_be_read(
    texts: list[str], width: float, drawn: Callable[..., Draw], angle: float
) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), turned(drawn(texts, x=0, y=0, width=width), angle=angle))))

    assert not layer.is_exact


def dashed(canvas: Canvas) -> None:
    canvas.setDash(4, 3)
    canvas.line(0, 0, 150, 0)


def circles(canvas: Canvas) -> None:
    for number in range(12):
        canvas.circle(12 * number, 0, 3)


def squares(canvas: Canvas) -> None:
    for number in range(3):
        canvas.rect(30 * number, 0, 6, 6, stroke=0, fill=1)


@pytest.mark.parametrize("angle", [30, 45, -55])
@pytest.mark.parametrize(
    "draw",
    [lambda canvas: canvas.line(0, 0, 150, 0), dashed, circles, squares],
    ids=["a line", "a dashed line", "circles", "squares"],
)
def test_slanted_lines_and_symbols_need_not_be_read(draw: Draw, angle: float) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), turned(draw, angle=angle))))

    assert layer.is_exact


def test_slanted_words_of_the_layer_need_not_be_read() -> None:
    own = turned(lambda canvas: canvas.drawString(0, 0, "Share of all confirmed cases"), angle=35)

    assert whole_layer(pdf(both(lines(PROSE), own))).is_exact
