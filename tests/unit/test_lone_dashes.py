"""Dashes that stand alone in the cells of a table, and what only looks like them."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import Box
from docserver.ocr.image.lone_dashes import lone_dashes
from docserver.ocr.image.overview import overview

ROWS = [["Harbour", "10", "7"], ["Market", "12", "9"], ["Garden", "14", "3"], ["Bridge", "16", "5"]]
FONT = ImageFont.truetype("DejaVuSans.ttf", 22)


def table(cell: str, *, across: int = 300, down: int = 0) -> tuple[Image.Image, list[Box]]:
    """A table whose third row has this in place of its second cell, and the boxes of all other cells."""
    image = Image.new("L", (1000, 1000), 245)
    draw = ImageDraw.Draw(image)
    boxes: list[Box] = []
    for number, row in enumerate(ROWS):
        for column, text in enumerate(row):
            place = (100 + 200 * column, 100 + 50 * number)
            if (number, column) == (2, 1):
                draw.text((across, place[1] + down), cell, fill=20, font=FONT)
                continue
            draw.text(place, text, fill=20, font=FONT)
            x0, y0, x1, y1 = draw.textbbox(place, text, font=FONT)
            boxes.append((int(x0), int(y0), int(x1), int(y1)))
    return image, boxes


@pytest.mark.parametrize("text", ["-", "\N{EN DASH}", "\N{EM DASH}"])
def test_a_dash_in_a_cell_is_found(text: str) -> None:
    image, boxes = table(text)

    (dash,) = lone_dashes(overview(image), boxes)

    assert dash.text == text
    assert 300 <= dash.box[0] < dash.box[2] <= 325
    assert 200 < dash.box[1] < dash.box[3] < 225


@pytest.mark.parametrize("sign", [".", "_", "=", "'", "|"])
def test_other_signs_are_no_dashes(sign: str) -> None:
    image, boxes = table(sign)

    assert lone_dashes(overview(image), boxes) == []


@pytest.mark.parametrize(("across", "down"), [(240, 0), (300, 25), (192, 0), (300, -9)])
def test_a_dash_is_in_a_row_and_a_column_apart_from_words(across: int, down: int) -> None:
    image, boxes = table("-", across=across, down=down)

    assert lone_dashes(overview(image), boxes) == []


def test_a_page_that_is_hatched_with_dashes_has_no_cells() -> None:
    image, boxes = table("-")
    draw = ImageDraw.Draw(image)
    for number in range(600):
        x, y = 20 + 30 * (number % 30), 400 + 25 * (number // 30)
        draw.rectangle((x, y, x + 10, y + 2), fill=20)

    assert lone_dashes(overview(image), boxes) == []


def test_a_page_of_a_few_words_has_no_cells() -> None:
    image, boxes = table("-")

    assert lone_dashes(overview(image), boxes[:3]) == []
