"""Child side: the entry point that makes a searchable PDF. It is light, because the server imports it to call it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from docserver.model import Page
from docserver.ocr.child import main
from docserver.ocr.limits import Limits, Outcome

PDF = "application/pdf"

RESULT = "searchable.pdf"
WORK = "work"


def make(source: str, *, content_type: str, pages: Sequence[Page], limits: Limits) -> Outcome:
    """Write the PDF into the scratch directory as RESULT, where it stays until the next call."""
    # What the call leaves in its own directory is deleted at its end, the result is beside it.
    scratch = Path(limits.scratch)

    def made() -> Outcome:
        # The libraries for it are for this process alone.
        from docserver.ocr.searchable import from_image, from_pdf  # noqa: PLC0415

        target = scratch / RESULT
        target.unlink(missing_ok=True)
        if content_type == PDF:
            from_pdf.write(source, pages=pages, target=target)
        else:
            from_image.write(source, content_type, pages=pages, target=target, max_pixels=limits.max_page_pixels)
        return Outcome()

    return main.contained(made, source, replace(limits, scratch=str(scratch / WORK)))
