"""ALTO 4.4 (https://www.loc.gov/standards/alto/): blocks, lines and words in pixels."""

from collections.abc import Iterator, Sequence

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.model import Job, Page
from docserver.typography import direction
from docserver.xml_text import escaped

MEDIA_TYPE = "application/alto+xml"


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:
    """Yields UTF-8. A page that could not be read is a `Page` element without a size."""
    yield f"""<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\
 xsi:schemaLocation="http://www.loc.gov/standards/alto/ns-v4# http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"\
 SCHEMAVERSION="4.4">
 <Description>
  <MeasurementUnit>pixel</MeasurementUnit>
  <sourceImageInformation>
   <documentIdentifier>{job.document_id}</documentIdentifier>
  </sourceImageInformation>
  <Processing ID="processing_1">
   <processingSoftware>
    <softwareName>{escaped(job.engine_name)}</softwareName>
   </processingSoftware>
  </Processing>
 </Description>
 <Layout>
""".encode()
    for page in pages:
        yield "".join(_page(page)).encode()
    yield b" </Layout>\n</alto>\n"


def _page(page: Page) -> Iterator[str]:
    start = f'  <Page ID="page_{page.number}" PHYSICAL_IMG_NR="{page.number}"'
    reading = page.reading
    if reading is None:
        yield f"{start}/>\n"
        return
    # ALTO gives the angle of the text counterclockwise. `rotation`, which is clockwise, turns it upright, so both are
    # equal.
    rotation = f' ROTATION="{reading.rotation}"' if reading.rotation else ""
    yield (
        f'{start} WIDTH="{reading.width}" HEIGHT="{reading.height}" PROCESSING="processing_1"'
        f' PC="{_share(reading.confidence)}"{rotation}>\n'
        f"   <PrintSpace {_place((0, 0, reading.width, reading.height))}>\n"
    )
    for number, block in enumerate(reading.blocks, start=1):
        yield from _block(block, f"{page.number}_{number}")
    yield "   </PrintSpace>\n  </Page>\n"


def _block(block: Block, place: str) -> Iterator[str]:
    yield f'    <ComposedBlock ID="block_{place}" {_place(block.box)}>\n'
    for number, paragraph in enumerate(block.paragraphs, start=1):
        yield from _paragraph(paragraph, f"{place}_{number}")
    yield "    </ComposedBlock>\n"


def _paragraph(paragraph: Paragraph, place: str) -> Iterator[str]:
    own_direction = direction(word.text for line in paragraph.lines for word in line.words)
    attribute = _direction(own_direction, inherited="ltr")
    yield f'     <TextBlock ID="par_{place}" {_place(paragraph.box)}{attribute}>\n'
    for number, line in enumerate(paragraph.lines, start=1):
        yield from _line(line, f"{place}_{number}", inherited=own_direction)
    yield "     </TextBlock>\n"


def _line(line: Line, place: str, *, inherited: str) -> Iterator[str]:
    attribute = _direction(direction(word.text for word in line.words), inherited=inherited)
    yield f'      <TextLine ID="line_{place}" {_place(line.box)}{attribute}>\n'
    before: Word | None = None
    for number, word in enumerate(line.words, start=1):
        if before:
            yield f"       <SP {_place(_gap(before.box, word.box))}/>\n"
        yield (
            f'       <String ID="word_{place}_{number}" {_place(word.box)}'
            f' WC="{_share(word.confidence)}" CONTENT="{escaped(word.text)}"/>\n'
        )
        before = word
    yield "      </TextLine>\n"


def _direction(own_direction: str, *, inherited: str) -> str:
    return "" if own_direction == inherited else f' BASEDIRECTION="{own_direction}"'


def _gap(before: Box, after: Box) -> Box:
    """The box of the space between two words, in either order; its width is 0 if they touch."""
    left, right = sorted((before, after))
    return (left[2], min(left[1], right[1]), max(left[2], right[0]), max(left[3], right[3]))


def _place(box: Box) -> str:
    x0, y0, x1, y1 = box
    return f'HPOS="{x0}" VPOS="{y0}" WIDTH="{x1 - x0}" HEIGHT="{y1 - y0}"'


def _share(confidence: float) -> str:
    """A confidence of 0 to 100 as a number from 0 to 1."""
    return f"{confidence / 100:.4g}"
