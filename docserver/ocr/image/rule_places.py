"""Child side: finds where the ruled lines of a page are. `ruling` removes them."""

import math

import numpy as np
from PIL import Image

from docserver.layout import Rect
from docserver.ocr.image.overview import grey, reduction
from docserver.ocr.image.ruling import horizontal_and_vertical, on_light_paper
from docserver.ocr.image.runs import runs_in_rows
from docserver.ocr.image.shades import INK_CONTRAST, Mask, contrast

MAX_RUNS = 4_000
"""Most rows and columns of pixels in ruled lines. A dense form has some hundreds; a picture with more is none."""

MIN_SKEW = 0.15
"""Smallest skew in degrees that is corrected before lines are looked for. Less does not break them."""

_TRANSPOSE = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
"""Degrees clockwise → Pillow's transposition, whose names are counterclockwise."""


def rule_places(image: Image.Image, *, rotation: int, skew: float) -> list[Rect]:
    """Thin rectangles in which the lines are ruled, in pixels of the page turned clockwise by `rotation` and then
    counterclockwise by `skew` degrees around its upper left corner.
    """
    step = reduction(image)
    small = grey(image).reduce(step)
    if rotation:
        small = small.transpose(_TRANSPOSE[rotation])
    small, left, top = _levelled(small, skew) if abs(skew) >= MIN_SKEW else (small, 0.0, 0.0)
    contrasts = contrast(small)
    ink = contrasts > INK_CONTRAST
    light = on_light_paper(small, contrasts)
    horizontal, vertical = (lines & light for lines in horizontal_and_vertical(ink))
    across, down = _runs(horizontal), _runs(vertical.T)
    if len(across) + len(down) > MAX_RUNS:
        return []
    return [
        *(((x0 + left) * step, (y + top) * step, (x1 + left) * step, (y + 1 + top) * step) for y, x0, x1 in across),
        *(((x + left) * step, (y0 + top) * step, (x + 1 + left) * step, (y1 + top) * step) for x, y0, y1 in down),
    ]


def _runs(lines: Mask) -> list[tuple[int, int, int]]:
    """Row, start and end of the runs of pixels in rows."""
    if not lines.any():
        return []
    return list(zip(*(values.tolist() for values in runs_in_rows(lines)), strict=True))


def _levelled(small: Image.Image, skew: float) -> tuple[Image.Image, float, float]:
    """The picture turned counterclockwise, and where its upper left corner then is."""
    cos, sin = math.cos(math.radians(skew)), math.sin(math.radians(skew))
    width, height = small.size
    left, top = min(0.0, height * sin), min(0.0, -width * sin)
    size = math.ceil(width * cos + height * abs(sin)), math.ceil(height * cos + width * abs(sin))
    # From a point of the new picture to one of the old picture.
    matrix = (cos, -sin, left * cos - top * sin, sin, cos, left * sin + top * cos)
    paper = int(np.median(np.asarray(small.resize((64, 64)))))
    return small.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=paper), left, top
