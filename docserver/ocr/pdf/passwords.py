"""Child side: the password of the PDF at hand, and what opens a PDF with it. An OCR process has one call at a time.

The password never leaves this process: poppler's programs, whose command lines others see, get a copy without it.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unicodedata import normalize

import pikepdf
from pikepdf import Pdf, StreamDecodeLevel

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable

ENCODINGS = ("utf-8", "pdfdoc_pikepdf")
"""Programs encode passwords by UTF-8 for AES-256 (ISO 32000-2, 7.6.4.3.3), and by PDFDocEncoding before that."""

_given: list[str] = []
"""The password of the present call, if there is one."""


@contextmanager
def given(password: str | None) -> Iterator[None]:
    """Open PDFs with this password during the block."""
    _given[:] = [password] if password else []
    try:
        yield
    finally:
        _given.clear()


def to_try() -> Sequence[bytes]:
    """What a PDF is opened with, one after the other: the bytes that the password may stand for, and at last none."""
    texts = [form for text in _given for form in (text, normalize("NFC", text), normalize("NFKC", text))]
    forms = [_encoded(text, encoding) for encoding in ENCODINGS for text in texts]
    # With an empty password, everybody may open the PDF, and the other one is for changing it.
    return [*dict.fromkeys(form for form in forms if form is not None), b""]


def _encoded(text: str, encoding: str) -> bytes | None:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return None


LOCKED = "The PDF can only be opened with a password. Send it as `password`, with a retry if the job has failed."


def refusal() -> Unreadable:
    """The error for a PDF that does not open, with the password or for want of one."""
    if _given:
        return Unreadable(DocumentErrorCode.WRONG_PASSWORD, "The PDF cannot be opened with this password.")
    return Unreadable(DocumentErrorCode.ENCRYPTED, LOCKED)


def open_pdf(source: str) -> Pdf:
    """Open a PDF by pikepdf; raises its PdfError, and Unreadable if the password is wrong or missing."""
    for password in to_try():
        try:
            return Pdf.open(source, password=password, suppress_warnings=True)
        except pikepdf.PasswordError:
            continue
    raise refusal()


@contextmanager
def for_programs(source: str) -> Iterator[str]:
    """The path of a PDF that opens without a password: of the file itself, or of a copy in the scratch directory during
    the block. Raises Unreadable.
    """
    if not _given:
        yield source
        return
    with tempfile.NamedTemporaryFile(suffix=".pdf") as copy:
        try:
            with open_pdf(source) as pdf:
                pdf.save(
                    Path(copy.name),
                    compress_streams=False,
                    stream_decode_level=StreamDecodeLevel.none,
                    encryption=False,
                )
            readable = copy.name
        except pikepdf.PdfError:
            # The password may not be needed, and the programs read some files that pikepdf does not.
            readable = source
        yield readable
