"""Words that several text objects draw, of which perhaps only some are visible."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, pdf
from tests.support.text_layers import layer

BLACK, RED, WHITE = (0.0, 0.0, 0.0), (0.8, 0.0, 0.0), (1.0, 1.0, 1.0)


def pieces(*drawn: tuple[str, tuple[float, float, float]], degrees: int = 0) -> Draw:
    """One word whose pieces have colours of their own."""

    def draw(canvas: Canvas) -> None:
        canvas.translate(300, 300)
        canvas.rotate(degrees)
        x = 0.0
        for text, colour in drawn:
            canvas.setFillColorRGB(*colour)
            canvas.drawString(x, 0, text)
            x += canvas.stringWidth(text)

    return both(lines(PROSE), draw)


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_a_white_mark_right_behind_a_word_is_left_out(degrees: int) -> None:
    text = layer(pdf(pieces(("Signature:", BLACK), ("sig1", WHITE), degrees=degrees))).text

    assert text.endswith("forget.\n\nSignature:")


def test_white_letters_within_a_word_are_left_out() -> None:
    text = layer(pdf(pieces(("Total", BLACK), ("xx", WHITE), (":", RED)))).text

    assert text.endswith("forget.\n\nTotal:")


def test_a_word_in_two_colours_stays_one() -> None:
    text = layer(pdf(pieces(("Doc", RED), ("server", BLACK)))).text

    assert text.endswith("forget.\n\nDocserver")
