"""Child side: tells from a decoder's error, and from the header of the file, what is wrong with a picture file."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import UnidentifiedImageError

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import heif_kinds, jpeg2000, jpeg_kinds

UNSUPPORTED_WORDS = ("unsupported", "not supported", "unable to determine image mode")
"""What messages of decoders contain if a file is sound, but they do not know its kind."""

HEIF = ("image/heic", "image/heif")


@contextmanager
def errors_as_unreadable(file: BinaryIO | None = None, content_type: str = "") -> Iterator[None]:
    """Turn an error of a decoder into Unreadable. The header of the file may tell that it is only unusual."""
    try:
        yield
    except (Unreadable, MemoryError):
        raise
    # For a broken file, decoders may raise almost any exception.
    except Exception as error:
        # Only errors of the operating system have an errno, such as that of a full disk. They are not the document's
        # fault, except EINVAL: it means that the document contains an impossible file offset.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        message = str(error).lower()
        kind = file and _unusual_kind(file, content_type)
        if kind:
            code, text = DocumentErrorCode.UNSUPPORTED, f"The file is {kind}, which cannot be read."
        elif any(word in message for word in UNSUPPORTED_WORDS):
            code, text = DocumentErrorCode.UNSUPPORTED, "The picture is coded in a way that cannot be read."
        elif isinstance(error, UnidentifiedImageError):
            code, text = DocumentErrorCode.CORRUPT, "The picture cannot be opened: its header is broken."
        elif "broken data stream" in message or "truncated" in message:
            code, text = DocumentErrorCode.CORRUPT, "The picture is broken or incomplete."
        else:
            code, text = DocumentErrorCode.CORRUPT, "The picture is broken and cannot be decoded."
        raise Unreadable(code, text, detail=repr(error)) from error


def _unusual_kind(file: BinaryIO, content_type: str) -> str | None:
    """What makes a sound file one that cannot be read; None if nothing does."""
    if content_type == "image/jpeg":
        return jpeg_kinds.unusual_kind(file)
    if content_type in HEIF:
        return heif_kinds.unusual_kind(file)
    if content_type == "image/jp2" and len(channels := jpeg2000.depths(file)) > 4:
        return f"a JPEG 2000 picture with {len(channels)} channels"
    return None
