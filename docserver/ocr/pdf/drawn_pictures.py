"""Child side: judges the pictures on a drawn PDF page: which are photographs, and which show pale or blurred things."""

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

MIN_CONTRAST = 16
"""Smallest contrast of pale text with its background, in grey levels. JPEG and dirty paper leave traces with less."""

STRONGEST_SHARE = 0.02
"""Share of a picture's pixels that may be darker or lighter than the levels to which its contrast is stretched. So the
crossings of blurred strokes do not make the strokes pale."""


def is_photograph(drawn: Image.Image, rect: Rect) -> bool:
    """True if the picture in this rectangle of a drawn page looks like a photograph without text."""
    left, top, right, bottom = box = _box(drawn, rect)
    size = (right - left) * (bottom - top)
    if left >= right or top >= bottom or size > MAX_PHOTOGRAPH_SHARE * drawn.width * drawn.height:
        return False
    return not _has_background(drawn.crop(box).histogram())


def with_clear_pictures(drawn: Image.Image, pictures: Iterable[Rect]) -> Image.Image:
    """The drawn page with as much contrast as there can be in these pictures, where that shows no photographs. Pale and
    blurred letters then have edges like others.
    """
    clear = drawn
    for rect in pictures:
        left, top, right, bottom = _box(drawn, rect)
        # The pixels at the edges show the paper too.
        box = left + 1, top + 1, right - 1, bottom - 1
        if box[0] >= box[2] or box[1] >= box[3]:
            continue
        picture = drawn.crop(box)
        levels = picture.histogram()
        low, high = _ends(levels)
        if high - low < MIN_CONTRAST:
            continue
        picture = picture.point([min(max((level - low) * 255 // (high - low), 0), 255) for level in range(256)])
        if _has_background(picture.histogram()):
            clear = drawn.copy() if clear is drawn else clear
            clear.paste(picture, box)
    return clear


def _box(drawn: Image.Image, rect: Rect) -> Box:
    left, top, right, bottom = map(int, rect)
    return max(0, left), max(0, top), min(drawn.width, right + 1), min(drawn.height, bottom + 1)


def _has_background(levels: Sequence[int]) -> bool:
    most_frequent = max(range(len(levels)), key=levels.__getitem__)
    near = levels[max(0, most_frequent - BACKGROUND_SPREAD) : most_frequent + BACKGROUND_SPREAD + 1]
    return sum(near) >= MIN_BACKGROUND_SHARE * sum(levels)


def _ends(levels: Sequence[int]) -> tuple[int, int]:
    """The levels that become black and white. In a picture with little ink, all of it is among the strongest."""
    for few in (STRONGEST_SHARE * sum(levels), 0):
        low, high = _first(levels, few), 255 - _first(levels[::-1], few)
        if high - low >= MIN_CONTRAST:
            break
    return low, high


def _first(levels: Sequence[int], few: float) -> int:
    """The first level up to which there are more than a few pixels."""
    count = 0
    for level, pixels in enumerate(levels):
        count += pixels
        if count > few:
            return level
    return 0
