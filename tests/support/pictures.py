"""Pictures of pages as tests look at them: whether words stand where their boxes say."""

import io
from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageDraw

from docserver.layout import Box

EDGE_PX = 3
"""Letters may reach out of their boxes by this: edges are soft, and boxes are whole pixels of another picture."""

DARK = 140


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def scaled(boxes: Iterable[Box], *, width: int, shown: int) -> list[Box]:
    """Boxes on a page of this width, on a picture that shows it this wide."""
    return [tuple(round(side * shown / width) for side in box) for box in boxes]  # type: ignore[misc]


def assert_words_in(picture: Image.Image, boxes: Iterable[Box]) -> None:
    """There is something dark in each box, and nothing dark beside them."""
    grey = picture.convert("L")
    boxes = list(boxes)
    assert boxes
    beside = grey.copy()
    draw = ImageDraw.Draw(beside)
    for box in boxes:
        assert darkest(grey.crop(box)) < DARK, box
        x0, y0, x1, y1 = box
        draw.rectangle((x0 - EDGE_PX, y0 - EDGE_PX, x1 + EDGE_PX, y1 + EDGE_PX), fill=255)
    assert darkest(beside) >= DARK


def darkest(grey: Image.Image) -> int:
    return _levels(grey)[0]


def lightest(grey: Image.Image) -> int:
    return _levels(grey)[1]


def _levels(grey: Image.Image) -> tuple[int, int]:
    levels: Any = grey.getextrema()
    return levels[0], levels[1]
