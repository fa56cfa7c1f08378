"""Tables found by the places of words and ruled lines, and pages where none are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from docserver.elements import Table
from docserver.layout import Block, Box, Line, Paragraph, Word, around, lines_of, text_of, words_of
from docserver.ocr.tables.frame import Frame, frame_of
from docserver.ocr.tables.page import PageTables, tables_of
from docserver.ocr.tables.rules import Rules, rules_of, rules_of_level

WIDTH, HEIGHT = 1600, 2200
LETTER, SIZE, PITCH = 10, 20, 34
LEFT, TOP = 100, 300

PRICES = (
    ("Article", "Number", "Price"),
    ("Bread", "2", "4.50"),
    ("Butter and cheese", "12", "118.05"),
    ("Milk", "1", "0.99"),
    ("Sum", "15", "123.54"),
)
XS = (100, 500, 800)


def line(text: str, x: int, y: int) -> Line:
    """A line of capitals' height, whose words stand above the baseline at `y` + SIZE."""
    words = []
    for word in text.split(" "):
        words.append(Word(word, (x, y + 4, x + LETTER * len(word), y + SIZE), 90.0))
        x += LETTER * (len(word) + 1) - 4
    return Line(around(word.box for word in words), tuple(words))


def block(*lines: Line) -> Block:
    box = around(one.box for one in lines)
    return Block(box, (Paragraph(box, lines),))


def joined(*lines: Line) -> Line:
    return Line(around(one.box for one in lines), tuple(word for one in lines for word in one.words))


def rows(table: Sequence[Sequence[str]], *, xs: Sequence[int] = XS, top: int = TOP) -> list[Line]:
    """The rows as lines, of which empty cells are left out."""
    return [
        joined(*(line(text, x, top + PITCH * number) for text, x in zip(row, xs, strict=True) if text))
        for number, row in enumerate(table)
    ]


def columns(table: Sequence[Sequence[str]]) -> list[Block]:
    """The same, column by column."""
    return [
        block(*(line(row[place], x, TOP + PITCH * number) for number, row in enumerate(table)))
        for place, x in enumerate(XS)
    ]


def prose(*, x: int = LEFT, top: int, lines: int, words: int = 9) -> Block:
    """Lines of about the same length."""
    return block(*(line(" ".join(["wordy" if n % 2 else "words"] * words), x, top + 26 * n) for n in range(lines)))


@dataclass
class Lines:
    """Rules on a page, and which of them was asked for."""

    rects: Sequence[tuple[float, float, float, float]] = ()
    frames: list[Frame] = field(default_factory=list)

    def __call__(self, frame: Frame) -> Rules:
        self.frames.append(frame)
        return rules_of(self.rects, frame)


def find(*blocks: Block, rects: Sequence[tuple[float, float, float, float]] = ()) -> PageTables:
    found = tables_of(tuple(blocks), Frame(WIDTH, HEIGHT, 0), rules=Lines(rects))
    assert_whole(found, blocks)
    return found


def assert_whole(found: PageTables, blocks: Sequence[Block]) -> None:
    """No word is lost or doubled, and the cells of a table have the words that stand in it."""
    words = list(words_of(found.blocks))
    assert sorted(words, key=str) == sorted(words_of(blocks), key=str)
    for table in found.tables:
        used = [index for cell in table.cells for index in cell.words]
        x0, y0, x1, y1 = table.box
        assert sorted(used) == [
            index
            for index, word in enumerate(words)
            if x0 <= (word.box[0] + word.box[2]) / 2 < x1 and y0 <= (word.box[1] + word.box[3]) / 2 < y1
        ]
        assert all(cell.text == " ".join(words[index].text for index in cell.words) for cell in table.cells)
        places = [
            (row, column)
            for cell in table.cells
            for row in range(cell.row, cell.row + cell.row_span)
            for column in range(cell.column, cell.column + cell.column_span)
        ]
        assert sorted(places) == [(row, column) for row in range(table.rows) for column in range(table.columns)]


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in table.cells if cell.row == row] for row in range(table.rows)]


def grid(xs: Sequence[int], ys: Sequence[int]) -> list[tuple[float, float, float, float]]:
    return [
        *((xs[0], y, xs[-1], y + 1) for y in ys),
        *((x, ys[0], x + 1, ys[-1]) for x in xs),
    ]


