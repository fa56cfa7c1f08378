"""Where ruled lines are on pictures and on PDF pages, and the tables of whole pages that are read."""

from io import BytesIO

import pikepdf
import pytest
from PIL import Image, ImageDraw

from docserver.ocr.image.rule_places import rule_places
from docserver.ocr.tables.rules import joined, rules_of_level
from tests.support.text_layers import layer

SIZE = 20.0

DRAWN = {
    "lines": "1 w "
    + "".join(f"50 {y} m 250 {y} l S " for y in (100, 120, 140))
    + "".join(f"{x} 100 m {x} 140 l S " for x in (50, 150, 250)),
    "thin rectangles": "".join(f"50 {y} 200 0.7 re f " for y in (100, 120, 140))
    + "".join(f"{x} 100 0.7 40 re f " for x in (50, 150, 250)),
    "frames": "".join(f"{x} {y} 100 20 re S " for x in (50, 150) for y in (100, 120)),
    "one path": "".join(f"{x} {y} 100 20 re " for x in (50, 150) for y in (100, 120)) + "S ",
}


def pdf(content: str) -> bytes:
    document = pikepdf.new()
    page = document.add_blank_page(page_size=(300, 200))
    page.Contents = document.make_stream(content.encode())
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
    file = BytesIO()
    document.save(file)
    return file.getvalue()


@pytest.mark.parametrize("drawn", DRAWN)
def test_a_grid_is_seen_however_it_is_drawn(drawn: str) -> None:
    words = (("red", 60, 126), ("round", 160, 126), ("blue", 60, 106), ("flat", 160, 106))
    text = "".join(f"BT /F1 10 Tf {x} {y} Td ({word}) Tj ET " for word, x, y in words)

    (table,) = layer(pdf(DRAWN[drawn] + text)).elements.tables or ()

    assert [(cell.row, cell.column, cell.text) for cell in table.cells] == [
        (0, 0, "red"),
        (0, 1, "round"),
        (1, 0, "blue"),
        (1, 1, "flat"),
    ]


def sheet() -> Image.Image:
    """A page with three lines across and four down."""
    image = Image.new("L", (1700, 2200), 255)
    draw = ImageDraw.Draw(image)
    for y in (400, 600, 800):
        draw.line((200, y, 1400, y), fill=0, width=3)
    for x in (200, 600, 1000, 1400):
        draw.line((x, 400, x, 800), fill=0, width=3)
    return image


@pytest.mark.parametrize("skew", [0.0, 1.5, -4.0])
def test_lines_are_found_on_pictures_that_are_askew(skew: float) -> None:
    picture = sheet().rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255, center=(0, 0))

    rules = joined(rules_of_level(rule_places(picture, rotation=0, skew=skew)), size=SIZE)

    assert [rule.at for rule in rules.horizontal] == pytest.approx([400, 600, 800], abs=4)
    assert [rule.at for rule in rules.vertical] == pytest.approx([200, 600, 1000, 1400], abs=4)
    assert all((rule.start, rule.end) == pytest.approx((200, 1400), abs=8) for rule in rules.horizontal)


def test_lines_of_a_turned_page_are_given_upright() -> None:
    lying = sheet().transpose(Image.Transpose.ROTATE_90)

    rules = joined(rules_of_level(rule_places(lying, rotation=90, skew=0.0)), size=SIZE)

    assert [rule.at for rule in rules.horizontal] == pytest.approx([400, 600, 800], abs=4)


def test_a_picture_full_of_lines_has_none() -> None:
    image = Image.new("L", (1000, 1000), 255)
    draw = ImageDraw.Draw(image)
    for y in range(0, 1000, 4):
        for x in range(0, 1000, 50):
            draw.line((x, y, x + 44, y), fill=0)

    assert rule_places(image, rotation=0, skew=0.0) == []
