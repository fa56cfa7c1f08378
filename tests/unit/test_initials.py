"""Large first letters of a PDF page, and words that are too narrow to be read."""

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, pdf
from tests.support.text_layers import layer

FONT = "Times-Roman"


def with_initial(letter: str, rest: str, *, size: float, gap: float, down: float = 0) -> Draw:
    """A large letter and the rest of its line, behind a gap in points."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(FONT, size)
        canvas.drawString(72, 600 - down, letter)
        canvas.setFont(FONT, 12)
        canvas.drawString(72 + stringWidth(letter, FONT, size) + gap, 600, rest)

    return draw


@pytest.mark.parametrize("gap", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [18, 24, 40])
def test_a_large_first_letter_is_joined_with_its_word(size: float, gap: float) -> None:
    text = layer(pdf(both(lines(PROSE), with_initial("O", "ffice of the harbour", size=size, gap=gap)))).text

    assert text.splitlines()[-1] == "Office of the harbour"


def test_a_first_letter_over_three_lines_is_read_in_the_first_one() -> None:
    first = with_initial("O", "ffice of the harbour kept", size=40, gap=2, down=26)
    others = lines(["the small grey boat which", "came in with the tide"], x=104, top=586)

    text = layer(pdf(both(lines(PROSE), first, others))).text

    assert text.splitlines()[-3:] == [
        "Office of the harbour kept",
        "the small grey boat which",
        "came in with the tide",
    ]


@pytest.mark.parametrize(("letter", "rest", "gap"), [("A", "boat", 4), ("B", " boat", 0), ("B", "boat", 9)])
def test_a_large_letter_that_is_a_word_stays_one(letter: str, rest: str, gap: float) -> None:
    text = layer(pdf(both(lines(PROSE), with_initial(letter, rest, size=24, gap=gap)))).text

    assert text.splitlines()[-1] == f"{letter} boat"


@pytest.mark.parametrize("turn", [0, 90])
@pytest.mark.parametrize("scale", [0.1, 1, 4])
def test_words_too_narrow_to_be_read_are_left_out(scale: float, turn: float) -> None:
    def squeezed(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.translate(300, 400)
        canvas.rotate(turn)
        text = canvas.beginText(0, 0)
        text.setFont("Helvetica", 12)
        text.setHorizScale(scale)
        text.textOut("Invoice")
        canvas.drawText(text)
        canvas.restoreState()

    assert layer(pdf(both(lines(PROSE), squeezed))).text.split() == " ".join(PROSE).split()


@pytest.mark.parametrize(("size", "scale"), [(0.01, 100), (10, 0.1)])
@pytest.mark.parametrize("x", [63.5, 108.6], ids=["before", "behind"])
def test_a_word_right_beside_one_too_small_to_be_read_is_whole(size: float, scale: float, x: float) -> None:
    def beside(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 12)
        canvas.drawString(64, 600, "Balance 458.24")
        text = canvas.beginText(x, 600)
        text.setFont("Helvetica", size)
        text.setHorizScale(scale)
        text.textOut("4711.00")
        canvas.drawText(text)

    assert layer(pdf(both(lines(PROSE), beside))).text.splitlines()[-1] == "Balance 458.24"


@pytest.mark.parametrize("is_last", [False, True], ids=["drawn first", "drawn last"])
@pytest.mark.parametrize(("letter", "size", "count"), [("O", 34, 2), ("I", 52, 3)])
def test_a_letter_over_several_lines_is_read_before_the_first_of_them(
    letter: str, size: int, count: int, *, is_last: bool
) -> None:
    def capital(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", size)
        canvas.drawString(72, 400, letter)
        canvas.setFont("Times-Roman", 11)

    beside = lines(PROSE[:count], x=76 + stringWidth(letter, FONT, size), top=400 + 14 * (count - 1))
    below = lines(PROSE[count:], top=386)
    draws = [beside, below]
    draws.insert(len(draws) if is_last else 0, capital)

    text = layer(pdf(both(*draws))).text

    assert list(filter(None, text.splitlines())) == [f"{letter} {PROSE[0]}", *PROSE[1:]]
