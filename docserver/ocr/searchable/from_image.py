"""Child side: a PDF made of pictures, each a page as large as it was scanned, with its words over it."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import compress

import pikepdf
from pikepdf import Array, Dictionary, Matrix, Name, Object, Pdf
from PIL import Image

from docserver.model import Page, Reading, Rect
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode
from docserver.ocr.searchable.from_pdf import save
from docserver.ocr.searchable.geometry import LETTER, numbers, onto_page
from docserver.ocr.searchable.glyphless_font import BlankFont
from docserver.ocr.searchable.jpeg import Jpeg, described
from docserver.ocr.searchable.text_operators import text_layer

JPEG = "image/jpeg"

POINTS_PER_INCH = 72

USUAL_DPI = 300
"""Of pictures that do not tell: a scan becomes about as large as its paper, and a photo fits a sheet."""

LEAST_SIDE, LONGEST_SIDE = 3, 14_400
"""Points; viewers refuse other pages (ISO 32000-1, annex C)."""

PNG_LEVEL = 4
"""Of 9. A scanned page takes half the time of 6 and a tenth more room."""

COLOURS = {1: Name.DeviceGray, 3: Name.DeviceRGB, 4: Name.DeviceCMYK}

GROUP_4 = "group4"
STRIP_OFFSETS, STRIP_BYTES, ROWS_PER_STRIP, PHOTOMETRIC = 273, 279, 278, 262
BLACK_IS_ZERO = 1

UPRIGHT: dict[int, Matrix] = {
    1: Matrix(1, 0, 0, 1, 0, 0),
    2: Matrix(-1, 0, 0, 1, 1, 0),
    3: Matrix(-1, 0, 0, -1, 1, 1),
    4: Matrix(1, 0, 0, -1, 0, 1),
    5: Matrix(0, -1, -1, 0, 1, 1),
    6: Matrix(0, -1, 1, 0, 0, 1),
    7: Matrix(0, 1, 1, 0, 0, 0),
    8: Matrix(0, 1, -1, 0, 1, 0),
}
"""EXIF orientation → how the stored picture, a square from 0 to 1, is drawn as it is meant."""

LYING = range(5, 9)
"""Orientations that swap width and height."""


def write(source: str, content_type: str, *, pages: Sequence[Page], target: Path, max_pixels: int) -> None:
    """Write a PDF of these pages of a picture file; one that cannot be decoded is an empty sheet. Raises Unreadable."""
    with pikepdf.new() as pdf:
        font = BlankFont(pdf)
        for page in pages:
            try:
                image, shown, orientation = _image(pdf, source, content_type, page=page.number, max_pixels=max_pixels)
            except Unreadable:
                if page.reading:
                    raise
                pdf.add_blank_page(page_size=LETTER[2:])
            else:
                _add_page(pdf, page.reading, font, image=image, shown=shown, orientation=orientation)
        font.finish()
        save(pdf, target)


def _add_page(
    pdf: Pdf, reading: Reading | None, font: BlankFont, *, image: Object, shown: tuple[int, int], orientation: int
) -> None:
    """`shown` is the picture's size as it is meant, in pixels, which is what its page was read as."""
    area = _area(shown, reading.dpi if reading else None)
    drawing = UPRIGHT[orientation] @ Matrix(area[2], 0, 0, area[3], 0, 0)
    operators = f"q {numbers(drawing.shorthand, digits=4)} cm /Scan Do Q\n".encode()
    resources = Dictionary(XObject=Dictionary(Scan=image))
    rotation = 0
    if reading:
        rotation = reading.rotation
        place = onto_page((reading.width, reading.height), degrees=rotation, page_degrees=0, area=area)
        words, faces = text_layer(reading, place=place, encode=font.encode)
        operators += words
        resources[Name.Font] = Dictionary()
        for face in faces:
            resources[Name.Font][Name(f"/{face.name}")] = font.face(face)
    page = Dictionary(
        Type=Name.Page,
        MediaBox=Array([*area]),
        Rotate=rotation,
        Resources=resources,
        Contents=pdf.make_stream(compress(operators), Filter=Name.FlateDecode),
    )
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))


