"""Pages that lie askew, on their side or upside down are read like upright ones, by both ways to call Tesseract."""

import random
import textwrap
from collections import Counter

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

from bench import camera, texts
from docserver.ocr.limits import LIBRARY, PROGRAM, Limits
from docserver.reading_options import Rotate
from tests.support.engines import both_bindings
from tests.support.recognition import LINES, TEXT, WORDS, read, sheet, watch, word_box


@pytest.mark.parametrize(("degrees", "binding"), [(0, LIBRARY), (90, PROGRAM), (180, LIBRARY), (270, PROGRAM)])
def test_a_turned_page_is_read_like_an_upright_one(degrees: int, limits: Limits) -> None:
    draw = ImageDraw.Draw(page := sheet())
    draw.text((120, 900), "ONLYONCE", fill=25, font=ImageFont.load_default(size=30))

    # Pillow turns counterclockwise, so by as much it has to be turned clockwise again.
    reading = read(page.rotate(degrees, expand=True), limits)

    assert reading.text.split() == [*TEXT.split(), "ONLYONCE"]
    assert reading.rotation == degrees
    x0, y0, x1, y1 = word_box(reading, "ONLYONCE")
    middle = {
        0: (200, 915),
        90: (915, 1240 - 200),
        180: (1240 - 200, 1000 - 915),
        270: (1000 - 915, 200),
    }[degrees]
    assert x0 < middle[0] < x1
    assert y0 < middle[1] < y1


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_full_page_of_letters_is_read_once_however_it_lies(
    degrees: int, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = watch(monkeypatch)
    page = Image.new("L", (1500, 2100), 245)
    # In this font, an I is an l.
    prose = " ".join(texts.prose(random.Random(7), words=200)).replace("I", "E")
    text = "\n".join(textwrap.wrap(prose, 70))
    ImageDraw.Draw(page).text((120, 100), text, fill=25, font=ImageFont.load_default(size=34), spacing=34)

    reading = read(page.rotate(degrees, expand=True), limits)

    assert reading.text.split() == text.split()
    assert (len(shown), reading.rotation) == (1, degrees)


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("lines", [4, 7])
def test_a_turned_part_of_a_page_is_read_like_an_upright_one(lines: int, degrees: int, limits: Limits) -> None:
    part = sheet().crop((100, 80, 1140, 100 + 56 * lines))

    reading = read(part.rotate(degrees, expand=True), limits)

    assert reading.text.split() == "\n".join(LINES[:lines]).split()
    assert reading.rotation == degrees


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_form_is_read_however_it_lies(degrees: int, limits: Limits) -> None:
    """Its rules and columns stand out more than its lines, and the number at its edge is read where it lies wrong."""
    font = ImageFont.load_default(size=30)
    draw = ImageDraw.Draw(form := Image.new("L", (1240, 1000), 245))
    words = [word for line in LINES[:9] for word in line.split()[:2]]
    for number, word in enumerate(words):
        draw.text((130 + number % 2 * 600, 108 + number // 2 * 90), word, fill=25, font=font)
    for x in range(100, 1101, 200):
        draw.line((x, 90, x, 900), fill=25, width=3)
    ImageDraw.Draw(stamp := Image.new("L", (200, 40), 245)).text((5, 2), "81310636", fill=25, font=font)
    form.paste(stamp.rotate(90, expand=True), (1170, 700))

    reading = read(form.rotate(degrees, expand=True), limits)

    assert not Counter(words) - Counter(reading.text.split())
    assert reading.rotation == degrees


@both_bindings
@pytest.mark.parametrize(
    ("degrees", "is_read"),
    [(0, True), (180, False), pytest.param(270, True, id="lines that run downwards, which Tesseract reads by itself")],
)
def test_a_page_is_read_once_and_as_it_lies_where_turning_is_off(
    degrees: int, is_read: bool, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = watch(monkeypatch)

    page = sheet().rotate(degrees, expand=True)
    reading = read(page, limits, rotate=Rotate.OFF)

    # What is read badly may be compared with the mirror image of a few lines.
    assert shown.count(page.size) == 1
    assert not is_read or len(shown) == 1
    assert reading.rotation == 0
    assert (reading.text.split() == TEXT.split()) is is_read


def test_a_page_that_lies_askew_is_straightened_where_turning_is_off(limits: Limits) -> None:
    askew = sheet().rotate(6, Image.Resampling.BICUBIC, expand=True, fillcolor=245)

    assert read(askew, limits, rotate=Rotate.OFF).text.split() == TEXT.split()


@pytest.mark.parametrize("skew", [-6, -2.5, 4])
def test_a_page_that_lies_askew_is_read_like_a_straight_one(skew: float, limits: Limits) -> None:
    reading = read(sheet().rotate(skew, Image.Resampling.BICUBIC, expand=True, fillcolor=245), limits)

    assert reading.text.split() == TEXT.split()
    assert reading.rotation == 0


def test_a_page_seen_aslant_on_a_dark_table_is_read(limits: Limits) -> None:
    page = ImageOps.expand(sheet(), 250, fill=40)
    width, height = page.size
    # The lines fall by less than a degree at the top and by four at the bottom.
    aslant = (0, 0, 0, height, width, height - 100, width, 0)
    photo = page.transform(page.size, Image.Transform.QUAD, aslant, Image.Resampling.BICUBIC)
    light = Image.linear_gradient("L").rotate(90).resize(page.size).point([90 + value * 5 // 8 for value in range(256)])

    reading = read(ImageChops.multiply(photo, light), limits)

    assert reading.text.split() == TEXT.split()


def test_a_photo_whose_lines_are_not_parallel_is_read(limits: Limits) -> None:
    page = Image.new("L", (1240, 1754), 250)
    page.paste(sheet().crop((100, 80, 1240, 900)), (100, 100))
    photo = camera.photographed(page.resize((2067, 2923), Image.Resampling.BICUBIC), 5139)

    assert read(photo, limits).text.lower().split() == TEXT.split()


@pytest.mark.parametrize("turn", [0, 90, 270])
def test_a_receipt_is_read_line_by_line(turn: int, limits: Limits) -> None:
    rows = [f"{word.upper()} {number}.{number:02}" for number, word in enumerate(WORDS, start=11)]
    image = Image.new("L", (620, 100 * len(rows)), 250)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=28)
    for number, row in enumerate(rows):
        what, price = row.split()
        draw.text((30, 30 + 70 * number), what, fill=30, font=font)
        draw.text((480, 30 + 70 * number), price, fill=30, font=font)

    assert read(image.rotate(turn, expand=True), limits).text.split("\n") == rows


@pytest.mark.parametrize("turn", [0, 90, 270])
def test_a_line_without_a_margin_is_read(turn: int, limits: Limits) -> None:
    font = ImageFont.load_default(size=30)
    left, top, right, bottom = (round(side) for side in font.getbbox("evening harbour 27"))
    line = Image.new("L", (right - left, bottom - top), 255)
    ImageDraw.Draw(line).text((-left, -top), "evening harbour 27", fill=20, font=font)

    reading = read(line.rotate(turn, expand=True), limits)

    assert reading.text == "evening harbour 27"
    assert reading.rotation == turn
    box = word_box(reading, "evening")
    assert min(box) <= 3
    assert max(box[2] - box[0], box[3] - box[1]) < max(line.size) // 2
