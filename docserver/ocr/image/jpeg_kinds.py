"""Child side: recognises JPEGs that are sound, but of a kind that Pillow cannot decode. Decodes nothing."""

from typing import BinaryIO

FRAMES = {
    0xC3: "a lossless JPEG",
    0xC5: "a hierarchical JPEG",
    0xC6: "a hierarchical JPEG",
    0xC7: "a hierarchical JPEG",
    0xCB: "a lossless JPEG",
    0xCD: "a hierarchical JPEG",
    0xCE: "a hierarchical JPEG",
    0xCF: "a hierarchical JPEG",
    0xF7: "a JPEG-LS picture",
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
            # This is a fill byte before the marker.
            file.seek(-3, 1)
        elif marker in FRAMES:
            return FRAMES[marker]
        elif marker in ORDINARY_FRAMES:
            bits, components = file.read(1), file.read(5)[4:]
            if bits not in (b"", b"\x08"):
                return f"a JPEG with {bits[0]} bits a channel"
            if components not in (b"", b"\x01", b"\x03", b"\x04"):
                return f"a JPEG with {components[0]} channels"
            return None
        else:
            file.seek(int.from_bytes(head[2:]) - 2, 1)
    return None
