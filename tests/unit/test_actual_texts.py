"""What an /ActualText says is given where it says what is drawn; else the drawn letters are."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, cmap, lines, pdf, with_mapping
from tests.support.text_layers import beside_patches, layer

LETTERS = {code: code for code in range(32, 127)}


def spans(*texts: tuple[str, str]) -> Draw:
    """Lines in Courier, each with an /ActualText."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        for place, (actual, drawn) in enumerate(texts):
            canvas.addLiteral(f"/Span << /ActualText <FEFF{actual.encode('utf-16-be').hex()}> >> BDC")
            canvas.drawString(72, 500 - 14 * place, drawn)
            canvas.addLiteral("EMC")

    return both(lines(PROSE), draw)


@pytest.mark.parametrize(
    ("actual", "drawn"),
    [
        ("Paid 270", "Paid 720"),
        ("Paid 270", "Paid -270"),
        ("Paid 1270", "Paid 12.70"),
        ("Marlowe paid", "Parlowe paid"),
        ("", "Paid 270"),
        ("9", "Paid 270"),
    ],
)
def test_drawn_letters_are_given_where_the_actual_text_says_others(actual: str, drawn: str) -> None:
    assert layer(pdf(spans((actual, drawn)))).text.splitlines()[-1] == drawn


@pytest.mark.parametrize(("actual", "drawn"), [("Terms . . . 7", "Terms ..... 7"), ("Small caps", "SMALL CAPS")])
def test_the_actual_text_is_given_where_it_says_what_is_drawn(actual: str, drawn: str) -> None:
    assert layer(pdf(spans((actual, drawn)))).text.splitlines()[-1] == actual


def test_the_actual_text_of_glyphs_without_a_mapping_is_given_for_one_or_two() -> None:
    data = with_mapping(
        pdf(spans(("\u00e9", "@"), ("270", "720"))),
        cmap({code: 0xE000 + code for code in LETTERS}),
        base_font="Courier",
    )

    assert beside_patches(data).splitlines()[-1] == "\u00e9"
