"""Pages whose letters show whether they are upside down, and those whose letters do not."""

import random

import pytest
from PIL import Image, ImageDraw, ImageFont

from bench import texts
from docserver.ocr.image.way_up import way_up

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
def test_a_page_of_text_is_upright_if_its_letters_rise_more_than_they_sink(skew: float) -> None:
    upright = page(prose()).rotate(skew, Image.Resampling.BICUBIC, fillcolor=245)

    assert way_up(upright) == 1
    assert way_up(upright.transpose(Image.Transpose.ROTATE_180)) == -1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(AMOUNTS, id="digits"),
        pytest.param(prose().upper(), id="capitals"),
        pytest.param(prose()[:200], id="a few lines"),
        pytest.param("", id="no letters"),
    ],
)
def test_other_pages_do_not_show_how_they_lie(text: str) -> None:
    upright = page(text)

    for turn in (0, 90, 180, 270):
        assert way_up(upright.rotate(turn, expand=True)) == 0


def test_a_picture_that_is_narrower_than_some_letters_does_not_show_how_it_lies() -> None:
    assert way_up(page(prose()).resize((80, 2100))) == 0