def _area(size: tuple[int, int], dpi: int | None) -> Rect:
    """The page as large as the paper was, as far as a PDF may have such pages."""
    points = POINTS_PER_INCH / (dpi or USUAL_DPI)
    points = min(max(points, LEAST_SIDE / min(size)), LONGEST_SIDE / max(size))
    return (0.0, 0.0, round(size[0] * points, 4), round(size[1] * points, 4))


def _image(
    pdf: Pdf, source: str, content_type: str, *, page: int, max_pixels: int
) -> tuple[Object, tuple[int, int], int]:
    """The picture as an object of the PDF, its size as it is meant, and the orientation that leads there."""
    if content_type == JPEG:
        with Path(source).open("rb") as file:
            jpeg = described(file)
            if jpeg:
                file.seek(0)
                orientation = decode.stored_orientation(file)
                size = (jpeg.height, jpeg.width) if orientation in LYING else (jpeg.width, jpeg.height)
                file.seek(0)
                return _jpeg(pdf, jpeg, file.read()), size, orientation
    image = decode.decode(source, content_type, page=page, max_pixels=max_pixels).image
    return (_black_and_white if image.mode == "1" else _deep)(pdf, image), image.size, 1


def _jpeg(pdf: Pdf, jpeg: Jpeg, data: bytes) -> Object:
    """The file's bytes as they are."""
    made = _stream(pdf, data, (jpeg.width, jpeg.height), COLOURS[jpeg.components], Filter=Name.DCTDecode)
    if jpeg.components == 4 and jpeg.adobe:
        made.Decode = Array([1, 0] * jpeg.components)
    return made


def _black_and_white(pdf: Pdf, image: Image.Image) -> Object:
    """As fax machines and archives keep it: the one strip of a TIFF that Pillow writes is what PDF wants."""
    file = io.BytesIO()
    image.save(file, "TIFF", compression=GROUP_4, tiffinfo={ROWS_PER_STRIP: image.height})
    with Image.open(file, formats=["TIFF"]) as written:
        tags: Any = getattr(written, "tag_v2", {})
        (start,), (length,) = tags[STRIP_OFFSETS], tags[STRIP_BYTES]
        inverted = tags[PHOTOMETRIC] == BLACK_IS_ZERO
    parameters = Dictionary(K=-1, Columns=image.width, Rows=image.height, BlackIs1=inverted)
    data = file.getvalue()[start : start + length]
    made = _stream(pdf, data, image.size, Name.DeviceGray, Filter=Name.CCITTFaxDecode, DecodeParms=parameters)
    made.BitsPerComponent = 1
    return made


def _deep(pdf: Pdf, image: Image.Image) -> Object:
    """Grey or colour without loss: the compressed rows of a PNG are what PDF's predictors are made for."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=PNG_LEVEL)
    colours = len(image.getbands())
    parameters = Dictionary(Predictor=15, Colors=colours, BitsPerComponent=8, Columns=image.width)
    return _stream(
        pdf,
        _png_rows(file.getvalue()),
        image.size,
        COLOURS[colours],
        Filter=Name.FlateDecode,
        DecodeParms=parameters,
    )


def _png_rows(png: bytes) -> bytes:
    """All IDAT chunks of a PNG that we wrote ourselves."""
    found, place = [], 8
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IDAT":
            found.append(png[place + 8 : place + 8 + length])
        place += length + 12
    return b"".join(found)


def _stream(pdf: Pdf, data: bytes, size: tuple[int, int], colours: Name, **more: Object | Name) -> Object:
    return pdf.make_stream(
        data,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=size[0],
        Height=size[1],
        ColorSpace=colours,
        BitsPerComponent=8,
        **more,
    )
