"""Both sides: the requests to an OCR process and its possible answers. `protocol` sends them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Generic, TypeVar

import msgspec

from docserver.errors import Failure
from docserver.layout import Box
from docserver.model import Page, Reading
from docserver.ocr.limits import FIRST_PAGES, PAGES_AT_ONCE, Limits
from docserver.pdf_options import SEARCHABLE, PdfOptions
from docserver.reading_options import Options
from docserver.setting_types import DAY_S

MAX_PAGE_SIZES = 1000
"""Most pages whose sizes are found out, and are a part of an answer."""

MAX_PROBLEMS = 20
"""Most problems of a file that are told. Whoever has as many looks at the file, and not at more of them."""

MAX_SIDE = 1e9
"""Longest side of a page that is told. Longer ones, which files may claim, are told as this."""

_Readings = Annotated[tuple[Reading, ...], msgspec.Meta(max_length=PAGES_AT_ONCE)]
"""The length is checked before the readings are decoded."""


class Answer(msgspec.Struct, frozen=True, array_like=True, tag=True, forbid_unknown_fields=True):
    """The base class of all answers of an OCR process. An answer is sent with its type, and without pickle."""


class Ready(Answer, frozen=True):
    """The process has confined itself, and has loaded everything that reading needs."""


_Seconds = Annotated[float, msgspec.Meta(ge=0, le=DAY_S)]
"""No call may take longer than a day, whatever the settings say."""


class Stages(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Seconds that a call spent in each stage; 0 for one that did not take place."""

    opening: _Seconds = 0.0
    text_layer: _Seconds = 0.0
    drawing: _Seconds = 0.0
    recognising: _Seconds = 0.0

    def items(self) -> Iterator[tuple[str, float]]:
        """The stages that took place, with their seconds."""
        return ((name, seconds) for name, seconds in msgspec.structs.asdict(self).items() if seconds)


class Timed(Answer, frozen=True, kw_only=True):
    """The base class of the answers that tell how long the stages took."""

    stages: Stages = Stages()


class Opened(Timed, frozen=True):
    """A document that can be read."""

    pages: int
    readings: _Readings = ()
    """The readings of its first pages, if they were read when it was opened."""
    failure: Failure | None = None
    """Why its only page could not be read."""

    @property
    def results(self) -> tuple[Reading | Failure, ...]:
        """The readings, or the failure, of the first pages in their order."""
        return self.readings if self.failure is None else (*self.readings, replace(self.failure, page=1))


class OwnTexts(Timed, frozen=True):
    """The text layers of the first of the requested pages."""

    readings: _Readings


class PageRead(Timed, frozen=True):
    """One page was read."""

    reading: Reading


class SearchableMade(Answer, frozen=True):
    """The PDF was written to the scratch directory."""


class PageDrawn(Answer, frozen=True):
    """The picture was written to the scratch directory."""


_Side = Annotated[float, msgspec.Meta(ge=0, le=MAX_SIDE)]


