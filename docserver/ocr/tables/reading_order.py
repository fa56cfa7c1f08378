"""Child side: puts the words of tables that were read column by column in the order of their rows."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from docserver.layout import Block, Line, Paragraph, Word, around, words_of
from docserver.ocr.tables.amounts import is_amount
from docserver.ocr.tables.draft import Draft, DraftCell, in_lines, lines_of_cell


def in_order_of_tables(blocks: tuple[Block, ...], drafts: Sequence[Draft]) -> tuple[tuple[Block, ...], list[int]]:
    """The blocks with each table row by row, and the new place of each word. Tables that are so already stay as they
    are.
    """
    table_of: dict[int, int] = {}
    for number, draft in enumerate(drafts):
        if not _is_in_order(draft):
            table_of.update({word.number: number for cell in draft.cells for word in cell.words})
    words = list(words_of(blocks))
    if not table_of:
        return blocks, list(range(len(words)))
    order: list[int] = []
    done: set[int] = set()
    ordered: list[Block] = []
    for part, indexes in _parts(blocks, table_of):
        table = table_of.get(indexes[0])
        if table is None:
            ordered.append(part)
            order += indexes
        elif table not in done:
            done.add(table)
            lines = list(_lines(drafts[table]))
            ordered.append(_block([[words[index] for index in line] for line in lines]))
            order += (index for line in lines for index in line)
    new_index = [0] * len(words)
    for place, index in enumerate(order):
        new_index[index] = place
    return tuple(ordered), new_index


def _is_in_order(draft: Draft) -> bool:
    """True if the words of the table follow each other row by row, without others between them."""
    if draft.is_in_grid and _mixes_cells(draft):
        return False
    rows = {word.number: cell for cell in draft.cells for word in cell.words}
    indexes = sorted(rows)
    if not indexes or indexes[-1] - indexes[0] >= len(indexes):
        return False
    row = 0
    for index in indexes:
        cell = rows[index]
        if cell.row + cell.row_span <= row:
            return False
        row = max(row, cell.row)
    return True


def _mixes_cells(draft: Draft) -> bool:
    """True if lines of cells were read among those of other cells, unless these may be rows without rules between them:
    if numbers stand below each other, or if only one row has such cells and all its cells have several lines.
    """
    torn = {cell.row for cell in draft.cells if cell.row_span == 1 and _is_torn(cell)}
    cells = [cell for cell in draft.cells if cell.words and cell.row_span == 1 and cell.row in torn]
    if any(_has_lines(cell) and _are_amounts(cell) for cell in cells):
        return False
    return len(torn) > 1 or not all(map(_has_lines, cells))


def _is_torn(cell: DraftCell) -> bool:
    """True if other words were read between those of a cell of several lines."""
    numbers = [word.number for word in cell.words]
    return bool(numbers) and max(numbers) - min(numbers) >= len(numbers) and _has_lines(cell)


def _are_amounts(cell: DraftCell) -> bool:
    return all(is_amount(" ".join(word.text for word in line)) for line in lines_of_cell(cell.words))


def _parts(blocks: Sequence[Block], table_of: dict[int, int]) -> Iterator[tuple[Block, list[int]]]:
    """The blocks, parted where a table begins or ends, with the indexes of their words."""
    index = 0
    for block in blocks:
        pieces = []
        for number, paragraph in enumerate(block.paragraphs):
            for place, line in enumerate(paragraph.lines):
                indexed = [(index + offset, word) for offset, word in enumerate(line.words)]
                index += len(indexed)
                for table, words in groupby(indexed, key=lambda item: table_of.get(item[0])):
                    pieces.append((table, number, place, list(words)))
        if all(table is None for table, *_ in pieces):
            yield block, [place for *_, words in pieces for place, _ in words]
            continue
        for _, group in groupby(pieces, key=lambda piece: piece[0]):
            of_part = list(group)
            paragraphs = [
                [[word for _, word in words] for *_, words in lines]
                for _, lines in groupby(of_part, key=lambda piece: piece[1])
            ]
            made = tuple(_paragraph(lines) for lines in paragraphs)
            yield (
                Block(around(paragraph.box for paragraph in made), made),
                [i for *_, words in of_part for i, _ in words],
            )


def _lines(draft: Draft) -> Iterator[list[int]]:
    """The words of a table in lines: a line for each row, or those of each cell of rows with cells of several lines."""
    cells = sorted((cell for cell in draft.cells if cell.words), key=lambda cell: (cell.row, cell.column))
    for _, row in groupby(cells, key=lambda cell: cell.row):
        of_row = list(row)
        if any(cell.row_span == 1 and _has_lines(cell) for cell in of_row):
            yield from ([word.number for word in line] for cell in of_row for line in lines_of_cell(cell.words))
        else:
            yield [word.number for cell in of_row for word in in_lines(cell.words)]


def _has_lines(cell: DraftCell) -> bool:
    """True if some words of a cell stand below others."""
    return max(word.rect[1] for word in cell.words) >= min(word.rect[3] for word in cell.words)


def _block(lines: Sequence[Sequence[Word]]) -> Block:
    paragraph = _paragraph(lines)
    return Block(paragraph.box, (paragraph,))


def _paragraph(lines: Sequence[Sequence[Word]]) -> Paragraph:
    made = tuple(Line(around(word.box for word in line), tuple(line)) for line in lines)
    return Paragraph(around(line.box for line in made), made)
