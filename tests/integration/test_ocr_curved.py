"""Pages of open books, whose lines are curved, are read like flat ones."""

from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
import reportlab
from PIL import Image, ImageDraw, ImageFont, ImageOps

from bench import camera
from docserver.layout import words_of
from docserver.ocr.child import tasks
from docserver.ocr.image.curved_lines import curved_lines
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.overview import overview
from docserver.ocr.limits import Limits
from docserver.ocr.recognition.ppocr.engine import Ppocr
from docserver.ocr.recognition.reader import PageReader
from tests.support.recognition import WORDS, read

COLUMNS, ROWS = 8, 30
SIZE = (1240, 1754)


def page(columns: int = COLUMNS) -> tuple[Image.Image, str]:
    """A page of A4 at 150 dpi, with lines of so many words, and its text."""
    draw, font = ImageDraw.Draw(picture := Image.new("L", SIZE, 250)), ImageFont.load_default(size=26)
    lines = [" ".join(WORDS[(3 * row + n) % len(WORDS)] for n in range(columns)) for row in range(ROWS)]
    for row, line in enumerate(lines):
        draw.text((110, 120 + 50 * row), line, fill=25, font=font)
    return picture, "\n".join(lines)


@pytest.mark.parametrize("turn", [0, 90])
def test_a_curved_page_is_read_like_a_flat_one(turn: int, limits: Limits) -> None:
    clean, text = page()
    curled = camera.photographed(camera.curled(clean), seed=2)

    reading = read(curled.rotate(turn, expand=True), limits)

    truth, words = Counter(text.split()), Counter(reading.text.split())
    assert (truth & words).total() >= 0.97 * truth.total()
    assert words.total() <= 1.03 * truth.total()
    assert reading.rotation == turn


def test_two_pages_of_an_open_book_are_read_one_after_the_other(limits: Limits) -> None:
    (left, left_text), (right, right_text) = page(), page(columns=7)
    picture = Image.new("L", (2 * SIZE[0], SIZE[1]), 255)
    picture.paste(ImageOps.mirror(camera.curled(ImageOps.mirror(left))), (0, 0))
    picture.paste(camera.curled(right), (SIZE[0], 0))

    words = read(picture, limits).text.split()

    expected = [*left_text.split(), *right_text.split()]
    assert abs(len(words) - len(expected)) <= 0.02 * len(expected)
    matcher = SequenceMatcher(None, words, expected, autojunk=False)
    assert sum(block.size for block in matcher.get_matching_blocks()) >= 0.97 * len(expected)


def test_words_of_a_curved_page_lie_where_they_are(limits: Limits) -> None:
    clean, text = page()
    curled = camera.curled(clean)

    reading = read(curled, limits)

    ink, outside = curled.point([255 * (level < 128) for level in range(256)]), curled.copy()
    for word in words_of(reading.blocks):
        left, top, right, bottom = word.box
        assert ink.crop(word.box).getbbox() is not None
        # No higher than its letters, and what it rises.
        assert bottom - top < 26 + 0.3 * (right - left)
        outside.paste(255, (left - 3, top - 3, right + 3, bottom + 3))
    assert sum(outside.histogram()[:128]) < 0.01 * sum(curled.histogram()[:128])
    assert len(text.split()) == sum(1 for _ in words_of(reading.blocks))


@pytest.mark.parametrize("row", [200, 900, 1500])
def test_curves_are_followed(row: int) -> None:
    clean, _ = page()
    ImageDraw.Draw(rule := Image.new("L", SIZE, 255)).line((0, row, SIZE[0], row), fill=0, width=3)
    heights = np.asarray(camera.curled(rule)).argmin(axis=0)

    lines = curved_lines(overview(camera.curled(clean)))

    assert lines is not None
    for column in (140, 300, 900, 1100):
        assert lines.height(column, heights[SIZE[0] // 2]) == pytest.approx(heights[column], abs=6)


@pytest.mark.parametrize("degrees", [0.0, 0.8, -1.4])
def test_lines_of_a_flat_page_are_not_curved(degrees: float) -> None:
    clean, _ = page()
    flat = clean.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=250)

    assert curved_lines(overview(flat)) is None


def test_columns_whose_lines_are_at_different_heights_are_not_curved() -> None:
    draw, font = ImageDraw.Draw(picture := Image.new("L", SIZE, 250)), ImageFont.load_default(size=26)
    for row in range(ROWS):
        line = " ".join(WORDS[(3 * row + n) % len(WORDS)] for n in range(4))
        draw.text((80, 120 + 50 * row), line, fill=25, font=font)
        draw.text((660, 145 + 50 * row), line, fill=25, font=font)

    assert curved_lines(overview(picture)) is None


@pytest.mark.parametrize(("size", "pitch", "left"), [(28, 45, 40), (36, 50, 30)])
def test_a_few_large_words_are_not_curved(size: int, pitch: int, left: int) -> None:
    font = ImageFont.truetype(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf", size)
    draw = ImageDraw.Draw(picture := Image.new("L", (640, 300), 255))
    draw.text((left, 50), "The room is closed today", fill=0, font=font)
    draw.text((left, 50 + pitch), "Please ring the bell 4711", fill=0, font=font)

    assert curved_lines(overview(picture)) is None


def test_a_curved_page_is_left_to_tesseract_without_being_made_straight_again(
    limits: Limits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clean, _ = page()
    reader = PageReader(Picture(camera.curled(clean), 150), tasks._tesseract(limits), turning=False, has_second=True)
    attempt = reader.read("eng")
    monkeypatch.setattr("docserver.ocr.recognition.reader.with_level_lines", None)

    assert reader.read_again(attempt, Ppocr(tmp_path)) is attempt