def test_cells_that_stand_in_line_are_a_table_with_a_heading_above_its_numbers() -> None:
    (table,) = find(prose(top=100, lines=4), block(*rows(PRICES)), prose(top=600, lines=4)).tables

    assert (table.rows, table.columns) == (5, 3)
    assert texts(table) == [list(row) for row in PRICES]
    assert [cell.row for cell in table.cells if cell.header] == [0, 0, 0]


def test_an_empty_cell_stays_empty() -> None:
    with_gap = [*PRICES[:3], ("Milk", "", "0.99"), PRICES[4]]

    (table,) = find(block(*rows(with_gap))).tables

    assert texts(table)[3] == ["Milk", "", "0.99"]


def test_further_lines_belong_to_the_cell_above() -> None:
    remarks = ("Remark", "one", "kept cool and", "fresh")
    tops = (0, PITCH, 2 * PITCH, 4 * PITCH)
    lines = [
        joined(*rows([row], top=TOP + top), line(remark, 1100, TOP + top))
        for row, remark, top in zip(PRICES, remarks, tops, strict=False)
    ]

    (table,) = find(block(*lines[:3], line("dark", 1100, TOP + 2 * PITCH + 24), lines[3])).tables

    assert [row[-1] for row in texts(table)] == ["Remark", "one", "kept cool and dark", "fresh"]


def test_a_heading_over_several_columns_spans_them() -> None:
    years = line("Accounts of 2025", 580, TOP - PITCH)

    (table,) = find(block(years, *rows(PRICES))).tables

    assert [(cell.column, cell.column_span, cell.text) for cell in table.cells if not cell.row] == [
        (0, 1, ""),
        (1, 2, "Accounts of 2025"),
    ]
    assert texts(table)[1] == list(PRICES[0])


def test_a_table_that_was_read_column_by_column_is_put_row_by_row() -> None:
    before, after = prose(top=100, lines=4), prose(top=600, lines=4)

    found = find(before, *columns(PRICES), after)

    assert texts(found.tables[0]) == [list(row) for row in PRICES]
    assert text_of(found.blocks).split("\n\n") == [
        text_of([before]),
        "\n".join(" ".join(row) for row in PRICES),
        text_of([after]),
    ]


def test_a_table_that_was_read_row_by_row_leaves_the_text_as_it_is() -> None:
    blocks = (prose(top=100, lines=4), block(*rows(PRICES)))

    assert find(*blocks).blocks == blocks


def test_ruled_lines_make_cells_and_missing_ones_make_spans() -> None:
    ys = [TOP - 6 + PITCH * number for number in range(6)]
    rects = grid((90, 480, 780, 1000), ys)
    # The first row has one cell over two columns: the line between them begins below.
    rects[-3] = 480, ys[1], 481, ys[-1]
    heading = joined(line("All articles", 100, TOP), line("Price", 800, TOP))

    (table,) = find(block(heading, *rows(PRICES[1:], top=TOP + PITCH)), rects=rects).tables

    assert table.box == (90, TOP - 6, 1001, ys[-1] + 1)
    assert texts(table)[0] == ["All articles", "Price"]
    assert [cell.column_span for cell in table.cells][:2] == [2, 1]
    assert next(cell.box for cell in table.cells if cell.row == 1) == (90, ys[1], 481, ys[2] + 1)


def test_the_lines_of_a_cell_in_a_grid_are_read_together() -> None:
    wrapped = [
        line("Bread and butter", 500, TOP),
        joined(line("1", 100, TOP + 13), line("4.50", 800, TOP + 13)),
        line("with cheese", 500, TOP + 26),
        joined(line("2", 100, TOP + 63), line("Milk", 500, TOP + 63), line("0.99", 800, TOP + 63)),
    ]

    found = find(block(*wrapped), rects=grid([90, 490, 790, 1000], [TOP - 5, TOP + 53, TOP + 93]))

    assert text_of(found.blocks) == "1\nBread and butter\nwith cheese\n4.50\n2 Milk 0.99"
    assert texts(found.tables[0]) == [["1", "Bread and butter with cheese", "4.50"], ["2", "Milk", "0.99"]]
    assert [one.box[1] for one in lines_of(found.blocks)] == [TOP + place for place in (17, 4, 30, 17, 67)]


