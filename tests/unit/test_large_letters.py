"""Rows of letters that are larger than the words around them."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import Box
from docserver.ocr.image.large_letters import LargeLetters, rows_of_large_letters
from docserver.ocr.image.overview import overview

WORDS = ["harbour", "market", "garden", "winter", "bridge"]


def page(*large: tuple[str, tuple[int, int], int]) -> tuple[Image.Image, list[Box]]:
    """A page of words with larger texts of some sizes at some places, and the boxes of the words."""
    image = Image.new("L", (1000, 1000), 245)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=24)
    boxes: list[Box] = []
    for number, word in enumerate(WORDS):
        place = (500, 100 + 60 * number)
        draw.text(place, word, fill=20, font=font)
        left, top, right, bottom = draw.textbbox(place, word, font=font)
        boxes.append((int(left), int(top), int(right), int(bottom)))
    for text, place, size in large:
        draw.text(place, text, fill=20, font=ImageFont.load_default(size=size))
    return image, boxes


def rows(*large: tuple[str, tuple[int, int], int]) -> list[LargeLetters]:
    image, words = page(*large)
    return rows_of_large_letters(overview(image), words)


def test_words_of_one_size_are_not_large() -> None:
    assert rows() == []


@pytest.mark.parametrize("size", [60, 120, 300])
@pytest.mark.parametrize(("text", "count"), [("4", 1), ("18", 2), ("70", 2), ("5.9", 3)])
def test_a_numeral_is_one_row_with_its_signs(text: str, count: int, size: int) -> None:
    image, words = page((text, (60, 500), size))

    (row,) = rows_of_large_letters(overview(image), words)

    ink = image.crop((0, 450, 1000, 1000)).point(lambda level: 255 * (level < 200)).getbbox()
    assert ink is not None
    assert row.letters == count
    expected = ink[0], ink[1] + 450, ink[2], ink[3] + 450
    assert max(abs(side - other) for side, other in zip(row.box, expected, strict=True)) <= 2


def test_raised_digits_are_a_row_of_their_own() -> None:
    assert [row.letters for row in rows(("18", (60, 500), 160), ("69", (240, 500), 70))] == [2, 2]


def test_numerals_below_each_other_are_rows() -> None:
    assert len(rows(("1", (60, 400), 120), ("2", (60, 540), 120), ("3", (60, 680), 120))) == 3


def test_an_accent_is_in_the_box_of_its_letter() -> None:
    image, words = page(("UBER", (60, 520), 100))
    draw = ImageDraw.Draw(image)
    for left in (74, 102):
        draw.ellipse((left, 524, left + 12, 536), fill=20)

    (row,) = rows_of_large_letters(overview(image), words)

    assert (row.box[1], row.letters) == (524, 4)


def test_the_rings_of_a_percent_sign_are_no_row() -> None:
    assert [len(rows(("7%", (60, 500), size))) for size in (60, 120, 300)] == [1, 1, 1]


def test_a_frame_around_large_letters_is_no_letter() -> None:
    image, words = page(("18", (120, 520), 120))
    ImageDraw.Draw(image).rectangle((80, 500, 330, 700), outline=20, width=3)

    assert [row.letters for row in rows_of_large_letters(overview(image), words)] == [2]
