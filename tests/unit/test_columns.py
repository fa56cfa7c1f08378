"""In which order the columns, tables and rows of a text layer are read."""

import itertools
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


FORM = [
    ("Name of the tenant", "Agatha Mary Christie of Torquay in Devon"),
    ("Address of the house", "12 High Street in the old town of Norwich"),
    ("Rent for each month", "four hundred and fifty pounds, due on the first"),
    ("Date of the contract", "the fourteenth day of March in this year"),
]


def form(canvas: Canvas) -> None:
    for number, (label, value) in enumerate(FORM):
        canvas.drawString(72, 500 - 20 * number, label)
        canvas.drawString(190, 500 - 20 * number, value)


def test_long_labels_of_a_form_are_read_with_their_values() -> None:
    text = layer(pdf(both(lines(PROSE), form))).text

    assert list(filter(None, text.splitlines()))[len(PROSE) :] == [f"{label} {value}" for label, value in FORM]


def test_a_ruled_table_of_long_texts_is_a_table() -> None:
    def ruled(canvas: Canvas) -> None:
        form(canvas)
        for number in range(5):
            canvas.line(66, 514 - 20 * number, 460, 514 - 20 * number)
        for x in (66, 184, 460):
            canvas.line(x, 434, x, 514)

    (table,) = layer(pdf(ruled)).elements.tables or ()

    assert [cell.text for cell in table.cells] == [text for row in FORM for text in row]


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


COLUMNS = [column * 2 for column in (LEFT, RIGHT, LEFT[::-1])]


def below_each_other(*draws: tuple[Draw, int]) -> Draw:
    """Parts of a page with an empty line between them, each with its number of lines."""

    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        for part, count in draws:
            part(canvas)
            canvas.translate(0, -14 * (count + 1))
        canvas.restoreState()

    return draw


def columns_of_prose(number: int) -> tuple[Draw, int]:
    return both(*(lines(column, x=72 + 160 * place) for place, column in enumerate(COLUMNS[:number]))), 8


TABLE = cells((72, 200, 240, 400), top=770), len(SMALL_ROWS)
"""Its cells keep the gutters free, so that it could be a part of the columns."""


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("parts", ["table, columns", "columns, table", "columns, table, columns"])
def test_a_table_above_or_below_columns_is_read_by_rows(number: int, parts: str) -> None:
    prose = columns_of_prose(number)
    texts = {"table": SMALL_ROWS, "columns": [line for column in COLUMNS[:number] for line in column]}

    text = layer(pdf(below_each_other(*(TABLE if part == "table" else prose for part in parts.split(", "))))).text

    assert text.split() == " ".join(line for part in parts.split(", ") for line in texts[part]).split()


@pytest.mark.parametrize("is_above", [True, False], ids=["above", "below"])
def test_a_table_at_columns_that_are_drawn_across_is_read_by_rows(*, is_above: bool) -> None:
    prose = list(itertools.chain(*zip(LEFT * 2, RIGHT * 2, strict=True)))
    across = both(*(lines([line], x=(72, 238)[n % 2], top=770 - 14 * (n // 2)) for n, line in enumerate(prose))), 8
    parts = [TABLE, across] if is_above else [across, TABLE]

    text = layer(pdf(below_each_other(*parts))).text

    texts = [" ".join(SMALL_ROWS), " ".join(LEFT * 2 + RIGHT * 2)]
    assert text.split() == " ".join(texts if is_above else reversed(texts)).split()


@pytest.mark.parametrize("x", [72, 250, 400, 480], ids=["left", "middle", "right", "edge"])
@pytest.mark.parametrize("is_first", [False, True], ids=["drawn last", "drawn first"])
def test_a_page_number_below_columns_is_read_after_them(x: float, *, is_first: bool) -> None:
    columns, number = columns_of_prose(3)[0], lines(["- 7 -"], x=x, top=640)

    text = layer(pdf(both(number, columns) if is_first else both(columns, number))).text

    assert text.split() == [*" ".join(line for column in COLUMNS for line in column).split(), "-", "7", "-"]


def test_short_headings_above_columns_are_read_before_them() -> None:
    headings = ["Of bread", "Of salt"]
    prose = columns_of_prose(2)

    text = layer(pdf(below_each_other(*(part for line in headings for part in ((lines([line]), 1), prose))))).text

    columns = [line for column in COLUMNS[:2] for line in column]
    assert text.split() == " ".join(line for heading in headings for line in (heading, *columns)).split()


@pytest.mark.parametrize(
    "right",
    [
        (lines((LEFT + RIGHT)[:5], x=310, top=640), (LEFT + RIGHT)[:5]),
        (both(*(lines([row.split()[-1]], x=310, top=640 - 14 * n) for n, row in enumerate(SMALL_ROWS))), None),
    ],
    ids=["prose", "a fifth column of the table"],
)
def test_what_is_drawn_behind_a_table_is_beside_it_only_if_it_is_prose(right: tuple[Draw, list[str] | None]) -> None:
    drawn, beside = right

    text = layer(pdf(both(lines(PROSE), cells((72, 150, 190, 240), top=640), drawn))).text

    rows = SMALL_ROWS if beside else [f"{row} {row.split()[-1]}" for row in SMALL_ROWS]
    assert text.split() == " ".join((*PROSE, *rows, *(beside or ()))).split()


def test_two_tables_beside_each_other_are_read_one_after_the_other() -> None:
    left, right = cells((72, 120, 160, 210), top=640), cells((310, 360, 400, 450), top=640)

    text = layer(pdf(both(lines(PROSE), left, right))).text

    assert text.split() == " ".join((*PROSE, *SMALL_ROWS, *SMALL_ROWS)).split()
