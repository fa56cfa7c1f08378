"""Child side: opens PDFs, counts and draws their pages with PDFium, through pypdfium2. Does not read their text."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from PIL import Image
from pypdfium2 import PdfBitmap, PdfDocument, PdfiumError, PdfObject, PdfPage
from pypdfium2.raw import (
    FPDF_ANNOT,
    FPDF_ERR_PASSWORD,
    FPDF_ERR_SECURITY,
    FPDF_PAGEOBJ_TEXT,
    FPDF_CloseDocument,
    FPDF_FFLDraw,
    FPDF_GetLastError,
    FPDF_GetPageCount,
    FPDF_LoadDocument,
    FPDF_RenderPageBitmap,
    FPDFBitmap_BGRx,
)

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.decode import MAX_SIDE, Picture, check_size
from docserver.ocr.pdf import annotations, page_objects, passwords
from docserver.ocr.pdf.resolution import POINTS_PER_INCH, affordable_dpi
from docserver.ocr.requests import View

MAX_IMAGE_DEPTH = 4
"""Most levels of forms within forms in which images are checked. Deeper images are drawn without a check."""

BYTES_PER_PIXEL = 4
"""Most bytes that a pixel of an image takes while PDFium draws it."""


class NotForPdfium(Exception):
    """PDFium cannot open the file or page; poppler may be able to."""


def count_pages(source: str) -> int:
    """The number of pages. Raises Unreadable and NotForPdfium."""
    with opened(source) as document:
        return len(document)


def draw(source: str, *, page: int, dpi: int, max_pixels: int) -> Picture:
    """Draw page `page` (from 1) in grey, at `dpi` or less for a large page. Raises Unreadable and NotForPdfium."""
    with opened(source) as document:
        pdf_page = _with_forms(document, page)
        used_dpi = affordable_dpi(*pdf_page.get_size(), page=page, dpi=dpi, max_pixels=max_pixels)
        check_images(pdf_page, max_pixels=max_pixels)
        annotations.prepare(pdf_page, source=source, number=page)
        bitmap = pdf_page.render(scale=used_dpi / POINTS_PER_INCH, grayscale=True)
        # Copy it, because PDFium owns the pixels and frees them with the page.
        picture = bitmap.to_pil().copy()
        _check_text(picture, pdf_page)
        return Picture(picture, used_dpi)


def draw_view(source: str, *, page: int, view: View, max_pixels: int) -> Image.Image:
    """Draw a view of page `page` (from 1) in colour. Raises Unreadable and NotForPdfium."""
    with opened(source) as document:
        pdf_page = _with_forms(document, page)
        check_images(pdf_page, max_pixels=max_pixels)
        annotations.prepare(pdf_page, source=source, number=page)
        # PDFium counts in few bits. So an extreme enlargement is drawn smaller, and then enlarged.
        smaller = min(1.0, MAX_SIDE / max(side * scale for side, scale in zip(view.page_size, view.scale, strict=True)))
        across, down = (scale * smaller for scale in view.scale)
        size = max(1, round(view.size[0] * smaller)), max(1, round(view.size[1] * smaller))
        bitmap = PdfBitmap.new_native(*size, FPDFBitmap_BGRx)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
        whole = max(1, round(view.page_size[0] * across)), max(1, round(view.page_size[1] * down))
        place = (-round(view.part[0] * across), -round(view.part[1] * down), *whole)
        FPDF_RenderPageBitmap(bitmap, pdf_page, *place, 0, FPDF_ANNOT)
        if pdf_page.formenv:
            FPDF_FFLDraw(pdf_page.formenv, bitmap, pdf_page, *place, 0, FPDF_ANNOT)
        # pypdfium2's to_pil would make a picture in mode RGBX, which would have to be copied again.
        picture = Image.frombuffer("RGB", size, bitmap.buffer, "raw", "BGRX", bitmap.stride, 1)
        _check_text(picture, pdf_page)
        return picture if picture.size == view.size else picture.resize(view.size)


def _with_forms(document: PdfDocument, page: int) -> PdfPage:
    """Page `page` (from 1), which is drawn with the values of its form fields. Raises Unreadable."""
    if page > len(document):
        raise Unreadable(DocumentErrorCode.PAGE_OUT_OF_RANGE, f"The PDF has no page {page}.")
    document.init_forms()
    return load(document, page)


def _check_text(picture: Image.Image, page: PdfPage) -> None:
    """Raise NotForPdfium if a picture of a page shows nothing, and the page has text."""
    if picture.getcolors(1) and any(page.get_objects(filter=[FPDF_PAGEOBJ_TEXT])):
        # PDFium draws no glyph that is an image whose data ends right before its EI; poppler does.
        raise NotForPdfium("nothing of the page's text is drawn")


def load(document: PdfDocument, page: int) -> PdfPage:
    """Page `page` (from 1). A crop box that leaves nothing of the page is ignored, as some viewers do."""
    loaded = document[page - 1]
    if 0 in loaded.get_size():
        loaded.set_cropbox(0, 0, 0, 0)
        return document[page - 1]
    return loaded


def check_images(page: PdfPage, *, max_pixels: int) -> None:
    """Do so with the images of a page."""
    check_sizes(page, page_objects.images(page, levels=MAX_IMAGE_DEPTH - 1), max_pixels=max_pixels)


def check_sizes(page: PdfPage, images: Iterable[Any], *, max_pixels: int) -> None:
    """Raise Unreadable if drawing the images on the page could take all memory. PDFium would leave out such an image
    without an error.

    An image may have more pixels than a page may have, because it is drawn at the page's size. But all such images
    together must not take more memory than the largest page.
    """
    available = max_pixels * BYTES_PER_PIXEL
    for pointer in images:
        image = PdfObject(pointer, page=page)
        width, height = image.get_px_size()
        if width * height > max_pixels:
            available -= width * height * _bits_per_pixel(image) // 8
            if available < 0:
                check_size(width, height, max_pixels=max_pixels)


def _bits_per_pixel(image: Any) -> int:
    # To know it of a JPEG 2000 image, PDFium would decode the image.
    known = 0 if "JPXDecode" in image.get_filters() else image.get_metadata().bits_per_pixel
    return known or 8 * BYTES_PER_PIXEL


@contextmanager
def opened(source: str) -> Iterator[PdfDocument]:
    """A PDF that is closed when the block ends. Raises Unreadable and NotForPdfium."""
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
    """PDFium's handle of a document that has pages. Raises Unreadable and NotForPdfium."""
    for password in passwords.to_try():
        _forget_last_error()
        handle = FPDF_LoadDocument(os.fsencode(source) + b"\0", password + b"\0")
        if FPDF_GetPageCount(handle) > 0:
            return handle
        reason = FPDF_GetLastError()
        if handle:
            # Close a document without pages here: pypdfium2 does not, and the file would stay open until this process
            # ends.
            FPDF_CloseDocument(handle)
        if reason != FPDF_ERR_PASSWORD:
            break
    else:
        raise passwords.refusal()
    if reason == FPDF_ERR_SECURITY:
        raise Unreadable(DocumentErrorCode.ENCRYPTED, "The PDF is protected in a way that cannot be opened.")
    raise NotForPdfium(f"FPDF_LoadDocument failed with error {reason}")


def _forget_last_error() -> None:
    """Reset PDFium's last error. For some files that it refuses, PDFium sets no error, and the error of an earlier file
    would be reported instead.
    """
    with suppress(PdfiumError):
        PdfDocument(b"not a document")
