"""Child side: what an OCR process is asked to do with a document, once it is bounded."""

from functools import cache
from pathlib import Path

from docserver.errors import DocumentErrorCode
from docserver.model import AUTO, Options, Reading, pack_blocks
from docserver.ocr import images, pdf, reading, textlayer
from docserver.ocr.engine import LIBRARY
from docserver.ocr.faults import Unreadable
from docserver.ocr.limits import Limits, Opened
from docserver.ocr.tesseract import Tesseract

PDF = "application/pdf"


def load(limits: Limits) -> None:
    """Load what takes a while, so that the first document need not wait for it."""
    _tesseract(limits.binding, limits.tessdata, limits.scratch)


def count_pages(source: str, content_type: str, limits: Limits) -> Opened:
    """Count the pages of a document. Raises Unreadable."""
    _require_readable(source, content_type)
    if content_type == PDF:
        return Opened(pdf.count_pages(source, max_pages=limits.max_pages))
    pages = images.count_pages(source, content_type, max_pages=limits.max_pages, max_pixels=limits.max_page_pixels)
    return Opened(pages)


def read_page(source: str, content_type: str, *, page: int, options: Options, limits: Limits) -> Reading:
    """Read page `page` (from 1) of a document. Raises Unreadable."""
    _require_readable(source, content_type)
    if content_type == PDF and options.mode == AUTO:
        own = next(
            textlayer.readings(source, pages=[page], dpi=limits.pdf_dpi, max_pixels=limits.max_page_pixels), None
        )
        if own is not None:
            return own
    tesseract = _tesseract(limits.binding, limits.tessdata, limits.scratch)
    scratch, most = Path(limits.scratch), limits.max_page_pixels
    if content_type == PDF:
        picture = pdf.draw(source, page=page, dpi=limits.pdf_dpi, max_pixels=most, scratch=scratch)
    else:
        picture = images.decode(source, content_type, page=page, max_pixels=most)
    found, rotation = reading.read(picture, tesseract, languages=options.languages)
    return Reading(
        width=picture.image.width,
        height=picture.image.height,
        dpi=picture.dpi,
        rotation=rotation,
        source="ocr",
        confidence=found.confidence,
        text=found.text,
        layout=pack_blocks(found.blocks),
    )


@cache
def _tesseract(binding: str, tessdata: str, scratch: str) -> Tesseract:
    # Only one of the two is loaded, and the library need not be installed.
    if binding == LIBRARY:
        from docserver.ocr.tesseract_library import TesseractLibrary

        return TesseractLibrary(tessdata)
    from docserver.ocr.tesseract_program import TesseractProgram

    return TesseractProgram(Path(scratch))


def _require_readable(source: str, content_type: str) -> None:
    if not Path(source).is_file():
        raise Unreadable(DocumentErrorCode.STORAGE_MISSING, "The stored file is missing.")
    if content_type != PDF and content_type not in images.PILLOW_FORMATS:
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, "Files of this type cannot be read.")
