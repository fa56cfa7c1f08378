"""hOCR 1.2 (https://kba.github.io/hocr-spec/1.2/), as HTML that is also well-formed XML."""

from collections.abc import Iterator, Sequence

from docserver.layout import Block, Box, Line, Paragraph
from docserver.model import Job, Page
from docserver.typography import direction
from docserver.xml_text import escaped

MEDIA_TYPE = "text/html"

CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf ocrp_dir"


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:
    """Yields UTF-8. A page that could not be read is an empty `ocr_page` without a box."""
    yield f"""<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml">
 <head>
  <meta charset="utf-8"/>
  <title>{job.document_id}</title>
  <meta name="ocr-system" content="{escaped(job.engine_name)}"/>
  <meta name="ocr-capabilities" content="{CAPABILITIES}"/>
  <meta name="ocr-number-of-pages" content="{len(pages)}"/>
 </head>
 <body>
""".encode()
    for page in pages:
        yield "".join(_page(page)).encode()
    yield b" </body>\n</html>\n"


def _page(page: Page) -> Iterator[str]:
    # In hOCR, `ppageno` counts from 0.
    facts = f"ppageno {page.number - 1}"
    angle, reading = "", page.reading
    if reading:
        # hOCR gives the angle of the text counterclockwise. `rotation`, which is clockwise, turns it upright, so both
        # are equal.
        angle = f"; textangle {reading.rotation}" if reading.rotation else ""
        facts = f"bbox 0 0 {reading.width} {reading.height}; {facts}"
        if reading.dpi:
            facts += f"; scan_res {reading.dpi} {reading.dpi}"
    yield f'  <div class="ocr_page" id="page_{page.number}" title="{facts}">\n'
    for number, block in enumerate(reading.blocks if reading else (), start=1):
        yield from _block(block, f"{page.number}_{number}", angle=angle)
    yield "  </div>\n"


def _block(block: Block, place: str, *, angle: str) -> Iterator[str]:
    yield f'   <div class="ocr_carea" id="block_{place}" title="{_bbox(block.box)}">\n'
    for number, paragraph in enumerate(block.paragraphs, start=1):
        yield from _paragraph(paragraph, f"{place}_{number}", angle=angle)
    yield "   </div>\n"


def _paragraph(paragraph: Paragraph, place: str, *, angle: str) -> Iterator[str]:
    own_direction = direction(word.text for line in paragraph.lines for word in line.words)
    attribute = _dir(own_direction, inherited="ltr")
    yield f'    <p class="ocr_par" id="par_{place}"{attribute} title="{_bbox(paragraph.box)}">\n'
    for number, line in enumerate(paragraph.lines, start=1):
        yield from _line(line, f"{place}_{number}", inherited=own_direction, angle=angle)
    yield "    </p>\n"


def _line(line: Line, place: str, *, inherited: str, angle: str) -> Iterator[str]:
    attribute = _dir(direction(word.text for word in line.words), inherited=inherited)
    yield f'     <span class="ocr_line" id="line_{place}"{attribute} title="{_bbox(line.box)}{angle}">\n'
    for number, word in enumerate(line.words, start=1):
        facts = f"{_bbox(word.box)}; x_wconf {word.confidence:g}"
        yield f'      <span class="ocrx_word" id="word_{place}_{number}" title="{facts}">{escaped(word.text)}</span>\n'
    yield "     </span>\n"


def _dir(own_direction: str, *, inherited: str) -> str:
    return "" if own_direction == inherited else f' dir="{own_direction}"'


def _bbox(box: Box) -> str:
    return "bbox {} {} {} {}".format(*box)
