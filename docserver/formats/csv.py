"""CSV (RFC 4180): the rows of all tables, each with the number of its page and of its table on the page."""

import re
from collections.abc import Iterator, Sequence

from docserver.elements import Table
from docserver.model import Job, Page
from docserver.xml_text import clean

MEDIA_TYPE = "text/csv"

_LINE_END = "\r\n"

_QUOTED = re.compile(r'[",;]|^\s|\s$')
"""What has to be in quotes. Programs in some countries take a semicolon for the end of a cell."""

_FORMULA = re.compile("[=+@\uff1d\uff0b\uff0d\uff20-]")
"""Spreadsheets take a cell that begins in this way for a formula. Documents come from anybody."""

_NUMBER = re.compile(r"[+-]?[\d.,\s]*\d[\d.,\s]*%?")


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:  # noqa: ARG001 - all formats have one signature
    """Yields UTF-8: a line with the names of the columns, then one for each row. All have equally many cells."""
    columns = max((table.columns for page in pages for table in _tables(page)), default=0)
    yield _line(["page", "table", *map(str, range(1, columns + 1))])
    for page in pages:
        for number, table in enumerate(_tables(page), start=1):
            yield b"".join(
                _line([str(page.number), str(number), *map(as_text, row), *[""] * (columns - table.columns)])
                for row in rows_of(table)
            )


def rows_of(table: Table) -> list[list[str]]:
    """The text of each place of a table. A cell that spans several places has its text in the first one only."""
    rows = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row][cell.column] = cell.text
    return rows


def as_text(text: str) -> str:
    """A cell that no spreadsheet takes for a formula. Numbers stay as they are."""
    return f"'{text}" if may_be_formula(text) else text


def may_be_formula(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def _tables(page: Page) -> Sequence[Table]:
    return (page.reading.elements.tables or ()) if page.reading else ()


def _line(cells: Sequence[str]) -> bytes:
    return (",".join(map(_quoted, cells)) + _LINE_END).encode()


def _quoted(text: str) -> str:
    text = clean(text)
    return '"{}"'.format(text.replace('"', '""')) if _QUOTED.search(text) else text
