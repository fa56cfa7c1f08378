"""The small documents that tests upload, each made on the spot with a text that is known: all kinds in one place."""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tests.support.samples.heic import HEIC_TEXT
from tests.support.samples.pdf import (
    PASSWORD,
    page_text,
    pdf_encrypted,
    pdf_giant_page,
    pdf_header_only,
    pdf_owner_locked,
    pdf_pages,
    pdf_scanned,
    pdf_text,
    pdf_texts,
    pdf_without_pages,
)
from tests.support.samples.pictures import (
    DPI,
    TEXT,
    avif,
    bmp,
    gif,
    heic,
    jpeg,
    jpeg2000,
    jpeg_turned,
    picture,
    png,
    png_bomb,
    tiff,
    tiff_1bit,
    tiff_16bit,
    tiff_cmyk,
    tiff_lab,
    tiff_looping_pages,
    tiff_pages,
    webp,
)

__all__ = [
    "BROKEN",
    "DPI",
    "HEIC_TEXT",
    "KINDS",
    "PAGES",
    "PASSWORD",
    "TEXT",
    "UNSUPPORTED",
    "Sample",
    "avif",
    "bmp",
    "empty",
    "eps",
    "gif",
    "heic",
    "jpeg",
    "jpeg2000",
    "jpeg_turned",
    "page_text",
    "pdf_encrypted",
    "pdf_giant_page",
    "pdf_header_only",
    "pdf_owner_locked",
    "pdf_pages",
    "pdf_scanned",
    "pdf_text",
    "pdf_texts",
    "pdf_without_pages",
    "picture",
    "png",
    "png_bomb",
    "svg",
    "text_named_png",
    "tiff",
    "tiff_1bit",
    "tiff_16bit",
    "tiff_cmyk",
    "tiff_lab",
    "tiff_looping_pages",
    "tiff_pages",
    "truncated",
    "webp",
    "words",
    "zip_",
]


@dataclass(frozen=True, slots=True)
class Sample:
    """A document and what a reader finds in it: one text per page, empty for documents that cannot be read."""

    filename: str
    content_type: str
    data: Callable[[], bytes]
    texts: tuple[str, ...] = (TEXT,)

    @property
    def text(self) -> str:
        """The text of all pages, with a form feed between two."""
        return "\f".join(self.texts)


def words(text: str) -> list[str]:
    """The words in their order, for comparisons that do not care for line breaks."""
    return text.split()


def truncated(data: bytes) -> bytes:
    """The first half, as after a broken transfer."""
    return data[: len(data) // 2]


def text_named_png(path: str = "/etc/hostname") -> bytes:
    """A text that is a path: a naive `tesseract upload.png` takes it as a list of pictures and reads that file."""
    return f"{path}\n".encode()


def eps() -> bytes:
    """PostScript, which some readers hand to an interpreter."""
    return (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 50\n/Helvetica findfont 24 scalefont setfont\n"
        b"10 10 moveto (text) show\nshowpage\n%%EOF\n"
    )


def svg() -> bytes:
    return (
        b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50">'
        b'<text x="10" y="30">text</text></svg>\n'
    )


def zip_() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("page.png", date_time=(1980, 1, 1, 0, 0, 0)), png())
    return file.getvalue()


def empty() -> bytes:
    return b""


PAGES = ("The first page speaks of apples", "The second page speaks of bread", "The third page speaks of candles")

KINDS: Mapping[str, Sample] = MappingProxyType(
    {
        "png": Sample("note.png", "image/png", png),
        "jpeg": Sample("note.jpg", "image/jpeg", jpeg),
        "jpeg_turned": Sample("turned.jpg", "image/jpeg", jpeg_turned),
        "tiff": Sample("note.tif", "image/tiff", tiff),
        "tiff_pages": Sample("pages.tiff", "image/tiff", lambda: tiff_pages(PAGES), PAGES),
        "tiff_1bit": Sample("fax.tif", "image/tiff", tiff_1bit),
        "tiff_16bit": Sample("deep.tif", "image/tiff", tiff_16bit),
        "tiff_cmyk": Sample("print.tif", "image/tiff", tiff_cmyk),
        "tiff_lab": Sample("lab.tif", "image/tiff", tiff_lab),
        "webp": Sample("note.webp", "image/webp", webp),
        "bmp": Sample("note.bmp", "image/bmp", bmp),
        "gif": Sample("note.gif", "image/gif", gif),
        "jpeg2000": Sample("note.jp2", "image/jp2", jpeg2000),
        "avif": Sample("note.avif", "image/avif", avif),
        "heic": Sample("photo.heic", "image/heic", heic, (HEIC_TEXT,)),
        "pdf_scanned": Sample("scan.pdf", "application/pdf", lambda: pdf_scanned(PAGES), PAGES),
        "pdf_text": Sample("letter.pdf", "application/pdf", pdf_text),
        "pdf_pages": Sample("report.pdf", "application/pdf", lambda: pdf_pages(3), tuple(map(page_text, (1, 2, 3)))),
        "pdf_owner_locked": Sample("locked.pdf", "application/pdf", pdf_owner_locked),
    }
)
"""Every kind of document that is read, with its text."""

BROKEN: Mapping[str, Sample] = MappingProxyType(
    {
        "png_truncated": Sample("cut.png", "image/png", lambda: truncated(png()), ()),
        "png_bomb": Sample("bomb.png", "image/png", png_bomb, ()),
        "tiff_looping_pages": Sample("loop.tif", "image/tiff", tiff_looping_pages, ()),
        "pdf_truncated": Sample("cut.pdf", "application/pdf", lambda: truncated(pdf_scanned()), ()),
        "pdf_without_pages": Sample("none.pdf", "application/pdf", pdf_without_pages, ()),
        "pdf_header_only": Sample("header.pdf", "application/pdf", pdf_header_only, ()),
        "pdf_giant_page": Sample("giant.pdf", "application/pdf", pdf_giant_page, ()),
        "pdf_encrypted": Sample("secret.pdf", "application/pdf", pdf_encrypted, ()),
    }
)
"""Documents of a kind that is read, of which some or all pages cannot be; the service must survive each."""

UNSUPPORTED: Mapping[str, Sample] = MappingProxyType(
    {
        "text_named_png": Sample("note.png", "image/png", text_named_png, ()),
        "eps": Sample("drawing.png", "image/png", eps, ()),
        "svg": Sample("drawing.svg", "image/svg+xml", svg, ()),
        "zip": Sample("pages.zip", "application/zip", zip_, ()),
        "empty": Sample("empty.png", "image/png", empty, ()),
    }
)
"""Files of no kind that is read, whatever their name or declared type says."""
