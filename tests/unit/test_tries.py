"""What a page may cost in Tesseract: as much as was seen in it is worth, compared with one reading of it."""

import pytest
from PIL import Image

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.recognition import tries
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised
from docserver.ocr.recognition.tries import Tries

PAGE = Image.new("L", (100, 400))
QUARTER = Image.new("L", (100, 100))
BOX = (0, 0, 9, 9)


def words(count: int, confidence: float) -> Recognised:
    line = Line(BOX, (Word("word", BOX, confidence),) * count)
    return Recognised("word " * count, (Block(BOX, (Paragraph(BOX, (line,)),)),), confidence)


class Costly:
    """Takes CPU time in proportion to a picture's size: one second for the page."""

    def __init__(self, answer: Recognised) -> None:
        self._answer = answer
        self.cpu_s = 0.0

    def recognise(self, picture: Image.Image, **_: object) -> Recognised:
        self.cpu_s += picture.width * picture.height / (PAGE.width * PAGE.height)
        return self._answer


@pytest.mark.parametrize(
    ("answer", "readings"),
    [
        pytest.param(NOTHING, 2, id="nothing"),
        pytest.param(words(4, 20.0), 2, id="a few words"),
        pytest.param(words(40, 20.0), 3, id="words that may be nonsense"),
        pytest.param(words(40, 90.0), 9, id="text"),
    ],
)
def test_the_more_a_page_shows_the_more_often_it_may_be_read(
    answer: Recognised, readings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert count_readings(answer, PAGE, monkeypatch) == readings


def test_the_cost_of_a_page_is_known_from_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_readings(NOTHING, QUARTER, monkeypatch) == 8


def test_samples_of_an_empty_page_leave_room_for_reading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_readings(NOTHING, QUARTER, monkeypatch, before_reading=True) == 4


def count_readings(
    answer: Recognised, picture: Image.Image, monkeypatch: pytest.MonkeyPatch, *, before_reading: bool = False
) -> int:
    costly = Costly(answer)
    monkeypatch.setattr(tries, "_cpu_s", lambda: costly.cpu_s)
    page, count = Tries(costly, page=PAGE), 0
    while count == 0 or page.may_go_on(before_reading=before_reading):
        page.recognise(picture, dpi=None, languages="eng", layout=Layout.PAGE)
        count += 1
    return count
