"""Digits that a file draws in another order than that in which they stand."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import layer


@pytest.mark.parametrize(
    ("strings", "read"),
    [
        ("[(12) 2400 (34)] TJ", "3412"),
        ("[(.50) 3000 (12)] TJ", "12.50"),
        ("[(12) 4000 (34)] TJ", "34 12"),
        ("[(12) -20 (34)] TJ", "1234"),
    ],
)
def test_digits_are_read_as_they_stand(strings: str, read: str) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        text = canvas.beginText(200, 500)
        text.setFont("Courier", 11)
        canvas.drawText(text)
        canvas.addLiteral(f"BT {canvas._doc.getInternalFontName('Courier')} 11 Tf 200 500 Td {strings} ET")

    assert layer(pdf(draw)).text.splitlines()[-1] == read
