"""Tables in the formats of results: all cells, none taken for markup or a formula, and the text around them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import orjson
import pytest

from docserver.elements import Elements, Table, TableCell, pack_elements
from docserver.formats import TEXT_FORMATS
from docserver.formats.negotiation import negotiate
from docserver.layout import words_of
from docserver.model import Page
from tests.support.pages import JOB, failed, page, read

XHTML = "{http://www.w3.org/1999/xhtml}"

LINES = "before it\nArticle Sold\nPcs EUR\nBread 2 4.50\nMilk 0.99\nafter it"


def cell(
    row: int, column: int, text: str, words: Sequence[int], *, header: bool = False, spans: tuple[int, int] = (1, 1)
) -> TableCell:
    return TableCell(row, column, *spans, (0, 0, 1, 1), text, header, tuple(words))


TABLE = Table(
    (0, 0, 1, 1),
    4,
    3,
    (
        cell(0, 0, "Article", [2], header=True, spans=(2, 1)),
        cell(0, 1, "Sold", [3], header=True, spans=(1, 2)),
        cell(1, 1, "Pcs", [4], header=True),
        cell(1, 2, "EUR", [5], header=True),
        cell(2, 0, "Bread", [6]),
        cell(2, 1, "2", [7]),
        cell(2, 2, "4.50", [8]),
        cell(3, 0, "Milk", [9], spans=(1, 2)),
        cell(3, 2, "0.99", [10]),
    ),
)


def with_tables(page: Page, *tables: Table) -> Page:
    assert page.reading
    return replace(page, reading=replace(page.reading, packed_elements=pack_elements(Elements(tables=tables))))


SOLD = with_tables(page(LINES), TABLE)


def one_cell(text: str) -> Page:
    return with_tables(page(text), Table((0, 0, 1, 1), 1, 1, (cell(0, 0, text, [0]),)))


def rendered(name: str, *pages: Page) -> str:
    return b"".join(TEXT_FORMATS[name].write(JOB, pages)).decode()


def test_json_has_the_cells_with_their_words() -> None:
    (shown,) = orjson.loads(rendered("json", SOLD))["pages"]

    assert SOLD.reading
    words = [word.text for word in words_of(SOLD.reading.blocks)]
    cells = shown["tables"][0]["cells"]
    assert [" ".join(words[index] for index in one["words"]) for one in cells] == [one["text"] for one in cells]
    assert (cells[1]["row"], cells[1]["column"], cells[1]["column_span"], cells[1]["header"]) == (0, 1, 2, True)


def test_json_tells_no_tables_from_those_that_nobody_looked_for() -> None:
    pages = orjson.loads(rendered("json", with_tables(page("a")), page("b", number=2)))["pages"]

    assert [shown["tables"] for shown in pages] == [[], None]


def test_markdown_has_the_table_between_the_text_before_and_after_it() -> None:
    assert rendered("md", SOLD) == (
        "before it\n\n"
        "| Article | Sold Pcs | Sold EUR |\n"
        "| --- | --- | --- |\n"
        "| Bread | 2 | 4.50 |\n"
        "| Milk |  | 0.99 |\n"
        "\nafter it\n"
    )


def test_markdown_escapes_what_is_in_cells() -> None:
    assert rendered("md", one_cell("a|b*")).splitlines()[-1] == "| a\\|b\\* |"


def test_csv_names_page_and_table_of_each_row() -> None:
    second = with_tables(page("x", number=2), Table((0, 0, 1, 1), 1, 1, (cell(0, 0, 'x, "y"', [0]),)))

    text = rendered("csv", SOLD, second, failed(3))

    assert text.endswith('2,1,"x, ""y""",,\r\n')
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [
        ["page", "table", "1", "2", "3"],
        ["1", "1", "Article", "Sold", ""],
        ["1", "1", "", "Pcs", "EUR"],
        ["1", "1", "Bread", "2", "4.50"],
        ["1", "1", "Milk", "", "0.99"],
        ["2", "1", 'x, "y"', "", ""],
    ]


def test_csv_of_pages_without_tables_has_only_the_names() -> None:
    assert rendered("csv", page("a")) == "page,table\r\n"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-a", "@SUM(1;2)", "\uff1dSUM(1)", "-1+2", "--1"])
def test_what_a_spreadsheet_would_compute_is_marked_as_text(text: str) -> None:
    (_, row) = csv.reader(io.StringIO(rendered("csv", one_cell(text)), newline=""), strict=True)

    assert row[2] == f"'{text}"
    assert "mso-number-format" in rendered("html", one_cell(text))


@pytest.mark.parametrize("text", ["-12.50", "+3", "-1 240,00", "-5%", "a=b", "4-5"])
def test_numbers_and_other_text_stay_as_they_are(text: str) -> None:
    (_, row) = csv.reader(io.StringIO(rendered("csv", one_cell(text)), newline=""), strict=True)

    assert row[2] == text
    assert "mso-number-format" not in rendered("html", one_cell(text))


def test_html_has_headings_and_spans() -> None:
    body = ET.fromstring(rendered("html", SOLD).partition("\n")[2])
    (table,) = body.iter(f"{XHTML}table")

    assert [one.text for one in table.findall(f"{XHTML}thead/{XHTML}tr/{XHTML}th")] == ["Article", "Sold", "Pcs", "EUR"]
    assert [one.attrib for one in table.iter(f"{XHTML}th")] == [{"rowspan": "2"}, {"colspan": "2"}, {}, {}]
    assert [[one.text for one in row] for row in table.findall(f"{XHTML}tbody/{XHTML}tr")] == [
        ["Bread", "2", "4.50"],
        ["Milk", "0.99"],
    ]


def test_html_says_which_page_could_not_be_read_and_runs_nothing() -> None:
    text = rendered("html", one_cell("<script>alert(1)</script>"), failed(2))

    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "Page 2 could not be read: page_timeout" in text


def test_accept_gets_csv_and_takes_html_for_hocr() -> None:
    csv_format, html_format = negotiate("text/csv"), negotiate("text/html")

    assert csv_format and csv_format.name == "csv"
    assert html_format and html_format.name == "hocr"


def test_a_page_that_an_earlier_version_has_read_has_no_tables() -> None:
    assert rendered("csv", read([])) == "page,table\r\n"
