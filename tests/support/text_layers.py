"""Reads the text layer of a page of a PDF that a test has made."""

from tempfile import NamedTemporaryFile

import pytest

from docserver.model import Reading
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import pdfium, text_layer
from docserver.ocr.pdf.own_words import TextLayer

DPI = 150
MAX_PIXELS = 10_000_000


def whole_layer(data: bytes, page: int = 1) -> TextLayer:
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with pdfium.opened(file.name) as document:
            document.init_forms()
            return text_layer.read(document, source=file.name, page=page, dpi=DPI, max_pixels=MAX_PIXELS)


def layer(data: bytes, page: int = 1) -> Reading:
    """The reading of a page that needs no OCR."""
    read = whole_layer(data, page)
    assert read.patches is None
    return read.reading()


def beside_patches(data: bytes) -> str:
    """The text of a page of which parts need OCR."""
    read = whole_layer(data)
    assert read.patches is not None
    return read.reading().text


def refusal(data: bytes, page: int = 1) -> str:
    with pytest.raises(TextLayerRejected) as refused:
        whole_layer(data, page)
    return str(refused.value)
