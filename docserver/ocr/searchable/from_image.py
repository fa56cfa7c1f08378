"""Child side: makes a PDF from a document's images. Each becomes a page of its original size with invisible text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import compress

import pikepdf
from pikepdf import Array, Dictionary, Matrix, Name, Object, Pdf

from docserver.model import Page, Reading
from docserver.ocr.archival.document import mend_document
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode, exif_orientation
from docserver.ocr.searchable import embedding
from docserver.ocr.searchable.from_pdf import save
from docserver.ocr.searchable.geometry import LETTER, format_numbers, paper, upright_to_page
from docserver.ocr.searchable.glyphless_font import GlyphlessFont
from docserver.ocr.searchable.jpeg import read_header
from docserver.ocr.searchable.recompression import recompressed
from docserver.ocr.searchable.text_operators import invisible_text

JPEG = "image/jpeg"

CMYK = 4
"""Components of a JPEG for printers."""

EXIF_MATRICES: dict[int, Matrix] = {
    1: Matrix(1, 0, 0, 1, 0, 0),
    2: Matrix(-1, 0, 0, 1, 1, 0),
    3: Matrix(-1, 0, 0, -1, 1, 1),
    4: Matrix(1, 0, 0, -1, 0, 1),
    5: Matrix(0, -1, -1, 0, 1, 1),
    6: Matrix(0, -1, 1, 0, 0, 1),
    7: Matrix(0, 1, 1, 0, 0, 0),
    8: Matrix(0, 1, -1, 0, 1, 0),
}
"""EXIF orientation → the matrix that draws the stored image upright in the unit square."""


@dataclass(frozen=True, slots=True)
class _Embedded:
    """An image in the PDF."""

    image: Object
    size: tuple[int, int]
    """Width and height in pixels after the EXIF orientation is applied. OCR has read the page in this orientation."""
    orientation: int = 1
    """The EXIF orientation of the stored image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """How images are to be stored."""

    max_pixels: int
    quality: int | None
    archived: bool


def write(
    source: str,
    content_type: str,
    *,
    pages: Sequence[Page],
    target: Path,
    max_pixels: int,
    quality: int | None = None,
    archived: bool = False,
) -> None:
    """Write a PDF of these pages of an image file; a PDF/A if `archived`. Raises Unreadable.

    With `quality`, images that are not black and white are compressed with loss, where that makes them smaller. If a
    page was not read and its image cannot be decoded either, it becomes an empty page.
    """
    wanted = _Wanted(max_pixels=max_pixels, quality=quality, archived=archived)
    with pikepdf.new() as pdf:
        font = GlyphlessFont(pdf)
        for page in pages:
            try:
                embedded = _embed(pdf, source, content_type, page=page.number, wanted=wanted)
            except Unreadable:
                if page.reading:
                    raise
                pdf.add_blank_page(page_size=LETTER[2:])
            else:
                _add_page(pdf, page.reading, embedded=embedded, font=font)
        font.finish()
        if archived:
            mend_document(pdf)
        save(pdf, target, archived=archived)


def _add_page(pdf: Pdf, reading: Reading | None, *, embedded: _Embedded, font: GlyphlessFont) -> None:
    area = paper(embedded.size, reading.dpi if reading else None)
    image_matrix = EXIF_MATRICES[embedded.orientation] @ Matrix(area[2], 0, 0, area[3], 0, 0)
    operators = f"q {format_numbers(image_matrix.shorthand, digits=4)} cm /Scan Do Q\n".encode()
    resources = Dictionary(XObject=Dictionary(Scan=embedded.image))
    rotation = 0
    if reading:
        rotation = reading.rotation
        matrix = upright_to_page((reading.width, reading.height), rotation=rotation, page_rotation=0, area=area)
        text, variants = invisible_text(reading, matrix=matrix, font=font)
        operators += text
        resources[Name.Font] = Dictionary()
        for variant in variants:
            resources[Name.Font][Name(f"/{variant.name}")] = font.dictionary(variant)
    page = Dictionary(
        Type=Name.Page,
        MediaBox=Array([*area]),
        Rotate=rotation,
        Resources=resources,
        Contents=pdf.make_stream(compress(operators), Filter=Name.FlateDecode),
    )
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))


def _embed(pdf: Pdf, source: str, content_type: str, *, page: int, wanted: _Wanted) -> _Embedded:
    if content_type == JPEG and (embedded := _embed_jpeg(pdf, source, wanted)):
        return embedded
    decoded = decode.decode(source, content_type, page=page, max_pixels=wanted.max_pixels).image
    if decoded.mode == "1":
        image = embedding.bilevel(pdf, decoded)
    elif wanted.quality is not None:
        image = embedding.smaller(pdf, decoded, quality=wanted.quality)
    else:
        # A JPEG that comes here has colours for printers, and was compressed with loss before.
        image = (embedding.fine if content_type == JPEG and wanted.archived else embedding.lossless)(pdf, decoded)
    return _Embedded(image, decoded.size)


def _embed_jpeg(pdf: Pdf, source: str, wanted: _Wanted) -> _Embedded | None:
    """Embed a JPEG as it is stored; None if it has to be decoded."""
    with Path(source).open("rb") as file:
        header = read_header(file)
        # A PDF/A would need a profile that says which colours the inks have.
        if header is None or (wanted.archived and header.components == CMYK):
            return None
        file.seek(0)
        orientation = exif_orientation.stored_orientation(file)
        file.seek(0)
        data = file.read()
    if wanted.quality is not None and header.width * header.height <= wanted.max_pixels:
        data = recompressed(data, quality=wanted.quality)
    size = (header.width, header.height)
    return _Embedded(
        embedding.jpeg(pdf, header, data),
        exif_orientation.turned(size, orientation),
        orientation,
    )
