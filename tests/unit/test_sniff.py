"""Media types are told by content alone."""

import pytest

from docserver.sniff import HEAD_BYTES, SUPPORTED, sniff


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"II+\0\x08\0\0\0", "image/tiff"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "image/bmp"),
        (b"GIF89a\x01\0\x01\0", "image/gif"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
        (b"\xff\x4f\xff\x51\0\x2f", "image/jp2"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "image/heif"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", "image/avif"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "application/pdf"),
    ],
)
def test_every_supported_type_is_told_by_its_first_bytes(head: bytes, media_type: str) -> None:
    assert sniff(head) == media_type
    assert media_type in SUPPORTED


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"/etc/passwd\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\xc5\xd0\xd3\xc6 binary EPS",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"PK\x03\x04",
        b"BMW is a make of cars, and this is a text",
        b"\0\0\0\x18ftypisom\0\0\0\0mp42mp41",
        b"RIFF\x10\0\0\0WAVEfmt ",
    ],
)
def test_what_is_no_picture_and_no_pdf_is_nothing(head: bytes) -> None:
    assert sniff(head) is None


@pytest.mark.parametrize(
    "before",
    [
        b"\xef\xbb\xbf",
        b"\r\n\n",
        b"\0" * 128,
        b"\x1b%-12345X@PJL SET COPIES=1\r\n",
        b"\x93\x01junk\n",
        b"Content-Type: application/pdf\r\n\r\n",
        b"a remark on the same line ",
        b"<br />\n<b>Warning</b>: Undefined variable\n",
        b"[2024-03-14 09:00] saved\n",
        b"x" * 1023,
        b"<!DOCTYPE html>\n",
        b"\n <html><head><title>Download</title></head>\n",
        b'<?xml version="1.0"?>\r\n',
    ],
)
def test_a_pdf_with_something_harmless_before_its_header_is_a_pdf(before: bytes) -> None:
    assert sniff(before + b"%PDF-1.4\n1 0 obj\n<< >>") == "application/pdf"


@pytest.mark.parametrize(
    "header", [b"%pdf-1.3\n", b"%Pdf-1.7\r%\xe2\xe3\xcf\xd3\r", b"junk\n%pdf-1.4\n% made by hand\n"]
)
def test_the_header_of_a_pdf_may_be_in_lower_case(header: bytes) -> None:
    assert sniff(header + b"\n1 0 obj\n<< /Type /Catalog >>") == "application/pdf"


@pytest.mark.parametrize(
    "before",
    [b"PK\x03\x04\0\0", b"MZ\x90\0", b"\x7fELF\x02", b"%!PS\n", b"\n#!/bin/sh\n", b"#!/bin/sh\n"],
)
@pytest.mark.parametrize("header", [b"%PDF-1.4", b"%pdf-1.4"])
def test_a_file_of_another_kind_with_a_pdf_inside_is_no_pdf(before: bytes, header: bytes) -> None:
    assert sniff(before + header + b"\n1 0 obj\n<< >>") is None


def test_a_picture_with_a_pdf_inside_is_a_picture() -> None:
    assert sniff(b"\x89PNG\r\n\x1a\n%PDF-1.4\n1 0 obj\n") == "image/png"


@pytest.mark.parametrize("header", [b"%PDF-", b"%PDF-1.", b"%PDF-0.9", b"%PDF-25", b"%PDF-a.b", b"%PDF", b"%PDF 1.4"])
def test_the_version_in_the_header_of_a_pdf_does_not_matter(header: bytes) -> None:
    assert sniff(header + b"\n1 0 obj\n") == "application/pdf"


@pytest.mark.parametrize("header", [b"%!PS-Adobe-3.0 PDF-1.4\n", b"\n%!PS-Adobe-N.n PDF-M.m\r"])
def test_a_pdf_header_in_the_style_of_postscript_is_one(header: bytes) -> None:
    assert sniff(header + b"1 0 obj\n") == "application/pdf"


@pytest.mark.parametrize(
    "text",
    [
        b"Every file begins with\n%PDF-1.4 or so.\n",
        b"%PDFTEX draws it\n",
        b"%PDF is the start of it.\n",
        b'sample = b"%PDF-1.4\\n1 0 obj\\n"\n',
        b'{"start": "%PDF-1.4\\n1 0 obj"}',
        b"%pdf-1.4 is written in capitals.\n1 0 obj\n<< >>",
        b"<!DOCTYPE html>\n<p>Every file begins with\n%PDF-1.4 or so.</p>\n",
        b"<html><pre>\n%PDF-1.4\n1 0 obj\n&lt;&lt; /Type /Catalog &gt;&gt;\n</pre>",
        b"<html><pre>%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\n</pre>",
        b"<html>" + b"<p>text</p>" * 100 + b"\n%PDF-1.4\n1 0 obj\n<< >>",
    ],
)
def test_a_text_about_pdf_is_no_pdf(text: bytes) -> None:
    assert sniff(text) is None


def test_a_pdf_header_beyond_the_first_1024_bytes_is_not_looked_for() -> None:
    assert sniff(bytes(1023) + b"%PDF-1.4\n") == "application/pdf"
    assert sniff(bytes(1024) + b"%PDF-1.4\n") is None
    assert 1024 + len(b"%PDF-1.4") < HEAD_BYTES
