"""Server side: checks the tables that an OCR process says are on a page."""

from collections.abc import Sequence

from docserver.elements import MAX_TABLE_PLACES, MAX_TABLES, Table, TableCell
from docserver.layout import Box
from docserver.model import Reading


def are_tables(tables: Sequence[Table], reading: Reading) -> bool:
    """True if these may be the tables of a page: no word is in two cells, and the cells of each fill it."""
    # Fewer words than characters of the text, as they have spaces between them.
    words = [word for table in tables for cell in table.cells for word in cell.words]
    return (
        len(tables) <= MAX_TABLES
        and all(table.rows > 0 and table.columns > 0 for table in tables)
        and sum(table.rows * table.columns for table in tables) <= MAX_TABLE_PLACES
        and len(set(words)) == len(words)
        and all(0 <= word < len(reading.text) for word in words)
        and all(_is_table(table, reading) for table in tables)
    )


def is_on_page(box: Box, reading: Reading) -> bool:
    """True if a box has an area, and all of it is on the page."""
    x0, y0, x1, y1 = box
    return 0 <= x0 < x1 <= reading.width and 0 <= y0 < y1 <= reading.height


def _is_table(table: Table, reading: Reading) -> bool:
    boxes = [table.box, *(cell.box for cell in table.cells)]
    if not all(is_on_page(box, reading) for box in boxes) or not all(_is_within(cell, table) for cell in table.cells):
        return False
    area = sum(cell.row_span * cell.column_span for cell in table.cells)
    # Cells that do not fill the table would not be worth looking at one by one, which takes time.
    if area != table.rows * table.columns:
        return False
    places = {
        (row, column)
        for cell in table.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for column in range(cell.column, cell.column + cell.column_span)
    }
    in_order = [(cell.row, cell.column) for cell in table.cells]
    return len(places) == area and in_order == sorted(in_order)


def _is_within(cell: TableCell, table: Table) -> bool:
    return (
        cell.row_span > 0
        and cell.column_span > 0
        and 0 <= cell.row <= table.rows - cell.row_span
        and 0 <= cell.column <= table.columns - cell.column_span
    )
