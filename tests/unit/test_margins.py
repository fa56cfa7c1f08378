"""Where notes in the margin of a text layer are read."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, both, lines, pdf
from tests.support.text_layers import layer

NOTE = ["The harbour", "master's view"]

BODY = PROSE * 2


def page(*, x: float, note_x: float, size: float, order: str) -> bytes:
    """A title over all, and a body with a note level with its third line that is drawn when `order` says."""

    def draw(canvas: Canvas) -> None:
        def note() -> None:
            canvas.setFont("Times-Roman", size)
            lines(NOTE, x=note_x, top=742, pitch=13)(canvas)
            canvas.setFont("Times-Roman", 11)

        if order == "before":
            note()
        lines(BODY[:3], x=x)(canvas)
        if order == "amid":
            note()
        lines(BODY[3:], x=x, top=728)(canvas)
        if order == "after":
            note()

    title = "A title that runs over the body and over its margin, from the one edge to the other"
    return pdf(both(lines([title], top=800), draw))


@pytest.mark.parametrize(("order", "size"), [("before", 9), ("before", 11), ("amid", 9), ("after", 9), ("after", 11)])
@pytest.mark.parametrize(("x", "note_x"), [(160, 72), (72, 380)], ids=["left", "right"])
def test_a_note_level_with_a_line_is_read_behind_the_body(x: float, note_x: float, size: float, order: str) -> None:
    text = layer(page(x=x, note_x=note_x, size=size, order=order)).text

    assert text.split("\n\n")[1:] == ["\n".join(BODY), "\n".join(NOTE)]


def test_labels_of_a_table_stay_in_their_rows() -> None:
    labels = ("Delivery", "Payment", "Warranty")
    tops = [770 - 40 * number for number in range(len(labels))]

    rows = [
        both(lines([label], top=top), lines(PROSE[:2], x=160, top=top)) for label, top in zip(labels, tops, strict=True)
    ]

    assert (
        layer(pdf(both(*rows))).text.split() == " ".join(f"{label} {' '.join(PROSE[:2])}" for label in labels).split()
    )


def test_numbers_of_lines_stay_beside_their_lines() -> None:
    numbers = both(*(lines([str(number)], top=770 - 14 * (number - 1)) for number in range(5, len(BODY) + 1, 5)))

    assert "5 and told" not in (text := layer(pdf(both(lines(BODY, x=110), numbers))).text)
    assert f"5 {BODY[4]}\n" in text
