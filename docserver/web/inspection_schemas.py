"""The shape of what an inspection tells, for the OpenAPI document."""

from marshmallow import Schema, fields

from docserver.documents.inspection import UNITS
from docserver.sniff import SUPPORTED
from docserver.web.response_schemas import COUNT, Failure


class PageSize(Schema):
    """A page of a file that was inspected, as viewers show it."""

    number = fields.Integer(required=True, metadata={"minimum": 1, "description": "The page's number."})
    width = fields.Float(required=True, metadata={"minimum": 0, "description": "Its width."})
    height = fields.Float(required=True, metadata={"minimum": 0, "description": "Its height."})
    unit = fields.String(
        required=True, metadata={"enum": list(UNITS), "description": "Points of a PDF, or pixels of a picture."}
    )
    own_text = fields.Boolean(
        required=True, metadata={"description": "True if the page has letters of its own, good or not."}
    )


class Inspection(Schema):
    """What a file is."""

    content_type = fields.String(
        required=True, metadata={"enum": list(SUPPORTED), "description": "The media type that its content shows."}
    )
    kind = fields.String(required=True, metadata={"description": "The common name of the media type."})
    size = fields.Integer(required=True, metadata={"minimum": 1, "description": "Its bytes."})
    sha256 = fields.String(
        required=True, metadata={"pattern": "^[0-9a-f]{64}$", "description": "The SHA-256 hash of its bytes."}
    )
    pages = fields.Integer(
        required=True, allow_none=True, metadata={"minimum": 1, "description": "null if they cannot be counted."}
    )
    page_sizes = fields.List(
        fields.Nested(PageSize), required=True, metadata={"description": "The first pages, at most 1000."}
    )
    problems = fields.List(
        fields.Nested(Failure),
        required=True,
        metadata={"description": "What keeps the file, or some of its pages, from being read."},
    )
    expected_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata={**COUNT, "description": "About how long reading takes, if nothing else is read."},
    )
