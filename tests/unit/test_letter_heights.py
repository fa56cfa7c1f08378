"""The heights of letters that are measured on a page."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.ocr.image.letter_heights import letter_heights
from docserver.ocr.image.overview import overview


def page(*texts: tuple[str, int]) -> Image.Image:
    """A page with each of these texts in a line of this size."""
    draw = ImageDraw.Draw(image := Image.new("L", (2000, 2000), 255))
    for number, (text, size) in enumerate(texts):
        draw.text((100, 100 + 150 * number), text, font=ImageFont.load_default(size=size), fill=0)
    return image


def height(text: str, size: int) -> float:
    _, top, _, bottom = ImageFont.load_default(size=size).getbbox(text)
    return bottom - top


@pytest.mark.parametrize("size", [30, 60, 100])
def test_digits_are_as_high_as_capitals(size: int) -> None:
    heights = letter_heights(overview(page(("0123456789", size), ("8642097531", size))))

    assert heights is not None
    assert heights.capitals == pytest.approx(height("0", size), abs=3)
    assert heights.smallest == pytest.approx(height("0", size), abs=3)


def test_the_smallest_letters_count_too() -> None:
    heights = letter_heights(
        overview(page(("HARBOUR MARKETS " * 2, 60), ("HARBOUR, MARKETS.", 60), ("room and summer", 40)))
    )

    assert heights is not None
    assert heights.capitals == pytest.approx(height("H", 60), abs=3)
    assert heights.smallest == pytest.approx(height("m", 40), abs=3)


def test_a_page_with_hardly_any_letters_has_no_height_of_letters() -> None:
    assert letter_heights(overview(page(("A4", 60)))) is None