@pytest.mark.parametrize("last", [("4.50", "0.99"), ("Anna", "Paul")], ids=["numbers", "words"])
def test_a_row_of_a_grid_that_may_be_several_rows_stays_as_it_was_read(last: tuple[str, str]) -> None:
    table = [("Article", "Kind", "Price"), ("Bread", "rye", last[0]), ("Milk", "fresh", last[1])]
    rects = grid([90, 490, 790, 1000], [TOP - 5, TOP + 29, TOP + 97])

    found = find(block(*rows(table)), rects=rects)

    assert texts(found.tables[0])[1] == ["Bread Milk", "rye fresh", " ".join(last)]
    assert text_of(found.blocks) == "\n".join(map(" ".join, table))


def test_a_ruled_table_of_words_alone_is_one_too() -> None:
    words = (("red", "round", "soft"), ("", "long", ""), ("blue", "", "hard"))
    ys = [TOP - 6 + PITCH * number for number in range(4)]

    (table,) = find(block(*rows(words)), rects=grid((90, 480, 780, 1000), ys)).tables

    assert texts(table) == [list(row) for row in words]
    assert not any(cell.header for cell in table.cells)


def test_rows_between_ruled_columns_need_no_lines() -> None:
    ys = [TOP - 6, TOP - 6 + PITCH, TOP - 6 + 5 * PITCH]

    (table,) = find(block(*rows(PRICES)), rects=grid((90, 480, 780, 1000), ys)).tables

    assert texts(table) == [list(row) for row in PRICES]


def test_a_rule_below_the_heading_tells_it_from_the_rows() -> None:
    words = (
        ("Colour", "Form", "Touch"),
        ("red", "round", "soft"),
        ("green", "long", "rough"),
        ("blue", "flat", "hard"),
    )
    rules = [(90, TOP - 8 + PITCH * number, 1000, TOP - 7 + PITCH * number) for number in (0, 1, 4)]

    (table,) = find(block(*rows(words)), rects=rules).tables

    assert texts(table) == [list(row) for row in words]
    assert {cell.row for cell in table.cells if cell.header} == {0}


def test_the_items_of_a_receipt_are_rows() -> None:
    items = [("2 Bread", "4.50"), ("Butter", "3.20"), ("Milk 1 l", "0.99"), ("TOTAL", "8.69")]
    heading = line("CORNER SHOP", 150, TOP - 2 * PITCH)

    (table,) = find(block(heading, *rows(items, xs=(100, 400)))).tables

    assert texts(table) == [list(item) for item in items]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_the_tables_of_a_turned_page_are_those_of_the_same_page_upright(rotation: int) -> None:
    ys = [TOP - 6 + PITCH * number for number in range(6)]
    rects = grid((90, 480, 780, 1000), ys)
    upright = find(block(*rows(PRICES)), rects=rects).tables[0]
    size = (WIDTH, HEIGHT) if rotation == 180 else (HEIGHT, WIDTH)
    frame = Frame(*size, rotation)

    def lying(box: Box) -> Box:
        return frame.box(box)

    lines = tuple(
        Line(lying(one.box), tuple(Word(word.text, lying(word.box), 90.0) for word in one.words))
        for one in rows(PRICES)
    )
    box = around(one.box for one in lines)
    found = tables_of(
        (Block(box, (Paragraph(box, lines),)),),
        Frame(*size, rotation),
        rules=Lines([lying((int(x0), int(y0), int(x1), int(y1))) for x0, y0, x1, y1 in rects]),
    )

    assert [texts(table) for table in found.tables] == [texts(upright)]
    assert found.tables[0].cells[4].box == lying(upright.cells[4].box)


def test_the_rows_of_a_page_that_lies_askew_stay_rows() -> None:
    askew = Frame(WIDTH, HEIGHT, 0, skew=2.0)
    blocks = []
    for one in (prose(top=100, lines=5, words=20), block(*rows(PRICES))):
        lines = tuple(
            Line(askew.box(each.box), tuple(Word(word.text, askew.box(word.box), 90.0) for word in each.words))
            for each in one.paragraphs[0].lines
        )
        box = around(each.box for each in lines)
        blocks.append(Block(box, (Paragraph(box, lines),)))
    frames = []

    def rules(frame: Frame) -> Rules:
        frames.append(frame)
        return rules_of_level([])

    frame = frame_of(blocks, width=WIDTH, height=HEIGHT, rotation=0)
    found = tables_of(tuple(blocks), frame, rules=rules)

    assert [texts(table) for table in found.tables] == [[list(row) for row in PRICES]]
    assert frames[0].skew == pytest.approx(2.0, abs=0.2)


