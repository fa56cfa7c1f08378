"""Letters and digits in boxes of the size of those to tick are read, and are no marks."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import words_of
from docserver.ocr.limits import Limits
from docserver.reading_options import EngineChoice
from tests.support.recognition import LINES, read

SIDE = 36
MARKED = (310, 400, 346, 436), (310, 470, 346, 506), (310, 540, 346, 576)


def form(*inside: str) -> Image.Image:
    """A page with boxes in front of labels, with these letters in them; `/` is a tick."""
    page = Image.new("L", (1240, 900), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=30)
    for row, line in enumerate(LINES[:4]):
        draw.text((120, 100 + 56 * row), line, fill=0, font=font)
    for row, (text, (left, top, right, bottom)) in enumerate(zip(inside, MARKED, strict=True)):
        draw.rectangle((left, top, right, bottom), outline=0, width=2)
        if text == "/":
            draw.line((left + 8, top + 18, left + 16, top + 28, left + 28, top + 8), fill=0, width=4)
        else:
            draw.text((left + SIDE / 2, top + SIDE / 2), text, font=font, fill=0, anchor="mm")
        draw.text((right + 16, top), ("Mathematics", "History", "Physics")[row], fill=0, font=font)
    return page


@pytest.mark.parametrize(
    ("inside", "states", "shown"),
    [
        (("A", "", "7"), ["unselected"], ["A", "\N{BALLOT BOX}", "7"]),
        (("/", "", "B"), ["selected", "unselected"], ["\N{BALLOT BOX WITH X}", "\N{BALLOT BOX}", "B"]),
    ],
)
def test_what_is_read_in_a_box_is_no_mark(
    inside: tuple[str, ...], states: list[str], shown: list[str], limits: Limits
) -> None:
    reading = read(form(*inside), limits, engine=EngineChoice.TESSERACT)

    marks = reading.elements.selection_marks or ()
    in_boxes = [word for word in words_of(reading.blocks) if 300 < word.box[0] < 346 and word.box[1] > 390]
    assert [mark.state for mark in marks] == states
    assert [word.text for word in sorted(in_boxes, key=lambda word: word.box[1])] == shown


@pytest.mark.parametrize("inside", [("/", "/", "/"), ("A", "7", "B")])
def test_boxes_without_an_empty_one_are_no_marks(inside: tuple[str, ...], limits: Limits) -> None:
    assert read(form(*inside), limits).elements.selection_marks == ()
