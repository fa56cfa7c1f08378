"""Child side: the result of one attempt to read a page."""

from dataclasses import dataclass

from docserver.layout import Box
from docserver.ocr.recognition.tesseract import NOTHING, Recognised


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt to read a page."""

    recognised: Recognised
    """The recognised text. Its boxes are on the original page."""
    rotation: int
    """Degrees clockwise by which the original page must be turned to be upright."""
    languages: str
    """The model or models that were used, joined by `+`."""
    left_out: bool = False
    """True if something was read and left out, because it is nonsense or shows through from the other side."""
    is_blank: bool = False
    """True if nothing was read, and the page is bare: at most ruled, dark or grainy."""
    unread_share: float = 0.0
    """Share of the page's letters that look like letters and were not read; 0 if these are hardly any."""
    missed: tuple[Box, ...] = ()
    """Places that may have a word, but were not read for certain, in pixels of the level page that was read."""

    @property
    def weight(self) -> float:
        return self.recognised.weight


def nothing(languages: str) -> Attempt:
    """The result for a page whose text is left out."""
    return Attempt(NOTHING, 0, languages, left_out=True)


def better(first: Attempt, second: Attempt) -> Attempt:
    """The attempt with more weight."""
    return second if second.weight > first.weight else first
