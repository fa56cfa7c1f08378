"""Reads the text layer of a page of a PDF that a test has made."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2

from docserver.model import Reading
from docserver.ocr.pdf import text_layer
from docserver.ocr.pdf.text_layer import TextLayer

DPI = 150
MAX_PIXELS = 10_000_000


@contextmanager
def opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(io.BytesIO(data))
    document.init_forms()
    try:
        yield document
    finally:
        document.close()


def whole_layer(data: bytes, page: int = 1) -> TextLayer:
    with opened(data) as document:
        return text_layer.read(document, page=page, dpi=DPI, max_pixels=MAX_PIXELS)


def layer(data: bytes, page: int = 1) -> Reading:
    """The reading of a page that needs no OCR."""
    read = whole_layer(data, page)
    assert read.patches is None
    return read.reading()
