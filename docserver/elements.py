"""What a page shows beside its text, as values: barcodes and tables; and the packed form of all that a page shows.

To add another kind: a field of `Elements` with a list of values, what `ocr.element_checks` accepts of them, and their
shape in `web.result_schemas`. `formats.json` writes each field as it is.
"""

import zlib
from dataclasses import dataclass, fields

import msgspec
import orjson

from docserver.layout import Box

BARCODE_KINDS = (
    *("Aztec", "Codabar", "Code128", "Code39", "Code93", "DataBar", "DataMatrix", "EAN13", "EAN8", "ITF"),
    *("MicroPDF417", "MicroQRCode", "PDF417", "QRCode", "RMQRCode", "UPCA", "UPCE"),
)
"""The kinds of barcodes that are looked for."""

MAX_BARCODES = 1000
"""Most barcodes of a page. A sheet of small labels has 189."""

MAX_BARCODE_TEXT = 8000
"""Longest text of a barcode. A QR code holds up to 7089 digits."""


MAX_TABLES, MAX_TABLE_PLACES = 200, 20_000
"""Most tables of a page, and most places in the rows and columns of all of them. A page of numbers has 3000."""

MAX_TABLES_BYTES = 512 * 1024
"""Most bytes that the tables of a page take unpacked."""


@dataclass(frozen=True, slots=True)
class Barcode:
    """A barcode of any kind. It has either a text or data."""

    kind: str
    """One of BARCODE_KINDS."""
    text: str | None
    data: str | None
    """In base64, what is no text."""
    box: Box
    """Around its bars or modules, without the text beneath."""
    rotation: int
    """Degrees clockwise by which a viewer must turn the page to set the barcode upright, 0 to 359."""


SELECTED, UNSELECTED = "selected", "unselected"
SELECTION_STATES = (SELECTED, UNSELECTED)

MAX_SELECTION_MARKS = 2000
"""Most boxes and buttons of a page. A dense questionnaire has some hundred."""


@dataclass(frozen=True, slots=True)
class SelectionMark:
    """A box to tick, or a round button."""

    state: str
    """One of SELECTION_STATES."""
    box: Box
    confidence: float
    """How sure the state is, 0 to 100; 100 if the PDF itself says it."""


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell of a table. It spans at least one row and one column."""

    row: int
    column: int
    """The first row and the first column, from 0."""
    row_span: int
    column_span: int
    box: Box
    text: str
    header: bool
    """True in the rows of the heading."""
    words: tuple[int, ...]
    """The places of its words among all words of the page in reading order, from 0."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table. Each place in its rows and columns is in exactly one cell, and each word in one at most."""

    box: Box
    rows: int
    columns: int
    cells: tuple[TableCell, ...]
    """Row by row, from left to right."""


@dataclass(frozen=True, slots=True)
class Elements:
    """What a page shows beside its text. None: nobody has looked for any of this kind."""

    barcodes: tuple[Barcode, ...] | None = None
    tables: tuple[Table, ...] | None = None
    selection_marks: tuple[SelectionMark, ...] | None = None


_NOTHING = Elements()
_decoder = msgspec.json.Decoder(Elements)


def pack_elements(elements: Elements) -> bytes | None:
    """The elements as compressed JSON, without the kinds that nobody has looked for; None if there is no other."""
    if elements == _NOTHING:
        return None
    values = {field.name: getattr(elements, field.name) for field in fields(elements)}
    return zlib.compress(orjson.dumps({name: value for name, value in values.items() if value is not None}), level=6)


def unpack_elements(packed: bytes | None) -> Elements:
    """The inverse of `pack_elements`. It passes over kinds that only newer versions know."""
    return _NOTHING if packed is None else elements_from_json(zlib.decompress(packed))


def elements_from_json(text: bytes) -> Elements:
    """What `pack_elements` has compressed; raises msgspec.MsgspecError if it has another shape."""
    return _decoder.decode(text)
