"""Numbers, codes and unsure words are read again by the second engine; other words are not."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from docserver.layout import Block, Box, EngineName, Line, Paragraph, Word, around, words_of
from docserver.ocr.engine import second_engine
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.ppocr.engine import Ppocr
from docserver.ocr.recognition.tesseract import Recognised
from docserver.ocr.recognition.unsure_words import MAX_READ, is_number, with_unsure_words_read_again


@pytest.fixture(scope="module")
def engine() -> Ppocr:
    second = second_engine()
    assert second
    return Ppocr(Path(second.directory))


def page(shown: list[str]) -> tuple[PageImage, list[Box]]:
    """A row of words, and their boxes."""
    font, left = ImageFont.truetype("DejaVuSans.ttf", 36), 40
    picture = Image.new("L", (100 + sum(len(word) for word in shown) * 50, 120), 255)
    boxes: list[Box] = []
    for word in shown:
        ImageDraw.Draw(picture).text((left, 40), word, font=font, fill=0)
        x0, y0, x1, y1 = ImageDraw.Draw(picture).textbbox((left, 40), word, font=font)
        boxes.append((int(x0), int(y0), int(x1), int(y1)))
        left = boxes[-1][2] + 18
    return PageImage(picture, 300, picture.size), boxes


def attempt(words: list[Word]) -> Attempt:
    line = Line(around(word.box for word in words), tuple(words))
    return Attempt(Recognised.of((Block(line.box, (Paragraph(line.box, (line,)),)),)), 0, "eng")


def read_again(shown: list[str], read: list[tuple[str, float]], engine: Ppocr) -> list[Word]:
    """The words of a row, of which Tesseract has `read` these texts with these confidences."""
    image, boxes = page(shown)
    words = [Word(text, box, confidence) for (text, confidence), box in zip(read, boxes, strict=True)]
    return list(words_of(with_unsure_words_read_again(attempt(words), image, engine).recognised.blocks))


@pytest.mark.parametrize(
    "text", ["75", "4.75", "MS", "Al", "SOLB", "A4-7b", "HbAic", "mmolll", "mmol/|", "www.acmell.com"]
)
def test_what_may_be_a_number(text: str) -> None:
    assert is_number(Word(text, (0, 0, 9, 9), 50))


@pytest.mark.parametrize("text", ["the", "TOTAL", "Ölx", "--", "ÄÖ", "$", "xviii", "end."])
def test_what_is_no_number(text: str) -> None:
    assert not is_number(Word(text, (0, 0, 9, 9), 50))


def test_numbers_and_codes_are_read_again_without_the_letters_beside_them(engine: Ppocr) -> None:
    shown = ["number", "75", "M5", "of", "4.75"]

    words = read_again(shown, [("number", 90), ("15", 92), ("MS", 94), ("of", 96), ("415", 60)], engine)

    assert [word.text for word in words] == shown
    assert [word.engine is EngineName.PPOCR for word in words] == [False, True, True, False, True]


def test_a_number_that_both_engines_read_is_as_sure_as_the_surer_one_says(engine: Ppocr) -> None:
    number, word = read_again(["75", "bread"], [("75", 80), ("bread", 80)], engine)

    assert (number.text, number.engine) == ("75", EngineName.TESSERACT)
    assert number.confidence > 90
    assert word.confidence == 80


def test_an_unsure_word_is_read_again(engine: Ppocr) -> None:
    assert [word.text for word in read_again(["Total", "bread"], [("Tofal", 60), ("brcad", 75)], engine)] == [
        "Total",
        "brcad",
    ]


def test_sure_numbers_and_those_beyond_the_most_of_a_page_stay(engine: Ppocr) -> None:
    shown = ["7"] * (MAX_READ + 3)
    read = [("1", 95.0), *[("1", 90.0)] * 2, *[("1", 50.0)] * MAX_READ]

    assert [word.text for word in read_again(shown, read, engine)] == ["1"] * 3 + ["7"] * MAX_READ


def test_what_the_second_engine_is_less_sure_of_is_not_taken(engine: Ppocr) -> None:
    image, (box,) = page(["75"])
    smudged = replace(image, image=image.image.filter(ImageFilter.GaussianBlur(9)))
    word = Word("15", box, 94.0)

    assert list(words_of(with_unsure_words_read_again(attempt([word]), smudged, engine).recognised.blocks)) == [word]


def test_a_word_that_none_is_gives_way_to_a_less_sure_one(engine: Ppocr) -> None:
    words = read_again(["HbA1c", "mmol/l"], [("HbAic", 80), ("mmoll/|", 84)], engine)

    assert [word.text for word in words] == ["HbA1c", "mmol/l"]


@pytest.mark.parametrize(("read", "shown"), [("vs", "VS"), ("[6],", "[6]"), ("3'654.78", "3654.78"), ("Il", "II")])
def test_a_word_is_kept_where_the_second_engine_cannot_know_better(read: str, shown: str, engine: Ppocr) -> None:
    assert [word.text for word in read_again([shown], [(read, 60)], engine)] == [read]


def test_units_are_kept(engine: Ppocr) -> None:
    assert [word.text for word in read_again(["UA", "mg/dl"], [("U/l", 60), ("mg/dl", 60)], engine)] == ["U/l", "mg/dl"]


def test_dirt_behind_a_number_is_no_point(engine: Ppocr) -> None:
    assert [word.text for word in read_again(["08:58"], [("08:58.", 78)], engine)] == ["08:58"]


def test_places_that_tesseract_could_not_read_are_read(engine: Ppocr) -> None:
    image, (first, missed, last) = page(["Valve", "11", "bread"])
    before = replace(attempt([Word("Valve", first, 96.0), Word("bread", last, 96.0)]), missed=(missed,))

    after = with_unsure_words_read_again(before, image, engine)

    assert [word.text for word in words_of(after.recognised.blocks)] == ["Valve", "11", "bread"]
    assert not after.missed


def test_places_without_letters_are_no_longer_missed(engine: Ppocr) -> None:
    image, (first,) = page(["Valve"])
    _, top, right, bottom = first
    before = replace(attempt([Word("Valve", first, 96.0)]), missed=((right + 20, top, right + 40, bottom),))

    after = with_unsure_words_read_again(before, image, engine)

    assert after == replace(before, missed=())
