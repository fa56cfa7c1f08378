"""Text that a page was not read for at first: single letters in cells, tables on their side, headings on their side."""

import random
from collections import Counter
from difflib import SequenceMatcher

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.model import Reading
from docserver.ocr.limits import Limits
from docserver.reading_options import EngineChoice
from tests.support.recognition import LINES, read

TITLE = "Summary of results by department"
MONTHS = ("Item", "January", "February", "March")


def table(rows: list[list[str]], *, cell: tuple[int, int], size: int = 22) -> Image.Image:
    """A ruled table below a title."""
    (width, height), margin = cell, 80
    page = Image.new("L", (2 * margin + width * len(rows[0]), 3 * margin + height * len(rows)), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=size)
    draw.text((margin, margin), TITLE, font=ImageFont.load_default(size=24), fill=0)
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            left, top = margin + column * width, 2 * margin + row * height
            draw.rectangle((left, top, left + width, top + height), outline=0, width=2)
            draw.text((left + width / 2, top + height / 2), text, font=font, fill=0, anchor="mm")
    return page


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_table_of_amounts_on_its_side_is_read(degrees: int, limits: Limits) -> None:
    random.seed(1)
    amounts = [
        [f"Row {row}", *(f"{random.randint(100, 9999)}.{random.randint(10, 99)}" for _ in "123")]
        for row in range(1, 21)
    ]
    page = table([[*MONTHS], *amounts], cell=(320, 56), size=24)

    reading = read(page.rotate(degrees, expand=True), limits, engine=EngineChoice.TESSERACT)

    expected = " ".join([TITLE, *MONTHS, *(word for row in amounts for word in row)]).split()
    assert reading.rotation == degrees
    assert reading.text.split() == expected


@pytest.mark.parametrize("cell", [(60, 60), (60, 140)])
def test_single_digits_in_the_cells_of_a_table_are_read(cell: tuple[int, int], limits: Limits) -> None:
    random.seed(1)
    rows = [[random.choice("0123456789") for _ in range(12)] for _ in range(8)]

    reading = read(table(rows, cell=cell, size=28), limits, engine=EngineChoice.TESSERACT)

    # Digits of narrow cells are joined to words, and a few are misread.
    expected = "".join([*TITLE.split(), *(digit for row in rows for digit in row)])
    assert not reading.needs_review
    assert SequenceMatcher(None, expected, "".join(reading.text.split()), autojunk=False).ratio() > 0.97


def test_marks_in_a_check_list_are_read(limits: Limits) -> None:
    random.seed(1)
    rows = [[f"Feature {row}", *random.choices("xx-", k=6)] for row in range(16)]

    reading = read(table(rows, cell=(190, 50)), limits, engine=EngineChoice.TESSERACT)

    words = reading.text.split()
    assert [words.count(mark) for mark in "x-"] == [sum(row.count(mark) for row in rows) for mark in "x-"]


HEADINGS = ("Air conditioning", "Navigation", "Heated seats", "Parking sensors", "Cruise control", "Roof rails")


def write_upwards(page: Image.Image, text: str, *, at: tuple[int, int]) -> None:
    font = ImageFont.load_default(size=26)
    line = Image.new("L", (int(font.getlength(text)) + 4, 36), 255)
    ImageDraw.Draw(line).text((2, 2), text, font=font, fill=0)
    page.paste(line.rotate(90, expand=True), at)


def counted(reading: Reading, words: list[str]) -> list[str]:
    """Those of these words that were not read."""
    return sorted((Counter(words) - Counter(reading.text.split())).elements())


@pytest.mark.parametrize("degrees", [0, 270])
def test_headings_of_columns_that_run_upwards_are_read(degrees: int, limits: Limits) -> None:
    random.seed(1)
    rows = [[f"Model {random.randint(100, 999)}", *random.choices(["yes", "no", "348", "95"], k=6)] for _ in range(9)]
    page = Image.new("L", (1400, 1200), 255)
    page.paste(table(rows, cell=(170, 60), size=26), (0, 300))
    ImageDraw.Draw(page).rectangle((80, 130, 80 + 7 * 170, 460), fill=255, outline=0, width=2)
    for column, heading in enumerate(HEADINGS, start=1):
        write_upwards(page, heading, at=(145 + column * 170, 140))
        ImageDraw.Draw(page).line((80 + column * 170, 130, 80 + column * 170, 460), fill=0, width=2)

    reading = read(page.rotate(degrees, expand=True), limits, engine=EngineChoice.TESSERACT)

    assert counted(reading, " ".join([*HEADINGS, *(text for row in rows for text in row)]).split()) == []


