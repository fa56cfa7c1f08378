"""In which order the columns, tables and rows of a text layer are read."""

from collections.abc import Sequence

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import LEFT, PROSE, RIGHT, Draw, both, lines, pdf
from tests.support.text_layers import layer


def test_columns_are_read_one_after_the_other_however_they_are_drawn() -> None:
    def across(canvas: Canvas) -> None:
        canvas.drawString(72, 770, "A heading over both of the columns that follow it here")
        for number, (left, right) in enumerate(zip(LEFT * 2, RIGHT * 2, strict=True)):
            canvas.drawString(72, 740 - 14 * number, left)
            canvas.drawString(310, 740 - 14 * number, right)

    assert layer(pdf(across)).text.split("\n\n") == [
        "A heading over both of the columns that follow it here",
        "\n".join(LEFT * 2),
        "\n".join(RIGHT * 2),
    ]


def test_rows_of_a_table_are_read_across_though_drawn_by_column() -> None:
    rows = [("Apples", "12", "3.50"), ("Pears", "7", "4.20"), ("Walnuts", "30", "9.90"), ("Honey", "2", "6.00")]

    def table(canvas: Canvas) -> None:
        for column in range(3):
            for number, row in enumerate(rows):
                canvas.drawString(72 + 150 * column, 640 - 16 * number, row[column])

    assert layer(pdf(both(lines(PROSE), table))).text.endswith("\n".join(" ".join(row) for row in rows))


ROWS = [f"{1000 + 37 * number} {number}" for number in range(20)]


BESIDE = (RIGHT + LEFT) * 3


def numbers(canvas: Canvas) -> None:
    for number, row in enumerate(ROWS):
        for column, cell in enumerate(row.split()):
            canvas.drawString(72 + 60 * column, 640 - 16 * number, cell)


@pytest.mark.parametrize(
    "drawn",
    [
        both(lines(BESIDE, x=310, top=640, pitch=13), numbers),
        both(lines(BESIDE[:1], x=310, top=640), numbers, lines(BESIDE[1:], x=310, top=627, pitch=13)),
    ],
    ids=["after the prose", "after the first line of the prose"],
)
def test_a_table_beside_prose_is_read_first_though_drawn_later(drawn: Draw) -> None:
    assert layer(pdf(drawn)).text.split("\n\n") == ["\n".join(ROWS), "\n".join(BESIDE)]


SMALL_ROWS = ["Rope 12 3.50 2019", "Salt 30 9.90 2020", "Oats 18 4.20 2021", "Wool 45 7.70 2022", "Nails 8 1.10 2023"]


def cells(lefts: Sequence[float], *, top: float) -> Draw:
    """A table that is drawn by rows, with columns that begin at `lefts`."""
    return both(
        *(
            lines([cell], x=left, top=top - 14 * number)
            for number, row in enumerate(SMALL_ROWS)
            for left, cell in zip(lefts, row.split(), strict=True)
        )
    )


def test_columns_of_prose_are_read_one_after_the_other_though_one_has_a_table() -> None:
    right = both(lines(RIGHT, x=310), cells((310, 350, 390, 430), top=700), lines(RIGHT, x=310, top=616))

    text = layer(pdf(both(lines(LEFT * 3), right))).text

    assert " ".join(text.split()) == " ".join((*LEFT * 3, *RIGHT, *SMALL_ROWS, *RIGHT))


@pytest.mark.parametrize("columns", [(LEFT, RIGHT), (LEFT, RIGHT, LEFT)], ids=["two", "three"])
def test_columns_of_prose_are_read_one_after_the_other_above_a_table_with_the_same_gutters(
    columns: Sequence[Sequence[str]],
) -> None:
    above = both(*(lines(column, x=72 + 170 * number) for number, column in enumerate(columns)))

    text = layer(pdf(both(above, cells((72, 150, 242, 412), top=680)))).text

    assert text.split() == " ".join((*(line for column in columns for line in column), *SMALL_ROWS)).split()


def test_rows_of_text_and_numbers_are_read_across_though_drawn_by_column() -> None:
    goods = ["Rope of hemp, a hundred yards", "Salt, first quality", "Oats for the horses of guests", "Wool, washed"]
    amounts = ["12", "30", "18", "45"]
    origins = ["from the harbour", "by the high passes", "only if the harvest was good", "after midsummer day"]

    text = layer(pdf(both(lines(goods), lines(amounts, x=260), lines(origins, x=310)))).text

    assert text.splitlines() == [" ".join(row) for row in zip(goods, amounts, origins, strict=True)]
