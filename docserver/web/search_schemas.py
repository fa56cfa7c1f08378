"""The parameters and the answer of a search."""

import base64
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from docserver.documents.search import Place
from docserver.search.query import MAX_CHARACTERS
from docserver.web import examples
from docserver.web.cursors import Cursor, check_cursor, digest
from docserver.web.request_fields import Parsed, limit_field
from docserver.web.request_schemas import DocumentFilter
from docserver.web.response_schemas import ListedDocument
from docserver.web.result_schemas import BOX


def parse_place(text: str) -> Cursor[Place]:
    """The inverse of `place_text`."""
    try:
        points, number, *found = base64.urlsafe_b64decode(text.encode()).decode().split("|")
        place = Place(int(points), int(number))
    except ValueError as error:
        raise ValidationError("Not a cursor of this service.") from error
    if not (abs(place.points) < MAX_POINTS and 0 <= place.number < MAX_NUMBER):
        raise ValidationError("Not a cursor of this service.")
    return Cursor(place, "".join(found))


def place_text(query: Mapping[str, Any], place: Place) -> str:
    """A place in what the search finds that a query describes, as text."""
    return base64.urlsafe_b64encode(f"{place.points}|{place.number}|{digest(query)}".encode()).decode()


MAX_POINTS, MAX_NUMBER = 1 << 16, 1 << 32
"""More than a page of the index has."""


class SearchQuery(DocumentFilter):
    """What to look for."""

    q = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_CHARACTERS),
        metadata={
            "description": 'Words that a page must have, "phrases", beginnings of words (invoi*), and what must not be '
            "there (-draft).",
            "examples": ['"total" invoi* -draft'],
        },
    )
    fuzzy = fields.Boolean(
        load_default=True,
        metadata={
            "description": "True: also find words that were misread: letters that look alike, one wrong letter in "
            "words of five letters or more, or two in one half of a word of eight letters or more.",
            "examples": [True],
        },
    )
    limit = limit_field("Most pages in the answer.")
    cursor = Parsed(
        parse_place,
        description="`next_cursor` of the previous response to the same search.",
        pattern="^[A-Za-z0-9_=-]+$",
        examples=["OHwxMjM0"],
    )

    @validates_schema
    def _check_cursor(self, data: Mapping[str, Any], **_: Any) -> None:
        check_cursor(data)


class SearchHit(Schema):
    """A word of a page that was found."""

    text = fields.String(
        required=True,
        metadata={"description": "The word as it was read. Of one hyphenated over two lines, each part is a hit."},
    )
    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    line_box = fields.List(
        fields.Integer(), required=True, metadata={**BOX, "description": f"The word's line: {BOX['description']}"}
    )


class SearchItem(Schema):
    """A page that was found."""

    document = fields.Nested(
        ListedDocument, required=True, metadata={"description": "The page's document, with its latest job."}
    )
    job_id = fields.UUID(required=True, metadata={"description": "The job that has read the page."})
    page = fields.Integer(required=True, metadata={"minimum": 1, "description": "The number of the page."})
    score = fields.Float(
        required=True,
        metadata={
            "minimum": 0,
            "maximum": 1,
            "description": "How much the page is like the search: 1 if it has all words often, as they are written.",
        },
    )
    snippet = fields.String(
        required=True,
        metadata={"description": "A part of the page's text as HTML, in which <mark> stands round what was found."},
    )
    hits = fields.List(
        fields.Nested(SearchHit),
        required=True,
        metadata={"description": "The words that were found, in reading order; the first 100."},
    )


class SearchResult(Schema):
    """Pages that a search has found."""

    items = fields.List(
        fields.Nested(SearchItem),
        required=True,
        metadata={"description": "The pages, best first; perhaps fewer than the limit, even if more follow."},
    )
    next_cursor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where the next part begins; null after the last."},
    )


EXAMPLE: Mapping[str, Any] = {
    "items": [
        {
            "document": examples.LISTED_DOCUMENT,
            "job_id": str(examples.JOB_ID),
            "page": 1,
            "score": 0.889,
            "snippet": "Invoice 4711 <mark>Total</mark>: 12.50 EUR",
            "hits": [{"text": "Total:", "box": [101, 268, 191, 302], "line_box": [101, 268, 430, 302]}],
        }
    ],
    "next_cursor": None,
}
"""An answer, for the OpenAPI document."""
