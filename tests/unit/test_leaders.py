"""Rows of dots between titles and page numbers, and what is none."""

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from docserver.ocr.image.leaders import without_leaders

STROKE_PX = 3.0
TITLES = ("Foreword", "The harbour", "The old town and its market", "Index")


def contents(leader: str, *, columns: int = 1) -> Image.Image:
    """A table of contents at 200 dpi. Without a leader, only its titles and numbers."""
    page = Image.new("L", (1240, 600), 245)
    draw, font = ImageDraw.Draw(page), ImageFont.truetype("DejaVuSans.ttf", 28)
    width = 1040 // columns
    for row, title in enumerate(TITLES):
        for column in range(columns):
            left, right, y = 100 + column * width, 100 + (column + 1) * width - 80, 100 + 60 * row
            draw.text((left, y), title, fill=20, font=font)
            draw.text((right, y), str(7 * row), fill=20, font=font)
            count = int((right - 30 - left - font.getlength(title)) / font.getlength(leader)) if leader else 0
            draw.text((right - 10 - count * font.getlength(leader), y), leader * count, fill=20, font=font)
    return page


@pytest.mark.parametrize("leader", [".", ". ", "·"])
def test_leaders_are_removed_and_letters_and_numbers_stay(leader: str) -> None:
    cleaned = without_leaders(contents(leader), stroke_px=STROKE_PX)

    assert cleaned is not None
    assert np.asarray(ImageChops.difference(cleaned, contents(""))).max() < 40


def test_thick_dots_between_thin_letters_are_removed() -> None:
    page = contents("")
    for row in range(len(TITLES)):
        for x in range(640, 1050, 30):
            ImageDraw.Draw(page).ellipse((x, 124 + 60 * row, x + 7, 131 + 60 * row), fill=20)

    cleaned = without_leaders(page, stroke_px=2.0)

    assert cleaned is not None
    assert np.asarray(ImageChops.difference(cleaned, contents(""))).max() < 40


def test_leaders_that_keep_two_columns_apart_stay() -> None:
    assert without_leaders(contents(".", columns=2), stroke_px=STROKE_PX) is None


def test_rows_of_dots_that_lead_to_no_number_stay() -> None:
    page, font = Image.new("L", (1240, 800), 245), ImageFont.truetype("DejaVuSans.ttf", 28)
    for row in range(12):
        ImageDraw.Draw(page).text((60, 40 + 60 * row), "What was said, was said", fill=20, font=font)
        told = "." * 40 if row % 3 == 1 else "and nobody heard it"
        ImageDraw.Draw(page).text((640, 40 + 60 * row), told, fill=20, font=font)

    assert without_leaders(page, stroke_px=STROKE_PX) is None


@pytest.mark.parametrize("text", ["", "minimum " * 8, "and then ... " * 5, "_" * 60, "- " * 40, "-" * 80])
def test_other_lines_stay(text: str) -> None:
    page = contents("")
    for row in range(6):
        ImageDraw.Draw(page).text((100, 340 + 40 * row), text, fill=20, font=ImageFont.truetype("DejaVuSans.ttf", 28))

    assert without_leaders(page, stroke_px=STROKE_PX) is None


@pytest.mark.parametrize("word", ["minimum ", "ewe woven ", "xvwx "])
def test_thick_letters_on_low_lines_are_no_leaders(word: str) -> None:
    page, font = Image.new("L", (1240, 800), 245), ImageFont.truetype("DejaVuSerif.ttf", 28)
    for row in range(10):
        ImageDraw.Draw(page).text((100, 40 + 60 * row), word * 6, fill=20, font=font)

    assert without_leaders(page, stroke_px=7.0) is None


def test_dotted_paper_has_no_leaders() -> None:
    page = Image.new("L", (1240, 600), 245)
    for x in range(20, 1240, 30):
        for y in range(20, 600, 30):
            ImageDraw.Draw(page).ellipse((x - 2, y - 2, x + 2, y + 2), fill=90)

    assert without_leaders(page, stroke_px=STROKE_PX) is None
