"""Detects the media type of a file from its first bytes, and lists the supported types. Opens and decodes nothing."""

import re
from collections.abc import Mapping
from types import MappingProxyType

SUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "application/pdf": "PDF",
        "image/png": "PNG",
        "image/jpeg": "JPEG",
        "image/tiff": "TIFF",
        "image/webp": "WebP",
        "image/bmp": "BMP",
        "image/gif": "GIF",
        "image/jp2": "JPEG 2000",
        "image/heic": "HEIC",
        "image/heif": "HEIF",
        "image/avif": "AVIF",
    }
)
"""Media type → its common name."""

HEAD_BYTES = 4096
"""Number of bytes that `sniff` needs: the header of a PDF may begin anywhere in the first 1024 bytes, and the first
object comes after it."""

_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    # BigTIFF
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    # a bare JPEG 2000 codestream: SOC, then SIZ
    (b"\xff\x4f\xff\x51", "image/jp2"),
)

_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Sizes that the second header of a BMP may have. The first header, `BM`, proves nothing: a text may begin with it."""

_BRANDS: Mapping[bytes, str] = MappingProxyType(
    {
        b"avif": "image/avif",
        b"avis": "image/avif",
        **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"),
    }
)
"""Brands (ISO/IEC 23008-12) that name the coding of the image."""

_GENERIC_BRANDS = frozenset({b"mif1", b"msf1"})
"""Brands that name only the HEIF container. In such a file, a compatible brand names the coding."""

_PDF_HEADER_WITHIN = 1024
"""ISO 32000-1, annex H: readers accept the header anywhere in the first 1024 bytes."""

_BLANK = b"\x00\t\n\x0b\x0c\r \xef\xbb\xbf\xfe\xff"
"""White space and byte order marks, which editors and mail programs put before a PDF."""

_HARMLESS = (b"\x1b%-12345X", b"<br />\n<b>")
"""Starts of what is often before a PDF: commands of a print spooler (PJL), and a PHP script's warning."""

_PS_STYLE_HEADER = re.compile(rb"%!PS-Adobe-\S+ PDF-")
"""Header of a PDF from a producer that follows PostScript's conventions. Adobe's readers accept it (Adobe, "PDF
Reference, sixth edition", appendix H, note 13)."""

_MARKUP = b"<"
"""Start of HTML and XML, which servers put before a PDF by mistake."""

_PLAIN_HEADER = re.compile(
    rb"(?<![^\r\n])%PDF-\d\.\d(?:\s|%[^\r\n]*[\r\n])*\d+\s+\d+\s+obj\s*(?:%[^\r\n]*[\r\n]\s*)*<<", re.IGNORECASE
)
"""A header on a line of its own, with nothing but comments before the first object. In a page of HTML about PDF, other
words or `&lt;` stand there."""

_FOREIGN = (
    b"PK",
    b"MZ",
    b"\x7fELF",
    b"%!",
    b"#!",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
    b"\xd0\xcf\x11\xe0",
    b"\xca\xfe\xba\xbe",
    b"\xcf\xfa\xed\xfe",
    b"\x00asm",
    b"RIFF",
    b"OggS",
    b"ID3",
    b"fLaC",
    b"SQLite format 3",
    b"8BPS",
    b"\xc5\xd0\xd3\xc6",
)
"""A file that begins with one of these is no PDF, even if `%PDF-` follows: archives, programs, PostScript, …"""

_OBJECT = re.compile(rb"[\r\n]\s*\d+\s+\d+\s+obj\b")
_TEXT_BYTES = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\x0b\x0c\r")


def sniff(head: bytes) -> str | None:
    """The media type of a file that begins with `head` (HEAD_BYTES, or the whole file); None if it is not supported."""
    for magic, media_type in _MAGICS:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    return "application/pdf" if _is_pdf(head) else None


def _iso_media(head: bytes) -> str | None:
    """The type of an ISO base media file by its brands; None for videos and camera raws."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    if major in _BRANDS:
        return _BRANDS[major]
    if major not in _GENERIC_BRANDS:
        return None
    for start in range(16, size - 3, 4):
        brand = head[start : start + 4]
        if brand in _BRANDS:
            return _BRANDS[brand]
    return "image/heif"


def _is_pdf(head: bytes) -> bool:
    start = head.find(b"%PDF", 0, _PDF_HEADER_WITHIN + len(b"%PDF") - 1)
    if start < 0:
        return _PS_STYLE_HEADER.match(head.lstrip(_BLANK)) is not None or _has_plain_header(head)
    before = head[:start].lstrip(_BLANK)
    # Some readers do not need the version. But a text or program may begin with the same letters, such as %PDFTEX.
    if not head.startswith(b"-", start + len(b"%PDF")) and not _OBJECT.search(head, start):
        return False
    if not before or before.startswith(_HARMLESS):
        return True
    if _is_foreign(head) or before.startswith(_MARKUP):
        return _has_plain_header(head)
    # If text precedes the header, it may be a text about PDF, in which no object follows at the start of a line.
    return any(byte not in _TEXT_BYTES for byte in before) or _OBJECT.search(head, start) is not None


def _has_plain_header(head: bytes) -> bool:
    """True if a header that may be in lower case is followed by an object, as in a PDF and not in a text about one."""
    header = _PLAIN_HEADER.search(head)
    return header is not None and header.start() < _PDF_HEADER_WITHIN and not _is_foreign(head)


def _is_foreign(head: bytes) -> bool:
    # Some entries of _FOREIGN start with blank bytes, so compare the file both with and without its leading blanks.
    return any(start.startswith(_FOREIGN) or start[4:8] == b"ftyp" for start in (head, head.lstrip(_BLANK)))
