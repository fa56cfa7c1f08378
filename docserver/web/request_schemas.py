"""Marshmallow schemas for the parameters of requests."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, pre_load, validate, validates_schema

from docserver.documents.page_images import IMAGE_FORMATS, MAX_WIDTH
from docserver.formats import FORMATS
from docserver.model import Status
from docserver.page_ranges import NEEDS_REVIEW
from docserver.reading_options import EngineChoice, Mode, Rotate
from docserver.sniff import SUPPORTED
from docserver.web.cursors import EXAMPLE_CURSOR, check_cursor, parse_cursor
from docserver.web.request_fields import (
    BOX,
    MAX_TEXT,
    MOMENT,
    PAGES,
    Parsed,
    Secret,
    box,
    created_before,
    created_since,
    limit_field,
    moment,
    page_ranges,
    pages_to_read_again,
    quality_field,
)
from docserver.web.validation import Strict
from docserver.webhooks.addresses import MAX_URL

MAX_OFFSET = 100_000
"""Largest offset in a list. The database reads all rows before the offset; those of a cursor it does not."""

MAX_EXPIRES_IN_S = 100 * 365 * 86400
"""A hundred years: longer than anybody keeps a document, and within the range of a DATETIME column."""

LANGUAGES = r"^[A-Za-z0-9_]{1,40}(\+[A-Za-z0-9_]{1,40}){0,9}$"

MAX_WAIT_S = 3600
_WAIT = f"Must be a number of seconds from 0 to {MAX_WAIT_S}; the service waits for 60 at most, unless set otherwise."


def _check_visible(text: str) -> None:
    """Refuse a text that every name has in it: the database compares no other characters."""
    if all(unicodedata.combining(char) or unicodedata.category(char) in ("Cc", "Cf") for char in text):
        raise ValidationError("Must have a character that one sees.")


class WaitQuery(Strict):
    wait = fields.Float(
        load_default=0.0,
        validate=validate.Range(min=0, max=MAX_WAIT_S, error=_WAIT),
        error_messages={"invalid": _WAIT},
        metadata={
            "description": "Seconds to wait for a final status. The service waits 60 at most, unless set otherwise.",
            "examples": [30],
        },
    )


class ResultQuery(Strict):
    format = fields.String(
        validate=validate.OneOf(sorted(FORMATS)),
        metadata={
            "description": "The format. Without it the Accept header decides; without that, txt.",
            "examples": ["json"],
        },
    )
    pages = Parsed(page_ranges, description="Only these pages, as in 1-3,7.", pattern=PAGES, examples=["1-3,7"])
    quality = quality_field()


class PageQuery(Strict):
    format = fields.String(
        validate=validate.OneOf(sorted(FORMATS)),
        metadata={
            "description": "The format. Without it the Accept header decides; without that, json.",
            "examples": ["txt"],
        },
    )
    quality = quality_field()


class ImageQuery(Strict):
    """What is drawn of a page, and how."""

    width = fields.Integer(
        validate=validate.Range(min=1, max=MAX_WIDTH),
        metadata={
            "description": "Width of the picture in pixels. Default: that of the page or part, 1000 at most.",
            "examples": [1200],
        },
    )
    format = fields.String(
        load_default=IMAGE_FORMATS[0],
        validate=validate.OneOf(IMAGE_FORMATS),
        metadata={"description": "The format of the picture.", "examples": ["png"]},
    )
    crop = Parsed(
        box,
        description="Only this part: x0,y0,x1,y1 in the pixels of the page, as boxes of words are.",
        pattern=BOX,
        examples=["36,92,580,122"],
    )
    highlight = fields.String(
        validate=validate.OneOf(["words"]),
        metadata={"description": "words: mark each word where it stands.", "examples": ["words"]},
    )


class EventsQuery(Strict):
    text = fields.Boolean(
        load_default=False,
        metadata={"description": "True: each event of a page that was read has the page's text.", "examples": [True]},
    )


class ReadingOptions(Strict):
    """How to read a document."""

    languages = fields.String(
        validate=validate.Regexp(rf"{LANGUAGES[:-1]}\Z", error="Must be names such as eng or eng+deu."),
        error_messages={"invalid": "Must be a text such as eng or eng+deu."},
        metadata={
            "pattern": LANGUAGES,
            "description": "Installed languages joined by +, most important first; auto: one that fits each page.",
            "examples": ["eng"],
        },
    )
    mode = fields.Enum(
        Mode,
        by_value=fields.String,
        metadata={
            "description": "auto: a PDF page's own text if it is good, and OCR for the rest of the page; else OCR. "
            "force: always OCR.",
            "examples": ["auto"],
        },
    )
    rotate = fields.Enum(
        Rotate,
        by_value=fields.String,
        metadata={
            "description": "auto: turn pages upright that were scanned sideways or upside down. off: turn none.",
            "examples": ["auto"],
        },
    )
    barcodes = fields.Boolean(
        metadata={"description": "Whether to look for barcodes and QR codes. Default: true.", "examples": [True]}
    )
    engine = fields.Enum(
        EngineChoice,
        by_value=fields.String,
        metadata={
            "description": "auto: Tesseract, and PP-OCR where Tesseract is not sure, if it is installed and reads the "
            "language. tesseract: Tesseract alone. ppocr: PP-OCR for all that is read from pictures of pages.",
            "examples": ["auto"],
        },
    )

    @pre_load
    def _restore_plus(self, data: Mapping[str, Any], **_: Any) -> Mapping[str, Any]:
        # In a query, `+` means a space unless the client encodes it.
        languages = data.get("languages")
        return {**data, "languages": languages.replace(" ", "+")} if isinstance(languages, str) else data


class RetryOptions(ReadingOptions):
    """Which pages to read again, and how."""

    pages = Parsed(
        pages_to_read_again,
        description="Only these pages, as in 1-3,7, or needs_review: those that the job lists as such.",
        pattern=f"{PAGES[:-1]}$|^{NEEDS_REVIEW}$",
        examples=[NEEDS_REVIEW],
    )


class JobOptions(ReadingOptions):
    """What a job reads and how, and who is told of its end."""

    pages = Parsed(page_ranges, description="Only these pages, as in 1-3,7.", pattern=PAGES, examples=["1-3,7"])
    callback_url = fields.String(
        validate=validate.Length(min=1, max=MAX_URL),
        metadata={
            "description": "A URL that is told by a webhook when the job has ended; needs callback_secret.",
            "examples": ["https://app.example.org/docserver"],
        },
    )
    callback_secret = Secret("The secret that signs the webhook.")

    # If one of them is wrong, it is given all the same.
    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _check_callback(self, _: Mapping[str, Any], given: Mapping[str, Any], **__: Any) -> None:
        if ("callback_url" in given) != ("callback_secret" in given):
            missing = "callback_secret" if "callback_url" in given else "callback_url"
            raise ValidationError("callback_url and callback_secret must be given together.", missing)


class UploadOptions(JobOptions):
    """Options of an upload, as fields of the form or as query parameters."""

    expires_in = fields.Integer(
        validate=validate.Range(min=1, max=MAX_EXPIRES_IN_S),
        error_messages={"invalid": "Must be a whole number of seconds."},
        metadata={
            "description": "Seconds to keep the document and its results. Default: the service's own setting. If equal "
            "uploads share a document, it is kept for the longest time that one of them asks for, or for ever.",
            "examples": [2592000],
        },
    )


class BegunUpload(Strict):
    """A file that is to be sent by a link."""

    size = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(min=1),
        metadata={"description": "The file's size in bytes; the link takes no more and no fewer.", "examples": [577]},
    )


class NamedUpload(UploadOptions):
    """The name of a file that is sent without a form, and the options of an upload."""

    filename = fields.String(
        validate=validate.Length(min=1, max=MAX_TEXT),
        metadata={"description": "The file's name.", "examples": ["invoice.pdf"]},
    )


class DocumentFilter(Strict):
    """What narrows lists of documents and searches."""

    filename = fields.String(
        validate=[validate.Length(min=1, max=MAX_TEXT), _check_visible],
        metadata={
            "description": "A part of a file name, in any case and Unicode form, with or without accents: "
            "strasse finds Straße.",
            "examples": ["invoice"],
        },
    )
    content_type = fields.String(
        validate=validate.OneOf(list(SUPPORTED)),
        metadata={"description": "The media type of the file.", "examples": ["application/pdf"]},
    )
    date_from = Parsed(
        moment,
        description="Created at this time or later. A time without zone, and a date, are UTC.",
        anyOf=MOMENT,
        examples=["2026-11-23T20:01:02Z"],
    )
    date_to = Parsed(
        moment,
        description="Created at this time or earlier; a bare date includes that day. In UTC if it has no zone.",
        anyOf=MOMENT,
        examples=["2026-11-30"],
    )
    status = fields.Enum(
        Status,
        by_value=fields.String,
        metadata={"description": "The status of the document's latest job.", "examples": ["completed"]},
    )

    @validates_schema
    def _check_dates(self, data: Mapping[str, Any], **_: Any) -> None:
        since, before = created_since(data), created_before(data)
        if since and before and since >= before:
            raise ValidationError("It is before date_from.", "date_to")


class ListQuery(DocumentFilter):
    limit = limit_field("The most items of a part.")
    offset = fields.Integer(
        load_default=0,
        validate=validate.Range(
            min=0,
            max=MAX_OFFSET,
            error="Must be from {min} to {max}; to read on, give the next_cursor of a response as cursor.",
        ),
        metadata={"description": "Items to leave out. A cursor is quicker, and misses nothing.", "examples": [0]},
    )
    cursor = Parsed(
        parse_cursor,
        description="`next_cursor` of the previous response, with the same parameters; not together with offset.",
        pattern="^[A-Za-z0-9_=-]+$",
        examples=[EXAMPLE_CURSOR],
    )
    sort = fields.String(
        load_default="created_at_desc",
        validate=validate.OneOf(["created_at_desc", "created_at_asc"]),
        metadata={"description": "The order: the latest or the oldest first.", "examples": ["created_at_asc"]},
    )

    @validates_schema
    def _check_cursor(self, data: Mapping[str, Any], **_: Any) -> None:
        if "cursor" not in data:
            return
        if data["offset"]:
            raise ValidationError("Either a cursor or an offset.", "offset")
        check_cursor(data)