class PageSize(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A page as viewers show it: in points of a PDF, else in pixels."""

    width: _Side
    height: _Side
    own_text: bool
    """True if the page has letters of its own."""


class Inspected(Answer, frozen=True):
    """What a file is."""

    pages: int | None
    """None if they cannot be counted."""
    sizes: Annotated[tuple[PageSize, ...], msgspec.Meta(max_length=MAX_PAGE_SIZES)]
    """Those of the first pages."""
    problems: Annotated[tuple[Failure, ...], msgspec.Meta(max_length=MAX_PROBLEMS)]
    """Why the document, or some of these pages, cannot be read."""


class Failed(Answer, frozen=True):
    """The request could not be carried out. This is a possible answer to every request."""

    failure: Failure
    detail: str = ""
    """For the log: the text of a program or decoder. Users see only the failure's message."""
    disk_full: bool = False
    """True if a full disk may have caused the failure."""


class Raised(Answer, frozen=True):
    """An exception that is a fault of the program or of the machine, not of a document."""

    message: str
    errno: int | None = None


A = TypeVar("A", bound=Answer)


class Request(Generic[A]):
    """The base class of all requests. A request concerns one document."""

    __slots__ = ()
    answer: ClassVar[type[Answer]]
    """The type of the answer if the request succeeds."""
    activity: ClassVar[str]
    """The beginning of the message that the request took too long."""
    result_file: ClassVar[str | None] = None
    """The name of the only file in the scratch directory that is not deleted at the end of the call."""

    def fits(self, answer: A, limits: Limits) -> bool:  # noqa: ARG002 - most requests need no further check
        """True if this is a possible answer to the request. The type of the answer has been checked before."""
        return True


@dataclass(frozen=True, slots=True)
class OpenDocument(Request[Opened]):
    """Count the pages of a document."""

    answer = Opened
    activity = "Opening the document"

    content_type: str
    """The media type, as `sniff` returns it."""
    reading: Options | None = None
    """If given, also read the page of a document with a single page, or the text layers of the first pages."""
    password: str | None = field(default=None, repr=False)
    """That of an encrypted PDF, in this request and the next ones."""

    def fits(self, answer: Opened, limits: Limits) -> bool:
        if not 1 <= answer.pages <= limits.max_pages:
            return False
        if self.reading is None:
            return not answer.results
        return len(answer.results) <= (1 if answer.failure else min(answer.pages, FIRST_PAGES))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOwnTexts(Request[OwnTexts]):
    """Read the text layers of these pages, up to the first page that needs OCR."""

    answer = OwnTexts
    activity = "Looking for the pages' text"

    content_type: str
    pages: Sequence[int]
    options: Options
    password: str | None = field(default=None, repr=False)

    def fits(self, answer: OwnTexts, limits: Limits) -> bool:  # noqa: ARG002 - the request itself has the limit
        return len(answer.readings) <= len(self.pages)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage(Request[PageRead]):
    """Read one page."""

    answer = PageRead
    activity = "Reading the page"

    content_type: str
    page: int
    """Counted from 1."""
    options: Options
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MakeSearchable(Request[SearchableMade]):
    """Write a PDF of these pages to `result_file`: the pages' pictures, with the words invisible behind them."""

    answer = SearchableMade
    activity = "Making the PDF"
    result_file: ClassVar[str] = "searchable.pdf"

    content_type: str
    pages: Sequence[Page]
    options: PdfOptions = SEARCHABLE


@dataclass(frozen=True, slots=True)
class View:
    """A part of a page, and how large it is drawn."""

    page_size: tuple[int, int]
    """Width and height of the page as it was read, in pixels. The part, and the boxes of words, are in these pixels."""
    part: Box
    size: tuple[int, int]
    """Width and height of the picture, in pixels of its own."""

    @property
    def scale(self) -> tuple[float, float]:
        """How many pixels of the picture one of the page becomes, across and down."""
        x0, y0, x1, y1 = self.part
        return self.size[0] / (x1 - x0), self.size[1] / (y1 - y0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawPage(Request[PageDrawn]):
    """Write a picture of a page, or of a part of it, to `result_file`."""

    answer = PageDrawn
    activity = "Drawing the page"
    result_file: ClassVar[str] = "page.image"

    content_type: str
    page: int
    """Counted from 1."""
    dpi: int | None
    """The resolution of `view.page_size`, where the file says it."""
    view: View
    form: str
    """The kind of picture, as Pillow names it."""
    marked: bytes | None
    """The layout whose words are marked; None to mark none."""


@dataclass(frozen=True, slots=True)
class Inspect(Request[Inspected]):
    """Say what a file is, without reading it."""

    answer = Inspected
    activity = "Inspecting the file"

    content_type: str
    password: str | None = field(default=None, repr=False)

    def fits(self, answer: Inspected, limits: Limits) -> bool:  # noqa: ARG002 - the file may be over the limits
        return len(answer.sizes) <= (answer.pages or MAX_PAGE_SIZES)
