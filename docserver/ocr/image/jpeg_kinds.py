"""Child side: tells JPEGs that are sound, but of a kind that Pillow cannot decode. Decodes nothing."""

from typing import BinaryIO

FRAMES = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical",
    0xCB: "lossless",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical",
    0xF7: "JPEG-LS",
}
"""Markers of frames (ITU-T T.81, table B.1, and T.87) that are rare outside medicine."""

ORDINARY_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
START_OF_SCAN = 0xDA


def unusual_kind(file: BinaryIO) -> str | None:
    """What is unusual in a JPEG; None if that is nothing, or if its header is broken."""
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != START_OF_SCAN:
        marker = head[1]
        if marker == 0xFF:
            # a fill byte before the marker
            file.seek(-3, 1)
        elif marker in FRAMES:
            return FRAMES[marker]
        elif marker in ORDINARY_FRAMES:
            bits, components = file.read(1), file.read(5)[4:]
            if bits not in (b"", b"\x08"):
                return f"{bits[0]} bits a channel"
            return f"{components[0]} channels" if components not in (b"", b"\x01", b"\x03", b"\x04") else None
        else:
            file.seek(int.from_bytes(head[2:]) - 2, 1)
    return None
