"""Both sides: what an OCR process may use, how much of it, and where it may write; no behaviour."""

from dataclasses import dataclass

from docserver.settings import SandboxMode

PAGES_AT_ONCE = 8
"""Pages whose own texts one call reads. A call for each would cost as much as reading the text."""

MAX_TEXT = 250_000
"""Characters of a page: several times those of a full page of a newspaper."""

BYTES_PER_PIXEL = 3
SPARE_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use. Plain values, because they are sent to the child."""

    scratch: str
    """The slot's own directory; everything in it may be deleted between two calls."""
    source: str
    """The directory where the document lies while it is read; the child cannot write there."""
    sandbox: SandboxMode
    memory_mb: int
    max_pages: int
    max_page_pixels: int
    pdf_dpi: int
    call_s: float
    """The longest that one call may take."""
    binding: str
    """How to call Tesseract, see `engine`."""
    tessdata: str
    candidates: tuple[str, ...]
    """The models that `auto` chooses from, see `languages`."""
    review_below: float
    """The confidence below which a page needs review."""

    @property
    def memory_bytes(self) -> int:
        return self.memory_mb * 1024 * 1024

    @property
    def file_bytes(self) -> int:
        """The largest file that a page needs: its picture in colour, with some room to spare."""
        return self.max_page_pixels * BYTES_PER_PIXEL + SPARE_FILE_BYTES
