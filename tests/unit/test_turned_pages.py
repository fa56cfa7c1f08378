"""Pages whose own text stands on its head or runs up or down: it is read in the order of its lines, as upright text."""

from collections.abc import Sequence

import pytest
from reportlab.pdfgen.canvas import Canvas

from docserver.model import Reading
from tests.support.samples.pdf_layers import Draw, both, lines, pdf, rewritten
from tests.support.text_layers import layer

TURNS = [90, 180, 270]

ROWS = [
    ("Part", "Ordered", "Weight"),
    ("hose", "12", "61.39"),
    ("pipe", "3", "8.20"),
    ("valve", "144", "0.75"),
    ("drum", "7", "112.00"),
]


def table(rows: Sequence[Sequence[str]], *, top: float = 600) -> Draw:
    """Rows without rules, of which the file draws one column after the other."""

    def draw(canvas: Canvas) -> None:
        for column in range(len(rows[0])):
            for place, row in enumerate(rows):
                canvas.drawString(100 + 110 * column, top - 20 * place, row[column])

    return draw


def grid(canvas: Canvas) -> None:
    canvas.grid([95 + 110 * column for column in range(4)], [614 - 20 * row for row in range(len(ROWS) + 1)])


def on_page(draw: Draw, *, degrees: int) -> Reading:
    return layer(rewritten(pdf(draw), lambda writer: writer.pages[0].rotate(degrees)))


def cells(reading: Reading) -> list[list[tuple[int, int, str]]]:
    return [[(cell.row, cell.column, cell.text) for cell in found.cells] for found in reading.elements.tables or ()]


@pytest.mark.parametrize("degrees", TURNS)
@pytest.mark.parametrize(
    "draw",
    [table(ROWS), both(table(ROWS), grid), both(lines(["Delivery note"]), table(ROWS))],
    ids=["without rules", "with a grid", "below a title"],
)
def test_a_table_on_a_turned_page_is_read_as_on_an_upright_one(draw: Draw, degrees: int) -> None:
    upright, turned = layer(pdf(draw)), on_page(draw, degrees=degrees)

    assert upright.text.endswith("\n".join(map(" ".join, ROWS)))
    assert turned.text == upright.text
    assert cells(turned) == cells(upright) != []


def upside_down(draw: Draw) -> Draw:
    def turned(canvas: Canvas) -> None:
        canvas.translate(595, 842)
        canvas.rotate(180)
        draw(canvas)

    return turned


@pytest.mark.parametrize("degrees", [0, 180])
def test_a_table_that_is_drawn_upside_down_is_read_row_by_row(degrees: int) -> None:
    reading = on_page(upside_down(table(ROWS)), degrees=degrees)

    assert reading.text == "\n".join(map(" ".join, ROWS))
    assert cells(reading) == [
        [(row, column, text) for row, of_row in enumerate(ROWS) for column, text in enumerate(of_row)]
    ]


def letter_by_letter(canvas: Canvas) -> None:
    for y, text in ((700, "Copper tube 14D-777"), (680, "Monitor arm 46.68")):
        x = 100.0
        for letter in text:
            if letter != " ":
                canvas.drawString(x, y, letter)
            x += canvas.stringWidth(letter)


@pytest.mark.parametrize("degrees", TURNS)
def test_words_drawn_letter_by_letter_on_a_turned_page_are_whole(degrees: int) -> None:
    assert on_page(letter_by_letter, degrees=degrees).text == "Copper tube 14D-777\nMonitor arm 46.68"


def test_words_drawn_letter_by_letter_upside_down_are_whole() -> None:
    assert on_page(upside_down(letter_by_letter), degrees=0).text == "Copper tube 14D-777\nMonitor arm 46.68"


def test_rows_upside_down_on_an_upright_page_are_read_as_their_letters_stand() -> None:
    question = [f"{number}. Who was it that said this of the others in their letters?" for number in range(1, 9)]

    reading = layer(pdf(both(lines(question), upside_down(table(ROWS)))))

    assert reading.text.endswith("\n".join(map(" ".join, ROWS)))
    assert reading.text.startswith(question[0])
