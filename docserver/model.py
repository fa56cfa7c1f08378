"""The values of the service: Document, Job, Page, Reading, and Status with its legal moves. No input or output.

A job's history is in `job_history`, and its options are in `reading_options`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import uuid_utils
import uuid_utils.compat

from docserver.elements import Elements, unpack_elements
from docserver.errors import Failure
from docserver.job_history import HistoryEntry
from docserver.layout import EXACT, Block, Word, unpack_blocks, with_engines, words_of
from docserver.reading_options import Options
from docserver.timestamps import rfc3339


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562). Later ids sort after earlier ones."""
    return uuid_utils.compat.uuid7()


def new_id_text() -> str:
    """A UUIDv7 in its canonical text form."""
    return str(uuid_utils.uuid7())


def parse_id(text: str) -> UUID | None:
    """An id in its canonical text form, or None."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None


@dataclass(frozen=True, slots=True)
class Identity:
    """The identities of a data directory and of a database that belong together. Both sides store both."""

    directory: UUID
    database: UUID


class Status(StrEnum):
    """The state of a job."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in FINAL

    def to(self, new: "Status") -> "Status":
        """Return the new status if a job may move to it; raises IllegalMove otherwise."""
        if new not in LEGAL_MOVES[self]:
            raise IllegalMove(f"{self} to {new}")
        return new


class IllegalMove(Exception):
    """A job may not move between these two statuses; only a bug causes this."""


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

LEGAL_MOVES: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROCESSING, Status.CANCELLED}),
    Status.PROCESSING: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    # A final job moves only when a client requests another attempt.
    Status.COMPLETED: frozenset({Status.PENDING}),
    Status.FAILED: frozenset({Status.PENDING}),
    Status.CANCELLED: frozenset({Status.PENDING}),
}


class PageStatus(StrEnum):
    """The state of a page."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class Source(StrEnum):
    """The source of a page's words."""

    OCR = "ocr"
    TEXT_LAYER = "text_layer"
    MIXED = "mixed"
    """The text layer, and OCR where the page shows more than that."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one page, stored once and written in every format."""

    width: int
    height: int
    """Width and height are in pixels of the page as a viewer shows it, after EXIF orientation and /Rotate are applied.
    All boxes use the same pixels."""
    dpi: int | None
    """Resolution of the page's picture; None if the file states none, or an impossible one."""
    rotation: int
    """Degrees clockwise by which a viewer must turn the page to set its text upright."""
    source: Source
    confidence: float
    """The result of `layout.confidence_of` for all words of the page. It is below 100 if the page may have text that
    was not read. A page without words has 100 if nothing on it may be letters, else 0."""
    text: str
    layout: bytes
    """The blocks, as `layout.pack_blocks` makes them."""
    languages: str | None = None
    """The languages that OCR used, written as in Options but never AUTO; None for the text layer of a PDF."""
    second_engine: bytes | None = None
    """Which words the second engine has read, as `layout.marks_of` tells it; None if it has read none."""
    needs_review: bool = False
    """True if somebody should check the page: its confidence is low, or it may have text that was not read."""
    packed_elements: bytes | None = None
    """What the page shows beside its text, as `elements.pack_elements` makes it; None if nobody has looked for that."""

    @property
    def stored_bytes(self) -> int:
        """How many bytes text, layout and elements take in the database."""
        return len(self.text.encode()) + len(self.layout) + len(self.packed_elements or b"")

    @property
    def elements(self) -> Elements:
        return unpack_elements(self.packed_elements)

    @property
    def blocks(self) -> tuple[Block, ...]:
        blocks = unpack_blocks(self.layout)
        return with_engines(blocks, self.second_engine) if self.second_engine else blocks

    def source_of(self, block: Block) -> Source:
        """TEXT_LAYER if all words of the block are from the text layer, else OCR."""
        return Source.OCR if Source.OCR in map(self.source_of_word, words_of([block])) else Source.TEXT_LAYER

    def source_of_word(self, word: Word) -> Source:
        """TEXT_LAYER or OCR."""
        if self.source is Source.MIXED:
            return Source.TEXT_LAYER if word.confidence == EXACT else Source.OCR
        return self.source


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a job: read, failed or still waiting. Numbers start at 1."""

    number: int
    status: PageStatus
    reading: Reading | None
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document before the database has set its time of creation."""

    id: UUID
    tenant: str
    filename: str
    """As the client named it, cleaned for display; never a path."""
    content_type: str
    """The media type that `sniff` detects from the content."""
    size: int
    """Bytes."""
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(NewDocument):
    created_at: datetime
    """UTC, like all times of the service."""
    expires_at: datetime | None = None
    """When it is deleted with its jobs and results; None if it is kept."""
    other_filenames: tuple[str, ...] = ()
    """The names under which the same bytes were uploaded again, in the order of the uploads."""

    def as_json(self) -> dict[str, Any]:
        """The document as clients see it."""
        return {
            "document_id": str(self.id),
            "filename": self.filename,
            "other_filenames": self.other_filenames,
            "content_type": self.content_type,
            "size": self.size,
            "sha256": self.sha256.hex(),
            "created_at": rfc3339(self.created_at),
            "expires_at": rfc3339(self.expires_at),
            "links": {"self": f"/v1/documents/{self.id}", "file": f"/v1/documents/{self.id}/file"},
        }


