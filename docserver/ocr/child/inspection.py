"""Child side: says what a file is without reading it: pages, their sizes, which have text, and what is too large."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from docserver.errors import DocumentErrorCode, Failure
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode
from docserver.ocr.limits import Limits
from docserver.ocr.pdf import passwords, pdfium, poppler
from docserver.ocr.pdf.pdfium import NotForPdfium
from docserver.ocr.pdf.resolution import affordable_dpi
from docserver.ocr.requests import MAX_PAGE_SIZES, MAX_PROBLEMS, MAX_SIDE, Inspect, Inspected, PageSize

PDF = "application/pdf"

EXAMINED_S = 5.0
"""After this time, no further page of a PDF is examined. Most take a millisecond."""

TEXT_CHARS = 200
"""Characters of a page among which one must be visible. The first ones of a text are."""


def inspect(request: Inspect, source: str, limits: Limits) -> Inspected:
    """What the file is. What is wrong with it is a part of the answer."""
    try:
        return _pdf(source, limits) if request.content_type == PDF else _pictures(request, source, limits)
    except Unreadable as unreadable:
        return Inspected(None, (), (unreadable.failure,))


def _pdf(source: str, limits: Limits) -> Inspected:
    pages = 0
    sizes: list[PageSize] = []
    problems: list[Failure] = []
    try:
        with pdfium.opened(source) as document:
            pages = len(document)
            until = time.monotonic() + EXAMINED_S
            for number in range(1, min(pages, MAX_PAGE_SIZES) + 1):
                page = pdfium.load(document, number)
                width, height = page.get_size()
                sizes.append(_size(width, height, own_text=_has_text(page)))
                problems += _problems_of(page, number, limits)
                if time.monotonic() > until:
                    break
    except NotForPdfium:
        # Poppler says no more than how many pages it would read.
        if not pages:
            with passwords.for_programs(source) as readable:
                pages = poppler.count_pages(readable)
    if pages > limits.max_pages:
        problems.insert(0, _too_many_pages(f"The PDF has {pages} pages; the limit is {limits.max_pages}."))
    return Inspected(pages, tuple(sizes), tuple(problems[:MAX_PROBLEMS]))


def _problems_of(page: Any, number: int, limits: Limits) -> Iterator[Failure]:
    """Why a page could not be drawn to be read."""
    try:
        affordable_dpi(*page.get_size(), page=number, dpi=limits.pdf_dpi, max_pixels=limits.max_page_pixels)
        pdfium.check_images(page, max_pixels=limits.max_page_pixels)
    except Unreadable as unreadable:
        yield replace(unreadable.failure, page=number)


def _has_text(page: Any) -> bool:
    """True if the page has letters of its own, whether they are good or not."""
    text = page.get_textpage()
    try:
        return bool(text.get_text_range(0, min(text.count_chars(), TEXT_CHARS)).strip())
    finally:
        text.close()


def _pictures(request: Inspect, source: str, limits: Limits) -> Inspected:
    sizes = decode.page_sizes(
        source, request.content_type, most=limits.max_pages + 1, max_pixels=limits.max_page_pixels
    )
    problems = []
    for number, size in enumerate(sizes, start=1):
        try:
            decode.check_size(*size, max_pixels=limits.max_page_pixels)
        except Unreadable as unreadable:
            problems.append(replace(unreadable.failure, page=number))
    pages: int | None = len(sizes)
    if len(sizes) > limits.max_pages:
        problems.insert(0, _too_many_pages(f"The file has more pages than the limit, {limits.max_pages}."))
        # They were not counted to the end.
        pages = None
    shown = tuple(_size(*size, own_text=False) for size in sizes[:MAX_PAGE_SIZES])
    return Inspected(pages, shown, tuple(problems[:MAX_PROBLEMS]))


def _size(width: float, height: float, *, own_text: bool) -> PageSize:
    """The size as it can be told: files may claim any, and a PDF's may be infinite."""
    return PageSize(min(width, MAX_SIDE), min(height, MAX_SIDE), own_text)


def _too_many_pages(message: str) -> Failure:
    return Failure(DocumentErrorCode.TOO_MANY_PAGES, message)
