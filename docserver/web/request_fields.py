"""Fields of requests that have a form of their own: page ranges, boxes, times, secrets, ids to go on from."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from marshmallow import ValidationError, fields, validate

from docserver.layout import Box
from docserver.model import parse_id
from docserver.page_ranges import NEEDS_REVIEW, InvalidPages, parse_pages
from docserver.pdf_options import MAX_QUALITY
from docserver.webhooks.signing import is_secret

MAX_LIMIT = 100

MAX_TEXT = 255
T = TypeVar("T")

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
        raise ValidationError("Must be a time such as 2026-11-23T20:01:02Z, or a date such as 2026-11-23.") from error


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


def parse_id_cursor(text: str) -> UUID:
    """The id of the last item of the previous response."""
    value = parse_id(text)
    if value is None:
        raise ValidationError("Not a cursor of this service.")
    return value


def id_cursor() -> Parsed[UUID]:
    """The parameter of a list that is continued after an id."""
    return Parsed(
        parse_id_cursor,
        description="`next_cursor` of the previous response.",
        format="uuid",
        examples=["01a22954-aabf-7719-951e-0ff94a86df04"],
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


def limit_field(description: str) -> fields.Integer:
    """How much a part of a list has at most."""
    return fields.Integer(
        load_default=10,
        validate=validate.Range(min=1, max=MAX_LIMIT),
        metadata={"description": description, "examples": [10]},
    )
