"""How a PDF is made of a document and its words."""

from dataclasses import dataclass

MAX_QUALITY = 100


@dataclass(frozen=True, slots=True)
class PdfOptions:
    """What a client wants of a PDF, beside the words."""

    archival: bool = False
    """True for PDF/A-2b."""
    quality: int | None = None
    """Quality of the JPEGs that photos and scans become, from 1 to MAX_QUALITY; None to keep them as they are."""


SEARCHABLE = PdfOptions()
"""Nothing but the words."""
