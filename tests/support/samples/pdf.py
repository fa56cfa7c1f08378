"""PDFs with a known text, scanned or born digital, locked or broken; no file and no network."""

import io
import time
from collections.abc import Sequence
from functools import cache

from tests.support.samples.pictures import DPI, TEXT, picture, saved

PASSWORD = "correct horse"

CREATED = time.gmtime(0)
"""Pillow would write the present time into PDFs, and every run would test other bytes."""


def pdf_scanned(texts: Sequence[str] = (TEXT,)) -> bytes:
    """A PDF as scanners write it: each page is one picture, and there is no text in it."""
    first, *rest = map(picture, texts)
    return saved(first, "PDF", resolution=DPI, save_all=True, append_images=rest, creationDate=CREATED, modDate=CREATED)


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """A PDF 1.7 of these objects, numbered from 1; the first is the catalogue (ISO 32000-1, 7.5)."""
    file = io.BytesIO()
    file.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(file.tell())
        file.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    table = file.tell()
    file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    file.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    file.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table))
    return file.getvalue()


def _pdf_content(text: str) -> bytes:
    """A content stream that shows the text's lines in 24 points near the top of an A4 page."""
    escaped = (line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.split("\n"))
    shown = " T* ".join(f"({line}) Tj" for line in escaped)
    stream = f"BT /F1 24 Tf 36 TL 72 720 Td {shown} ET".encode("ascii")
    return b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream)


def pdf_texts(texts: Sequence[str]) -> bytes:
    """A born-digital PDF of A4 pages in Helvetica, one page per text (ASCII)."""
    # Objects 1 to 3 are the catalogue, the page tree and the font; then each page is followed by its content.
    pages = range(4, 4 + 2 * len(texts), 2)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%b] >>" % (len(texts), b" ".join(b"%d 0 R" % page for page in pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for page, text in zip(pages, texts, strict=True):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (page + 1),
            _pdf_content(text),
        ]
    return pdf_of(objects)


def pdf_text(text: str = TEXT) -> bytes:
    """A born-digital PDF of one page."""
    return pdf_texts([text])


def page_text(number: int) -> str:
    """What stands on that page, counted from 1, of `pdf_pages`."""
    return f"This is page number {number}\nof a long document"


def pdf_pages(count: int) -> bytes:
    """A born-digital PDF of so many pages; `page_text` tells what stands on each."""
    return pdf_texts([page_text(number) for number in range(1, count + 1)])


# Salts and keys are drawn at random, so only the cache makes two calls in one run return the same bytes.
@cache
def _pdf_locked(text: str, *, user_password: str, owner_password: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_text(text))))
    writer.encrypt(user_password, owner_password, algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def pdf_encrypted(text: str = TEXT, password: str = PASSWORD) -> bytes:
    """A PDF (AES-256) that does not open without the password."""
    return _pdf_locked(text, user_password=password, owner_password=f"{password} of the owner")


def pdf_owner_locked(text: str = TEXT) -> bytes:
    """A PDF that opens without a password: only changing it takes one."""
    return _pdf_locked(text, user_password="", owner_password=PASSWORD)


def pdf_without_pages() -> bytes:
    return pdf_texts([])


def pdf_header_only() -> bytes:
    return b"%PDF-1.7\n"


def pdf_giant_page(right: int = 14_400, *, left: int = 0) -> bytes:
    """A blank square page: 200 inches a side, the most that ISO 32000-1 (annex C) knows, are 3.6 gigapixels."""
    return pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [%.1f %.1f %.1f %.1f] /Resources << >> >>"
            % (left, left, right, right),
        ]
    )
