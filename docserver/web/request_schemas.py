"""Marshmallow schemas for the parameters of requests, and the errors for invalid parameters."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate, validates_schema
from multidict import MultiMapping
from yarl import URL

from docserver.database.tables.document_lists import Position
from docserver.documents.page_images import IMAGE_FORMATS, MAX_WIDTH
from docserver.errors import Unprocessable
from docserver.formats import FORMATS
from docserver.layout import Box
from docserver.model import Status, parse_id
from docserver.page_ranges import NEEDS_REVIEW, InvalidPages, parse_pages
from docserver.pdf_options import MAX_QUALITY
from docserver.reading_options import EngineChoice, Mode, Rotate
from docserver.sniff import SUPPORTED
from docserver.webhooks.addresses import MAX_URL
from docserver.webhooks.signing import is_secret

MAX_LIMIT = 100
MAX_OFFSET = 100_000
"""Largest offset in a list. The database reads all rows before the offset; those of a cursor it does not."""

MAX_EXPIRES_IN_S = 100 * 365 * 86400
"""A hundred years: longer than anybody keeps a document, and within the range of a DATETIME column."""

MAX_TEXT = 255
T = TypeVar("T")

EXAMPLE_CURSOR = (
    "Y3JlYXRlZF9hdF9kZXNjfDIwMjYtMTEtMjlUMjI6MDI6NDMuMjU4NDk2fDAxYTIyOTU0LWY0YjEtNzNhMy1iZGM5LWYyOTM0MWQ5YWM0Nw=="
)

LANGUAGES = r"^[A-Za-z0-9_]{1,40}(\+[A-Za-z0-9_]{1,40}){0,9}$"

PAGES = r"^[1-9][0-9]{0,5}(-[1-9][0-9]{0,5})?(,[1-9][0-9]{0,5}(-[1-9][0-9]{0,5})?)*$"
"""The form of page ranges, for the OpenAPI document. A pattern cannot express that each range must count upwards."""

BOX = r"^[0-9]{1,6}(,[0-9]{1,6}){3}$"
"""The form of a box. A pattern cannot express that it has an area."""

SECRET = "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$"  # noqa: S105 - a pattern
"""The form of a webhook's secret, for the OpenAPI document."""

EXAMPLE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of docs/webhooks.md

MAX_SECRET = len("whsec_") + 88
"""Most characters of a secret of 64 bytes."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([Tt ].+)?", re.ASCII)
_LOST_PLUS = re.compile(r"(.{11}.+) (\d\d:?\d\d)", re.ASCII)
"""A time whose zone has lost its plus sign: in a query, `+` means a space unless the client encodes it."""

MOMENT = [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)

MAX_ERRORS = 20
"""Most wrong fields that are named, more than any request has; the names of all would make a long answer."""


class Strict(Schema):
    """A schema that refuses unknown fields. The values of enumerations are taken in any case."""

    class Meta:
        unknown = RAISE

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages["unknown"] = (
            f"Unknown field; known: {', '.join(sorted(self.fields))}."
            if self.fields
            else "Unknown field; none is known."
        )
        for field in self.fields.values():
            _say_what_is_right(field)

    @pre_load
    def _normalise(self, data: Mapping[str, Any], **_: Any) -> Mapping[str, Any]:
        return {
            key: _normal(value, self.fields.get(key)) if isinstance(value, str) else value
            for key, value in data.items()
        }


def _say_what_is_right(field: fields.Field[Any]) -> None:
    """Replace marshmallow's message for a value of the wrong type, which only says that it is wrong."""
    if field.error_messages.get("invalid") != type(field).default_error_messages.get("invalid"):
        return
    if isinstance(field, fields.Boolean):
        field.error_messages["invalid"] = "Must be true or false."
    elif isinstance(field, fields.Integer):
        ranges = [one for one in field.validators if isinstance(one, validate.Range) and one.max is not None]
        bounds = "".join(f" from {one.min} to {one.max}" for one in ranges)
        field.error_messages["invalid"] = f"Must be a whole number{bounds}."


def _normal(text: str, field: fields.Field[Any] | None) -> str:
    # All names are in small letters; media types have no case (RFC 9110, 8.3.1).
    if _enumerated(field):
        return text.lower()
    # Python takes the digits of all scripts for numbers, and 1_000. No field takes an empty text for a number.
    if isinstance(field, fields.Integer | fields.Float) and not (text.isascii() and "_" not in text):
        return ""
    return text


def _enumerated(field: fields.Field[Any] | None) -> bool:
    return isinstance(field, fields.Enum) or (
        field is not None and any(isinstance(validator, validate.OneOf) for validator in field.validators)
    )


