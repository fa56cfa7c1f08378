"""Child side: PDFs opened, counted and drawn by PDFium, through pypdfium2, in this process; their text is elsewhere."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pypdfium2 import PdfDocument, PdfiumError, PdfPage
from pypdfium2.raw import (
    FPDF_ERR_PASSWORD,
    FPDF_ERR_SECURITY,
    FPDF_PAGEOBJ_IMAGE,
    FPDF_CloseDocument,
    FPDF_GetLastError,
    FPDF_GetPageCount,
    FPDF_LoadDocument,
)

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.decode import Picture, check_size
from docserver.ocr.pdf.resolution import POINTS_PER_INCH, affordable_dpi

NESTING = 4
"""Forms within forms that are searched for pictures; deeper ones are drawn all the same."""


class NotForPdfium(Exception):
    """PDFium makes nothing of the file or page; another program may."""


def count_pages(source: str) -> int:
    """The number of pages. Raises Unreadable and NotForPdfium."""
    with opened(source) as document:
        return len(document)


def draw(source: str, *, page: int, dpi: int, max_pixels: int) -> Picture:
    """Draw page `page` (from 1) in grey, at `dpi` or as finely as it may be. Raises Unreadable and NotForPdfium."""
    with opened(source) as document:
        if page > len(document):
            raise Unreadable(DocumentErrorCode.PAGE_OUT_OF_RANGE, f"The PDF has no page {page}.")
        # What is written into the fields of a form is drawn only then.
        document.init_forms()
        shown = document[page - 1]
        used_dpi = affordable_dpi(*shown.get_size(), page=page, dpi=dpi, max_pixels=max_pixels)
        check_pictures(shown, max_pixels=max_pixels)
        drawn = shown.render(scale=used_dpi / POINTS_PER_INCH, grayscale=True)
        # A copy, because the pixels are PDFium's and go with the page.
        return Picture(drawn.to_pil().copy(), used_dpi)


def check_pictures(page: PdfPage, *, max_pixels: int) -> None:
    """PDFium leaves out a picture that is too large for it, and the page would seem to be empty. Raises Unreadable."""
    for picture in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE], max_depth=NESTING):
        check_size(*picture.get_px_size(), max_pixels=max_pixels)


@contextmanager
def opened(source: str) -> Iterator[PdfDocument]:
    """A PDF, until the block is left. Raises Unreadable and NotForPdfium."""
    document = None
    try:
        document = PdfDocument(_loaded(source))
        yield document
    except PdfiumError as error:
        raise NotForPdfium(str(error)) from error
    finally:
        if document is not None:
            document.close()


def _loaded(source: str) -> Any:
    """PDFium's own handle of a document that has pages. Raises Unreadable and NotForPdfium."""
    _forget_last_error()
    handle = FPDF_LoadDocument(os.fsencode(source) + b"\0", None)
    if FPDF_GetPageCount(handle) > 0:
        return handle
    reason = FPDF_GetLastError()
    if handle:
        # The binding leaves those open that have no page: each would hold its file until this process ends.
        FPDF_CloseDocument(handle)
    if reason == FPDF_ERR_PASSWORD:
        raise Unreadable(DocumentErrorCode.ENCRYPTED, "The PDF can only be opened with a password.")
    if reason == FPDF_ERR_SECURITY:
        raise Unreadable(DocumentErrorCode.ENCRYPTED, "The PDF is protected in a way that cannot be opened.")
    raise NotForPdfium(f"it was not loaded, for the reason {reason}")


def _forget_last_error() -> None:
    """PDFium does not say why it refuses some files, and then the reason of the last refusal seems to be theirs."""
    with suppress(PdfiumError):
        PdfDocument(b"not a document")
