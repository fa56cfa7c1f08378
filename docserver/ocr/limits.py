"""Both sides: the limits of an OCR process and the directories that it may use. Only values, no behaviour."""

from dataclasses import dataclass

from docserver.setting_types import SandboxMode

LIBRARY, PROGRAM = "tesserocr", "pytesseract"
"""The two ways to call Tesseract: as a library or as a program. They are named after the Python packages for each."""

PAGES_AT_ONCE = 16
"""Most pages whose text layers one call reads. A call for each page would take as long as reading its text: it opens
the document and looks at the glyphs of its fonts."""

FIRST_PAGES = PAGES_AT_ONCE // 4
"""Most pages whose text layer is read when a document is opened. It is fewer than PAGES_AT_ONCE, because no other slot
can read pages until the document is open."""

MAX_TEXT = 250_000
"""Most characters of one page: several times as many as a full newspaper page has."""

MAX_LAYOUT_BYTES = 4 * 1024 * 1024
"""Largest sum of the layouts in one answer, unpacked. It holds 90,000 words in lines; a full newspaper page has 10,000.
The server checks such an answer in half a second, in steps of some ten milliseconds at most."""

MAX_ELEMENTS_BYTES = 1024 * 1024
"""Largest sum of what the pages in one answer show beside their texts, unpacked. It holds a hundred QR codes that are
as full as can be. The server checks such an answer in some ten milliseconds."""

MAX_MARKS_BYTES = 32 * 1024
"""Largest marks of words of one page. Not even the shortest words of MAX_LAYOUT_BYTES need more."""

BYTES_PER_PIXEL = 3
SPARE_FILE_BYTES = 64 * 1024 * 1024

FILE_SHARES = 3
"""Most disk space of a child in all, as a multiple of the largest file: a page as it was drawn, the same page as
Tesseract gets it, and one step between."""

MAX_FILES = 1000
"""Most files of one child. A page needs about five; the limit also keeps the check short."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits and directories of one call. All are plain values, because they are sent to the child."""

    scratch: str
    """The slot's own directory; everything in it may be deleted between two calls."""
    source: str
    """The directory with the document while it is read; the child cannot write there."""
    sandbox: SandboxMode
    memory_mb: int
    max_pages: int
    max_page_pixels: int
    pdf_dpi: int
    call_s: float
    """Longest time for one call."""
    binding: str
    """How to call Tesseract: LIBRARY or PROGRAM."""
    tessdata: str
    candidates: tuple[str, ...]
    """The models that `auto` chooses from, see `languages`."""
    review_below: float
    """The confidence below which a page needs review."""
    ppocr: str | None = None
    """The directory of the models of the second engine; None if it is not installed, or switched off."""

    @property
    def memory_bytes(self) -> int:
        return self.memory_mb * 1024 * 1024

    @property
    def file_bytes(self) -> int:
        """The largest file that a page needs: its picture in colour, and some more."""
        return self.max_page_pixels * BYTES_PER_PIXEL + SPARE_FILE_BYTES

    @property
    def disk_bytes(self) -> int:
        return FILE_SHARES * self.file_bytes
