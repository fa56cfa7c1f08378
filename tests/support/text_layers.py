"""Reads the text layer of a page of a PDF that a test has made."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2

from docserver.ocr.pdf import text_layer
from docserver.ocr.pdf.text_layer import TextLayer

DPI = 150


@contextmanager
def opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(io.BytesIO(data))
    document.init_forms()
    try:
        yield document
    finally:
        document.close()


def layer(data: bytes, page: int = 1) -> TextLayer:
    with opened(data) as document:
        width, height = (math.ceil(side * DPI / 72) for side in document[page - 1].get_size())
        return text_layer.read(document, page=page, width=width, height=height)
