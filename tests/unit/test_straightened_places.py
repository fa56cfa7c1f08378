"""Places on pages whose curved lines were made straight, and back."""

import numpy as np
import pytest
from PIL import Image

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.ocr.image.curved_lines import CurvedLines
from docserver.ocr.image.transform import PageImage, dewarped, from_original, on_original, scaled, turned

COLUMNS, ROWS = np.linspace(0, 1000, 21), np.linspace(0, 1400, 29)
CURVE = CurvedLines(COLUMNS, ROWS, ROWS + 30 * np.sin(COLUMNS / 200)[:, np.newaxis])


def block(box: Box) -> Block:
    return Block(box, (Paragraph(box, (Line(box, (Word("word", box, 95.0),)),)),))


@pytest.mark.parametrize("box", [(40, 100, 60, 120), (280, 300, 320, 330), (400, 450, 460, 472)])
@pytest.mark.parametrize("degrees", [0, 90, 180])
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_a_place_is_mapped_to_the_original_page_and_back(box: Box, degrees: int, factor: float) -> None:
    picture = Image.new("L", (1000, 1400), 255)
    page = scaled(turned(dewarped(PageImage(picture, 300, picture.size), CURVE), degrees), factor)

    (back,) = from_original(on_original((block(box),), page), page)

    assert np.abs(np.subtract(back.box, box)).max() <= 3
