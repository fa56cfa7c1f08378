"""Child side: tells by its ink what was read as a sign: a part of a rule, a bar, or a filled square. Reads no text."""

from enum import Enum, auto

import numpy as np
from PIL import Image

from docserver.layout import Box
from docserver.ocr.image.connected import connected_at
from docserver.ocr.image.shades import Mask

REACH, BESIDE = 2.0, 0.15
"""Room around a sign that is looked at, and the largest distance of ink to which it belongs from its box, as multiples
of the height of letters."""

MIN_CONTRAST = 40
"""Smallest difference in grey levels between a sign and the paper. Noise has less."""

MIN_RULE, MIN_RULE_SIGNS = 2.0, 1.5
"""Smallest length of a rule as a multiple of the height of letters, and of the sign's own box. A vertical bar or a
bracket between words is 1.5 letters long, and a row of underlines is no longer than its box."""

MAX_LOW = 0.6
"""Largest height of a sign that may be a part of a line under words, in heights of letters."""

MIN_MARK = 0.02
"""Smallest area of a mark as a share of that of a square as high as letters. Less is dirt."""

MAX_BAR_HEIGHT, MIN_BAR_WIDTH, MAX_BAR_WIDTH = 0.3, 0.2, 1.2
"""Largest height of a hyphen and limits of its width, in heights of letters."""

MIN_BAR_RATIO, MIN_BAR_INK = 1.5, 0.6
"""Smallest width of a hyphen as a multiple of its height, and smallest share of ink in its box."""

MIN_SQUARE, MAX_SQUARE, MAX_SQUARE_RATIO, MIN_SQUARE_INK = 0.3, 1.2, 1.2, 0.93
"""Limits of the sides of a filled square, in heights of letters, the largest ratio of them, and the smallest share of
ink in its box. A disc has 0.79."""


class SignShape(Enum):
    RULE = auto()
    BAR = auto()
    SQUARE = auto()


def sign_shape(grey: Image.Image, sign: Box, *, letter_px: float) -> SignShape | None:
    """What is in the box of a sign on a grey picture with level lines; None if that is something else. Letters are
    about `letter_px` high.
    """
    left, top, right, bottom = sign
    reach = round(REACH * letter_px)
    x0, y0 = max(0, left - reach), max(0, top - reach)
    part = grey.crop((x0, y0, min(grey.width, right + reach), min(grey.height, bottom + reach)))
    place = left - x0, top - y0, right - x0, bottom - y0
    beside = max(2, round(BESIDE * letter_px))
    wide = max(0, place[0] - beside), max(0, place[1] - beside), place[2] + beside, place[3] + beside
    ink = _ink(np.asarray(part, dtype=np.int16), wide)
    # If the rules were removed from the picture that was read, the sign is beside them.
    marks = [
        (box, size)
        for box, size in connected_at(ink, place) or connected_at(ink, wide)
        if size >= MIN_MARK * letter_px**2
    ]
    if not marks:
        return None
    if all(_is_rule(box, place, letter_px=letter_px, beside=beside) for box, _ in marks):
        return SignShape.RULE
    return _alone(*marks[0], letter_px) if len(marks) == 1 else None


def _ink(levels: np.ndarray[tuple[int, int], np.dtype[np.int16]], place: Box) -> Mask:
    """What differs from the paper as much as what differs most in the place, if that is enough."""
    left, top, right, bottom = place
    contrasts = np.abs(levels - np.int16(np.median(levels)))
    most = int(contrasts[top:bottom, left:right].max(initial=0))
    ink: Mask = contrasts > max(MIN_CONTRAST, most) / 2
    return ink


def _is_rule(mark: Box, sign: Box, *, letter_px: float, beside: int) -> bool:
    width, height = sign[2] - sign[0], sign[3] - sign[1]
    if mark[3] - mark[1] >= max(MIN_RULE * letter_px, MIN_RULE_SIGNS * height):
        return True
    if mark[2] - mark[0] < max(MIN_RULE * letter_px, MIN_RULE_SIGNS * width):
        return False
    # A slash or a vertical bar may touch the line under it, which goes on at both of its sides.
    ends_here = sign[0] - mark[0] <= beside or mark[2] - sign[2] <= beside
    return height <= MAX_LOW * letter_px or ends_here


def _alone(mark: Box, size: int, letter_px: float) -> SignShape | None:
    """What a single mark is that has so many pixels."""
    width, height = mark[2] - mark[0], mark[3] - mark[1]
    share = size / (width * height)
    is_bar = height <= MAX_BAR_HEIGHT * letter_px and MIN_BAR_WIDTH * letter_px <= width <= MAX_BAR_WIDTH * letter_px
    if is_bar and width >= MIN_BAR_RATIO * height and share >= MIN_BAR_INK:
        return SignShape.BAR
    is_square = max(width, height) <= MAX_SQUARE_RATIO * min(width, height) and share >= MIN_SQUARE_INK
    if is_square and MIN_SQUARE * letter_px <= height <= MAX_SQUARE * letter_px:
        return SignShape.SQUARE
    return None
