"""Child side: what a JPEG file says of itself, as far as a PDF that takes its bytes over must know. Decodes nothing."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

START_OF_IMAGE = b"\xff\xd8"
FILL = 0xFF
ADOBE_SEGMENT = 0xEE
START_OF_SCAN = 0xDA

FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive: what DCTDecode knows (ISO 32000-1, 7.4.8)."""

OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Lossless, hierarchical and arithmetic ones; the three are tables."""

COMPONENTS = (1, 3, 4)
BITS = 8

MOST_SEGMENTS = 5000
"""A profile of 16 MB comes in 256 parts; more than this is not a picture's head."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    width: int
    height: int
    components: int
    adobe: bool
    """Written by Adobe's rules, by which four colours are stored inverted."""


def described(file: BinaryIO) -> Jpeg | None:
    """None if a PDF could not take the file over as it is."""
    if file.read(2) != START_OF_IMAGE:
        return None
    adobe = False
    for _ in range(MOST_SEGMENTS):
        marker = _marker(file)
        if marker is None or marker in OTHER_FRAMES or marker == START_OF_SCAN:
            return None
        head = file.read(2)
        length = int.from_bytes(head) - 2
        if len(head) < 2 or length < 0:
            return None
        body = file.read(length)
        if marker in FRAMES:
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


def _frame(body: bytes, *, adobe: bool) -> Jpeg | None:
    if len(body) < 6:
        return None
    bits, height, width, components = struct.unpack_from(">BHHB", body)
    if bits != BITS or components not in COMPONENTS or not width or not height:
        return None
    return Jpeg(width, height, components, adobe)