class Parsed(fields.Field[T]):
    """A field whose text is parsed by the function `parse`; that raises ValidationError for an invalid text."""

    def __init__(self, parse: Callable[[str], T], *, description: str, **shape: Any) -> None:
        """`shape` has further members of the field's OpenAPI schema, such as its pattern."""
        super().__init__(metadata={"type": "string", "maxLength": MAX_TEXT, "description": description, **shape})
        self._parse = parse

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> T:  # noqa: ARG002
        if not isinstance(value, str):
            raise ValidationError("Not a valid string.")
        if len(value) > MAX_TEXT:
            raise ValidationError(f"At most {MAX_TEXT} characters.")
        return self._parse(value)


class Secret(fields.String):
    """A secret that signs webhooks. The errors do not repeat it."""

    def __init__(self, description: str) -> None:
        super().__init__(
            validate=_check_secret,
            metadata={
                "description": description,
                "pattern": SECRET,
                "maxLength": MAX_SECRET,
                "examples": [EXAMPLE_SECRET],
            },
        )


def _check_secret(text: str) -> None:
    if not is_secret(text):
        raise ValidationError("A secret is whsec_ and 24 to 64 bytes in base64.")


def page_ranges(text: str) -> tuple[range, ...]:
    """Parse a selection of pages such as `1-3,7`."""
    try:
        return parse_pages(text)
    except InvalidPages as error:
        raise ValidationError(f"{error}.") from error


def box(text: str) -> Box:
    """Parse a box such as `36,92,580,122`."""
    if not re.fullmatch(BOX[1:-1], text, re.ASCII):
        raise ValidationError("Must be four whole numbers such as 36,92,580,122, none below 0.")
    x0, y0, x1, y1 = map(int, text.split(","))
    if x0 >= x1 or y0 >= y1:
        raise ValidationError("Of x0,y0,x1,y1, x0 must be less than x1, and y0 less than y1.")
    return x0, y0, x1, y1


def pages_to_read_again(text: str) -> tuple[range, ...] | str:
    """A selection of pages, or NEEDS_REVIEW."""
    return NEEDS_REVIEW if text.lower() == NEEDS_REVIEW else page_ranges(text)


def moment(text: str) -> tuple[datetime, bool]:
    """Parse an RFC 3339 time or a date. Returns a UTC time without time zone, and True if the text is only a date."""
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError(text)  # noqa: TRY301 - handled below like every other invalid text
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day), True  # noqa: DTZ001 - UTC without zone, as in the tables
        time = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text).upper())
        return (time.astimezone(UTC) if time.tzinfo else time).replace(tzinfo=None), False
    except (ValueError, OverflowError) as error:
        raise ValidationError("A time such as 2026-11-23T20:01:02Z, or a date such as 2026-11-23.") from error


@dataclass(frozen=True, slots=True)
class Cursor(Generic[T]):
    """A place in a list or in what a search finds."""

    place: T
    digest: str
    """Of the parameters of the request that it came from; "" for a cursor of an earlier release."""


def digest(query: Mapping[str, Any]) -> str:
    """A digest of the parameters that all parts of a list or a search have in common."""
    others = ("limit", "offset", "cursor", "date_from", "date_to")
    common = sorted((name, value) for name, value in query.items() if name not in others)
    dates = created_since(query), created_before(query)
    return blake2b(repr((common, dates)).encode(errors="replace"), digest_size=6).hexdigest()


def check_cursor(query: Mapping[str, Any]) -> None:
    """Raise ValidationError if a request has a cursor that came from other parameters."""
    given = query.get("cursor")
    if given and given.digest not in ("", digest(query)):
        raise ValidationError(
            "It comes from a request with other parameters. Send it with the same ones; limit alone may differ.",
            "cursor",
        )


def parse_cursor(text: str) -> Cursor[Position]:
    """A place in a list; the inverse of `cursor`."""
    try:
        _, created_at, document_id, *found = base64.urlsafe_b64decode(text.encode()).decode().split("|")
        position = Position(datetime.fromisoformat(created_at), UUID(document_id))
    except ValueError as error:
        raise ValidationError("Not a cursor of this service.") from error
    return Cursor(position, "".join(found))


def parse_id_cursor(text: str) -> UUID:
    """The id of the last item of the previous response."""
    value = parse_id(text)
    if value is None:
        raise ValidationError("Not a cursor of this service.")
    return value


def cursor(query: Mapping[str, Any], position: Position) -> str:
    """A position in the list that a query describes, as text."""
    parts = (query["sort"], position.created_at.isoformat(), str(position.document_id), digest(query))
    return base64.urlsafe_b64encode("|".join(parts).encode()).decode()


