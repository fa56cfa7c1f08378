"""TSV with the same columns, levels (page, block, paragraph, line, word) and numbering as Tesseract's own TSV."""

from collections.abc import Iterator, Sequence

from docserver.layout import Block, Box, Paragraph
from docserver.model import Job, Page
from docserver.xml_text import clean

MEDIA_TYPE = "text/tab-separated-values"

HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"

PAGE, BLOCK, PARAGRAPH, LINE, WORD = range(1, 6)

NO_CONFIDENCE = "-1"
"""The confidence of every row that is not a word."""

NO_BOX = (0, 0, 0, 0)
"""The box of a page that could not be read."""


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:  # noqa: ARG001 - all formats have one signature
    """Yields UTF-8: a header, then a row for each page, block, paragraph, line and word. Only words have text."""
    yield f"{HEADER}\n".encode()
    for page in pages:
        yield "".join(f"{row}\n" for row in _page(page)).encode()


def _page(page: Page) -> Iterator[str]:
    reading = page.reading
    box = (0, 0, reading.width, reading.height) if reading else NO_BOX
    yield _row(PAGE, (page.number, 0, 0, 0, 0), box)
    for number, block in enumerate(reading.blocks if reading else (), start=1):
        yield from _block(block, page.number, number)


def _block(block: Block, page: int, block_number: int) -> Iterator[str]:
    yield _row(BLOCK, (page, block_number, 0, 0, 0), block.box)
    for number, paragraph in enumerate(block.paragraphs, start=1):
        yield _row(PARAGRAPH, (page, block_number, number, 0, 0), paragraph.box)
        yield from _lines(paragraph, (page, block_number, number))


def _lines(paragraph: Paragraph, place: tuple[int, int, int]) -> Iterator[str]:
    for line_number, line in enumerate(paragraph.lines, start=1):
        yield _row(LINE, (*place, line_number, 0), line.box)
        for number, word in enumerate(line.words, start=1):
            yield _row(
                WORD, (*place, line_number, number), word.box, confidence=f"{word.confidence:g}", text=clean(word.text)
            )


def _row(
    level: int, place: tuple[int, int, int, int, int], box: Box, *, confidence: str = NO_CONFIDENCE, text: str = ""
) -> str:
    x0, y0, x1, y1 = box
    cells = (level, *place, x0, y0, x1 - x0, y1 - y0, confidence, text)
    return "\t".join(map(str, cells))
