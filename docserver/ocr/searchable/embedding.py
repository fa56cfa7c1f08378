"""Child side: puts images into a PDF: as the bytes of a JPEG, in black and white, without loss, or with some."""

import io
import struct
from typing import Any

from pikepdf import Array, Dictionary, Name, Object, Pdf
from PIL import Image, ImageChops

from docserver.ocr.searchable.jpeg import JpegHeader

PNG_LEVEL = 4
"""Compression level, from 0 to 9. A scanned page takes half the time of level 6, and a tenth more space."""

COLOUR_SPACES = {1: Name.DeviceGray, 3: Name.DeviceRGB, 4: Name.DeviceCMYK}

GROUP_4 = "group4"
STRIP_OFFSETS, STRIP_BYTES, ROWS_PER_STRIP, PHOTOMETRIC = 273, 279, 278, 262
BLACK_IS_ZERO = 1

FINE = 92
"""Quality of a JPEG for which none was asked: no difference is seen, even if it is enlarged."""

MUCH_SMALLER = 0.5
"""What is stored without loss stays so unless a JPEG takes less than this share: then it is a photo."""


def jpeg(pdf: Pdf, header: JpegHeader, data: bytes) -> Object:
    """Embed the bytes of a JPEG file unchanged."""
    size = (header.width, header.height)
    image = _image(pdf, data, size, COLOUR_SPACES[header.components], Filter=Name.DCTDecode)
    if header.components == 4 and header.adobe:
        image.Decode = Array([1, 0] * header.components)
    return image


def bilevel(pdf: Pdf, image: Image.Image) -> Object:
    """Embed a black and white image with fax compression. Pillow writes a TIFF with one strip, which PDF accepts."""
    file = io.BytesIO()
    image.save(file, "TIFF", compression=GROUP_4, tiffinfo={ROWS_PER_STRIP: image.height})
    with Image.open(file, formats=["TIFF"]) as tiff:
        tags: Any = getattr(tiff, "tag_v2", {})
        (start,), (length,) = tags[STRIP_OFFSETS], tags[STRIP_BYTES]
        black_is_1 = tags[PHOTOMETRIC] == BLACK_IS_ZERO
    parameters = Dictionary(K=-1, Columns=image.width, Rows=image.height, BlackIs1=black_is_1)
    strip = file.getvalue()[start : start + length]
    embedded = _image(pdf, strip, image.size, Name.DeviceGray, Filter=Name.CCITTFaxDecode, DecodeParms=parameters)
    embedded.BitsPerComponent = 1
    return embedded


def lossless(pdf: Pdf, image: Image.Image) -> Object:
    """Embed an image as the compressed rows of a PNG. PDF's predictors can decode these rows."""
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


def smaller(pdf: Pdf, image: Image.Image, *, quality: int) -> Object:
    """Embed a grey or RGB image without loss or as a JPEG of this quality, whichever is smaller."""
    exact = lossless(pdf, image)
    compressed = compress(image, quality=quality)
    return exact if len(exact.read_raw_bytes()) <= len(compressed) else _compressed(pdf, image, compressed)


def fine(pdf: Pdf, image: Image.Image) -> Object:
    """Embed a grey or RGB image so that no difference is seen, and without loss unless that takes much more space."""
    exact = lossless(pdf, image)
    compressed = compress(image, quality=FINE)
    if len(compressed) >= MUCH_SMALLER * len(exact.read_raw_bytes()):
        return exact
    return _compressed(pdf, image, compressed)


def compress(image: Image.Image, *, quality: int) -> bytes:
    """The bytes of a JPEG."""
    file = io.BytesIO()
    # Letters in colours lose their edges where several pixels share a colour.
    image.save(file, "JPEG", quality=quality, optimize=True, subsampling=0 if quality >= FINE else 2)
    return file.getvalue()


def in_grey_if_possible(image: Image.Image) -> Image.Image:
    """An RGB image in grey if it has no colours."""
    red, green, blue = image.split()
    is_grey = not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))
    return red if is_grey else image


def _compressed(pdf: Pdf, image: Image.Image, data: bytes) -> Object:
    return _image(pdf, data, image.size, COLOUR_SPACES[len(image.getbands())], Filter=Name.DCTDecode)


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
