"""The shapes of JSON responses, for the OpenAPI document; tests check real responses against them."""

from marshmallow import Schema, fields, validate

from docserver.database.tables.document_lists import COUNTED
from docserver.errors import DocumentErrorCode
from docserver.job_history import Outcome, Step
from docserver.model import Source, Status
from docserver.reading_options import Mode, Rotate

STATUS = {"enum": list(Status)}
COUNT = {"minimum": 0}
PERCENT = {"minimum": 0, "maximum": 100}
BOX = {"minItems": 4, "maxItems": 4, "description": "x0, y0, x1, y1 in pixels from the top left."}


class Failure(Schema):
    """Why a job or page failed."""

    code = fields.String(required=True, metadata={"enum": list(DocumentErrorCode)})
    message = fields.String(required=True)
    page = fields.Integer(required=True, allow_none=True)
    retryable = fields.Boolean(required=True)


class Progress(Schema):
    """The number of a job's pages: in total, done and failed."""

    total = fields.Integer(required=True, allow_none=True, metadata=COUNT)
    done = fields.Integer(required=True, metadata=COUNT)
    failed = fields.Integer(required=True, metadata=COUNT)


class Options(Schema):
    """How a document is read."""

    languages = fields.String(required=True)
    mode = fields.String(required=True, metadata={"enum": list(Mode)})
    rotate = fields.String(required=True, metadata={"enum": list(Rotate)})
    pages = fields.String(required=True, allow_none=True)


