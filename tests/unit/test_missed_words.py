"""Words that were missed, or that took in the word beside them."""

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from docserver.layout import Block, Box, Line, Paragraph, Word, around, words_of
from docserver.ocr.image.transform import PageImage, on_original
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.missed_words import with_missed_words
from docserver.ocr.recognition.tesseract import NOTHING, Recognised

WORDS = ["pages", "of", "a", "long", "document"]


def recognised(words: list[Word]) -> Recognised:
    line = Line(around(word.box for word in words), tuple(words))
    return Recognised.of((Block(line.box, (Paragraph(line.box, (line,)),)),))


def page() -> tuple[PageImage, dict[str, Box]]:
    """A line of words, and their boxes."""
    image, left, font = Image.new("L", (1000, 1000), 255), 100, ImageFont.load_default(size=40)
    boxes: dict[str, Box] = {}
    for word in WORDS:
        ImageDraw.Draw(image).text((left, 500), word, font=font, fill=0)
        x0, y0, x1, y1 = font.getbbox(word)
        boxes[word] = (int(left + x0), int(500 + y0), int(left + x1), int(500 + y1))
        left = boxes[word][2] + 16
    return PageImage(image, 300, image.size), boxes


class Recogniser:
    """Reads the word whose ink is as wide for its height; of these words, some as other ones."""

    def __init__(self, boxes: dict[str, Box], **others: str) -> None:
        self._shapes = {word: (x1 - x0) / (y1 - y0) for word, (x0, y0, x1, y1) in boxes.items()}
        self._others = others

    def __call__(self, part: PageImage) -> Recognised:
        ink = part.image.point(lambda level: 255 * (level < 128)).getbbox()
        if ink is None:
            return NOTHING
        shape = (ink[2] - ink[0]) / (ink[3] - ink[1])
        word = min(self._shapes, key=lambda word: abs(self._shapes[word] - shape))
        return Recognised.of(on_original(recognised([Word(self._others.get(word, word), ink, 95.0)]).blocks, part))


def texts(attempt: Attempt) -> list[str]:
    return [word.text for word in words_of(attempt.recognised.blocks)]


def attempt(boxes: dict[str, Box], **others: str) -> Attempt:
    """What was read: all but `a`, with others in the places of some words."""
    words = [Word(others.get(word, word), box, 95.0) for word, box in boxes.items() if word != "a"]
    return Attempt(recognised(words), 0, "eng")


def test_a_missed_word_is_read_and_stands_in_its_place() -> None:
    image, boxes = page()

    found = with_missed_words(attempt(boxes), image, recognise=Recogniser(boxes))

    assert texts(found) == WORDS


@pytest.mark.parametrize(("again", "expected"), [("long", WORDS), ("along", ["pages", "of", "along", "document"])])
def test_a_word_that_has_taken_in_the_missed_one_does_not_have_it_twice(again: str, expected: list[str]) -> None:
    """Tesseract reads `along` for `a long`, in a box around `long`."""
    image, boxes = page()

    found = with_missed_words(attempt(boxes, long="along"), image, recognise=Recogniser(boxes, long=again))

    assert texts(found) == expected


def test_a_word_whose_box_is_too_narrow_is_read_whole() -> None:
    """Part of a digit outside of its box is no missed word."""
    image, boxes = page()
    narrow = (*boxes["long"][:2], boxes["long"][2] - 20, boxes["long"][3])
    before = attempt({**boxes, "long": narrow}, long="lon")

    found = with_missed_words(before, image, recognise=Recogniser(boxes))

    assert texts(found) == WORDS


def test_words_in_a_dark_band_do_not_take_in_those_beside_them() -> None:
    """The ink of the band is around all of its words."""
    image, boxes = page()
    band = around(boxes.values())
    inverted = image.image.copy()
    inverted.paste(ImageOps.invert(image.image.crop(band)), band)
    before = recognised([Word(word, box, 40.0) for word, box in boxes.items()])

    def recognise(part: PageImage) -> Recognised:
        left, _, right, _ = part.to_original.on_rect(0, 0, *part.image.size)
        return recognised([Word(word, box, 95.0) for word, box in boxes.items() if left < box[2] and box[0] < right])

    found = with_missed_words(Attempt(before, 0, "eng"), PageImage(inverted, 300, inverted.size), recognise=recognise)

    assert texts(found) == WORDS
