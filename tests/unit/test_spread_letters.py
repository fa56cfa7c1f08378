"""Words whose letters are so far apart that PDFium takes the gaps for spaces."""

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import layer

FONT, SIZE = "Times-Roman", 11


def width(text: str) -> float:
    return float(stringWidth(text, FONT, SIZE))


def test_letters_of_a_program_that_are_spread_evenly_are_of_one_word() -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        x = 72.0
        for spacing, word in ((1.4, "True"), (1.9, "class"), (1.8, "std")):
            text = canvas.beginText(x, 400)
            text.setFont(FONT, SIZE)
            text.setCharSpace(spacing)
            text.textOut(word)
            canvas.drawText(text)
            x += width(word) + spacing * len(word) + 4

    assert layer(pdf(draw)).text.splitlines()[-1] == "True class std"


@pytest.mark.parametrize("gap", [1.3, 1.6])
@pytest.mark.parametrize("line", ["Vienna (Austria)", "after a hip fracture", "Hello World"])
def test_letters_that_are_drawn_one_by_one_are_of_one_word(gap: float, line: str) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        x = 72.0
        for letter in line:
            canvas.drawString(x, 400, letter)
            x += width(letter) + gap

    assert layer(pdf(draw)).text.splitlines()[-1] == line


@pytest.mark.parametrize("space", [1.8, 2.2])
def test_narrow_spaces_on_both_sides_of_a_single_letter_are_spaces(space: float) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        text = canvas.beginText(72, 400)
        text._code.append(f"[(after) {-space / SIZE * 1000} (a) {-space / SIZE * 1000} (hip)] TJ")
        canvas.drawText(text)

    assert layer(pdf(draw)).text.splitlines()[-1] == "after a hip"
