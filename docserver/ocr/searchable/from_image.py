"""Child side: makes a PDF from a document's images. Each becomes a page of its original size with invisible text."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import compress

import pikepdf
from pikepdf import Array, Dictionary, Matrix, Name, Object, Pdf
from PIL import Image

from docserver.layout import Rect
from docserver.model import Page, Reading
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode
from docserver.ocr.searchable.from_pdf import save
from docserver.ocr.searchable.geometry import LETTER, format_numbers, upright_to_page
from docserver.ocr.searchable.glyphless_font import GlyphlessFont
from docserver.ocr.searchable.jpeg import JpegHeader, read_header
from docserver.ocr.searchable.text_operators import invisible_text

JPEG = "image/jpeg"

POINTS_PER_INCH = 72

DEFAULT_DPI = 300
"""Resolution of an image that does not state one. A scan then becomes about as large as its paper, and a photo fits a
sheet."""

MIN_SIDE_PT, MAX_SIDE_PT = 3, 14_400
"""Smallest and largest side of a page, in points. Viewers refuse other pages (ISO 32000-1, annex C)."""

PNG_LEVEL = 4
"""Compression level, from 0 to 9. A scanned page takes half the time of level 6, and a tenth more space."""

COLOUR_SPACES = {1: Name.DeviceGray, 3: Name.DeviceRGB, 4: Name.DeviceCMYK}

GROUP_4 = "group4"
STRIP_OFFSETS, STRIP_BYTES, ROWS_PER_STRIP, PHOTOMETRIC = 273, 279, 278, 262
BLACK_IS_ZERO = 1

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


def write(source: str, content_type: str, *, pages: Sequence[Page], target: Path, max_pixels: int) -> None:
    """Write a PDF of these pages of an image file. Raises Unreadable.

    If a page was not read and its image cannot be decoded either, it becomes an empty page.
    """
    with pikepdf.new() as pdf:
        font = GlyphlessFont(pdf)
        for page in pages:
            try:
                embedded = _embed(pdf, source, content_type, page=page.number, max_pixels=max_pixels)
            except Unreadable:
                if page.reading:
                    raise
                pdf.add_blank_page(page_size=LETTER[2:])
            else:
                _add_page(pdf, page.reading, embedded=embedded, font=font)
        font.finish()
        save(pdf, target)


def _add_page(pdf: Pdf, reading: Reading | None, *, embedded: _Embedded, font: GlyphlessFont) -> None:
    area = _page_area(embedded.size, reading.dpi if reading else None)
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


def _page_area(size: tuple[int, int], dpi: int | None) -> Rect:
    """The page's area in points: the size of the original paper, limited to the sizes that a PDF page may have."""
    points_per_pixel = POINTS_PER_INCH / (dpi or DEFAULT_DPI)
    points_per_pixel = min(max(points_per_pixel, MIN_SIDE_PT / min(size)), MAX_SIDE_PT / max(size))
    return (0.0, 0.0, round(size[0] * points_per_pixel, 4), round(size[1] * points_per_pixel, 4))


def _embed(pdf: Pdf, source: str, content_type: str, *, page: int, max_pixels: int) -> _Embedded:
    if content_type == JPEG:
        with Path(source).open("rb") as file:
            header = read_header(file)
            if header:
                file.seek(0)
                orientation = decode.stored_orientation(file)
                size = (header.width, header.height)
                file.seek(0)
                image = _jpeg(pdf, header, file.read())
                return _Embedded(
                    image, size[::-1] if orientation in decode.SIDEWAYS_ORIENTATIONS else size, orientation
                )
    decoded = decode.decode(source, content_type, page=page, max_pixels=max_pixels).image
    return _Embedded((_bilevel if decoded.mode == "1" else _grey_or_colour)(pdf, decoded), decoded.size)


def _jpeg(pdf: Pdf, header: JpegHeader, data: bytes) -> Object:
    """Embed the bytes of a JPEG file unchanged."""
    size = (header.width, header.height)
    image = _image(pdf, data, size, COLOUR_SPACES[header.components], Filter=Name.DCTDecode)
    if header.components == 4 and header.adobe:
        image.Decode = Array([1, 0] * header.components)
    return image


def _bilevel(pdf: Pdf, image: Image.Image) -> Object:
    """Embed a black and white image with fax compression. Pillow writes a TIFF with one strip, which PDF accepts."""
    file = io.BytesIO()
    image.save(file, "TIFF", compression=GROUP_4, tiffinfo={ROWS_PER_STRIP: image.height})
    with Image.open(file, formats=["TIFF"]) as tiff:
        tags: Any = getattr(tiff, "tag_v2", {})
        (start,), (length,) = tags[STRIP_OFFSETS], tags[STRIP_BYTES]
        black_is_1 = tags[PHOTOMETRIC] == BLACK_IS_ZERO
    parameters = Dictionary(K=-1, Columns=image.width, Rows=image.height, BlackIs1=black_is_1)
    strip = file.getvalue()[start : start + length]
    bilevel = _image(pdf, strip, image.size, Name.DeviceGray, Filter=Name.CCITTFaxDecode, DecodeParms=parameters)
    bilevel.BitsPerComponent = 1
    return bilevel


def _grey_or_colour(pdf: Pdf, image: Image.Image) -> Object:
    """Embed an image without loss, as the compressed rows of a PNG. PDF's predictors can decode these rows."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=PNG_LEVEL)
    components = len(image.getbands())
    parameters = Dictionary(Predictor=15, Colors=components, BitsPerComponent=8, Columns=image.width)
    return _image(
        pdf,
        _png_rows(file.getvalue()),
        image.size,
        COLOUR_SPACES[components],
        Filter=Name.FlateDecode,
        DecodeParms=parameters,
    )


def _png_rows(png: bytes) -> bytes:
    """The contents of the IDAT chunks of a PNG that Pillow has just written."""
    chunks, offset = [], 8
    while offset < len(png):
        length, kind = struct.unpack_from(">I4s", png, offset)
        if kind == b"IDAT":
            chunks.append(png[offset + 8 : offset + 8 + length])
        offset += length + 12
    return b"".join(chunks)


def _image(pdf: Pdf, data: bytes, size: tuple[int, int], colour_space: Name, **more: Object | Name) -> Object:
    return pdf.make_stream(
        data,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=size[0],
        Height=size[1],
        ColorSpace=colour_space,
        BitsPerComponent=8,
        **more,
    )
