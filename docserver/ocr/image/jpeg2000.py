"""Child side: decodes colour pictures in JPEG 2000 with more than 8 bits, which Pillow misreads, with PDFium."""

import io
from typing import Any, BinaryIO

import pypdfium2
from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable

CODESTREAM = b"\xff\x4f\xff\x51"
"""SOC and SIZ, with which a codestream begins (ITU-T T.800, A.4 and A.5)."""

CODESTREAM_WITHIN = 4 << 20
"""Bytes in which the codestream must begin. Only a colour profile can be large before it."""

CHANNELS_AT, DEPTHS_AT = 40, 42
"""Where the codestream has its number of channels, and then three bytes for each, of which the first is the depth."""


def depths(file: BinaryIO) -> list[int]:
    """The number of bits of each channel; none if the header is broken."""
    file.seek(0)
    head = file.read(CODESTREAM_WITHIN)
    start = head.find(CODESTREAM)
    if start < 0:
        return []
    channels = int.from_bytes(head[start + CHANNELS_AT : start + DEPTHS_AT])
    # The highest bit says that numbers have a sign.
    return [(depth & 0x7F) + 1 for depth in head[start + DEPTHS_AT : start + DEPTHS_AT + 3 * channels : 3]]


def misread(file: BinaryIO, size: tuple[int, int]) -> Image.Image | None:
    """The picture, of that size in pixels, if Pillow misreads it; None if Pillow reads it right. Raises Unreadable.

    Of several channels with more than 8 bits, Pillow rounds white up to 256, which is then taken for 0, so that white
    paper becomes black and what is opaque becomes transparent (seen in 13.0.0).
    """
    bits = depths(file)
    if len(bits) < 2 or max(bits) <= 8:
        return None
    if len(bits) == 3:
        return _decode(file, size)
    # PDFium does not tell transparency from colours.
    text = f"JPEG 2000 pictures of {len(bits)} channels with {max(bits)} bits cannot be read."
    raise Unreadable(DocumentErrorCode.UNSUPPORTED, text)


def _decode(file: BinaryIO, size: tuple[int, int]) -> Image.Image:
    """The picture, which must be of that size in pixels, as the only image in a PDF."""
    # Import it here, because no other picture needs it.
    import pikepdf
    from pikepdf import Dictionary, Name

    file.seek(0)
    target = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=size)
        image = pdf.make_stream(file.read(), Type=Name.XObject, Subtype=Name.Image, Filter=Name.JPXDecode)
        image.Width, image.Height = size
        pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(I=image))
        pdf.pages[0].obj.Contents = pdf.make_stream(b"/I Do")
        pdf.save(target)
    with pypdfium2.PdfDocument(target.getvalue()) as document:
        drawn: Any = next(iter(document[0].get_objects()))
        bitmap: Image.Image = drawn.get_bitmap().to_pil()
        return bitmap.convert("RGB").copy()
