"""The shapes of JSON responses about documents and jobs, and of problems; tests check real responses against them."""

from marshmallow import Schema, fields

from docserver.database.tables.document_lists import COUNTED
from docserver.errors import DocumentErrorCode
from docserver.job_history import Outcome, Step
from docserver.model import Status
from docserver.reading_options import EngineChoice, Mode, Rotate

COUNT = {"minimum": 0}
PERCENT = {"minimum": 0, "maximum": 100}


def next_cursor_field() -> fields.String:
    """The field of a list that leads to its next part."""
    return fields.String(
        required=True, allow_none=True, metadata={"description": "`cursor` of the next part; null if this is the last."}
    )


class Failure(Schema):
    """Why a job or page failed."""

    code = fields.String(
        required=True, metadata={"enum": list(DocumentErrorCode), "description": "What failed, for programs."}
    )
    message = fields.String(required=True, metadata={"description": "What failed, for people."})
    page = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"minimum": 1, "description": "The number of the page; null if the whole document failed."},
    )
    retryable = fields.Boolean(
        required=True, metadata={"description": "True if reading the same document again could succeed."}
    )


class Progress(Schema):
    """The number of a job's pages: in total, done and failed."""

    total = fields.Integer(
        required=True,
        allow_none=True,
        metadata={**COUNT, "description": "Pages to be read; null until the document was opened."},
    )
    done = fields.Integer(required=True, metadata={**COUNT, "description": "Pages that were read."})
    failed = fields.Integer(required=True, metadata={**COUNT, "description": "Pages that could not be read."})


class Options(Schema):
    """How a document is read."""

    languages = fields.String(required=True, metadata={"description": "Languages joined by +, as in eng+deu; or auto."})
    mode = fields.String(
        required=True, metadata={"enum": list(Mode), "description": "Where the text of a PDF's pages comes from."}
    )
    rotate = fields.String(
        required=True, metadata={"enum": list(Rotate), "description": "Whether pages are turned upright."}
    )
    barcodes = fields.Boolean(required=True, metadata={"description": "Whether barcodes are looked for."})
    engine = fields.String(
        required=True, metadata={"enum": list(EngineChoice), "description": "The engines that read pictures of pages."}
    )
    pages = fields.String(
        required=True, allow_none=True, metadata={"description": "The pages to be read, as in 1-3,7; null for all."}
    )


class OneEngine(Schema):
    """An OCR engine."""

    name = fields.String(required=True, metadata={"description": "The engine's name."})
    version = fields.String(required=True, metadata={"description": "The engine's version."})
    models = fields.Dict(
        keys=fields.String(),
        values=fields.String(metadata={"description": "The model's digest."}),
        required=True,
        metadata={"description": "The models that were used: language, or file, and digest."},
    )


class Engine(OneEngine):
    """The OCR engines that read the document."""

    second = fields.Nested(
        OneEngine,
        allow_none=True,
        metadata={"description": "The one that reads again what the first is not sure of; null if none."},
    )


class HistoryEntry(Schema):
    """A step of a job that has ended."""

    attempt = fields.Integer(
        required=True, metadata={"minimum": 1, "description": "The attempt of the job to which the step belongs."}
    )
    step = fields.String(required=True, metadata={"enum": list(Step), "description": "What was done."})
    page = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The page's number, if the step is a page."}
    )
    outcome = fields.String(required=True, metadata={"enum": list(Outcome), "description": "How the step ended."})
    code = fields.String(
        required=True,
        allow_none=True,
        metadata={"enum": list(DocumentErrorCode), "description": "Why the step failed; null if it did not."},
    )
    started_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "null if the job was cancelled before it started."}
    )
    ended_at = fields.DateTime(required=True, metadata={"description": "When the step ended."})


class UploadLinkLinks(Schema):
    """Where to go on after the file was sent."""

    complete = fields.String(required=True, metadata={"description": "POST here to make a document of the file."})


class UploadLink(Schema):
    """Where to send a file, by one PUT."""

    upload_id = fields.UUID(required=True, metadata={"description": "The upload's id."})
    method = fields.String(required=True, metadata={"description": "The method of the request that sends the file."})
    url = fields.String(required=True, metadata={"description": "Where the file is sent, in the bucket."})
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(metadata={"description": "The header's value."}),
        required=True,
        metadata={"description": "The headers that the request must have."},
    )
    expires_at = fields.DateTime(required=True, metadata={"description": "Until when the request must begin."})
    links = fields.Nested(UploadLinkLinks, required=True, metadata={"description": "Paths on this service."})


class JobLinks(Schema):
    """Where a job's parts are: paths on this service."""

    self = fields.String(required=True, metadata={"description": "The job."})
    document = fields.String(required=True, metadata={"description": "The document that the job reads."})
    result = fields.String(required=True, metadata={"description": "The text, once the job is completed."})
    events = fields.String(required=True, metadata={"description": "What happens to the job, as server-sent events."})


