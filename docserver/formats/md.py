"""Markdown: CommonMark's headings, paragraphs and lists, and GitHub's tables, as far as the layout shows them.

All text is escaped.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docserver.elements import Table
from docserver.formats.hyphenation import Vocabulary, joined
from docserver.formats.page_parts import Part, page_parts
from docserver.formats.structure import Heights, Item, items, upright_paragraphs
from docserver.layout import Paragraph
from docserver.model import Job, Page
from docserver.xml_text import clean

MEDIA_TYPE = "text/markdown"

_SPECIAL = re.compile(r"[\\`*_\[\]<>~|]|&(?=#?\w+;)")
"""Characters that have a meaning in Markdown anywhere in a line, including GitHub's tables and strikethrough."""

_SPECIAL_FIRST = re.compile(r"(?P<sign>[#+=-])|(?P<number>\d{1,9})(?P<dot>[.)])(?=\s|$)")
"""Characters that have a meaning in Markdown only at the start of a line."""


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:  # noqa: ARG001 - all formats have one signature
    """Yields UTF-8. Only an empty line separates pages. A page that could not be read becomes a comment."""
    of_pages = _Upright(pages)
    vocabulary = Vocabulary(of_pages)
    heights = Heights(of_pages)
    begun = False
    for page, paragraphs in zip(pages, of_pages, strict=True):
        tables = (page.reading.elements.tables or ()) if page.reading else ()
        parts = list(page_parts(paragraphs, tables)) if tables else paragraphs
        text = "".join(_page(parts, heights, vocabulary))
        if page.failure:
            text = f"\n<!-- page {page.number} could not be read: {page.failure.code} -->\n{text}"
        yield (text if begun else text.removeprefix("\n")).encode()
        begun = begun or bool(text)


@dataclass(frozen=True, slots=True)
class _Upright:
    """The paragraphs of each page. Each iteration unpacks them again, because all pages together need much memory."""

    pages: Sequence[Page]

    def __iter__(self) -> Iterator[Sequence[Paragraph]]:
        return (upright_paragraphs(page.reading) if page.reading else [] for page in self.pages)


def escaped(text: str) -> str:
    """The text of one block, escaped so that Markdown shows exactly this text."""
    inside = _SPECIAL.sub(r"\\\g<0>", text)
    first = _SPECIAL_FIRST.match(inside)
    if not first:
        return inside
    place = first.start("sign") if first["sign"] else first.start("dot")
    return f"{inside[:place]}\\{inside[place:]}"


def _page(parts: Sequence[Part], heights: Heights, vocabulary: Vocabulary) -> Iterator[str]:
    in_list = False
    for item in items(parts, heights):
        if isinstance(item, Table):
            in_list = False
            yield f"\n{_table(item)}"
            continue
        text = escaped(joined(item.lines, vocabulary))
        if not text:
            continue
        # Items of the same list follow each other directly; an empty line separates everything else.
        tight = in_list and item.marker
        in_list = bool(item.marker)
        yield f"{'' if tight else chr(10)}{_start(item)}{text}\n"


def _start(item: Item) -> str:
    if item.level:
        return "#" * item.level + " "
    return f"{item.marker} " if item.marker else ""


def _table(table: Table) -> str:
    """A table with one row of headings, which is empty if the table has none. A cell that spans several places is in
    the first one, and a heading above each of its columns.
    """
    headings = [""] * table.columns
    rows = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        text = _SPECIAL.sub(r"\\\g<0>", clean(cell.text))
        if cell.header:
            for column in range(cell.column, cell.column + cell.column_span):
                headings[column] = f"{headings[column]} {text}".strip()
        else:
            rows[cell.row][cell.column] = text
    body = {cell.row for cell in table.cells if not cell.header}
    lines = [headings, ["---"] * table.columns, *(row for number, row in enumerate(rows) if number in body)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
