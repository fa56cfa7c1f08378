"""Child side: estimates the CPU time that one page takes in Tesseract, and says when to look no further for text in it.

Does not choose what is tried.
"""

import numpy as np
from PIL import Image

from docserver.layout import words_of
from docserver.ocr.image.overview import grey, reduction
from docserver.ocr.image.shades import has_ink, threshold
from docserver.ocr.image.shape import is_snippet
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.evidence import shows_text
from docserver.ocr.recognition.orientation import is_worth_turning
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised, Tesseract

SECONDS_PER_PX, SECONDS_PER_RUN, SECONDS_PER_LETTER = 2e-8, 9e-7, 7e-4
"""CPU time that Tesseract takes for each pixel, each run of dark pixels along the rows, and each letter that it reads.

The sum is 0.6 to 1.3 times what readings of sheets, patterns, noise and text take. It is not measured, because then the
load of the machine, or the loading of a model, would decide which text a page has."""

ROW_STEP = 8
"""Runs are counted in every eighth row, which takes a millisecond."""

START_S = 0.15
"""CPU seconds that the program `tesseract` takes to start. A page that is read in less may cost as much."""

ANALYSING_S, SAMPLING_S = 0.1, 0.025
"""CPU seconds that it takes to analyse a page, and to choose a sample of a few lines."""

CHANGING_S_PER_PX = 3e-8
"""CPU seconds for each pixel of a page that it takes to straighten it, to clean it, or to make its light even."""

MIN_COST_OF_SNIPPETS_S = 0.8
"""CPU seconds that a snippet may always cost: enough to read a word in all scripts, upright and upside down, or some
lines in each direction."""

MAX_COST_OF_LOOKING, MAX_COST_OF_WORDS, MAX_COST_OF_TEXT = 1.7, 2.5, 8.0
"""Most CPU that a page may take, compared with one reading of it by the program `tesseract`, which is enough for: a few
lines of the page in each direction; the whole page in two directions and a few lines in the others; the whole page in
each direction, and one at twice the size. The second value is for a page with a sure word, and the last for one with a
text of at least four letters; dust looks like shorter ones."""

FEW_WORDS = 4
"""A page on which more words are read, even nonsense, takes Tesseract longer than one without text."""


class Tries:
    """Calls Tesseract for one page. All attempts to read the page share what this page may cost."""

    def __init__(self, tesseract: Tesseract, *, original: Image.Image, page: Image.Image) -> None:
        """`page` is the original page as it was prepared for Tesseract."""
        self._tesseract = tesseract
        self._page_px = page.width * page.height
        self._changing_s = CHANGING_S_PER_PX * original.width * original.height
        self._least_s = MIN_COST_OF_SNIPPETS_S if is_snippet(original.size) else 0.0
        self._most = MAX_COST_OF_LOOKING
        self._spent_s = ANALYSING_S
        self._one_reading_s = _cost_s(original, NOTHING)
        self._samples: dict[tuple[int, str], tuple[PageImage, Recognised]] = {}
        """What was read in each sample. It is kept too, because no other object may get its id."""

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        """Read a picture of the page or of a part of it. Raises Unreadable."""
        recognised = self._tesseract.recognise(picture, dpi=dpi, languages=languages, layout=layout)
        cost_s = _cost_s(picture, recognised)
        self._spent_s += cost_s
        if sum(1 for _ in words_of(recognised.blocks)) > FEW_WORDS:
            share = min(1.0, picture.width * picture.height / self._page_px)
            self._one_reading_s = max(self._one_reading_s, cost_s / share)
        if shows_text(recognised):
            most = MAX_COST_OF_TEXT if is_worth_turning(recognised) else MAX_COST_OF_WORDS
            self._most = max(self._most, most)
        return recognised

    def add_changes(self, count: int) -> None:
        """Add the cost of changing all pixels of the page this many times."""
        self._spent_s += count * self._changing_s

    def read_sample(self, sample: PageImage, *, languages: str, is_faint: bool = False) -> Recognised:
        """Read a few lines of the page, once with each model. `is_faint` is True if letters were read there that are
        hardly darker than the paper. Raises Unreadable.
        """
        key = (id(sample), languages)
        if key not in self._samples:
            self._samples[key] = (sample, self._read_sample(sample, languages, is_faint=is_faint))
        return self._samples[key][1]

    def _read_sample(self, sample: PageImage, languages: str, *, is_faint: bool) -> Recognised:
        self._spent_s += SAMPLING_S
        if not is_faint and not has_ink(grey(sample.image).reduce(reduction(sample.image))):
            # Tesseract would take long to read the noise of the paper.
            return NOTHING
        # In a pattern, Layout.BLOCK would read as many letters as a page has room for, and take minutes.
        layout = Layout.BLOCK if is_snippet(sample.original_size) else Layout.COLUMN
        return self.recognise(sample.image, dpi=sample.dpi, languages=languages, layout=layout)

    def found_nothing(self, sample: PageImage) -> bool:
        """True if no model that has read the sample has found a word in it."""
        readings = [recognised for read, recognised in self._samples.values() if read is sample]
        return bool(readings) and not any(recognised.blocks for recognised in readings)

    def may_go_on(self, *, before_reading: bool = False) -> bool:
        """True if another attempt may be made. `before_reading` leaves room for the first reading of the whole page."""
        most_s = self._most * (START_S + self._one_reading_s) - before_reading * self._one_reading_s
        return self._spent_s < max(self._least_s, most_s)


def _cost_s(picture: Image.Image, recognised: Recognised) -> float:
    """The estimated CPU seconds of a reading."""
    size = (picture.width, -(-picture.height // ROW_STEP))
    rows = picture.resize(size, Image.Resampling.NEAREST).convert("L")
    dark = np.asarray(rows) <= threshold(rows)
    runs = ROW_STEP * int(np.count_nonzero(dark[:, 1:] & ~dark[:, :-1]))
    letters = sum(len(word.text) for word in words_of(recognised.blocks))
    px = picture.width * picture.height
    return SECONDS_PER_PX * px + SECONDS_PER_RUN * runs + SECONDS_PER_LETTER * letters
