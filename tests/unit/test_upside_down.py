"""Pages whose letters show that they are upside down, and those whose letters show nothing of that kind."""

import random

import pytest
from PIL import Image, ImageDraw, ImageFont

from bench import texts
from docserver.ocr.image.upside_down import is_upside_down

NUMBERS = [str(random.Random(number).randint(1000, 99999)) for number in range(6 * 34)]
AMOUNTS = "\n".join(" ".join(NUMBERS[start : start + 6]) for start in range(0, len(NUMBERS), 6))


def page(text: str, *, size: int = 30) -> Image.Image:
    image = Image.new("L", (1500, 2100), 245)
    ImageDraw.Draw(image).text((120, 100), text, fill=25, font=ImageFont.load_default(size=size), spacing=20)
    return image


def prose() -> str:
    words = " ".join(texts.prose(random.Random(7), words=330)).split()
    return "\n".join(" ".join(words[start : start + 10]) for start in range(0, 330, 10))


@pytest.mark.parametrize("skew", [-1.4, 0.0, 1.4])
def test_a_page_of_text_is_upside_down_if_its_letters_sink_more_than_they_rise(skew: float) -> None:
    upright = page(prose()).rotate(skew, Image.Resampling.BICUBIC, fillcolor=245)

    assert not is_upside_down(upright)
    assert is_upside_down(upright.transpose(Image.Transpose.ROTATE_180))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(AMOUNTS, id="digits"),
        pytest.param(prose().upper(), id="capitals"),
        pytest.param(prose()[:200], id="a few lines"),
        pytest.param("", id="no letters"),
    ],
)
def test_other_pages_are_not_taken_to_be_upside_down(text: str) -> None:
    upright = page(text)

    for turn in (0, 90, 180, 270):
        assert not is_upside_down(upright.rotate(turn, expand=True))


def test_a_picture_that_is_narrower_than_some_letters_is_not_taken_to_be_upside_down() -> None:
    assert not is_upside_down(page(prose()).resize((80, 2100)))
