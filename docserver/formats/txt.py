"""Plain text: the pages in order, separated by form feeds; a page that could not be read is empty."""

from collections.abc import Iterator, Sequence

from docserver.model import Job, Page
from docserver.xml_text import clean

MEDIA_TYPE = "text/plain"


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:  # noqa: ARG001 - all formats have one signature
    """Yields UTF-8 without a byte order mark, and without control characters but line breaks and form feeds."""
    for place, page in enumerate(pages):
        text = page.reading.text if page.reading else ""
        yield (("\f" if place else "") + "\n".join(map(clean, text.split("\n")))).encode()
