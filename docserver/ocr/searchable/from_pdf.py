"""Child side: adds invisible text to the pages of a PDF, below their content, which does not change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import compress

import pikepdf
from pikepdf import Dictionary, Name, Pdf, StreamDecodeLevel

from docserver.errors import DocumentErrorCode
from docserver.model import Page, Source
from docserver.ocr.errors import Unreadable
from docserver.ocr.searchable.geometry import upright_to_page, visible_area
from docserver.ocr.searchable.glyphless_font import GlyphlessFont
from docserver.ocr.searchable.text_operators import invisible_text

MAX_PAGE_TREE_DEPTH = 64
"""Most levels of a page tree. Real documents need a few; the tree of a malicious document may be a circle."""


def write(source: str, *, pages: Sequence[Page], target: Path) -> None:
    """Write these pages of a PDF, with their words as invisible text in the places where they were read.

    If these are all pages of the document, everything else in it is kept too. Raises Unreadable.
    """
    with _opened(source) as original:
        last = max(page.number for page in pages)
        if last > len(original.pages):
            raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {last} of the PDF cannot be found in it.")
        if [page.number for page in pages] == list(range(1, len(original.pages) + 1)):
            _add_text(original, list(original.pages), pages)
            save(original, target)
        else:
            with _part(original, [page.number for page in pages]) as part:
                _add_text(part, list(part.pages), pages)
                save(part, target)


def save(pdf: Pdf, target: Path) -> None:
    """Write the PDF. The bytes of its streams do not change, and the same document always gives the same file."""
    pdf.save(
        target,
        compress_streams=False,
        stream_decode_level=StreamDecodeLevel.none,
        deterministic_id=True,
        encryption=False,
    )


@contextmanager
def _opened(source: str) -> Iterator[Pdf]:
    try:
        with Pdf.open(source, suppress_warnings=True) as pdf:
            yield pdf
    except pikepdf.PasswordError as error:
        raise Unreadable(
            DocumentErrorCode.ENCRYPTED, "The PDF can only be opened with its password, which is not kept."
        ) from error
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


def _add_text(pdf: Pdf, pdf_pages: Sequence[pikepdf.Page], pages: Sequence[Page]) -> None:
    font = GlyphlessFont(pdf)
    for pdf_page, page in zip(pdf_pages, pages, strict=True):
        reading = page.reading
        if reading is None or reading.source is Source.TEXT_LAYER:
            continue
        area = visible_area(_inherited(pdf_page.obj, Name.MediaBox), _inherited(pdf_page.obj, Name.CropBox))
        size = (reading.width, reading.height)
        matrix = upright_to_page(size, rotation=reading.rotation, page_rotation=_rotation(pdf_page), area=area)
        operators, variants = invisible_text(reading, matrix=matrix, font=font)
        if not variants:
            continue
        # Put the text first, because the page's own operators may leave any graphics state behind.
        pdf_page.contents_add(pdf.make_stream(compress(operators), Filter=Name.FlateDecode), prepend=True)
        fonts = _own_fonts(pdf_page)
        for variant in variants:
            fonts[Name(f"/{variant.name}")] = font.dictionary(variant)
    font.finish()


def _own_fonts(page: pikepdf.Page) -> pikepdf.Object:
    """Give the page its own copy of its font resources, because pages may share them; returns the copy."""
    resources = _copied(_inherited(page.obj, Name.Resources))
    resources[Name.Font] = _copied(resources.get(Name.Font))
    page.obj[Name.Resources] = resources
    return resources[Name.Font]


def _copied(original: object) -> Dictionary:
    copied = Dictionary()
    if isinstance(original, Dictionary):
        for key, value in original.items():
            copied[key] = value
    return copied


def _rotation(page: pikepdf.Page) -> int:
    """Degrees clockwise by which viewers turn the page, a multiple of 90."""
    try:
        degrees = int(_inherited(page.obj, Name.Rotate) or 0) % 360
    except (TypeError, ValueError):
        return 0
    return degrees if degrees % 90 == 0 else 0


def _inherited(page: pikepdf.Object, key: Name) -> Any:
    """An attribute of the page, or else of the nearest node above it in the page tree (ISO 32000-1, 7.7.3.4)."""
    node: Any = page
    for _ in range(MAX_PAGE_TREE_DEPTH):
        if not isinstance(node, Dictionary):
            break
        if key in node:
            return node[key]
        node = node.get(Name.Parent)
    return None