def test_a_chart_keeps_its_title_and_the_labels_that_run_upwards(limits: Limits) -> None:
    page = Image.new("L", (1600, 1400), 255)
    draw, title = ImageDraw.Draw(page), "Annual energy output by plant in the northern region"
    draw.text((200, 60), title, font=ImageFont.load_default(size=30), fill=0)
    write_upwards(page, unit := "Output in megawatt hours", at=(40, 400))
    for row in range(6):
        draw.line((200, 1150 - 150 * row, 1450, 1150 - 150 * row), fill=200, width=2)
    towns = ["Norwich", "Ipswich", "Cambridge", "Lowestoft", "Colchester", "Felixstowe", "Bedford"]
    for column, town in enumerate(towns):
        draw.rectangle((240 + 170 * column, 500 + 70 * column, 330 + 170 * column, 1150), fill=120)
        write_upwards(page, town, at=(270 + 170 * column, 1165))

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert counted(reading, [*title.split(), *unit.split(), *towns]) == []


def test_a_line_that_is_upside_down_is_read(limits: Limits) -> None:
    draw = ImageDraw.Draw(page := Image.new("L", (1240, 900), 255))
    for number, line in enumerate(LINES[:9]):
        draw.text((80, 60 + 70 * number), line, font=ImageFont.load_default(size=30), fill=0)
    answers = Image.new("L", (700, 50), 255)
    ImageDraw.Draw(answers).text(
        (5, 5), "Answers: seven, twelve and forty", font=ImageFont.load_default(size=30), fill=0
    )
    page.paste(answers.rotate(180), (300, 780))

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert reading.text.split() == [*" ".join(LINES[:9]).split(), "Answers:", "seven,", "twelve", "and", "forty"]


def test_short_numbers_in_the_columns_of_a_table_are_read(limits: Limits) -> None:
    """Tesseract takes lone digits in a column of their own for dirt."""
    rows = [
        ["7", "7", "7", "7"],
        *([str(7 + row * (column + 3) * 37 % 991) for column in range(4)] for row in range(1, 9)),
    ]
    draw, font = ImageDraw.Draw(page := Image.new("L", (2480, 1900), 255)), ImageFont.load_default(size=70)
    for row, numbers in enumerate(rows):
        for column, number in enumerate(numbers):
            draw.text((150 + column * 600, 120 + row * 190), number, font=font, fill=0)

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert sorted(reading.text.split()) == sorted(number for numbers in rows for number in numbers)


def test_stains_beside_lines_do_not_become_words(limits: Limits) -> None:
    words = ["harbour", "market", "garden", "winter", "bridge", "journey", "captain", "evening", "village", "letter"]
    draw, font = ImageDraw.Draw(page := Image.new("L", (1600, 900), 255)), ImageFont.load_default(size=30)
    for number, word in enumerate(words):
        top = 80 + 70 * number
        draw.text((100, top), f"{word} and {words[-number]} in the {words[number - 3]}", font=font, fill=0)
        left = 1100 + 31 * number
        draw.polygon([(left, top + 5), (left + 22, top + 9), (left + 15, top + 31), (left + 3, top + 24)], fill=0)
        draw.ellipse((left + 120, top + 6, left + 144, top + 30), fill=0)

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert len(reading.text.split()) <= 60
    assert set(reading.text.split()) <= {*words, "and", "in", "the"}


@pytest.mark.parametrize("fill", [(160, 160, 160), (200, 200, 200), (102, 204, 255), (255, 204, 0)])
def test_pale_lines_beside_black_ones_are_read(fill: tuple[int, int, int], limits: Limits) -> None:
    """Tesseract uses one threshold for the page, above which they are paper."""
    lines = ["Refund in 48 hours", "The harbour and the market open at nine", "and close after the captain has left"]
    draw, font = ImageDraw.Draw(page := Image.new("RGB", (1240, 700), "white")), ImageFont.load_default(size=40)
    for number, line in enumerate([*lines[:2], *lines[1:] * 2]):
        draw.text((80, 60 + 90 * number), line, font=font, fill=fill if number == 0 else "black")

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert reading.text.split()[:4] == lines[0].split()
    assert not reading.needs_review


def test_single_letters_in_a_table_are_not_doubled(limits: Limits) -> None:
    rows = ["Pupil Maths Art Music Sport", "Anna C C x C", "Boris B E C D", "Clara x x C E", "David E C B x"]
    page = Image.new("L", (1000, 560), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=32)
    draw.text((60, 40), "Marks of class seven", font=ImageFont.load_default(size=40), fill=0)
    for row, texts in enumerate(rows):
        for left, text in zip((60, 360, 510, 660, 810), texts.split(), strict=True):
            draw.text((left, 120 + 70 * row), text, font=font, fill=0)

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert reading.text.split() == ["Marks", "of", "class", "seven", *" ".join(rows).split()]
