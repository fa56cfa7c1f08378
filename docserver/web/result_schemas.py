"""The shapes of results as JSON, for the OpenAPI document: pages, blocks, lines and words."""

from marshmallow import Schema, fields

from docserver.elements import BARCODE_KINDS, SELECTION_STATES
from docserver.layout import EngineName
from docserver.model import Source
from docserver.web.response_schemas import PERCENT, Engine, Failure

BOX = {"minItems": 4, "maxItems": 4, "description": "x0, y0, x1, y1 in pixels from the top left."}

_CONFIDENCE = {**PERCENT, "description": "How sure the engine is; 100 for a PDF's own text."}


class Word(Schema):
    """A word of the result."""

    text = fields.String(required=True, metadata={"description": "The word, with the punctuation beside it."})
    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    confidence = fields.Float(required=True, metadata=_CONFIDENCE)
    engine = fields.String(
        metadata={
            "enum": list(EngineName),
            "description": "The engine that read the word, if it is another one than that of the block.",
        }
    )


class Line(Schema):
    """A line of the result."""

    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    paragraph = fields.Integer(
        required=True, metadata={"minimum": 1, "description": "The number of the paragraph in its block, from 1."}
    )
    confidence = fields.Float(required=True, metadata=_CONFIDENCE)
    words = fields.List(fields.Nested(Word), required=True, metadata={"description": "The words in reading order."})


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
    engine = fields.String(
        metadata={
            "enum": list(EngineName),
            "description": "The engine that read most of the block, unless all of its words are the PDF's own.",
        }
    )
    lines = fields.List(fields.Nested(Line), required=True, metadata={"description": "The lines in reading order."})


class Barcode(Schema):
    """A barcode of a page. It has either a text or data."""

    kind = fields.String(required=True, metadata={"enum": list(BARCODE_KINDS), "description": "Which kind it is."})
    text = fields.String(
        required=True, allow_none=True, metadata={"description": "What it says; null if that is no text."}
    )
    data = fields.String(
        required=True,
        allow_none=True,
        metadata={"contentEncoding": "base64", "description": "Its bytes in base64, if they are no text; else null."},
    )
    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    rotation = fields.Integer(
        required=True,
        metadata={
            "minimum": 0,
            "maximum": 359,
            "description": "Degrees clockwise by which the page must be turned to set the barcode upright.",
        },
    )


class TableCell(Schema):
    """A cell of a table."""

    row = fields.Integer(required=True, metadata={"minimum": 0, "description": "Its first row, from 0."})
    column = fields.Integer(required=True, metadata={"minimum": 0, "description": "Its first column, from 0."})
    row_span = fields.Integer(required=True, metadata={"minimum": 1, "description": "How many rows it spans."})
    column_span = fields.Integer(required=True, metadata={"minimum": 1, "description": "How many columns it spans."})
    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    text = fields.String(required=True, metadata={"description": "Its text in one line; empty if it has none."})
    header = fields.Boolean(required=True, metadata={"description": "Whether it is a part of the table's heading."})
    words = fields.List(
        fields.Integer(metadata={"minimum": 0}),
        required=True,
        metadata={"description": "Which words of the page it has, counted from 0 through blocks and lines in order."},
    )


class Table(Schema):
    """A table of a page. Each place in its rows and columns is in one cell."""

    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    rows = fields.Integer(required=True, metadata={"minimum": 1, "description": "How many rows it has."})
    columns = fields.Integer(required=True, metadata={"minimum": 1, "description": "How many columns it has."})
    cells = fields.List(
        fields.Nested(TableCell),
        required=True,
        metadata={"description": "Its cells, empty ones too, row by row from left to right."},
    )


class SelectionMark(Schema):
    """A box to tick, or a round button."""

    state = fields.String(
        required=True, metadata={"enum": list(SELECTION_STATES), "description": "Whether it is marked."}
    )
    box = fields.List(fields.Integer(), required=True, metadata=BOX)
    confidence = fields.Float(
        required=True,
        metadata={**PERCENT, "description": "How sure the state is; 100 for a field of a PDF's form."},
    )


class Page(Schema):
    """A page of the result: its text, or the error that kept it from being read."""

    number = fields.Integer(
        required=True, metadata={"minimum": 1, "description": "The page's number in the document, from 1."}
    )
    width = fields.Integer(metadata={"minimum": 1, "description": "The width of the page's picture in pixels."})
    height = fields.Integer(metadata={"minimum": 1, "description": "The height of the page's picture in pixels."})
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
            "description": "Mean of the words, weighted by their length, and lower by the share of letters that were "
            "left unread; at most 99 if a part of a PDF page that looks like text could not be read. Without words: "
            "100 if nothing on the page may be letters, else 0.",
        }
    )
    needs_review = fields.Boolean(
        metadata={
            "description": "True if the confidence is low, nothing was read though something may be letters, or "
            "a part could not be read."
        }
    )
    text = fields.String(metadata={"description": "The page's text, in reading order."})
    blocks = fields.List(fields.Nested(Block), metadata={"description": "The page's text with its places."})
    barcodes = fields.List(
        fields.Nested(Barcode),
        allow_none=True,
        metadata={"description": "The page's barcodes, from the top down; null if they were not looked for."},
    )
    tables = fields.List(
        fields.Nested(Table),
        allow_none=True,
        metadata={"description": "The page's tables, from the top down; null if an earlier version has read the page."},
    )
    selection_marks = fields.List(
        fields.Nested(SelectionMark),
        allow_none=True,
        metadata={
            "description": "The boxes to tick and round buttons of the page, from the top down; null if they were not "
            "looked for."
        },
    )
    error = fields.Nested(Failure, metadata={"description": "Why the page could not be read, if it could not."})


class Result(Schema):
    """A result as JSON."""

    job_id = fields.UUID(required=True, metadata={"description": "The job's id."})
    document_id = fields.UUID(required=True, metadata={"description": "The document's id."})
    engine = fields.Nested(
        Engine, required=True, allow_none=True, metadata={"description": "The engine that read the document."}
    )
    pages = fields.List(
        fields.Nested(Page), required=True, metadata={"description": "The pages that were asked for, in order."}
    )
