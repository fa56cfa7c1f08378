"""Server side: checks the values of an answer, in steps so short that other threads can run in between.

`protocol` checks the size of the whole answer and whether it fits its request.
"""

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Annotated, TypeVar

import msgspec

from docserver.errors import Failure
from docserver.model import Reading
from docserver.ocr.element_checks import are_elements
from docserver.ocr.languages import MAX_NAMES, NAMES
from docserver.ocr.limits import MAX_LAYOUT_BYTES, MAX_MARKS_BYTES, MAX_TEXT
from docserver.ocr.requests import Answer, Failed, Inspected, Opened, OwnTexts, PageRead

MAX_MESSAGE = 500
MAX_DETAIL = 4000
"""Most characters of a failure's message and of its detail. Some programs repeat the same warning for every object of
a file."""

MAX_NUMBER = 2**31 - 1
"""The largest number that a database column can store."""

ROTATIONS = frozenset({0, 90, 180, 270})

WORDS_AT_ONCE = 1000
"""Words that are decoded in one step, which takes about a millisecond. The decoder lets no other thread run."""

T = TypeVar("T")
_NonEmpty = Annotated[list[T], msgspec.Meta(min_length=1)]
_Coordinate = Annotated[int, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
_Box = tuple[_Coordinate, _Coordinate, _Coordinate, _Coordinate]
_Word = tuple[str, _Box, Annotated[float, msgspec.Meta(ge=0, le=100)]]
_blocks = msgspec.json.Decoder(list[tuple[_Box, msgspec.Raw]])
_parts = msgspec.json.Decoder(_NonEmpty[tuple[_Box, msgspec.Raw]])
_line = msgspec.json.Decoder(_NonEmpty[msgspec.Raw])
_words = msgspec.json.Decoder(list[_Word])
"""These decode the levels of the JSON that `layout.pack_blocks` writes, and check its shape."""


class InvalidAnswer(Exception):
    """An answer that an OCR process gives only if a document has taken it over."""


def check(answer: Answer, *, abandoned: Callable[[], bool]) -> None:
    """Raise InvalidAnswer, or the error of a decoder, if a value of the answer is invalid or too large.

    Raises InvalidAnswer soon after `abandoned` has become True.
    """
    readings: tuple[Reading, ...] = ()
    match answer:
        case Opened(readings=readings, failure=failure):
            if failure:
                _check_failure(failure)
        case OwnTexts(readings=readings):
            pass
        case PageRead(reading=reading):
            readings = (reading,)
        case Inspected():
            _check_inspected(answer)
        case Failed(failure=failure, detail=detail):
            _check_failure(failure)
            if len(detail) > MAX_DETAIL:
                raise InvalidAnswer("the detail is too long")
    for reading in readings:
        _check_page(reading)
    if not are_elements(readings):
        raise InvalidAnswer("what a page shows beside its text is out of bounds")
    _check_layouts([reading.layout for reading in readings], abandoned)


def _check_failure(failure: Failure) -> None:
    if len(failure.message) > MAX_MESSAGE or failure.page is not None:
        raise InvalidAnswer("the failure is out of bounds")


def _check_inspected(answer: Inspected) -> None:
    numbers = (answer.pages, *(problem.page for problem in answer.problems))
    if not (
        all(1 <= (1 if number is None else number) <= MAX_NUMBER for number in numbers)
        and all(math.isfinite(side) for size in answer.sizes for side in (size.width, size.height))
        and all(len(problem.message) <= MAX_MESSAGE for problem in answer.problems)
    ):
        raise InvalidAnswer("what the file is, is out of bounds")


def _check_page(reading: Reading) -> None:
    counts = (reading.width, reading.height, 1 if reading.dpi is None else reading.dpi)
    if not (
        all(1 <= count <= MAX_NUMBER for count in counts)
        and reading.rotation in ROTATIONS
        and 0 <= reading.confidence <= 100
        and len(reading.text) <= MAX_TEXT
        and len(reading.second_engine or b"") <= MAX_MARKS_BYTES
        and (reading.languages is None or _are_names(reading.languages))
    ):
        raise InvalidAnswer("the page is out of bounds")


def _check_layouts(layouts: list[bytes], abandoned: Callable[[], bool]) -> None:
    """Unpack layouts, together within MAX_LAYOUT_BYTES, and check their shapes."""
    remaining = MAX_LAYOUT_BYTES
    for packed in layouts:
        inflater = zlib.decompressobj()
        # One byte more than allowed shows that there is more. A limit of 0 would be none.
        layout = inflater.decompress(packed, remaining + 1)
        remaining -= len(layout)
        if remaining < 0 or not inflater.eof or inflater.unused_data:
            raise InvalidAnswer("the layouts are too long or incomplete")
        for words in _steps(layout):
            if abandoned():
                raise InvalidAnswer("nobody waits for the answer")
            _words.decode(words)


def _steps(layout: bytes) -> Iterator[bytes]:
    """Check the shape of a layout's blocks, paragraphs and lines; yields their words as JSON, a few at a time."""
    for _, paragraphs in _blocks.decode(layout):
        for _, lines in _parts.decode(paragraphs):
            for _, line in _parts.decode(lines):
                words = _line.decode(line)
                for first in range(0, len(words), WORDS_AT_ONCE):
                    yield b"[%b]" % b",".join(words[first : first + WORDS_AT_ONCE])


def _are_names(languages: str) -> bool:
    return len(languages) <= MAX_NAMES and NAMES.fullmatch(languages) is not None
