"""Ink that looks like letters where no word was read, beside what only looks a little like it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import Box
from docserver.ocr.image.overview import overview
from docserver.ocr.image.unread_letters import unread_letters

WORDS = ["harbour", "market", "garden", "winter", "bridge", "journey", "captain", "evening", "village", "letter"]


def page(*, unread: str = "", fill: int = 20, on_side: bool = False) -> tuple[Image.Image, list[Box]]:
    """A page of words, which are read, with a text that is not, and the boxes of the words."""
    image = Image.new("L", (1000, 1000), 245)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=24)
    boxes: list[Box] = []
    for number, word in enumerate(WORDS):
        place = (100, 100 + 60 * number)
        draw.text(place, word, fill=20, font=font)
        left, top, right, bottom = draw.textbbox(place, word, font=font)
        boxes.append((int(left), int(top), int(right), int(bottom)))
    part = Image.new("L", (600, 40), 245)
    ImageDraw.Draw(part).text((5, 2), unread, fill=fill, font=font)
    image.paste(part.rotate(90, expand=True) if on_side else part, (350, 250))
    return image, boxes


def unread(image: Image.Image, words: list[Box]) -> int:
    return unread_letters(overview(image), words)


def test_nothing_is_unread_where_each_word_was_read() -> None:
    assert unread(*page()) == 0


@pytest.mark.parametrize("on_side", [False, True])
@pytest.mark.parametrize("text", ["Northampton", "1 2 3 4 5 6 7 8 9", "00538 00239"])
def test_letters_that_were_not_read_are_counted(text: str, on_side: bool) -> None:
    letters = len(text.replace(" ", ""))

    found = unread(*page(unread=text, on_side=on_side))

    assert letters - 2 <= found <= letters or (on_side and " " in text)


def test_marks_in_cells_that_are_far_apart_are_counted() -> None:
    image, boxes = page()
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=24)
    for row in range(4):
        for column in range(4):
            draw.text((330 + 150 * column, 790 + 40 * row), "x", fill=20, font=font)

    assert unread(image, boxes) == 16


@pytest.mark.parametrize("number", ["11", "25", "00", "777"])
def test_the_digits_of_a_number_are_no_row_of_one_sign(number: str) -> None:
    assert unread(*page(unread=number)) == len(number)


def test_the_edge_of_a_photographed_page_is_no_picture_of_what_is_on_it() -> None:
    image, boxes = page(unread="25")
    ImageDraw.Draw(image).rectangle((10, 10, 990, 990), outline=60, width=30)

    assert unread(image, boxes) == 2


@pytest.mark.parametrize("signs", ["*" * 40, "=" * 30, "- " * 30, "." * 60])
def test_rows_of_one_sign_are_not_letters(signs: str) -> None:
    assert unread(*page(unread=signs)) == 0


def test_what_is_much_paler_than_the_words_is_not_counted() -> None:
    assert unread(*page(unread="Northampton", fill=215)) == 0


@pytest.mark.parametrize("fill", [150, 190])
def test_pale_letters_beside_dark_words_are_counted(fill: int) -> None:
    assert unread(*page(unread="Northampton", fill=fill)) >= 9


def test_a_picture_is_not_counted() -> None:
    image, boxes = page()
    noise = np.random.default_rng(1).normal(128, 60, (300, 400)).clip(0, 255).astype(np.uint8)
    image.paste(Image.fromarray(noise).reduce(4).resize((400, 300)), (400, 500))

    assert unread(image, boxes) < 6