class Job(Schema):
    """A job: the reading of one document."""

    job_id = fields.UUID(required=True, metadata={"description": "The job's id."})
    document_id = fields.UUID(required=True, metadata={"description": "The id of the document that is read."})
    status = fields.String(required=True, metadata={"enum": list(Status), "description": "Where the job stands."})
    pages = fields.Nested(Progress, required=True, metadata={"description": "How many pages there are, and are done."})
    progress = fields.Float(
        required=True, metadata={"minimum": 0, "maximum": 1, "description": "The part of the pages that is done."}
    )
    confidence = fields.Float(
        required=True,
        allow_none=True,
        metadata={**PERCENT, "description": "Mean over the pages that have text, once the job is completed."},
    )
    needs_review = fields.List(
        fields.Integer(),
        required=True,
        metadata={
            "description": "Pages of a completed job to look at: they have a low confidence, no text though something "
            "may be letters, or a part that could not be read; the first 100."
        },
    )
    eta_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata={**COUNT, "description": "Seconds until the job ends, as estimated; null while nothing is known."},
    )
    queue_position = fields.Integer(
        required=True,
        allow_none=True,
        metadata={**COUNT, "description": "Turns before that of a pending job, if no further clients come."},
    )
    attempt = fields.Integer(required=True, metadata={"minimum": 1, "description": "1, and one more for each retry."})
    history = fields.List(
        fields.Nested(HistoryEntry),
        required=True,
        metadata={"description": "The last 50 tries that ended, oldest first; pages that were read are not listed."},
    )
    options = fields.Nested(Options, required=True, metadata={"description": "How the document is read."})
    error = fields.Nested(
        Failure, required=True, allow_none=True, metadata={"description": "Why the job failed; null if it did not."}
    )
    deduplicated = fields.Boolean(
        required=True, metadata={"description": "True if this is the answer to an upload of bytes that were here."}
    )
    engine = fields.Nested(
        Engine, required=True, allow_none=True, metadata={"description": "What read it; null before it was started."}
    )
    created_at = fields.DateTime(required=True, metadata={"description": "When the document was uploaded."})
    started_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When reading began; null before that."}
    )
    finished_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When the status became final; null before that."}
    )
    links = fields.Nested(JobLinks, required=True, metadata={"description": "Paths on this service."})


class DocumentLinks(Schema):
    """Where a document's parts are: paths on this service."""

    self = fields.String(required=True, metadata={"description": "The document and its jobs."})
    file = fields.String(required=True, metadata={"description": "The file as it was uploaded."})


class DocumentFacts(Schema):
    """The metadata of a document."""

    document_id = fields.UUID(required=True, metadata={"description": "The document's id."})
    filename = fields.String(required=True, metadata={"description": "The name under which the file was uploaded."})
    other_filenames = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Further names under which the same file was uploaded."},
    )
    content_type = fields.String(required=True, metadata={"description": "The file's media type, by its content."})
    size = fields.Integer(required=True, metadata={"minimum": 1, "description": "The file's size in bytes."})
    sha256 = fields.String(
        required=True, metadata={"pattern": "^[0-9a-f]{64}$", "description": "The SHA-256 digest of the file."}
    )
    created_at = fields.DateTime(required=True, metadata={"description": "When the document was uploaded."})
    expires_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When the document is deleted; null: never."}
    )
    links = fields.Nested(DocumentLinks, required=True, metadata={"description": "Paths on this service."})


class Document(DocumentFacts):
    """A document and its jobs, latest first."""

    jobs = fields.List(
        fields.Nested(Job), required=True, metadata={"description": "The document's jobs, latest first."}
    )


class ListedDocument(DocumentFacts):
    """A document in a list, with its latest job."""

    job_id = fields.UUID(required=True, metadata={"description": "The id of the latest job."})
    status = fields.String(
        required=True, metadata={"enum": list(Status), "description": "Where the latest job stands."}
    )
    pages_total = fields.Integer(
        required=True,
        allow_none=True,
        metadata={**COUNT, "description": "The latest job's pages; null: not yet known."},
    )


class DocumentList(Schema):
    """A part of the list of documents."""

    items = fields.List(
        fields.Nested(ListedDocument), required=True, metadata={"description": "The documents, in the order of `sort`."}
    )
    total = fields.Integer(
        required=True, metadata={**COUNT, "description": f"Documents that pass the filter; counted up to {COUNTED}."}
    )
    total_relation = fields.String(
        required=True,
        metadata={
            "enum": ["exact", "at_least"],
            "description": f"at_least: there are more than the {COUNTED} that were counted.",
        },
    )
    limit = fields.Integer(required=True, metadata={"minimum": 1, "description": "The most items that this part has."})
    offset = fields.Integer(required=True, metadata={**COUNT, "description": "The documents before this part."})
    next_cursor = next_cursor_field()


class ProblemItem(Schema):
    """One wrong field of a request."""

    detail = fields.String(required=True, metadata={"description": "What is wrong with it."})
    pointer = fields.String(metadata={"description": "The field of the body (RFC 6901)."})
    parameter = fields.String(metadata={"description": "The parameter of the query."})
    header = fields.String(metadata={"description": "The header."})


class Problem(Schema):
    """An error in the form of RFC 9457."""

    type = fields.String(required=True, metadata={"description": "`urn:docserver:problem:` and the code."})
    title = fields.String(required=True, metadata={"description": "The kind of problem, for people."})
    status = fields.Integer(
        required=True, metadata={"minimum": 400, "maximum": 599, "description": "The status of the answer."}
    )
    detail = fields.String(required=True, metadata={"description": "This very problem, for people."})
    instance = fields.String(required=True, metadata={"description": "The path of the request."})
    code = fields.String(
        required=True, metadata={"description": "The kind of problem, for programs; docs/errors.md lists the codes."}
    )
    request_id = fields.String(required=True, metadata={"description": "The request's id in the service's log."})
    errors = fields.List(
        fields.Nested(ProblemItem), required=True, metadata={"description": "The wrong fields of the request."}
    )
    progress = fields.Float(
        metadata={"minimum": 0, "maximum": 1, "description": "How far the search index is, if it is being built."}
    )
    job_error = fields.Nested(
        Failure, allow_none=True, metadata={"description": "Why the job or page has no result, if that is the problem."}
    )
