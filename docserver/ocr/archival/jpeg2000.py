"""Child side: checks the header of a JPEG 2000 image (ISO 19005-2, 6.2.8.3)."""

import struct
from collections.abc import Iterator

from docserver.ocr.archival.unfit import Unfit

SIGNATURE = b"\x00\x00\x00\x0cjP  "
CHANNELS = (1, 3, 4)
METHODS = (1, 2, 3)
MAX_BITS = 38
CIE_JAB, CMYK = 19, 12
"""Enumerated colour spaces: one that is not allowed, and one that the output intent does not explain."""
ENUMERATED = 1


def check_jpeg2000(data: bytes, *, has_colour_space: bool) -> None:
    """Raise Unfit unless the image is allowed. `has_colour_space`: the PDF says which colours are meant."""
    if not data.startswith(SIGNATURE):
        raise Unfit("a JPEG 2000 image has no header")
    try:
        header = next(body for kind, body in _boxes(data) if kind == b"jp2h")
        boxes = list(_boxes(header))
        image = next(body for kind, body in boxes if kind == b"ihdr")
        _, _, channels, bits = struct.unpack_from(">IIHB", image)
    except (StopIteration, struct.error) as error:
        raise Unfit("a JPEG 2000 image has no header") from error
    if channels not in CHANNELS or not 1 <= (bits & 0x7F) + 1 <= MAX_BITS or any(kind == b"bpcc" for kind, _ in boxes):
        raise Unfit("a JPEG 2000 image has channels that are not allowed")
    if not has_colour_space:
        _check_colours([body for kind, body in boxes if kind == b"colr"])


def _check_colours(specifications: list[bytes]) -> None:
    if len(specifications) != 1 or len(specifications[0]) < 3 or specifications[0][0] not in METHODS:
        raise Unfit("a JPEG 2000 image does not say its colours")
    (only,) = specifications
    if only[0] == ENUMERATED and int.from_bytes(only[3:7]) in (CIE_JAB, CMYK):
        raise Unfit("a JPEG 2000 image has colours that are not allowed")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = 0
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        start = offset + 8
        if length == 1 and start + 8 <= len(data):
            length, start = int.from_bytes(data[start : start + 8]), start + 8
        end = len(data) if length == 0 else offset + length
        if end < start:
            return
        yield kind, data[start:end]
        offset = end
