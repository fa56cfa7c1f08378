"""Both sides: what an OCR process is asked to do with a document, and what it may answer; not how that travels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, TypeVar

import msgspec

from docserver.errors import Failure
from docserver.model import Options, Page, Reading
from docserver.ocr.limits import Limits


class Answer(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What an OCR process answers. It travels with its type, and without pickle."""


class Ready(Answer, frozen=True):
    """The process has confined itself and loaded what pages need."""


class Opened(Answer, frozen=True):
    """A document that can be read."""

    pages: int
    readings: tuple[Reading, ...] = ()
    """What its first pages say, if they were read on the way."""
    failure: Failure | None = None
    """Why its only page could not be read."""

    @property
    def results(self) -> tuple[Reading | Failure, ...]:
        """Of the first pages, in their order."""
        return self.readings if self.failure is None else (*self.readings, replace(self.failure, page=1))


class OwnTexts(Answer, frozen=True):
    """The texts that the first of the pages asked for have of their own."""

    readings: tuple[Reading, ...]


class PageRead(Answer, frozen=True):
    """What one page says."""

    reading: Reading


class SearchableMade(Answer, frozen=True):
    """The PDF lies in the scratch directory."""


class Failed(Answer, frozen=True):
    """The request cannot be carried out: the answer to every request that has no other."""

    failure: Failure
    detail: str = ""
    """For the log: a program's own words, unlike the failure's message."""
    disk_full: bool = False
    """True if the scratch directory had no room left at that moment."""


class Raised(Answer, frozen=True):
    """An exception that no document causes, only a fault of the program or of the machine."""

    message: str
    errno: int | None = None


A = TypeVar("A", bound=Answer)


class Request(Generic[A]):
    """What an OCR process is asked to do with one document."""

    __slots__ = ()
    answer: ClassVar[type[Answer]]
    """The type of the answer if it does not fail."""
    activity: ClassVar[str]
    """For the message that says that it took too long."""
    result_file: ClassVar[str | None] = None
    """The file in the scratch directory that outlives the call; all others are deleted at its end."""

    def fits(self, answer: A, limits: Limits) -> bool:  # noqa: ARG002 - most requests have no bounds of their own
        """True if this request can have that answer, which is of its type."""
        return True


@dataclass(frozen=True, slots=True)
class OpenDocument(Request[Opened]):
    """Count the pages of a document."""

    answer = Opened
    activity = "Opening the document"

    content_type: str
    """As `sniff` returns it."""
    reading: Options | None = None
    """If given, read the document's only page too, or the texts that its first pages have of their own."""

    def fits(self, answer: Opened, limits: Limits) -> bool:
        most_readings = 0 if answer.failure else answer.pages
        return 1 <= answer.pages <= limits.max_pages and len(answer.readings) <= most_readings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOwnTexts(Request[OwnTexts]):
    """Read the texts that these pages have of their own, up to the first page that must be recognised."""

    answer = OwnTexts
    activity = "Looking for the pages' text"

    content_type: str
    pages: Sequence[int]
    options: Options

    def fits(self, answer: OwnTexts, limits: Limits) -> bool:  # noqa: ARG002 - the request itself is the bound
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


@dataclass(frozen=True, slots=True)
class MakeSearchable(Request[SearchableMade]):
    """Write a PDF of the document with the words of these pages behind their pictures, as `result_file`."""

    answer = SearchableMade
    activity = "Making the PDF"
    result_file: ClassVar[str] = "searchable.pdf"

    content_type: str
    pages: Sequence[Page]
