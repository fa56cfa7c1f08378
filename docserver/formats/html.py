"""HTML with the tables of the pages alone, as spreadsheets and pandas read it. It is well-formed XML, too."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from docserver.elements import Table, TableCell
from docserver.formats.csv import may_be_formula
from docserver.model import Job, Page
from docserver.xml_text import escaped

MEDIA_TYPE = "text/html"

_AS_TEXT = " style=\"mso-number-format:'\\@'\""
"""Tells Excel that a cell is no formula, though it begins like one."""


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:
    """Yields UTF-8. A page that could not be read is a paragraph which says so."""
    yield f"""<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml">
 <head>
  <meta charset="utf-8"/>
  <title>{job.document_id}</title>
 </head>
 <body>
""".encode()
    for page in pages:
        yield "".join(_page(page)).encode()
    yield b" </body>\n</html>\n"


def _page(page: Page) -> Iterator[str]:
    if page.failure:
        yield f"  <p>Page {page.number} could not be read: {page.failure.code}</p>\n"
    elements = page.reading.elements if page.reading else None
    for number, table in enumerate((elements and elements.tables) or (), start=1):
        yield f'  <table id="table_{page.number}_{number}">\n   <caption>Page {page.number}, table {number}</caption>\n'
        yield from _rows(table)
        yield "  </table>\n"


def _rows(table: Table) -> Iterator[str]:
    by_row = {row: list(cells) for row, cells in groupby(table.cells, key=lambda cell: cell.row)}
    header = [row for row in range(table.rows) if any(cell.header for cell in by_row.get(row, ()))]
    for part, rows in (("thead", header), ("tbody", [row for row in range(table.rows) if row not in header])):
        if rows:
            yield f"   <{part}>\n"
            for row in rows:
                yield f"    <tr>{''.join(map(_cell, by_row.get(row, ())))}</tr>\n"
            yield f"   </{part}>\n"


def _cell(cell: TableCell) -> str:
    tag = "th" if cell.header else "td"
    spans = "".join(
        f' {name}="{span}"' for name, span in (("rowspan", cell.row_span), ("colspan", cell.column_span)) if span > 1
    )
    return f"<{tag}{spans}{_AS_TEXT if may_be_formula(cell.text) else ''}>{escaped(cell.text)}</{tag}>"
