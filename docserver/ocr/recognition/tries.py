"""Child side: measures the CPU time that one page takes in Tesseract, and says when to look no further for text in it.

Does not choose what is tried.
"""

import resource
import time

from PIL import Image

from docserver.layout import words_of
from docserver.ocr.recognition.evidence import shows_text
from docserver.ocr.recognition.tesseract import Layout, Recognised, Tesseract

START_S = 0.1
"""CPU seconds that the program `tesseract` takes to start. A page that is read in less may cost as much."""

MAX_COST_OF_LOOKING, MAX_COST_OF_WORDS, MAX_COST_OF_TEXT = 1.7, 2.5, 8.0
"""Most CPU that a page may take, compared with one reading of it, which is enough for: a few lines of the page in each
direction; the whole page in two directions and a few lines in the others; the whole page in each direction, and one at
twice the size. The first value is for a page on which nothing was read, and the last for one with a text."""

FEW_WORDS = 4
"""On a page without a text, at most this many words are read."""


class Tries:
    """Calls Tesseract for one page. All attempts to read the page share what this page may cost."""

    def __init__(self, tesseract: Tesseract, *, page: Image.Image) -> None:
        self._tesseract = tesseract
        self._page_px = page.width * page.height
        self._most = MAX_COST_OF_LOOKING
        self._spent_s = 0.0
        self._one_reading_s = 0.0

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        """Read a picture of the page or of a part of it. Raises Unreadable."""
        start_s = _cpu_s()
        recognised = self._tesseract.recognise(picture, dpi=dpi, languages=languages, layout=layout)
        cpu_s = _cpu_s() - start_s
        px = picture.width * picture.height
        if not self._spent_s or px >= self._page_px:
            self._one_reading_s = max(self._one_reading_s, cpu_s * self._page_px / px)
        self._spent_s += cpu_s
        if shows_text(recognised):
            self._most = MAX_COST_OF_TEXT
        elif sum(1 for _ in words_of(recognised.blocks)) > FEW_WORDS:
            self._most = max(self._most, MAX_COST_OF_WORDS)
        return recognised

    def may_go_on(self, *, before_reading: bool = False) -> bool:
        """True if another attempt may be made. `before_reading` leaves room for the first reading of the whole page."""
        return self._spent_s < (self._most - before_reading) * (START_S + self._one_reading_s)


def _cpu_s() -> float:
    # Where Tesseract is a program, it runs in a child process of this one.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
