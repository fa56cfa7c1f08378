"""Words with wide spaces between their letters, which are not to be taken for single letters, and the opposite."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, pdf
from tests.support.text_layers import layer


def spaced(text: str, *, by: float, turned: int = 0) -> Draw:
    """Every letter drawn by itself, and moved to the right by so many points."""

    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.translate(300, 300)
        canvas.rotate(turned)
        x = 0.0
        for letter in text:
            if letter != " ":
                canvas.drawString(x, 0, letter)
            x += canvas.stringWidth(letter) + by
        canvas.restoreState()

    return draw


def heading(draw: Draw) -> str:
    text = layer(pdf(both(lines(PROSE), draw))).text
    assert text.startswith("\n".join(PROSE))
    return text.removeprefix("\n".join(PROSE)).strip()


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("by", [4, 8])
def test_letter_spaced_words_are_words(by: float, turned: int) -> None:
    assert heading(spaced("ANNUAL REPORT OF 2023", by=by, turned=turned)) == "ANNUAL REPORT OF 2023"


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_letters_drawn_one_by_one_are_words_in_each_direction(turned: int) -> None:
    assert heading(spaced("The captain, in 1995", by=0, turned=turned)) == "The captain, in 1995"


def test_letters_at_equal_distances_are_words() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 14)
        for place, letter in enumerate("INTRODUCTION III"):
            canvas.drawString(72 + 14 * place, 600, letter.strip())

    assert heading(draw) == "INTRODUCTION III"


@pytest.mark.parametrize("text", ['"R E P O R T"', "I N V O I C E:"])
def test_signs_beside_letter_spaced_words_stay_with_them(text: str) -> None:
    assert heading(lines([text], top=600)) == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [("T A B L E   O F   C O N T E N T S", "TABLE OF CONTENTS"), ("R É S U M É   É L E V É", "RÉSUMÉ ÉLEVÉ")],
)
def test_words_typed_with_spaces_between_their_letters_are_words(text: str, words: str) -> None:
    assert heading(lines([text], top=600)) == words


@pytest.mark.parametrize(
    "text", ["1 1 0 0 1", "A B C", "A B C D E F", "I I I l l l x x x", "Y N Y N", "M T W T F S S", "A. B. C. D. E."]
)
def test_single_letters_and_numbers_stay_apart(text: str) -> None:
    assert heading(lines([text], top=600)) == text


def test_letters_at_the_heads_of_columns_stay_apart() -> None:
    assert heading(spaced("NOTE", by=40)) == "N O T E"
