"""Child side: judges the pictures on a drawn PDF page: which are photographs, and which show pale or blurred things."""

import itertools
import math
from collections.abc import Iterable, Sequence

from PIL import Image

from docserver.layout import Box, Rect

MIN_BACKGROUND_SHARE = 0.35
"""Smallest share of an image that has about the same grey level, its background. Paper, print and charts have more,
photographs have less."""

BACKGROUND_SPREAD = 12
"""Grey levels by which the background of an image may be lighter or darker, as that of paper is."""

MAX_PHOTOGRAPH_SHARE = 0.5
"""Largest share of the page that a photograph may cover. A larger one may be a photograph of a page of text."""

MIN_PRINT_CONTRAST, MIN_PRINT_SHARE = 64, 0.1
"""Smallest contrast of the letters of a sign in a photograph, in grey levels, and the smallest share of its pixels that
they have. Of 90 photographs in PDFs, 12 have such a part; it shows a sign or a graph in most of them."""

MIN_CONTRAST = 16
"""Smallest contrast of pale text with its background, in grey levels. JPEG and dirty paper leave traces with less."""

MAX_CONTRAST = 200
"""Largest contrast that is stretched, in grey levels. Pictures with more have black lines or letters, which are sharp
enough to be seen."""

SPECKS_SHARE, STRONGEST_SHARE = 0.002, 0.02
"""Shares of a picture's pixels that do not count as contrast because they are so few: specks, and the crossings of
blurred strokes, which are darker than the strokes."""


def is_photograph(drawn: Image.Image, rect: Rect) -> bool:
    """True if the picture in this rectangle of a drawn page looks like a photograph without text."""
    left, top, right, bottom = box = inside(drawn, rect)
    size = (right - left) * (bottom - top)
    if not size or size > MAX_PHOTOGRAPH_SHARE * drawn.width * drawn.height:
        return False
    return not _has_background(drawn.crop(box).histogram())


def has_print(part: Image.Image) -> bool:
    """True if a part of a photograph has a background and, on it, what is much darker or lighter, as signs have."""
    levels = part.histogram()
    background = most_frequent(levels)
    far = levels[: max(0, background - MIN_PRINT_CONTRAST)] + levels[background + MIN_PRINT_CONTRAST :]
    return _has_background(levels) and sum(far) >= MIN_PRINT_SHARE * sum(levels)


def with_clear_pictures(drawn: Image.Image, pictures: Iterable[Rect]) -> Image.Image:
    """The drawn page with as much contrast as there can be in these pictures, where that shows no photographs. Pale and
    blurred letters then have edges like others.
    """
    clear = drawn
    for rect in pictures:
        box = inside(drawn, rect)
        picture = drawn.crop(box)
        levels = picture.histogram()
        pairs = [ends(levels, share) for share in (STRONGEST_SHARE, SPECKS_SHARE, 0)]
        # In a picture with little print, all of it is among the strongest pixels.
        low, high = next((pair for pair in pairs if pair[1] - pair[0] >= MIN_CONTRAST), (0, 0))
        if low == high or pairs[1][1] - pairs[1][0] > MAX_CONTRAST:
            continue
        picture = picture.point([min(max((level - low) * 255 // (high - low), 0), 255) for level in range(256)])
        if _has_background(picture.histogram()):
            clear = drawn.copy() if clear is drawn else clear
            clear.paste(picture, box)
    return clear


def inside(drawn: Image.Image, rect: Rect) -> Box:
    """The pixels of a drawn page that are wholly in a rectangle. Those at its edges show the paper too."""
    left, top = math.ceil(max(0, rect[0])), math.ceil(max(0, rect[1]))
    return left, top, max(left, min(drawn.width, int(rect[2]))), max(top, min(drawn.height, int(rect[3])))


def most_frequent(levels: Sequence[int]) -> int:
    """The level with the most pixels in a histogram."""
    return max(range(len(levels)), key=levels.__getitem__)


def _has_background(levels: Sequence[int]) -> bool:
    background = most_frequent(levels)
    near = levels[max(0, background - BACKGROUND_SPREAD) : background + BACKGROUND_SPREAD + 1]
    return sum(near) >= MIN_BACKGROUND_SHARE * sum(levels)


def ends(levels: Sequence[int], share: float) -> tuple[int, int]:
    """The darkest and the lightest level of a histogram, but for this share of the pixels at either end."""
    few = share * sum(levels)
    return _first(levels, few), 255 - _first(levels[::-1], few)


def _first(levels: Sequence[int], few: float) -> int:
    """The first level up to which there are more than a few pixels."""
    sums = itertools.accumulate(levels)
    return next((level for level, pixels in enumerate(sums) if pixels > few), 0)