class Engine(Schema):
    """The OCR engine that read the document."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    models = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class HistoryEntry(Schema):
    """A step of a job that has ended."""

    attempt = fields.Integer(required=True)
    step = fields.String(required=True, metadata={"enum": list(Step)})
    page = fields.Integer(required=True, allow_none=True)
    outcome = fields.String(required=True, metadata={"enum": list(Outcome)})
    code = fields.String(required=True, allow_none=True)
    started_at = fields.DateTime(required=True, allow_none=True)
    ended_at = fields.DateTime(required=True)


class UploadLink(Schema):
    """Where to send a file, by one PUT."""

    upload_id = fields.UUID(required=True)
    method = fields.String(required=True)
    url = fields.String(required=True)
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "The headers that the request must have."},
    )
    expires_at = fields.DateTime(required=True, metadata={"description": "Until when the request must begin."})
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class Job(Schema):
    """A job."""

    job_id = fields.UUID(required=True)
    document_id = fields.UUID(required=True)
    status = fields.String(required=True, metadata=STATUS)
    pages = fields.Nested(Progress, required=True)
    progress = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    confidence = fields.Float(
        required=True,
        allow_none=True,
        metadata={**PERCENT, "description": "Mean over the pages that have text, once the job is completed."},
    )
    needs_review = fields.List(
        fields.Integer(),
        required=True,
        metadata={
            "description": "Pages of a completed job to look at: they have a low confidence, something drawn but no "
            "text, or a part that could not be read; the first 100."
        },
    )
    eta_seconds = fields.Float(required=True, allow_none=True, metadata=COUNT)
    queue_position = fields.Integer(
        required=True,
        allow_none=True,
        metadata={**COUNT, "description": "Turns before that of a pending job, if no further clients come."},
    )
    attempt = fields.Integer(required=True, metadata={"minimum": 1})
    history = fields.List(
        fields.Nested(HistoryEntry),
        required=True,
        metadata={"description": "The last 50 tries that ended, oldest first; pages that were read are not listed."},
    )
    options = fields.Nested(Options, required=True)
    error = fields.Nested(Failure, required=True, allow_none=True)
    deduplicated = fields.Boolean(required=True)
    engine = fields.Nested(Engine, required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    started_at = fields.DateTime(required=True, allow_none=True)
    finished_at = fields.DateTime(required=True, allow_none=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class Event(Schema):
    """A server-sent event of a job."""

    event = fields.String(required=True, metadata={"enum": ["status", "page", "done"]})
    id = fields.String(metadata={"description": "For Last-Event-ID; `status` has none of its own."})
    data = fields.String(
        required=True,
        metadata={"description": "JSON: for `page` a Page without blocks, and with its text on request; else a Job."},
    )


class Word(Schema):
    """A word of the result."""

    text = fields.String(required=True)
    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    confidence = fields.Float(required=True, metadata=PERCENT)


class Line(Schema):
    """A line of the result."""

    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    paragraph = fields.Integer(
        required=True, metadata={"description": "The number of the paragraph in its block, from 1."}
    )
    confidence = fields.Float(required=True, metadata=PERCENT)
    words = fields.List(fields.Nested(Word), required=True)


class Block(Schema):
    """A block of the result."""

    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    source = fields.String(
        required=True,
        metadata={
            "enum": [Source.OCR, Source.TEXT_LAYER],
            "description": "text_layer if all of its words are the PDF's own, ocr if some were read from the picture.",
        },
    )
    lines = fields.List(fields.Nested(Line), required=True)


class Page(Schema):
    """A page of the result: its text, or the error that kept it from being read."""

    number = fields.Integer(required=True)
    width = fields.Integer()
    height = fields.Integer()
    dpi = fields.Integer(allow_none=True, metadata={"description": "Pixels per inch; null if the file does not say."})
    rotation = fields.Integer(
        metadata={"description": "Degrees clockwise by which the page must be turned to be upright: 0, 90, 180 or 270."}
    )
    source = fields.String(
        metadata={
            "enum": list(Source),
            "description": "text_layer: the PDF page's own text, or an empty page. ocr: read from the picture. "
            "mixed: both.",
        }
    )
    languages = fields.String(
        allow_none=True, metadata={"description": "The languages that OCR used, as in eng+deu; null for a text layer."}
    )
    confidence = fields.Float(
        metadata={
            **PERCENT,
            "description": "Mean of the words, weighted by their length; at most 99 if a part of a PDF page that "
            "looks like text could not be read; 0 without text.",
        }
    )
    needs_review = fields.Boolean(
        metadata={
            "description": "True if the confidence is low, something is drawn but has no text, or a part could not "
            "be read."
        }
    )
    text = fields.String()
    blocks = fields.List(fields.Nested(Block))
    error = fields.Nested(Failure)


class Result(Schema):
    """A result as JSON."""

    job_id = fields.UUID(required=True)
    document_id = fields.UUID(required=True)
    engine = fields.Nested(Engine, required=True, allow_none=True)
    pages = fields.List(fields.Nested(Page), required=True)


class DocumentFacts(Schema):
    """The metadata of a document."""

    document_id = fields.UUID(required=True)
    filename = fields.String(required=True)
    other_filenames = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Further names under which the same file was uploaded."},
    )
    content_type = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"minimum": 1})
    sha256 = fields.String(required=True, metadata={"pattern": "^[0-9a-f]{64}$"})
    created_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class Document(DocumentFacts):
    """A document and its jobs, latest first."""

    jobs = fields.List(fields.Nested(Job), required=True)


class ListedDocument(DocumentFacts):
    """A document in a list, with its latest job."""

    job_id = fields.UUID(required=True)
    status = fields.String(required=True, metadata=STATUS)
    pages_total = fields.Integer(required=True, allow_none=True)


class DocumentList(Schema):
    """A part of the list of documents."""

    items = fields.List(fields.Nested(ListedDocument), required=True)
    total = fields.Integer(
        required=True, metadata={**COUNT, "description": f"Documents that pass the filter; counted up to {COUNTED}."}
    )
    total_relation = fields.String(
        required=True,
        validate=validate.OneOf(["exact", "at_least"]),
        metadata={"description": f"at_least: there are more than the {COUNTED} that were counted."},
    )
    limit = fields.Integer(required=True, metadata={"minimum": 1})
    offset = fields.Integer(required=True, metadata=COUNT)
    next_cursor = fields.String(required=True, allow_none=True)


class Check(Schema):
    """The state of one part of the service."""

    status = fields.String(required=True)
    detail = fields.String()


class Health(Schema):
    """The state of the service and of its parts."""

    status = fields.String(required=True, metadata={"enum": ["ok", "degraded", "unavailable", "starting"]})
    checks = fields.Dict(keys=fields.String(), values=fields.Nested(Check))


class Languages(Schema):
    """The languages that a client can choose, and the default."""

    default = fields.String(required=True)
    installed = fields.List(fields.String(), required=True)
    auto = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The languages that languages=auto chooses from."},
    )


class Quota(Schema):
    """What a tenant has used of a quota."""

    used = fields.Integer(required=True, metadata=COUNT)
    limit = fields.Integer(
        required=True, allow_none=True, metadata={**COUNT, "description": "null if there is no limit."}
    )


class DailyQuota(Quota):
    """What a tenant has used of a quota since the last midnight (UTC)."""

    resets_at = fields.DateTime(required=True)


class ConnectionQuota(Quota):
    """How many requests of a tenant are being answered."""

    used = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            **COUNT,
            "description": "With this request. Counted only where there is a limit, else null.",
        },
    )


class Usage(Schema):
    """What a tenant has used of its quotas."""

    tenant = fields.String(required=True)
    pages_per_day = fields.Nested(DailyQuota, required=True)
    bytes = fields.Nested(Quota, required=True)
    unfinished_jobs = fields.Nested(Quota, required=True)
    connections = fields.Nested(ConnectionQuota, required=True)


class ProblemItem(Schema):
    """One wrong field of a request."""

    detail = fields.String(required=True)
    pointer = fields.String()
    parameter = fields.String()
    header = fields.String()


class Problem(Schema):
    """An error in the form of RFC 9457."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    code = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemItem), required=True)
    job_error = fields.Nested(Failure, allow_none=True)
