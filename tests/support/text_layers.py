"""Reads the text layer of a page of a PDF that a test has made."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import pytest
from PIL import Image

from docserver.layout import Word, words_of
from docserver.model import Reading
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import pdfium, text_layer
from docserver.ocr.pdf.verification.wrong_mappings import MappingCheck
from docserver.ocr.pdf.words.own_words import TextLayer
from docserver.ocr.recognition.tesseract import Layout
from docserver.ocr.recognition.tesseract_program import TesseractProgram

DPI = 150
MAX_PIXELS = 10_000_000


def read_words(picture: Image.Image) -> Iterable[Word]:
    """The words of a sample of fonts."""
    with TemporaryDirectory() as scratch:
        program = TesseractProgram(Path(scratch))
        return words_of(program.recognise(picture, dpi=300, languages="eng", layout=Layout.BLOCK).blocks)


CHECK = MappingCheck(read_words)
"""Shared by all tests, so that each glyph is judged once."""


def whole_layer(data: bytes, page: int = 1) -> TextLayer:
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with pdfium.opened(file.name) as document, CHECK.of_document(document) as fonts:
            document.init_forms()
            return text_layer.read(document, source=file.name, page=page, dpi=DPI, max_pixels=MAX_PIXELS, fonts=fonts)


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
