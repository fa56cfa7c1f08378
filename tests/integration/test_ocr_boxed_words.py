"""Words in plain coloured boxes beside black text."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.ocr.limits import Limits
from docserver.reading_options import EngineChoice
from tests.support.recognition import LINES, read


@pytest.mark.parametrize(("fill", "ink"), [("#cc0000", "#ffffff"), ("#bbbbbb", "#ffffff"), ("#cc0000", "#ffcc00")])
def test_words_in_a_coloured_box_are_read_once(fill: str, ink: str, limits: Limits) -> None:
    page = Image.new("RGB", (1240, 620), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((100, 60, 560, 150), fill=fill)
    draw.text((130, 80), "Refund 48 hours", font=ImageFont.load_default(size=44), fill=ink)
    for number, line in enumerate(LINES[:6]):
        draw.text((100, 220 + 56 * number), line, font=ImageFont.load_default(size=30), fill="black")

    reading = read(page, limits, engine=EngineChoice.TESSERACT)

    assert reading.text.split() == ["Refund", "48", "hours", *" ".join(LINES[:6]).split()]
