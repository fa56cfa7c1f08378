"""Large numerals and words beside small print: numbered steps, price tags, pages of figures and calendars."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.ocr.limits import Limits
from docserver.reading_options import EngineChoice
from tests.support.recognition import read

STEPS = (
    ("Fill the kettle", "half a litre"),
    ("Boil the water", "three minutes"),
    ("Add the tea", "one spoon for each"),
)


def write(page: Image.Image, text: str, at: tuple[int, int], size: int) -> None:
    """Write a text whose ink begins at this place."""
    ImageDraw.Draw(page).text(at, text, font=ImageFont.load_default(size=size), fill=0, anchor="lt")


@pytest.mark.parametrize("size", [90, 140, 220])
def test_numerals_before_steps_are_read_in_their_places(size: int, limits: Limits) -> None:
    page = Image.new("L", (1000, 1000), 255)
    expected = ""
    for number, (first, second) in enumerate(STEPS, start=1):
        top = 60 + (number - 1) * 300
        write(page, str(number), (60, top), size)
        write(page, first, (260, top + 10), 34)
        write(page, second, (260, top + 64), 26)
        expected += f"{number} {first} {second} "

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert reading.text.split() == expected.split()
    assert not reading.needs_review


def test_a_price_with_raised_digits_is_read(limits: Limits) -> None:
    page = Image.new("L", (800, 500), 255)
    write(page, "Garden peas", (40, 30), 56)
    write(page, "18", (60, 120), 170)
    write(page, "69", (262, 130), 76)
    write(page, "per litre", (262, 240), 30)
    write(page, "Batch 8812", (40, 440), 26)

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert reading.text.split() == ["Garden", "peas", "18", "69", "per", "litre", "Batch", "8812"]


def test_large_figures_above_their_labels_are_read(limits: Limits) -> None:
    figures = {"57%": "visitors", "364": "new members", "6.9": "open cases", "152": "parcels"}
    page = Image.new("L", (1240, 900), 255)
    write(page, "Figures of the harbour", (60, 40), 40)
    for number, (figure, label) in enumerate(figures.items()):
        left, top = 60 + number % 2 * 600, 140 + number // 2 * 360
        write(page, figure, (left, top), 160)
        write(page, label, (left, top + 200), 30)

    words = read(page, limits, engine=EngineChoice.TESSERACT).text.split()

    labels = " ".join(["Figures of the harbour", *figures.values()])
    assert sorted(words) == sorted([*labels.split(), *figures])


def test_numbers_of_days_are_not_joined(limits: Limits) -> None:
    page = Image.new("L", (1240, 1000), 255)
    write(page, "October 2026", (60, 40), 56)
    for day in range(1, 13):
        write(page, str(day), (60 + (day - 1) % 4 * 290, 200 + (day - 1) // 4 * 250), 160)

    words = read(page, limits, engine=EngineChoice.TESSERACT).text.split()

    assert words == ["October", "2026", *map(str, range(1, 13))]