def columns_of_prose(count: int) -> list[Block]:
    return [prose(x=100 + number * 480, top=100, lines=30, words=7) for number in range(count)]


NO_TABLES = {
    "two columns of prose": columns_of_prose(2),
    "three columns of prose": columns_of_prose(3),
    "contents": [
        block(*rows([(f"{n} Chapter of things", str(n * n + 3)) for n in range(1, 12)], xs=(100, 900))),
    ],
    "contents with leaders": [
        block(*rows([(f"Chapter {'.' * 30}", str(100 - n)) for n in range(1, 12)], xs=(100, 900))),
    ],
    "a list": [
        block(*rows([(f"{n}.", "an item of the list that has some words") for n in range(1, 9)], xs=(100, 160)))
    ],
    "a form": [block(*rows([(f"{name}:", "something") for name in ("Name", "Town", "Street", "Born")], xs=(100, 500)))],
    "two signatures": [block(*rows([("Anna Smith", "Bert Jones"), ("Director", "Head of Sales")], xs=(100, 900)))],
    "a header and a footer": [block(*rows([("Report", "7")], xs=(100, 900))), prose(top=400, lines=20)],
}


@pytest.mark.parametrize("page", NO_TABLES)
def test_no_table_is_made_of(page: str) -> None:
    blocks = NO_TABLES[page]

    found = find(*blocks)

    assert found.tables == ()
    assert found.blocks == tuple(blocks)


@pytest.mark.parametrize("degrees", [15, 30, 45, 60])
def test_lines_that_run_aslant_make_no_table_whose_words_stand_elsewhere(degrees: int) -> None:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def aslant(word: Word) -> Word:
        x, y = (word.box[0] + word.box[2]) / 2 - 800, (word.box[1] + word.box[3]) / 2 - 600
        half_width, half_height = (word.box[2] - word.box[0]) / 2, SIZE / 2
        across, down = half_width * cos + half_height * sin, half_width * sin + half_height * cos
        x, y = 800 + x * cos - y * sin, 600 + x * sin + y * cos
        return Word(word.text, tuple(map(round, (x - across, y - down, x + across, y + down))), 90.0)  # type: ignore[arg-type]

    lines = []
    for upright in rows([(f"Item{number}", str(number), f"{number}.50") for number in range(12)]):
        words = tuple(map(aslant, upright.words))
        lines += [Line(around(word.box for word in words), words)]
    blocks = [block(one) for one in lines]

    found = find(*blocks)

    assert_whole(found, blocks)
    for table in found.tables:
        for cell in table.cells:
            assert cell.box[0] < cell.box[2]
            assert cell.box[1] < cell.box[3]


def test_a_frame_around_a_page_is_no_table() -> None:
    rects = grid((60, 900, 1500), (60, 100, 2000))

    assert (
        find(
            prose(top=140, lines=30, words=9), block(*rows([("Report", "7")], xs=(100, 950), top=66)), rects=rects
        ).tables
        == ()
    )


def test_no_rules_are_looked_for_on_a_page_of_prose() -> None:
    rules = Lines()

    tables_of((prose(top=100, lines=40),), Frame(WIDTH, HEIGHT, 0), rules=rules)

    assert rules.frames == []


def test_cells_of_many_lines_do_not_part_the_rows_between_rules() -> None:
    notes = (
        "wordy words in several lines",
        "that are as long as may be",
        "and go on until no further",
        "word has any room in them,",
        "so they look like prose",
    )
    lines = rows((("Article", "Number"), ("Bread", "2"), ("Milk", "1")), xs=(100, 500))
    note = block(*(line(text, 800, TOP + PITCH + 26 * number) for number, text in enumerate(notes)))
    bottom = joined(*rows([("Sum", "3"), ("Tax", "1")], xs=(100, 500), top=TOP + 6 * PITCH)[:1])
    rules = [(90, y, 1100, y + 1) for y in (TOP - 8, TOP + PITCH - 6, TOP + 7 * PITCH)]

    (table,) = find(block(lines[0], *lines[1:], bottom), note, rects=rules).tables

    assert (table.rows, table.columns) == (4, 3)
