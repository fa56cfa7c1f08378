"""Child side: recognises HEIF files that are sound, but whose coding this libheif cannot decode. Decodes nothing."""

import re
from typing import BinaryIO

HEAD_BYTES = 1 << 20
"""Where the list of a file's items is looked for."""

ITEM = re.compile(rb"infe(?:\x02...[\s\S]{4}|\x03...[\s\S]{6})([a-z0-9]{4})", re.DOTALL)
"""An entry in the list: version, flags, number, protection, type (ISO/IEC 14496-12, 8.11.6)."""

CODINGS = {
    b"unci": "without compression",
    b"jpeg": "with JPEG inside",
    b"j2k1": "with JPEG 2000 inside",
    b"avc1": "with H.264 inside",
    b"vvc1": "with H.266 inside",
    b"evc1": "with EVC inside",
    b"av01": "with AV1 inside",
}


def unusual_kind(file: BinaryIO) -> str | None:
    """What is unusual in a HEIF file; None if that is nothing, or if its header is broken."""
    file.seek(0)
    codings = [CODINGS[item] for item in ITEM.findall(file.read(HEAD_BYTES)) if item in CODINGS]
    return f"a HEIF picture {codings[0]}" if codings else None