@dataclass(frozen=True, slots=True)
class Quality:
    """How well the pages of a completed job were read."""

    confidence: float | None
    """Mean over the pages that have text; None if none has."""
    needs_review: Sequence[int]
    """The first pages that somebody should check, ascending, at most MAX_REVIEW_LISTED."""

    @classmethod
    def of(cls, readings: Mapping[int, Reading]) -> "Quality":
        """That of a job whose pages were read so; by page number. It is what the database would compute of its rows."""
        # To the database, a text of spaces is equal to an empty one.
        confidences = [reading.confidence for _, reading in sorted(readings.items()) if reading.text.strip(" ")]
        mean = round(sum(confidences) / len(confidences), 2) if confidences else None
        doubtful = sorted(number for number, reading in readings.items() if reading.needs_review)
        return cls(mean, doubtful[:MAX_REVIEW_LISTED])


MAX_REVIEW_LISTED = 100
"""Most pages that a job lists as needing review. The list is part of every answer about the job; a user with more such
pages has to check the whole document anyway."""


@dataclass(frozen=True, slots=True)
class Job:
    id: UUID
    document_id: UUID
    tenant: str
    client: str
    """Whose turn it is when the job is read, see Caller; never shown to clients."""
    status: Status
    version: int
    """Grows with every change; of two copies, the one with the higher version is newer."""
    options: Options
    request_id: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pages_total: int | None = None
    """None until the document was opened."""
    pages_done: int = 0
    pages_failed: int = 0
    eta_s: float | None = None
    attempt: int = 1
    failure: Failure | None = None
    engine: Mapping[str, Any] | None = None
    history: tuple[HistoryEntry, ...] = ()
    """The last HISTORY_KEPT steps that ended, oldest first."""
    quality: Quality | None = None
    """None until the job is completed."""
    traceparent: str | None = None
    """Names the span of the request that started this attempt (W3C Trace Context); None if it was not traced."""
    has_password: bool = False
    """True if a client has given a password for the document. It is forgotten when the job has ended."""
    has_deliveries: bool = field(default=False, compare=False)
    """True if the transition that made this state has recorded whom to tell of it; not stored."""

    @property
    def progress(self) -> float:
        if self.status is Status.COMPLETED:
            return 1.0
        if not self.pages_total:
            return 0.0
        return round((self.pages_done + self.pages_failed) / self.pages_total, 4)

    @property
    def engine_name(self) -> str:
        """Names and versions of the engines that read the document, as in `tesseract 5.5.0`."""
        if self.engine is None:
            return "unknown"
        second = self.engine.get("second")
        return ", ".join(f"{engine['name']} {engine['version']}" for engine in (self.engine, second) if engine)

    def as_json(self) -> dict[str, Any]:
        """The job as clients see it. Only the queue knows `queue_position`, so it is null here.

        `deduplicated` is true only in the answer to an upload whose document was already known.
        """
        failure = self.failure
        return {
            "job_id": str(self.id),
            "document_id": str(self.document_id),
            "status": self.status.value,
            "pages": {"total": self.pages_total, "done": self.pages_done, "failed": self.pages_failed},
            "progress": self.progress,
            "confidence": self.quality.confidence if self.quality else None,
            "needs_review": list(self.quality.needs_review) if self.quality else [],
            "eta_seconds": None if self.eta_s is None else round(self.eta_s, 1),
            "queue_position": None,
            "attempt": self.attempt,
            "history": [entry.as_json() for entry in self.history],
            "options": self.options.as_json(),
            "error": None if failure is None else failure_json(failure),
            "deduplicated": False,
            "engine": self.engine,
            "created_at": rfc3339(self.created_at),
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "links": {
                "self": f"/v1/jobs/{self.id}",
                "document": f"/v1/documents/{self.document_id}",
                "result": f"/v1/jobs/{self.id}/result",
                "events": f"/v1/jobs/{self.id}/events",
            },
        }


def failure_json(failure: Failure) -> dict[str, Any]:
    """A failure of a job or page as clients see it."""
    return {
        "code": failure.code.value,
        "message": failure.message,
        "page": failure.page,
        "retryable": failure.retryable,
    }


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result of a document's job that the storage has, to be read there."""

    document_id: UUID
    key: str
    """Names the result and its version by hexadecimal digits."""
    etag: str
    """With its quotes."""
    digest: str
    """The SHA-256 of its bytes, hexadecimal. The ETag of a PDF is none of them."""
    size: int
