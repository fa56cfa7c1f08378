"""Both sides: what an OCR process may use and where it may write, and what its calls return; no behaviour."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from docserver.errors import Failure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Plain values, so that they can be sent to a child."""

    scratch: str
    """The directory of this slot alone; everything in it may be deleted between two calls."""
    memory_mb: int
    max_pages: int
    max_page_pixels: int
    pdf_dpi: int
    call_s: float
    """The longest that one call may take."""
    binding: str
    """How Tesseract is called, see `engine`."""
    tessdata: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A document that can be read."""

    pages: int


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a call in a child came to; `detail` is for the log: a program's own words, unlike a Failure's message."""

    value: T | Failure
    detail: str = ""
