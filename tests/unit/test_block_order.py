"""In which order the blocks that were read on a scan are given, by their places."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from docserver.layout import Block, Box, Line, Paragraph, Word, around, text_of, with_boxes
from docserver.ocr.tables.block_order import in_order_of_places
from docserver.ocr.tables.frame import Frame

PITCH, HEIGHT, LETTER = 40, 20, 12
WIDTH, DEPTH = 1200, 1600
PAGE = Frame(WIDTH, DEPTH, 0)


def block(*rows: str, left: int, top: int) -> Block:
    """A block of rows of cells with wide gaps between them, which `|` parts."""
    lines = []
    for number, row in enumerate(rows):
        y, words = top + PITCH * number, []
        for place, cell in enumerate(row.split("|")):
            x = left + 200 * place
            for word in cell.split():
                words.append(Word(word, (x, y, x + LETTER * len(word), y + HEIGHT), 90.0))
                x += LETTER * (len(word) + 1)
        lines.append(Line(around(word.box for word in words), tuple(words)))
    box = around(line.box for line in lines)
    return Block(box, (Paragraph(box, tuple(lines)),))


def ordered(*blocks: Block, frame: Frame = PAGE) -> list[str]:
    return text_of(in_order_of_places(blocks, frame)).split("\n\n")


def lines(*texts: str) -> str:
    return "\n".join(texts)


TITLE = block("Price list", left=300, top=40)
TABLE = block("Item|Price", "Bread|3.50", left=100, top=200)
TABLE_OF_TWO = block("Item|Price", "Bread|3.50", "Milk|1.20", left=100, top=200)


def test_a_title_that_was_read_last_is_first() -> None:
    assert ordered(TABLE, TITLE) == ["Price list", lines("Item Price", "Bread 3.50")]


def test_columns_stay_one_after_the_other() -> None:
    left = block("The first column", "of this page", left=100, top=200), block("goes on here.", left=100, top=400)
    right = block("The second column", "is beside it.", left=600, top=200)

    assert ordered(*left, right) == [text_of([each]) for each in (*left, right)]
    assert ordered(right, *left) == [text_of([each]) for each in (right, *left)]


def test_numbers_of_items_are_in_front_of_their_items() -> None:
    items = block("Budget", "Nothing was said.", left=100, top=200), block("Staff", "All stay.", left=100, top=320)
    numbers = Block(
        (60, 200, 84, 340), (*block("1.", left=60, top=200).paragraphs, *block("2.", left=60, top=320).paragraphs)
    )

    assert ordered(numbers, *items) == [lines("1. Budget", "Nothing was said."), lines("2. Staff", "All stay.")]


@pytest.mark.parametrize("left", [60, 500], ids=["beside no line", "behind the lines"])
def test_numbers_without_an_item_beside_each_stay(left: int) -> None:
    items = block("Budget", "Nothing was said.", left=100, top=200)
    numbers = block("1.", "2.", "3.", left=left, top=200)

    assert ordered(items, numbers) == [text_of([items]), text_of([numbers])]


def test_last_cells_of_rows_are_in_their_rows() -> None:
    rows, note = block("Date|Row", "May 5|26", left=100, top=200), block("Not transferable", left=100, top=400)
    seats, prices = block("Seat", "52", left=520, top=200), block("Price", "$75.67", left=700, top=200)

    assert ordered(rows, note, prices, seats) == [
        lines("Date Row Seat Price", "May 5 26 52 $75.67"),
        "Not transferable",
    ]


def test_no_word_is_lost_where_a_column_continues_one_that_continues_rows() -> None:
    rows, cells = block("Date|Row", "May 5|26", left=100, top=200), block("3.50", "4.50", left=700, top=200)
    numbers = block("1.", "2.", left=660, top=200)

    text = ordered(rows, numbers, cells)

    assert sorted(" ".join(text).split()) == sorted(["Date", "Row", "May", "5", "26", "1.", "2.", "3.50", "4.50"])


@pytest.mark.parametrize(
    "beside",
    [
        ("Seat", "52", "none"),
        ("Silver Tools", "Dock Road"),
        ("Opening hours each day", "9 to 5"),
    ],
    ids=["a cell beside no row", "no numbers", "more words"],
)
def test_what_is_no_column_of_a_table_stays_a_block(beside: Sequence[str]) -> None:
    rows, other = block("Date|Row", "May 5|26", left=100, top=200), block(*beside, left=700, top=200)

    assert ordered(rows, other) == [text_of([rows]), text_of([other])]


def test_lines_without_cells_are_not_continued() -> None:
    address, numbers = block("Silver Tools", "Dock Road", left=100, top=200), block("Date", "52", left=700, top=200)

    assert ordered(address, numbers) == [text_of([address]), text_of([numbers])]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_page_has_the_order_of_the_upright_one(rotation: int) -> None:
    rows, prices = block("Date|Row", "May 5|26", left=100, top=200), block("Price", "$75.67", left=700, top=200)
    frame = Frame(WIDTH, DEPTH, rotation) if rotation == 180 else Frame(DEPTH, WIDTH, rotation)

    def turned(box: Box) -> Box:
        return frame.box(box)

    lying = [
        replace(each, box=turned(each.box), paragraphs=tuple(with_boxes(part, turned) for part in each.paragraphs))
        for each in (prices, rows, TITLE)
    ]

    assert ordered(*lying, frame=frame) == ["Price list", lines("Date Row Price", "May 5 26 $75.67")]


def test_rows_that_lie_askew_are_continued() -> None:
    degrees = 1.4
    frame = replace(PAGE, skew=degrees)
    rows, prices = block("Date|Row", "May 5|26", left=100, top=200), block("Price", "$75.67", left=1000, top=200)

    def askew(box: Box) -> Box:
        sink = round(box[0] * math.tan(math.radians(degrees)))
        return box[0], box[1] + sink, box[2], box[3] + sink

    lying = [
        replace(each, paragraphs=tuple(with_boxes(part, askew) for part in each.paragraphs)) for each in (prices, rows)
    ]

    assert ordered(*lying, frame=frame) == [lines("Date Row Price", "May 5 26 $75.67")]


def test_numbers_of_rows_that_were_read_as_a_column_are_in_front_of_their_rows() -> None:
    numbers = block("No", "1", "2", left=20, top=200)

    assert ordered(numbers, TABLE_OF_TWO) == [lines("No Item Price", "1 Bread 3.50", "2 Milk 1.20")]


@pytest.mark.parametrize(
    "column",
    [("No", "2", "1"), ("1", "x", "2"), ("1",), ("No", "12345", "12346")],
    ids=["falling", "letter", "one", "long"],
)
def test_other_columns_number_no_rows(column: Sequence[str]) -> None:
    assert len(ordered(block(*column, left=20, top=200), TABLE_OF_TWO)) == 2


def test_numbers_beside_prose_stay_where_they_were_read() -> None:
    prose = block("The first line of it", "goes on in the second", left=100, top=200)

    assert ordered(block("5", "10", left=20, top=200), prose) == [lines("5", "10"), text_of([prose])]
