"""Pages as if they had been read: words in lines in paragraphs, with boxes that are laid out here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from docserver.caller import DEFAULT_TENANT
from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import Block, Box, Line, Paragraph, Word, pack_blocks
from docserver.model import Job, Page, PageStatus, Reading, Source, Status
from docserver.reading_options import Options

NOW = datetime(2026, 1, 2, tzinfo=UTC)
JOB = Job(
    id=UUID(int=1),
    document_id=UUID(int=2),
    client="10.0.0.1",
    status=Status.COMPLETED,
    version=3,
    options=Options("eng"),
    request_id="r",
    pages_total=2,
    pages_done=1,
    pages_failed=1,
    eta_s=None,
    attempt=1,
    failure=None,
    engine={"name": "tesseract", "version": "5.3.0", "models": {"eng": "sha256:00"}},
    created_at=NOW,
    started_at=NOW,
    finished_at=NOW,
    tenant=DEFAULT_TENANT,
)
"""A completed job for results of these pages."""

HEBREW = "שלום עולם"
ARABIC = "مرحبا بالعالم"

WIDTH, HEIGHT = 2000, 3000
LEFT, TOP = 100, 100

SHARES = ((0.72, "bdfhkltABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), (0.5, ""))
SINKING = "gjpqy,"


def paragraph(text: str, *, top: int = TOP, size: int = 40, rtl: bool = False) -> Paragraph:
    """A paragraph of these lines in letters of this size, whose words are as high as their letters are."""
    lines = []
    for number, line in enumerate(text.split("\n")):
        baseline = top + size + number * size * 6 // 5
        words, x = [], LEFT
        for word in line.split(" "):
            width = max(1, len(word)) * size // 2
            words.append(Word(word, _box(word, x, baseline, width, size, rtl=rtl), 90.0))
            x += width + size // 4
        lines.append(Line(_around([word.box for word in words]), tuple(words)))
    return Paragraph(_around([line.box for line in lines]), tuple(lines))


def read(paragraphs: Sequence[Paragraph], *, number: int = 1) -> Page:
    """A page of these paragraphs, each in a block of its own."""
    blocks = [Block(part.box, (part,)) for part in paragraphs]
    text = "\n\n".join(
        "\n".join(" ".join(word.text for word in line.words) for line in part.lines) for part in paragraphs
    )
    reading = Reading(
        width=WIDTH,
        height=HEIGHT,
        dpi=300,
        rotation=0,
        source=Source.OCR,
        confidence=90.0,
        text=text,
        layout=pack_blocks(blocks),
    )
    return Page(number, PageStatus.DONE, reading, None)


def page(*texts: str, number: int = 1) -> Page:
    """A page of these paragraphs, one below the other, all of one size."""
    parts: list[Paragraph] = []
    for text in texts:
        parts.append(paragraph(text, top=parts[-1].box[3] + 40 if parts else TOP))
    return read(parts, number=number)


def failed(number: int = 1) -> Page:
    return Page(number, PageStatus.FAILED, None, Failure(DocumentErrorCode.PAGE_TIMEOUT, "Too slow."))


def _box(word: str, x: int, baseline: int, width: int, size: int, *, rtl: bool) -> Box:
    rising = next(share for share, letters in SHARES if not letters or set(letters) & set(word))
    sinking = 0.22 if set(SINKING) & set(word) else 0.0
    left = WIDTH - x - width if rtl else x
    return (left, round(baseline - rising * size), left + width, round(baseline + sinking * size))


def _around(boxes: Sequence[Box]) -> Box:
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
