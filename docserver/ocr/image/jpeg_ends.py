"""Child side: adds the end to a JPEG that lacks nothing else, as other readers do. Pillow takes it for incomplete."""

import io
from pathlib import Path

from PIL import Image

END = b"\xff\xd9"
FILLER = b"\x5a" * 4096
"""Data of a picture that shows something. A complete picture is the same with it, because readers skip it."""


def completed(source: str) -> io.BytesIO | None:
    """The JPEG with an end marker; None if its picture is incomplete."""
    data = Path(source).read_bytes()
    whole, filled = io.BytesIO(data + END), io.BytesIO(data + FILLER + END)
    with Image.open(whole, formats=["JPEG"]) as one, Image.open(filled, formats=["JPEG"]) as other:
        is_complete = one.tobytes() == other.tobytes()
    whole.seek(0)
    return whole if is_complete else None
