"""Large words that were missed or misread beside smaller ones: which texts are taken, and where they stand."""

from collections.abc import Mapping

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import Block, Box, Line, Paragraph, Word, around, lines_of
from docserver.ocr.image.transform import PageImage, on_original
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.large_words import with_large_words
from docserver.ocr.recognition.tesseract import NOTHING, Recognised

SMALL = {
    "Fill": (300, 210),
    "the": (360, 210),
    "kettle": (420, 210),
    "half": (300, 260),
    "a": (370, 260),
    "litre": (400, 260),
}
SIZE = 26


def box_of(text: str, place: tuple[int, int], size: int) -> Box:
    left, top, right, bottom = ImageFont.load_default(size=size).getbbox(text)
    return int(place[0] + left), int(place[1] + top), int(place[0] + right), int(place[1] + bottom)


def page(**large: tuple[int, int]) -> PageImage:
    """Two lines of small words, with large texts at some places."""
    image = Image.new("L", (1000, 1000), 255)
    draw = ImageDraw.Draw(image)
    for words, size in ((SMALL, SIZE), (large, 140)):
        for text, place in words.items():
            draw.text(place, text.strip("_"), fill=0, font=ImageFont.load_default(size=size))
    return PageImage(image, 300, image.size)


def attempt(*others: Word) -> Attempt:
    """What was read: the small words, and others in a line above them."""
    words = [Word(text, box_of(text, place, SIZE), 95.0) for text, place in SMALL.items()]
    rows = filter(None, (others, words[:3], words[3:]))
    lines = tuple(Line(around(word.box for word in row), tuple(row)) for row in rows)
    block = Block(around(line.box for line in lines), (Paragraph(around(line.box for line in lines), lines),))
    return Attempt(Recognised.of((block,)), 0, "eng")


class Recogniser:
    """Reads in a part of the page what is said for the place of its ink, or nothing."""

    def __init__(self, texts: Mapping[tuple[int, int], str], *, confidence: float = 95.0) -> None:
        self._texts = texts
        self._confidence = confidence

    def __call__(self, part: PageImage) -> Recognised:
        ink = part.image.point(lambda level: 255 * (level < 128)).getbbox()
        if ink is None:
            return NOTHING
        place = part.to_original.on_rect(*ink)
        for (left, top), text in self._texts.items():
            if left <= place[0] <= left + 40 and top <= place[1] <= top + 60:
                line = Line(ink, (Word(text, ink, self._confidence),))
                block = Block(ink, (Paragraph(ink, (line,)),))
                return Recognised.of(on_original((block,), part))
        return NOTHING


def lines(found: Attempt) -> list[str]:
    return [" ".join(word.text for word in line.words) for line in lines_of(found.recognised.blocks)]


def test_a_missed_numeral_stands_before_the_lines_beside_it() -> None:
    found = with_large_words(attempt(), page(_4=(140, 180)), recognise=Recogniser({(140, 180): "4"}))

    assert lines(found) == ["4", "Fill the kettle", "half a litre"]
    assert not found.left_out


def test_numerals_in_one_word_are_taken_apart() -> None:
    """Tesseract reads numerals below each other as one word."""
    numerals = {(140, 180): "2", (140, 400): "3"}
    read = Word("WN", (140, 200, 230, 540), 90.0)

    found = with_large_words(attempt(read), page(_2=(140, 180), _3=(140, 400)), recognise=Recogniser(numerals))

    assert lines(found) == ["2", "Fill the kettle", "half a litre", "3"]


def test_pieces_of_a_word_are_joined() -> None:
    places = (140, 600), (240, 600)
    left, right = (box_of(text, place, 140) for text, place in zip(("M", "ill"), places, strict=True))
    pieces = Word("M", left, 92.0), Word("ill", (left[2] + 5, *right[1:]), 92.0)

    found = with_large_words(attempt(*pieces), page(Mill=(140, 600)), recognise=Recogniser({(140, 600): "Mill"}))

    assert lines(found) == ["Mill", "Fill the kettle", "half a litre"]


def test_what_fits_and_is_sure_is_not_read_again() -> None:
    def recognise(part: PageImage) -> Recognised:
        raise AssertionError

    before = attempt(Word("Mill", box_of("Mill", (140, 600), 140), 92.0))

    assert with_large_words(before, page(Mill=(140, 600)), recognise=recognise) is before


@pytest.mark.parametrize(("text", "confidence"), [("a", 95.0), ("A", 80.0)])
def test_a_part_of_a_picture_is_no_letter(text: str, confidence: float) -> None:
    recognise = Recogniser({(140, 180): text}, confidence=confidence)

    found = with_large_words(attempt(), page(A=(140, 180)), recognise=recognise)

    assert lines(found) == ["Fill the kettle", "half a litre"]
    assert not found.left_out


def test_large_letters_that_cannot_be_read_are_left_out() -> None:
    texts = iter(["21", "27", "71", "", ""])

    def recognise(part: PageImage) -> Recognised:
        return Recogniser({(140, 180): next(texts)})(part)

    found = with_large_words(attempt(), page(_21=(140, 180)), recognise=recognise)

    assert lines(found) == ["Fill the kettle", "half a litre"]
    assert found.left_out


def test_a_page_without_words_has_no_large_ones() -> None:
    nothing = Attempt(NOTHING, 0, "eng")

    assert with_large_words(nothing, page(A=(140, 180)), recognise=Recogniser({})) is nothing
