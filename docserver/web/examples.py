"""Examples for the OpenAPI document: one small invoice, from its upload to its text.

The code that makes answers for clients makes the examples too, so that they cannot differ.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from docserver.documents import inspection
from docserver.errors import DocumentErrorCode, Failure
from docserver.formats import JSON_PAGE, TEXT_FORMATS
from docserver.job_history import HistoryEntry, Outcome, Step
from docserver.layout import EXACT, Block, Box, Line, Paragraph, Word, pack_blocks
from docserver.model import Document, Job, Page, PageStatus, Quality, Reading, Source, Status
from docserver.ocr.requests import Inspected, PageSize
from docserver.reading_options import Mode, Options

INVOICE = """%PDF-1.4
1 0 obj
<</Type/Catalog/Pages 2 0 R>>
endobj
2 0 obj
<</Type/Pages/Kids[3 0 R]/Count 1>>
endobj
3 0 obj
<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 100]/Resources<</Font<</F 4 0 R>>>>/Contents 5 0 R>>
endobj
4 0 obj
<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>
endobj
5 0 obj
<</Length 72>>stream
BT /F 18 Tf 24 60 Td (Invoice 4711) Tj 0 -28 Td (Total: 12.50 EUR) Tj ET
endstream
endobj
xref
0 6
0000000000 65535 f\x20
0000000009 00000 n\x20
0000000054 00000 n\x20
0000000105 00000 n\x20
0000000216 00000 n\x20
0000000279 00000 n\x20
trailer<</Size 6/Root 1 0 R>>
startxref
398
%%EOF
"""
"""The file that is uploaded: a PDF that is written in ASCII."""

DOCUMENT_ID = UUID("01a22954-f4b1-73a3-bdc9-f29341d9ac47")
JOB_ID = UUID("01a22954-f4b8-70d9-844a-7a7cf9c8fd62")

TIME = datetime(2026, 11, 29, 22, 2, 43, 258496, tzinfo=UTC).replace(tzinfo=None)

_OPTIONS = Options("eng")
_BEGAN, _ENDED = TIME + timedelta(milliseconds=17), TIME + timedelta(milliseconds=301)

_PENDING = Job(
    id=JOB_ID,
    document_id=DOCUMENT_ID,
    tenant="",
    client="",
    status=Status.PENDING,
    version=1,
    options=_OPTIONS,
    request_id="",
    created_at=TIME,
)
COMPLETED = replace(
    _PENDING,
    status=Status.COMPLETED,
    started_at=_BEGAN,
    finished_at=_ENDED,
    pages_total=1,
    pages_done=1,
    engine={
        "name": "tesseract",
        "version": "5.5.4",
        "models": {"eng": "sha256:7d4322bd2a7749724879683fc3912cb542f19906c83bcc1a52132556427170b2"},
        "second": None,
    },
    history=(
        HistoryEntry(
            attempt=1,
            step=Step.JOB,
            page=None,
            outcome=Outcome.COMPLETED,
            code=None,
            started_at=_BEGAN,
            ended_at=_ENDED,
        ),
    ),
    quality=Quality(EXACT, ()),
)
CANCELLED = replace(
    _PENDING,
    status=Status.CANCELLED,
    finished_at=_BEGAN,
    history=(
        HistoryEntry(
            attempt=1, step=Step.JOB, page=None, outcome=Outcome.CANCELLED, code=None, started_at=None, ended_at=_BEGAN
        ),
    ),
)
ENCRYPTED = Failure(
    DocumentErrorCode.ENCRYPTED,
    "The PDF can only be opened with a password. Send it as `password`, with a retry if the job has failed.",
)

FAILED = replace(
    COMPLETED,
    status=Status.FAILED,
    pages_total=None,
    pages_done=0,
    engine=None,
    history=(),
    quality=None,
    failure=ENCRYPTED,
)
_RETRIED = replace(
    COMPLETED,
    status=Status.PENDING,
    started_at=None,
    finished_at=None,
    pages_done=0,
    attempt=2,
    quality=None,
    options=replace(_OPTIONS, mode=Mode.FORCE),
)

PENDING_JOB = _PENDING.as_json()
COMPLETED_JOB = COMPLETED.as_json()
CANCELLED_JOB = CANCELLED.as_json()
RETRIED_JOB = _RETRIED.as_json()

_DOCUMENT = Document(
    id=DOCUMENT_ID,
    tenant="",
    filename="invoice.pdf",
    content_type="application/pdf",
    size=len(INVOICE),
    sha256=bytes.fromhex("a7ee7781f6be24fb15977d9295cfc59f5e9b321970fb14e04b13f07a706ddf41"),
    created_at=TIME,
)
INSPECTION = inspection.report(
    Inspected(1, (PageSize(300, 100, own_text=True),), ()),
    _DOCUMENT.content_type,
    size=_DOCUMENT.size,
    sha256=_DOCUMENT.sha256.hex(),
    slots=1,
)
DOCUMENT = {**_DOCUMENT.as_json(), "other_filenames": [], "jobs": [COMPLETED_JOB]}
LISTED_DOCUMENT = {
    **_DOCUMENT.as_json(),
    "other_filenames": [],
    "job_id": str(JOB_ID),
    "status": "completed",
    "pages_total": 1,
}
DOCUMENTS = {
    "items": [LISTED_DOCUMENT],
    "total": 1,
    "total_relation": "exact",
    "limit": 10,
    "offset": 0,
    "next_cursor": None,
}


def _line(box: Box, *words: tuple[str, Box]) -> Line:
    return Line(box, tuple(Word(text, its, EXACT) for text, its in words))


_BLOCK_BOX = (101, 112, 673, 285)
_LINES = (
    _line((106, 112, 511, 168), ("Invoice", (106, 112, 335, 168)), ("4711", (360, 114, 511, 167))),
    _line(
        (101, 229, 673, 285),
        ("Total:", (101, 229, 282, 285)),
        ("12.50", (316, 230, 494, 285)),
        ("EUR", (523, 229, 673, 285)),
    ),
)
_PAGE = Page(
    1,
    PageStatus.DONE,
    Reading(
        width=1250,
        height=417,
        dpi=300,
        rotation=0,
        source=Source.TEXT_LAYER,
        confidence=EXACT,
        text="Invoice 4711\nTotal: 12.50 EUR",
        layout=pack_blocks([Block(_BLOCK_BOX, (Paragraph(_BLOCK_BOX, _LINES),))]),
    ),
    None,
)


def _written() -> dict[int | str, Any]:
    texts = {form.media_type: b"".join(form.write(COMPLETED, [_PAGE])) for form in TEXT_FORMATS.values()}
    return {
        media_type: orjson.loads(text) if media_type == JSON_PAGE.media_type else text.decode()
        for media_type, text in texts.items()
    }


RESULT: Mapping[int | str, Any] = _written()
"""Media type → the invoice's text in that format."""

PAGE: Mapping[int | str, Any] = {**RESULT, JSON_PAGE.media_type: RESULT[JSON_PAGE.media_type]["pages"][0]}
"""The same for its only page."""


def event(name: str, data: Mapping[str, Any], *, number: str = "") -> str:
    """A server-sent event."""
    head = f"event: {name}\n" + (f"id: {number}\n" if number else "")
    return f"{head}data: {orjson.dumps(data).decode()}\n\n"


EVENTS = (
    "retry: 2445\n\n"
    + event("status", COMPLETED_JOB)
    + event(
        "page",
        {name: value for name, value in PAGE[JSON_PAGE.media_type].items() if name not in ("text", "blocks")},
        number="4.1",
    )
    + event("done", COMPLETED_JOB, number="4")
)
