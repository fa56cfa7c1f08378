"""Child side: adds invisible text to the pages of a PDF, below their content, whose look does not change."""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from zlib import compress

import pikepdf
from pikepdf import Dictionary, Name, ObjectStreamMode, Pdf, StreamDecodeLevel
from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.model import Page, Source
from docserver.ocr.archival.document import mend_document, unfit_pages
from docserver.ocr.archival.inheritance import inherited
from docserver.ocr.errors import Unreadable
from docserver.ocr.searchable.drawn_page import replace_content
from docserver.ocr.searchable.geometry import page_area, page_rotation, shown_size, upright_to_page
from docserver.ocr.searchable.glyphless_font import GlyphlessFont
from docserver.ocr.searchable.hidden_text import remove_hidden_text
from docserver.ocr.searchable.recompression import recompress
from docserver.ocr.searchable.text_operators import invisible_text

Draw = Callable[[Page, tuple[float, float]], Image.Image]
"""Draws a page of the document, with this width and height in points, in colours; raises Unreadable."""

ARCHIVED_VERSION = "1.7"
"""The version of PDF that PDF/A-2 is made of."""


def write(
    source: str,
    *,
    pages: Sequence[Page],
    target: Path,
    max_pixels: int,
    quality: int | None = None,
    draw: Draw | None = None,
) -> None:
    """Write these pages of a PDF, with their words as invisible text in the places where they were read.

    If these are all pages of the document, everything else in it is kept too. With `quality`, photos and scans are
    compressed again. With `draw`, it is a PDF/A: what that does not allow is removed, or drawn as a part of its page.
    Raises Unreadable.
    """
    with _opened(source) as original:
        last = max(page.number for page in pages)
        if last > len(original.pages):
            raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {last} of the PDF cannot be found in it.")
        numbers = [page.number for page in pages]
        whole = numbers == list(range(1, len(original.pages) + 1))
        with nullcontext(original) if whole else _part(original, numbers) as pdf:
            drawn = _archive_pages(pdf, pages, draw=draw, quality=quality) if draw else set()
            _add_text(pdf, pages, drawn=drawn)
            if quality is not None:
                recompress(pdf, quality=quality, max_pixels=max_pixels)
            if draw:
                mend_document(pdf)
            save(pdf, target, archived=draw is not None)


def save(pdf: Pdf, target: Path, *, archived: bool = False) -> None:
    """Write the PDF. The bytes of its streams do not change, and the same document always gives the same file."""
    pdf.save(
        target,
        compress_streams=False,
        stream_decode_level=StreamDecodeLevel.none,
        deterministic_id=True,
        encryption=False,
        # Each height of words has three small dictionaries, which a stream holds in a fifth of the space.
        object_stream_mode=ObjectStreamMode.generate,
        force_version=ARCHIVED_VERSION if archived else "",
        fix_metadata_version=not archived,
    )


@contextmanager
def _opened(source: str) -> Iterator[Pdf]:
    try:
        with Pdf.open(source, suppress_warnings=True) as pdf:
            yield pdf
    except pikepdf.PasswordError as error:
        raise Unreadable(DocumentErrorCode.ENCRYPTED, "The PDF can only be opened with a password.") from error
    except pikepdf.PdfError as error:
        raise Unreadable(
            DocumentErrorCode.CORRUPT, "The PDF is broken in a way that allows no text layer.", detail=str(error)
        ) from error


@contextmanager
def _part(original: Pdf, numbers: Sequence[int]) -> Iterator[Pdf]:
    """A new document with some pages of `original`. Deleting the other pages would leave parts of them in the file."""
    with pikepdf.new() as part:
        for number in numbers:
            part.pages.append(original.pages[number - 1])
        information = original.trailer.get(Name.Info)
        if isinstance(information, Dictionary) and information.is_indirect:
            part.trailer[Name.Info] = part.copy_foreign(information)
        yield part


def _archive_pages(pdf: Pdf, pages: Sequence[Page], *, draw: Draw, quality: int | None) -> set[int]:
    """Make the pages fit for a PDF/A. Returns the numbers of those that had to be drawn."""
    pdf_pages = list(pdf.pages)
    drawn = set()
    for index in unfit_pages(pdf, pdf_pages):
        page = pages[index]
        picture = draw(page, shown_size(pdf_pages[index].obj))
        replace_content(pdf, pdf_pages[index], picture, quality=quality)
        drawn.add(page.number)
    return drawn


def _add_text(pdf: Pdf, pages: Sequence[Page], *, drawn: Container[int]) -> None:
    """Add the words to the pages. Those of a page's own text are in it already, unless it was `drawn`."""
    font = GlyphlessFont(pdf)
    for pdf_page, page in zip(pdf.pages, pages, strict=True):
        reading, is_drawn = page.reading, page.number in drawn
        if reading is None or (reading.source is Source.TEXT_LAYER and not is_drawn):
            continue
        size = (reading.width, reading.height)
        matrix = upright_to_page(
            size,
            rotation=reading.rotation,
            page_rotation=page_rotation(pdf_page.obj),
            area=page_area(pdf_page.obj),
        )
        operators, variants = invisible_text(reading, matrix=matrix, font=font, own_too=is_drawn)
        if not variants:
            continue
        resources = _own_resources(pdf_page)
        if reading.source is Source.OCR:
            remove_hidden_text(pdf, pdf_page, resources)
        # Put the text first, because the page's own operators may leave any graphics state behind.
        pdf_page.contents_add(pdf.make_stream(compress(operators), Filter=Name.FlateDecode), prepend=True)
        resources[Name.Font] = fonts = _copied(resources.get(Name.Font))
        for variant in variants:
            fonts[Name(f"/{variant.name}")] = font.dictionary(variant)
    font.finish()


def _own_resources(page: pikepdf.Page) -> Dictionary:
    """Give the page its own copy of its resources, because pages may share them; returns the copy."""
    page.obj[Name.Resources] = resources = _copied(inherited(page.obj, Name.Resources))
    return resources


def _copied(original: object) -> Dictionary:
    copied = Dictionary()
    if isinstance(original, Dictionary):
        for key, value in original.items():
            copied[key] = value
    return copied
