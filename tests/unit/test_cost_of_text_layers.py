"""How often PDFium is asked something of a page with text of its own, how often it draws the page, and how many other
functions are called for it.
"""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from PIL import Image
from pypdfium2 import PdfPage
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from docserver.ocr.pdf import calls
from docserver.ocr.pdf.words import text_cells, text_patches
from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import whole_layer

FONT, SIZE = "Times-Roman", 11

LINES = 20 * ["as browsers print it, each letter of this line is a text object of its own"]

LETTERS = sum(len(line.replace(" ", "")) for line in LINES)


MAX_CALLS = 112
"""Most calls of functions for each word of a page of prose, of Python and of its libraries; Python 3.11 makes 107. Most
are of a tenth of a microsecond."""


def page_of_prose(font: str) -> bytes:
    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, SIZE)
        lines(7 * PROSE)(canvas)

    return pdf(draw)


def drawn_letter_by_letter(canvas: Canvas) -> None:
    canvas.setFont(FONT, SIZE)
    for row, line in enumerate(LINES):
        x = 72.0
        for letter in line:
            if letter != " ":
                canvas.drawString(x, 740 - 20 * row, letter)
            x += float(stringWidth(letter, FONT, SIZE))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each function for objects and characters is called."""
    counts: Counter[str] = Counter()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            counts[name] += 1
            return function(*arguments)

        return call

    for name, function in list(vars(calls).items()):
        if hasattr(function, "restype"):
            monkeypatch.setattr(calls, name, counting(name, function))
    return counts


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The scale of each drawing of a page."""
    scales: list[float] = []
    render = PdfPage.render

    def noted(page: PdfPage, *, scale: float, **options: Any) -> Any:
        scales.append(scale)
        return render(page, scale=scale, **options)

    monkeypatch.setattr(PdfPage, "render", noted)
    return scales


@pytest.fixture
def pages_in_cells(monkeypatch: pytest.MonkeyPatch) -> list[Image.Image]:
    """The drawings in which what looks like text is found cell by cell."""
    pages: list[Image.Image] = []

    def noted(drawn: Image.Image) -> Image.Image:
        pages.append(drawn)
        return text_cells.text_cells(drawn)

    monkeypatch.setattr(text_patches, "text_cells", noted)
    return pages


def calls_of(act: Callable[[], object]) -> int:
    """How many functions are called while something is done."""
    counts: Counter[str] = Counter()

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        counts[event] += 1

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return counts["call"] + counts["c_call"]


def test_few_functions_are_called_for_each_word_of_a_page_of_prose() -> None:
    page = page_of_prose("Times-Roman")
    words = len(whole_layer(page).words)

    assert calls_of(lambda: whole_layer(page).reading()) <= MAX_CALLS * words


def test_a_page_with_nothing_but_words_is_not_searched_cell_by_cell(pages_in_cells: list[Image.Image]) -> None:
    # Some letters reach out of their boxes.
    assert whole_layer(page_of_prose("Courier")).is_exact

    assert not pages_in_cells


def test_a_page_with_nothing_but_text_is_drawn_once(drawings: list[float]) -> None:
    assert whole_layer(pdf(lines(PROSE))).is_exact

    assert drawings == [1.0]


def test_a_page_with_a_line_is_also_drawn_without_its_text_and_without_the_line(drawings: list[float]) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.line(72, 100, 500, 100)

    assert whole_layer(pdf(draw)).is_exact

    assert drawings == [1.0] * 3


def test_little_is_asked_of_each_letter_that_is_drawn_by_itself(asked: Counter[str]) -> None:
    words = whole_layer(pdf(drawn_letter_by_letter)).words

    assert len(words) == sum(len(line.split()) for line in LINES)
    assert max(asked.values()) <= 4 * LETTERS
    assert sum(asked.values()) <= 25 * LETTERS
