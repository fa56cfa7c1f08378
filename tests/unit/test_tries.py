"""What a page may cost in Tesseract: as much as was seen in it is worth, compared with one reading of it."""

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.transform import PageImage
from docserver.ocr.languages import MODELS
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised
from docserver.ocr.recognition.tries import Tries

PAGE = Image.new("L", (6000, 10000))
QUARTER = Image.new("L", (6000, 2500))
WORD = Image.new("L", (200, 80))
SCRIPTS = len({model.script for model in MODELS.values()})
BOX = (0, 0, 9, 9)


def words(count: int, confidence: float, word: str = "word") -> Recognised:
    line = Line(BOX, (Word(word, BOX, confidence),) * count)
    return Recognised(f"{word} " * count, (Block(BOX, (Paragraph(BOX, (line,)),)),), confidence)


class SameAnswer:
    """Reads the same text in each picture."""

    def __init__(self, answer: Recognised) -> None:
        self._answer = answer
        self.pictures: list[Image.Image] = []

    def recognise(self, picture: Image.Image, **_: object) -> Recognised:
        self.pictures.append(picture)
        return self._answer


@pytest.mark.parametrize(
    ("answer", "readings"),
    [
        pytest.param(NOTHING, 2, id="nothing"),
        pytest.param(words(4, 20.0), 2, id="a few words"),
        pytest.param(words(40, 20.0), 2, id="words that may be nonsense"),
        pytest.param(words(1, 90.0, "ox"), 3, id="a word that may be dust"),
        pytest.param(words(40, 90.0), 9, id="text"),
    ],
)
def test_the_more_a_page_shows_the_more_often_it_may_be_read(answer: Recognised, readings: int) -> None:
    assert count_readings(answer, PAGE) == readings


def test_parts_of_an_empty_page_cost_less() -> None:
    assert count_readings(NOTHING, QUARTER) == 8


def test_samples_of_an_empty_page_leave_room_for_reading_it() -> None:
    assert count_readings(NOTHING, QUARTER, before_reading=True) == 4


def test_a_word_may_be_read_in_all_scripts_upright_and_upside_down() -> None:
    assert count_readings(words(1, 40.0), WORD, page=WORD, before_reading=True) >= 2 * SCRIPTS


def count_readings(
    answer: Recognised, picture: Image.Image, *, page: Image.Image = PAGE, before_reading: bool = False
) -> int:
    tesseract = SameAnswer(answer)
    tries = Tries(tesseract, original=page, page=page)
    while not tesseract.pictures or tries.may_go_on(before_reading=before_reading):
        tries.recognise(picture, dpi=None, languages="eng", layout=Layout.PAGE)
    return len(tesseract.pictures)


def test_a_sample_is_read_once_by_each_model() -> None:
    picture = Image.new("L", (400, 400), 255)
    ImageDraw.Draw(picture).rectangle((100, 100, 120, 160), fill=0)
    sample = PageImage(picture, None, (400, 800))
    tesseract = SameAnswer(words(4, 90.0))
    tries = Tries(tesseract, original=picture, page=picture)

    readings = [tries.read_sample(sample, languages=languages) for languages in ("eng", "rus", "eng")]

    assert len(tesseract.pictures) == 2
    assert readings[0] is readings[2]
