"""Parts a page into paragraphs and tables, in reading order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from docserver.elements import Table
from docserver.layout import Line, Paragraph

Part = Paragraph | Table


def page_parts(paragraphs: Sequence[Paragraph], tables: Sequence[Table]) -> Iterator[Part]:
    """The paragraphs without the words of tables, and each table where its first word is. The paragraphs are all those
    of the page.
    """
    table_of = {word: table for table in tables for cell in table.cells for word in cell.words}
    begun: set[int] = set()
    index = 0
    for paragraph in paragraphs:
        lines: list[Line] = []
        for line in paragraph.lines:
            rest = []
            for word in line.words:
                table = table_of.get(index)
                index += 1
                if table is None:
                    rest.append(word)
                elif id(table) not in begun:
                    begun.add(id(table))
                    if lines or rest:
                        yield from _paragraph(paragraph, [*lines, replace(line, words=tuple(rest))])
                        lines, rest = [], []
                    yield table
            lines.append(replace(line, words=tuple(rest)))
        yield from _paragraph(paragraph, lines)


def _paragraph(paragraph: Paragraph, lines: Sequence[Line]) -> Iterator[Paragraph]:
    """A paragraph with those of these lines that have words, if any has."""
    with_words = tuple(line for line in lines if line.words)
    if with_words:
        yield replace(paragraph, lines=with_words)
