"""Child side: a PDF with a text layer laid under its pages; what is on them stays as it is. Knows no pictures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import compress

import pikepdf
from pikepdf import Dictionary, Name, Pdf, StreamDecodeLevel

from docserver.errors import DocumentErrorCode
from docserver.model import Page
from docserver.ocr.errors import Unreadable
from docserver.ocr.searchable.geometry import onto_page, visible
from docserver.ocr.searchable.glyphless_font import BlankFont
from docserver.ocr.searchable.text_operators import text_layer

OCR = "ocr"
"""The source of pages that have no good text of their own."""

DEEPEST_TREE = 64
"""No sane page tree is deeper; a crafted one may lead in circles."""


def write(source: str, *, pages: Sequence[Page], target: Path) -> None:
    """Write these pages of a PDF, each with its words where they were read, and with all of them the whole document."""
    with _opened(source) as original:
        last = max(page.number for page in pages)
        if last > len(original.pages):
            raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {last} of the PDF cannot be found in it.")
        if [page.number for page in pages] == list(range(1, len(original.pages) + 1)):
            _lay_under(original, list(original.pages), pages)
            save(original, target)
        else:
            with _part(original, [page.number for page in pages]) as part:
                _lay_under(part, list(part.pages), pages)
                save(part, target)


def save(pdf: Pdf, target: Path) -> None:
    """Streams stay as they are byte for byte, and the same document is written to the same bytes again."""
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
        raise Unreadable(DocumentErrorCode.ENCRYPTED, "The PDF can only be opened with a password.") from error
    except pikepdf.PdfError as error:
        raise Unreadable(
            DocumentErrorCode.CORRUPT, "The PDF is broken in a way that allows no text layer.", detail=str(error)
        ) from error


@contextmanager
def _part(original: Pdf, numbers: Sequence[int]) -> Iterator[Pdf]:
    """A new document of some pages: nothing of the others comes along, which deleting them would not ensure."""
    with pikepdf.new() as part:
        for number in numbers:
            part.pages.append(original.pages[number - 1])
        information = original.trailer.get(Name.Info)
        if isinstance(information, Dictionary) and information.is_indirect:
            part.trailer[Name.Info] = part.copy_foreign(information)
        yield part


def _lay_under(pdf: Pdf, found: Sequence[pikepdf.Page], pages: Sequence[Page]) -> None:
    font = BlankFont(pdf)
    for target, page in zip(found, pages, strict=True):
        reading = page.reading
        if reading is None or reading.source != OCR:
            continue
        area = visible(_inherited(target.obj, Name.MediaBox), _inherited(target.obj, Name.CropBox))
        place = onto_page(
            (reading.width, reading.height), degrees=reading.rotation, page_degrees=_rotation(target), area=area
        )
        operators, faces = text_layer(reading, place=place, encode=font.encode)
        if not faces:
            continue
        # Before all else: whatever state the page's own operators leave behind, the words are where they belong.
        target.contents_add(pdf.make_stream(compress(operators), Filter=Name.FlateDecode), prepend=True)
        fonts = _own_fonts(target)
        for face in faces:
            fonts[Name(f"/{face.name}")] = font.face(face)
    font.finish()


def _own_fonts(page: pikepdf.Page) -> pikepdf.Object:
    """The page's fonts in dictionaries of its own, because pages may share theirs."""
    inherited = _inherited(page.obj, Name.Resources)
    resources = _copied(inherited)
    resources[Name.Font] = _copied(resources.get(Name.Font))
    page.obj[Name.Resources] = resources
    return resources[Name.Font]


def _copied(found: object) -> Dictionary:
    copied = Dictionary()
    if isinstance(found, Dictionary):
        for key, value in found.items():
            copied[key] = value
    return copied


def _rotation(page: pikepdf.Page) -> int:
    try:
        turned = int(_inherited(page.obj, Name.Rotate) or 0) % 360
    except (TypeError, ValueError):
        return 0
    return turned if turned % 90 == 0 else 0


def _inherited(page: pikepdf.Object, key: Name) -> Any:
    """An attribute of the page or of what it hangs from (ISO 32000-1, 7.7.3.4)."""
    node: Any = page
    for _ in range(DEEPEST_TREE):
        if not isinstance(node, Dictionary):
            break
        if key in node:
            return node[key]
        node = node.get(Name.Parent)
    return None
