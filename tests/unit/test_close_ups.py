"""What several readings of a small place say."""

from collections.abc import Iterable

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.close_ups import CloseUps, joined
from docserver.ocr.recognition.tesseract import NOTHING, Recognised

PLACE = (100, 100, 150, 130)
PAGE = PageImage(Image.new("L", (400, 300), 255), 300, (400, 300))


def reading(text: str, confidence: float = 90.0) -> Recognised:
    if not text:
        return NOTHING
    line = Line(PLACE, (Word(text, PLACE, confidence),))
    return Recognised(text, (Block(PLACE, (Paragraph(PLACE, (line,)),)),), confidence)


class Recogniser:
    """Gives one of these readings after the other, and counts them."""

    def __init__(self, readings: Iterable[Recognised]) -> None:
        self._readings = iter(readings)
        self.heights: list[int] = []

    def __call__(self, part: PageImage) -> Recognised:
        self.heights.append(part.image.height)
        return next(self._readings)


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (["84", "84", "84", "84", "84"], "84"),
        (["84", "84", "8A", "84", "84"], "84"),
        (["84", "84", "8A", "34", "84"], None),
        (["", "", "", "", ""], None),
        (["|", "|", "|", "|", "|"], None),
    ],
)
def test_a_text_is_sure_if_most_readings_agree(texts: list[str], word: str | None) -> None:
    close_ups = CloseUps(PAGE, Recogniser(map(reading, texts)))

    assert [found.text for found in close_ups.words(PLACE, margin_px=9)] == [word] * (word is not None)


def test_readings_that_differ_lower_the_confidence() -> None:
    close_ups = CloseUps(PAGE, Recogniser(map(reading, ["84", "84", "8A", "84", "84"])))

    assert [found.confidence for found in close_ups.words(PLACE, margin_px=9)] == [72.0]


def test_a_place_is_read_once_and_at_several_heights() -> None:
    recogniser = Recogniser(map(reading, ["84"] * 5))
    close_ups = CloseUps(PAGE, recogniser)

    assert close_ups.words(PLACE, margin_px=0) == close_ups.words(PLACE, margin_px=0)
    assert recogniser.heights == [22, 26, 30, 35, 40]


def test_what_was_read_before_is_confirmed_by_one_reading() -> None:
    recogniser = Recogniser(map(reading, ["84"] * 5))

    assert CloseUps(PAGE, recogniser).words(PLACE, margin_px=0, before="84") == []
    assert len(recogniser.heights) == 1


@pytest.mark.parametrize(
    ("texts", "word", "count"), [(["84", "84", "84"], "84", 3), (["84", "8A", "84"], None, 2), (["", "84"], None, 2)]
)
def test_three_readings_all_have_to_agree(texts: list[str], word: str | None, count: int) -> None:
    recogniser = Recogniser(map(reading, texts))
    close_ups = CloseUps(PAGE, recogniser, heights_px=(40, 26, 30))

    assert [found.text for found in close_ups.words(PLACE, margin_px=0)] == [word] * (word is not None)
    assert recogniser.heights == [40, 26, 30][:count]


def test_spots_beside_each_other_are_joined_to_words() -> None:
    first, second, other = (100, 100, 118, 130), (124, 101, 140, 130), (300, 100, 318, 130)

    assert joined([other, second, first]) == [[first, second], [other]]


def test_letters_of_the_words_around_a_place_are_not_seen() -> None:
    image = PAGE.image.copy()
    ImageDraw.Draw(image).rectangle((60, 100, 97, 130), fill=0)
    ImageDraw.Draw(image).rectangle((110, 105, 140, 125), fill=0)
    seen: list[PageImage] = []

    def recognise(part: PageImage) -> Recognised:
        seen.append(part)
        return reading("84")

    page = PageImage(image, 300, image.size)
    CloseUps(page, recognise, words=[(60, 100, 98, 131), PLACE]).words(PLACE, margin_px=10)

    assert {part.image.crop((0, 0, 6, part.image.height)).getextrema() for part in seen} == {(255, 255)}
    assert all(part.image.getextrema()[0] == 0 for part in seen)