def id_cursor() -> Parsed[UUID]:
    """The parameter of a list that is continued after an id."""
    return Parsed(
        parse_id_cursor,
        description="`next_cursor` of the previous response.",
        format="uuid",
        examples=["01a22954-aabf-7719-951e-0ff94a86df04"],
    )


MAX_WAIT_S = 3600
_WAIT = f"Must be a number of seconds from 0 to {MAX_WAIT_S}; the service waits for 60 at most, unless set otherwise."


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


def quality_field() -> fields.Integer:
    """The parameter of the formats that are PDFs."""
    return fields.Integer(
        validate=validate.Range(min=1, max=MAX_QUALITY),
        metadata={
            "description": "Of pdf and pdfa: compress photos and scans again, as JPEGs of this quality, where they are "
            "smaller then. Default: leave them as they are.",
            "examples": [60],
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
        validate=validate.Regexp(rf"{LANGUAGES[:-1]}\Z", error="Names such as eng or eng+deu."),
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

    @validates_schema
    def _check_callback(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("callback_url" in data) != ("callback_secret" in data):
            missing = "callback_secret" if "callback_url" in data else "callback_url"
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
        validate=validate.Length(min=1, max=MAX_TEXT),
        metadata={
            "description": "A part of a file name, in any case and Unicode form, "
            "letter by letter: ß is not found by ss, nor æ by ae.",
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


def created_since(query: Mapping[str, Any]) -> datetime | None:
    """The earliest time that a filter by dates lets pass; None if it has none."""
    return query["date_from"][0] if "date_from" in query else None


def created_before(query: Mapping[str, Any]) -> datetime | None:
    """The first time after those that a filter by dates lets pass; None if it has none."""
    if "date_to" not in query:
        return None
    moment, is_date = query["date_to"]
    try:
        return moment + (DAY if is_date else MICROSECOND)  # type: ignore[no-any-return]
    except OverflowError:
        # It is the last that Python supports.
        return None


def limit_field(description: str) -> fields.Integer:
    """How much a part of a list has at most."""
    return fields.Integer(
        load_default=10,
        validate=validate.Range(min=1, max=MAX_LIMIT),
        metadata={"description": description, "examples": [10]},
    )


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


@dataclass(frozen=True, slots=True)
class Places:
    """Where a request has its fields: those of `query` in the query, all others in `elsewhere`, which is the key under
    which errors name them.
    """

    elsewhere: Literal["parameter", "pointer", "header"]
    query: frozenset[str] = frozenset()

    def of(self, name: str) -> dict[str, str]:
        """The place of a field, as a member of an error."""
        key = "parameter" if name.partition("/")[0] in self.query else self.elsewhere
        return {key: f"/{name}" if key == "pointer" else name}


IN_QUERY, IN_BODY, IN_HEADER = Places("parameter"), Places("pointer"), Places("header")


def load(schema: Schema, given: MultiMapping[str], *, places: Places = IN_QUERY) -> dict[str, Any]:
    """Check and convert the given values. Raises Unprocessable, which names each wrong field by its place."""
    repeated = [key for key in set(given) if len(given.getall(key)) > 1]
    if repeated:
        raise _unprocessable({key: ["Given more than once."] for key in repeated}, places)
    try:
        loaded: dict[str, Any] = schema.load(dict(given))
    except ValidationError as error:
        raise _unprocessable(error.messages_dict, places) from error
    return loaded


@lru_cache(maxsize=64)
def load_query(schema: Schema, raw_query: str) -> Mapping[str, Any]:
    """As `load`, of the encoded query of a URL. Clients read many jobs with a few queries, so these are remembered; not
    more, because a query of 8 kB can name thousands of page ranges.
    """
    return load(schema, URL.build(query_string=raw_query, encoded=True).query)


def _unprocessable(messages: Mapping[str, Any], places: Places) -> Unprocessable:
    wrong = [(name, " ".join(details)) for name, details in sorted(_flat(messages))[:MAX_ERRORS]]
    detail = "; ".join(f"{name}: {details.removesuffix('.')}" for name, details in wrong)
    return Unprocessable(f"{detail}.", errors=[{"detail": details, **places.of(name)} for name, details in wrong])


def _flat(messages: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The messages of each field; those of an item of a list under the list's name and its place, as in `scopes/0`."""
    for name, details in messages.items():
        if isinstance(details, Mapping):
            yield from ((f"{name}/{place}", its) for place, its in _flat(details))
        else:
            yield str(name), details
