"""Plain coloured boxes with something that was not read."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import Box
from docserver.ocr.image.coloured_areas import coloured_areas, in_black_on_white
from docserver.ocr.image.overview import overview

BOX = (200, 300, 600, 400)


def page(fill: str = "#c00", ink: str = "white") -> Image.Image:
    image = Image.new("RGB", (1000, 1000), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=40)
    draw.rectangle(BOX, fill=fill)
    draw.text((230, 325), "Sold out", font=font, fill=ink)
    draw.text((200, 500), "What is black on white is in no box.", font=font, fill="black")
    return image


def areas(image: Image.Image, *words: Box) -> list[Box]:
    return coloured_areas(overview(image), words)


@pytest.mark.parametrize(("fill", "ink"), [("#c00", "white"), ("#bbb", "white"), ("#555", "black"), ("#00c", "#f00")])
def test_a_box_with_unread_letters_is_found(fill: str, ink: str) -> None:
    (found,) = areas(page(fill, ink))

    assert max(abs(side - other) for side, other in zip(found, BOX, strict=True)) <= 4


def test_a_low_box_that_is_a_little_askew_is_found() -> None:
    """As the head of a table on a scan."""
    image = page().crop((200, 310, 600, 390)).resize((400, 26))
    askew = Image.new("RGB", (1000, 1000), "white")
    askew.paste(image, (300, 400))

    (found,) = areas(askew.rotate(0.6, Image.Resampling.BICUBIC, fillcolor="white"))

    assert max(abs(side - other) for side, other in zip(found, (300, 400, 700, 426), strict=True)) <= 7


def test_a_box_whose_words_were_read_is_not_given() -> None:
    assert areas(page(), (225, 320, 400, 375)) == []


@pytest.mark.parametrize("fill", ["#c00", "#eee"])
def test_an_empty_box_and_a_hardly_coloured_one_are_not_given(fill: str) -> None:
    assert areas(page(fill, ink=fill)) == []


def test_a_photo_is_no_box() -> None:
    image = page()
    noise = np.random.default_rng(1).integers(0, 160, (25, 100), dtype=np.uint8)
    image.paste(Image.fromarray(noise).resize((400, 100), Image.Resampling.NEAREST), BOX[:2])

    assert areas(image) == []


@pytest.mark.parametrize(("fill", "ink"), [("#c00", "white"), ("#555", "black")])
def test_letters_become_black_on_white(fill: str, ink: str) -> None:
    part = in_black_on_white(page(fill, ink).crop((204, 304, 596, 396)))

    assert np.median(np.asarray(part)) == 255
    assert part.getextrema() == (0, 255)
