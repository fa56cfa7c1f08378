"""The schemas of batches: what is asked for, and how a batch and its files are shown."""

from marshmallow import Schema, ValidationError, fields

from docserver.model import Status
from docserver.web.request_fields import Parsed, limit_field
from docserver.web.request_schemas import WaitQuery
from docserver.web.response_schemas import COUNT, next_cursor_field


def parse_number(text: str) -> int:
    """The number of the last file of the previous response."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ValidationError("Not a cursor of this service.")
    return int(text)


class BatchQuery(WaitQuery):
    """Which files of a batch to show, and how long to wait for its end."""

    limit = limit_field("The most files in the answer.")
    cursor = Parsed(
        parse_number,
        description="`next_cursor` of the previous response.",
        pattern="^[0-9]{1,9}$",
        examples=["10"],
    )


def _count(meaning: str) -> fields.Integer:
    return fields.Integer(required=True, metadata={**COUNT, "description": meaning})


class BatchFiles(Schema):
    """The number of a batch's files."""

    total = _count("Files that were sent.")
    refused = _count("Files that were refused.")


class BatchJobs(Schema):
    """The number of a batch's jobs by their status."""

    pending = _count("Jobs that wait.")
    processing = _count("Jobs that are worked on.")
    completed = _count("Jobs that are completed.")
    failed = _count("Jobs that have failed.")
    cancelled = _count("Jobs that were cancelled.")


class BatchPages(Schema):
    """The number of pages of a batch's documents, as far as they were opened."""

    total = _count("Pages to be read.")
    done = _count("Pages that were read.")
    failed = _count("Pages that could not be read.")


class Refused(Schema):
    """Why a file was refused."""

    status = fields.Integer(
        required=True,
        metadata={"minimum": 400, "maximum": 599, "description": "The status that the file alone would have got."},
    )
    code = fields.String(required=True, metadata={"description": "The kind of problem, as in docs/errors.md."})
    detail = fields.String(required=True, metadata={"description": "This very problem, for people."})


class BatchFile(Schema):
    """A file of a batch, and what became of it."""

    number = fields.Integer(required=True, metadata={"minimum": 1, "description": "Its place among the files sent."})
    filename = fields.String(required=True, metadata={"description": "The file's name, without directories."})
    job_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "Its job; null if there is none, or none any more."}
    )
    document_id = fields.UUID(required=True, allow_none=True, metadata={"description": "Its document, likewise."})
    status = fields.String(
        required=True,
        allow_none=True,
        metadata={"enum": list(Status), "description": "Where its job stands; null if there is none."},
    )
    deduplicated = fields.Boolean(
        required=True, metadata={"description": "True if the job is that of an earlier equal upload."}
    )
    problem = fields.Nested(
        Refused, required=True, allow_none=True, metadata={"description": "Why it was refused; null if it was not."}
    )


class BatchLinks(Schema):
    """Addresses that belong to a batch."""

    self = fields.String(required=True, metadata={"description": "The batch."})
    events = fields.String(required=True, metadata={"description": "What happens to it, as server-sent events."})


class BatchState(Schema):
    """How the files stand that were uploaded together."""

    batch_id = fields.UUID(required=True, metadata={"description": "The batch's id."})
    status = fields.String(
        required=True,
        metadata={
            "enum": ["receiving", "processing", "completed"],
            "description": "receiving: not each file was accepted or refused yet; completed: all jobs have ended.",
        },
    )
    created_at = fields.DateTime(required=True, metadata={"description": "When it was received."})
    files = fields.Nested(BatchFiles, required=True, metadata={"description": "How many files it has."})
    jobs = fields.Nested(BatchJobs, required=True, metadata={"description": "How its jobs stand."})
    pages = fields.Nested(BatchPages, required=True, metadata={"description": "How many pages were read."})
    links = fields.Nested(BatchLinks, required=True, metadata={"description": "Where to go from here."})


class Batch(BatchState):
    """Files that were uploaded together."""

    items = fields.List(
        fields.Nested(BatchFile),
        required=True,
        metadata={"description": "Its files in the order in which they were sent: all after an upload, else a part."},
    )
    next_cursor = next_cursor_field()
