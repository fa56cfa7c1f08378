"""Both sides: what an OCR process may use, how much of it, and where it may write; no behaviour."""

from dataclasses import dataclass

from docserver.settings import SandboxMode

PAGES_AT_ONCE = 8
"""Pages with a text of their own that one call reads: telling of each alone would cost as much as reading it."""

MAX_TEXT = 250_000
"""Characters of a page: some times as many as the fullest page of a newspaper has."""

BYTES_PER_PIXEL = 3
SPARE_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Plain values, so that they can be sent to a child."""

    scratch: str
    """The directory of this slot alone; everything in it may be deleted between two calls."""
    source: str
    """The directory where the document lies while it is read; nothing else is there, and nothing can be written."""
    sandbox: SandboxMode
    memory_mb: int
    max_pages: int
    max_page_pixels: int
    pdf_dpi: int
    call_s: float
    """The longest that one call may take."""
    binding: str
    """How Tesseract is called, see `engine`."""
    tessdata: str
    candidates: tuple[str, ...]
    """The models that `auto` chooses from, see `models`."""
    review_below: float
    """The confidence below which a page needs review."""

    @property
    def memory_bytes(self) -> int:
        return self.memory_mb * 1024 * 1024

    @property
    def file_bytes(self) -> int:
        """The largest file that a page needs: its picture in colour, with room for the words of the fullest page."""
        return self.max_page_pixels * BYTES_PER_PIXEL + SPARE_FILE_BYTES
