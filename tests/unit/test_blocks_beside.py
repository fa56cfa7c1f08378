"""Blocks of short lines beside each other, such as addresses, and what looks like them and has to be read across."""

from collections.abc import Callable, Sequence

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, pdf
from tests.support.text_layers import layer

ADDRESSES = (
    ("Anna Abbott", "4 Mill Lane", "Norwich N7 2AF"),
    ("Bruno Bailey", "Flat 3", "12 Station Road", "84686 Leeds"),
    ("Harbour Tools Ltd", "Dr Clara Dawson", "7 High Street", "Exeter L3 9BG"),
    ("David Ellis", "153 Elm Grove", "53165 York"),
    ("Emma Foster", "21 Church Close", "Durham B6 1XG", "United Kingdom"),
    ("Felix Graham", "9 River Walk", "37664 Truro"),
)
LEFT, RIGHT = ("Bill to", *ADDRESSES[1]), ("Ship to", *ADDRESSES[2])
GOODS = (("Bread", "7", "503.47"), ("Rope", "15", "814.11"), ("Paper", "14", "2.21"), ("Glue", "1", "17.03"))


def rows(cells: Sequence[Sequence[str]], *, xs: Sequence[float], top: float, pitch: float = 14) -> Draw:
    """A table that is drawn by rows."""
    return both(
        *(
            lines([cell], x=x, top=top - pitch * number)
            for number, row in enumerate(cells)
            for x, cell in zip(xs, row, strict=True)
        )
    )


def columns(cells: Sequence[Sequence[str]], *, xs: Sequence[float], top: float) -> Draw:
    """A table that is drawn by columns."""
    return both(*(lines(list(column), x=x, top=top) for x, column in zip(xs, zip(*cells, strict=True), strict=True)))


def words(draw: Draw) -> list[str]:
    return layer(pdf(draw)).text.split()


def words_of(*texts: Sequence[str]) -> list[str]:
    return " ".join(" ".join(text) for text in texts).split()


@pytest.mark.parametrize(
    ("by_line", "order"), [(False, range(6)), (True, (0, 3, 1, 4, 2, 5))], ids=["label by label", "line by line"]
)
def test_each_label_of_a_sheet_is_read_whole(*, by_line: bool, order: Sequence[int]) -> None:
    def sheet(canvas: Canvas) -> None:
        places = [(50 + 170 * (n % 3), 780 - 95 * (n // 3) - 13 * k, n, k) for n in range(6) for k in range(4)]
        for x, y, number, line in sorted(places, key=lambda place: (-place[1], place[0]) if by_line else place[2:]):
            if line < len(ADDRESSES[number]):
                canvas.drawString(x, y, ADDRESSES[number][line])

    assert words(sheet) == words_of(*(ADDRESSES[number] for number in order))


@pytest.mark.parametrize("x", [180, 340], ids=["close", "far"])
@pytest.mark.parametrize("top", [700, 707, 714, 686], ids=["level", "between", "higher", "lower"])
def test_two_addresses_above_a_table_are_read_one_after_the_other(x: float, top: float) -> None:
    goods = rows(GOODS, xs=(72, 300, 400), top=580)

    read = words(both(lines(LEFT, top=700), lines(RIGHT, x=x, top=top), goods))

    assert read == words_of(LEFT, RIGHT, *GOODS)


def test_an_address_is_read_before_the_dates_beside_it() -> None:
    facts = (("Date:", "12 May 2024"), ("Our ref:", "AB-833"), ("Customer:", "70934"))

    read = words(both(lines(ADDRESSES[0], top=700), rows(facts, xs=(340, 420), top=700), lines(PROSE, top=600)))

    assert read == words_of(ADDRESSES[0], *facts, PROSE)


def test_the_parts_of_a_foot_are_read_one_after_the_other() -> None:
    parts = (
        ("Elmwood Timber Co", "54 Castle Hill", "57485 Lincoln"),
        ("Bank of Exeter", "IBAN DE47 5576 2523", "BIC ABCDEFGH"),
        ("Tel 637 4613", "info@example.com", "www.example.com"),
        ("VAT no DE9453352", "Court of Lincoln", "HRB 3231"),
    )
    foot = both(*(lines(part, x=72 + 125 * place, top=80, pitch=11) for place, part in enumerate(parts)))

    assert words(both(lines(PROSE), foot)) == words_of(PROSE, *parts)


def test_two_forms_on_one_page_are_read_one_after_the_other() -> None:
    labels = ("Name:", "Street:", "Town:", "Date:")
    forms = [
        [("Application", ""), *zip(labels, (*address[:3], date), strict=True)]
        for address, date in ((ADDRESSES[0], "3 May"), (ADDRESSES[3], "8 June"))
    ]
    halves = (rows(form, xs=(x, x + 70), top=500, pitch=20) for form, x in zip(forms, (60, 480), strict=True))

    text = layer(pdf(both(*halves), size=(842, 595))).text

    assert text.split() == words_of(*(row for form in forms for row in form))


@pytest.mark.parametrize("drawn", [columns, rows], ids=["by columns", "by rows"])
@pytest.mark.parametrize(
    "table",
    [
        [("Name", "Street", "Town"), *((a[-3] if len(a) == 3 else a[0], a[-2], a[-1]) for a in ADDRESSES)],
        [("Name", "Anna Abbott"), ("Street", "4 Mill Lane"), ("Town", "84686 Leeds"), ("Born", "3 May 1970")],
        [("9:00", "Opening"), ("9:15", "4 reports"), ("10:30", "Vote on rule 7"), ("11:00", "End")],
        [("Steel bolt M8", "Room 4", "3.50"), ("2 ropes", "Cellar", "12.00"), ("Lamp", "3rd floor", "9.90")],
    ],
    ids=["directory", "form", "minutes", "goods"],
)
def test_rows_are_read_across(drawn: Callable[..., Draw], table: Sequence[Sequence[str]]) -> None:
    assert words(drawn(table, xs=(72, 200, 320)[: len(table[0])], top=700)) == words_of(*table)
