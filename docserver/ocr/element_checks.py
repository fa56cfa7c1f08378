"""Server side: checks what an OCR process says that a page shows beside its text."""

import base64
import binascii
import zlib
from collections.abc import Iterable

from docserver.elements import (
    BARCODE_KINDS,
    MAX_BARCODE_TEXT,
    MAX_BARCODES,
    MAX_SELECTION_MARKS,
    SELECTION_STATES,
    Barcode,
    SelectionMark,
    elements_from_json,
    pack_elements,
)
from docserver.model import Reading
from docserver.ocr.limits import MAX_ELEMENTS_BYTES
from docserver.ocr.table_checks import are_tables, is_on_page


def are_elements(readings: Iterable[Reading]) -> bool:
    """True if the elements of each reading may be those of a page, and all together are small enough.

    Raises the errors of the decoders.
    """
    remaining = MAX_ELEMENTS_BYTES
    for reading in readings:
        if reading.packed_elements is None:
            continue
        inflater = zlib.decompressobj()
        # One byte more than allowed shows that there is more. A limit of 0 would be none.
        text = inflater.decompress(reading.packed_elements, remaining + 1)
        remaining -= len(text)
        if remaining < 0 or not inflater.eof or inflater.unused_data or not _is_of_page(text, reading):
            return False
    return True


def _is_of_page(text: bytes, reading: Reading) -> bool:
    elements = elements_from_json(text)
    packed = pack_elements(elements)
    # What is stored has nothing that this version does not know.
    if packed is None or zlib.decompress(packed) != text:
        return False
    barcodes, marks = elements.barcodes or (), elements.selection_marks or ()
    return (
        len(barcodes) <= MAX_BARCODES
        and all(_is_barcode(barcode, reading) for barcode in barcodes)
        and len(marks) <= MAX_SELECTION_MARKS
        and all(_is_mark(mark, reading) for mark in marks)
        and are_tables(elements.tables or (), reading)
    )


def _is_barcode(barcode: Barcode, reading: Reading) -> bool:
    content = barcode.data if barcode.text is None else barcode.text
    return (
        barcode.kind in BARCODE_KINDS
        and content is not None
        and (barcode.data is None or (barcode.text is None and _is_base64(barcode.data)))
        and len(content) <= MAX_BARCODE_TEXT
        and 0 <= barcode.rotation < 360
        and is_on_page(barcode.box, reading)
    )


def _is_mark(mark: SelectionMark, reading: Reading) -> bool:
    return mark.state in SELECTION_STATES and 0 <= mark.confidence <= 100 and is_on_page(mark.box, reading)


def _is_base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        return False
    return True
