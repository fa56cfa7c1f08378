"""Child side: reads the header of a JPEG file: the values that a PDF must state to embed it. Decodes nothing."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

START_OF_IMAGE = b"\xff\xd8"
FILL = 0xFF
ADOBE_SEGMENT = 0xEE
START_OF_SCAN = 0xDA

DCT_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Markers of baseline, extended and progressive frames, which DCTDecode supports (ISO 32000-1, 7.4.8)."""

UNSUPPORTED_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of lossless, hierarchical and arithmetic frames. The three excluded markers are tables, not frames."""

COMPONENTS = (1, 3, 4)
BITS = 8

MAX_SEGMENTS = 5000
"""Most segments before the frame. The largest colour profile, with 16 MB, needs 256."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    width: int
    height: int
    components: int
    adobe: bool
    """True if the file follows Adobe's convention of storing CMYK colours inverted."""


def read_header(file: BinaryIO) -> JpegHeader | None:
    """Read the header; None if the file cannot be embedded in a PDF without change."""
    if file.read(2) != START_OF_IMAGE:
        return None
    adobe = False
    for _ in range(MAX_SEGMENTS):
        marker = _marker(file)
        if marker is None or marker in UNSUPPORTED_FRAMES or marker == START_OF_SCAN:
            return None
        head = file.read(2)
        length = int.from_bytes(head) - 2
        if len(head) < 2 or length < 0:
            return None
        body = file.read(length)
        if marker in DCT_FRAMES:
            return _frame(body, adobe=adobe)
        adobe = adobe or (marker == ADOBE_SEGMENT and body.startswith(b"Adobe"))
    return None


def _marker(file: BinaryIO) -> int | None:
    if file.read(1) != b"\xff":
        return None
    byte = file.read(1)
    while byte and byte[0] == FILL:
        byte = file.read(1)
    return byte[0] if byte else None


def _frame(body: bytes, *, adobe: bool) -> JpegHeader | None:
    if len(body) < 6:
        return None
    bits, height, width, components = struct.unpack_from(">BHHB", body)
    if bits != BITS or components not in COMPONENTS or not width or not height:
        return None
    return JpegHeader(width, height, components, adobe)
