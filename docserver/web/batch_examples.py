"""Examples for the OpenAPI document: a batch of two files, one of which is refused."""

from typing import Any

from docserver.web.examples import DOCUMENT_ID, JOB_ID, event

_PATH = "/v1/batches/01a22954-f4c4-7a60-9a2f-5a3f0f8d1b11"

_STATE: dict[str, Any] = {
    "batch_id": "01a22954-f4c4-7a60-9a2f-5a3f0f8d1b11",
    "status": "processing",
    "created_at": "2026-11-29T22:02:43.258496Z",
    "files": {"total": 2, "refused": 1},
    "jobs": {"pending": 1, "processing": 0, "completed": 0, "failed": 0, "cancelled": 0},
    "pages": {"total": 0, "done": 0, "failed": 0},
    "links": {"self": _PATH, "events": f"{_PATH}/events"},
}
COMPLETED_BATCH: dict[str, Any] = {
    **_STATE,
    "status": "completed",
    "jobs": {"pending": 0, "processing": 0, "completed": 1, "failed": 0, "cancelled": 0},
    "pages": {"total": 1, "done": 1, "failed": 0},
}
BATCH: dict[str, Any] = {
    **_STATE,
    "items": [
        {
            "number": 1,
            "filename": "invoice.pdf",
            "job_id": str(JOB_ID),
            "document_id": str(DOCUMENT_ID),
            "status": "pending",
            "deduplicated": False,
            "problem": None,
        },
        {
            "number": 2,
            "filename": "notes.docx",
            "job_id": None,
            "document_id": None,
            "status": None,
            "deduplicated": False,
            "problem": {"status": 415, "code": "unsupported_media_type", "detail": "The file's content is of no kind."},
        },
    ],
    "next_cursor": None,
}

EVENTS = (
    "retry: 2445\n\n"
    + event("status", _STATE)
    + event("status", COMPLETED_BATCH)
    + event("done", COMPLETED_BATCH, number="6")
)
