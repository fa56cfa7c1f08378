"""Child side: reads headers of JPEG 2000, and decodes with PDFium what Pillow misreads: colours of more than 8 bits."""

import io
from typing import IO, Any, BinaryIO

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

ORIGIN_AT, ORIGIN_BYTES = 16, 8
"""Where the codestream has the place of the picture, 0, 0 in most files."""

SIZ_AT = 2
"""Where the first segment begins. A segment has a marker, and then its length without the marker, of two bytes each."""

CODING, CODING_OF_CHANNEL, FIRST_TILE = b"\xff\x52", b"\xff\x53", b"\xff\x90"
"""The markers COD, COC and SOT (A.6.1, A.6.2 and A.4.2)."""

VERSIONS_AT = 9
"""Where COD has the number of smaller versions of the picture that can be decoded, each half as wide as the last."""


def depths(file: BinaryIO) -> list[int]:
    """The number of bits of each channel; none if the header is broken."""
    codestream = _codestream(file)
    channels = int.from_bytes(codestream[CHANNELS_AT:DEPTHS_AT])
    # The highest bit says that numbers have a sign.
    return [(depth & 0x7F) + 1 for depth in codestream[DEPTHS_AT : DEPTHS_AT + 3 * channels : 3]]


def halvings(file: IO[bytes], size: tuple[int, int], *, most: int) -> int:
    """How often Pillow can halve the picture, of that size in pixels, while it is decoded; `most` at most."""
    codestream = _codestream(file)
    channels = int.from_bytes(codestream[CHANNELS_AT:DEPTHS_AT])
    samplings = codestream[DEPTHS_AT : DEPTHS_AT + 3 * channels]
    if any(codestream[ORIGIN_AT : ORIGIN_AT + ORIGIN_BYTES]) or set(samplings[1::3] + samplings[2::3]) != {1}:
        return 0
    number = min(most, _smaller_versions(codestream))
    # Pillow rounds halves up, and OpenJPEG everything.
    while any(side + (1 << number >> 1) >> number != -(-side >> number) for side in size):
        number -= 1
    return number


def _smaller_versions(codestream: bytes) -> int:
    """The number of smaller versions of a picture; 0 if its channels may have different numbers."""
    number, position = 0, SIZ_AT
    while (marker := codestream[position : position + 2]) not in (b"", FIRST_TILE, CODING_OF_CHANNEL):
        if marker == CODING:
            number = int.from_bytes(codestream[position + VERSIONS_AT : position + VERSIONS_AT + 1])
        position += 2 + int.from_bytes(codestream[position + 2 : position + 4])
    return number if marker == FIRST_TILE else 0


def _codestream(file: IO[bytes]) -> bytes:
    """The beginning of the codestream; nothing if there is none."""
    file.seek(0)
    head = file.read(CODESTREAM_WITHIN)
    start = head.find(CODESTREAM)
    return head[start:] if start >= 0 else b""


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
