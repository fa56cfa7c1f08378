"""Words that were missed, or that took in the word beside them."""

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from docserver.layout import Block, Box, Line, Paragraph, Word, around, is_in, words_of
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


def table() -> tuple[PageImage, dict[str, Box]]:
    """Names and numbers in rows, and the boxes of the cells by their text."""
    image, font = Image.new("L", (1000, 1000), 255), ImageFont.load_default(size=40)
    boxes: dict[str, Box] = {}
    rows = [("2", "Valve", "black"), ("3", "Cable", "white"), ("4", "Paint", "green"), ("5", "Hose", "red")]
    for row, cells in enumerate(rows):
        for left, text in zip((100, 200, 400), cells, strict=True):
            ImageDraw.Draw(image).text((left, 200 + 80 * row), text, font=font, fill=0)
            x0, y0, x1, y1 = font.getbbox(text)
            boxes[text] = (int(left + x0), int(200 + 80 * row + y0), int(left + x1), int(200 + 80 * row + y1))
    return PageImage(image, 300, image.size), boxes


def named(boxes: dict[str, Box]) -> list[Word]:
    return [Word(text, box, 95.0) for text, box in boxes.items() if text.isalpha()]


def cell_in(part: PageImage, boxes: dict[str, Box]) -> tuple[str, Box]:
    """The text and the box of the cell in a part of the page."""
    left, top, right, bottom = part.rect_on_original((0, 0, *part.image.size))
    return next((text, box) for text, box in boxes.items() if left < box[0] < right and top < box[1] < bottom)


def test_cells_take_the_place_of_a_line_that_runs_downwards() -> None:
    image, boxes = table()
    downwards = Word("NWRO", around(box for text, box in boxes.items() if text.isdigit()), 20.0)

    def recognise(part: PageImage) -> Recognised:
        text, box = cell_in(part, boxes)
        return recognised([Word(text, box, 95.0)])

    before = Attempt(recognised([*named(boxes), downwards]), 0, "eng")
    found = with_missed_words(before, image, recognise=recognise)

    assert sorted(texts(found)) == sorted(boxes)
    assert not found.missed


def test_places_whose_readings_differ_are_told() -> None:
    image, boxes = table()
    readings = iter(["2", "7", "Z", "?"] * len(boxes))

    def recognise(part: PageImage) -> Recognised:
        text, box = cell_in(part, boxes)
        return recognised([Word(next(readings) if text == "3" else text, box, 95.0)])

    found = with_missed_words(Attempt(recognised(named(boxes)), 0, "eng"), image, recognise=recognise)

    assert sorted(texts(found)) == sorted(set(boxes) - {"3"})
    assert len(found.missed) == 1
    assert is_in(boxes["3"], found.missed[0])


def test_a_dash_in_a_cell_is_a_word() -> None:
    image, boxes = table()
    draw = ImageDraw.Draw(image.image)
    draw.rectangle(boxes["3"], fill=255)
    left, top, _, bottom = boxes["3"]
    draw.rectangle((left, (top + bottom) // 2, left + 14, (top + bottom) // 2 + 4), fill=0)
    read = [Word(text, box, 95.0) for text, box in boxes.items() if text != "3"]

    found = with_missed_words(Attempt(recognised(read), 0, "eng"), image, recognise=lambda _: NOTHING)

    assert sorted(texts(found)) == sorted([*(word.text for word in read), "-"])
