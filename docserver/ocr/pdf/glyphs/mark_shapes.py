"""Child side: what small marks in a line of a PDF page may be, by their shape and place: a point, a dash, a letter, or
none of these.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from docserver.layout import Rect

MAX_HEIGHT, MAX_DASH = 1.25, 1.3
"""Height of the largest mark that may be a character, and width of the longest dash."""

MAX_POINT, MIN_POINT_TOP, MAX_POINT_RISE = 0.35, 0.04, 0.2
"""Longest side of a point or a comma, how far it reaches above the baseline at least, and how far above
it its middle is. Higher ones are bullets, unless they are behind a word, as an apostrophe is."""

MAX_APOSTROPHE_RISE = 0.75
"""How far above the baseline the middle of an apostrophe is."""

MIN_BULLET, MAX_BULLET_SLENDERNESS = 0.2, 1.5
"""Shortest side of a bullet, and its longest side as a multiple of that."""

MIN_BULLET_PX = 4
"""Shortest side of a bullet in pixels. A smaller plus looks like one."""

MAX_DASH_HEIGHT, MIN_DASH_RISE, MAX_DASH_RISE = 0.25, -0.22, 0.62
"""Height of a minus or an underscore, and how far above the baseline its middle is."""

MIN_DIVIDER, MAX_DIVIDER_WIDTH = 1.0, 0.25
"""Height of the lowest line that divides words, and its width. Digits are lower, and brackets are no lines."""

MIN_DOTS, MIN_STROKES, CHAIN_PITCH, MIN_CHAIN_PITCH_PX = 4, 3, 3.0, 6.0
"""Fewest equal dots in a row that are a leader, fewest equal strokes that are a broken line, and the largest distance
of two, as a multiple of their longer side or in pixels."""

MAX_DOT_SLENDERNESS = 2.0
"""Longest side of a dot as a multiple of its shorter side."""

POINT, DASH, ANY = "[.,:;'*\u00b7\u2022\u00b0\u2018\u2019]", "[-_~=.\u2013\u2014\u2212]", r"[^\s|\\!\u00a6]"
"""What marks may be read as, as regular expressions. A digit 1 is read as a line too, and a line is none."""


def seen_as(rect: Rect, baseline: float, size: float) -> str:
    """What a mark in a line may be read as; empty if it is no character."""
    left, top, right, bottom = rect
    width, height = (right - left) / size, (bottom - top) / size
    rise = (baseline - (top + bottom) / 2) / size
    if max(width, height) <= MAX_POINT and (width <= height or rise <= MAX_POINT_RISE):
        return POINT if top < baseline - MIN_POINT_TOP * size and rise <= MAX_APOSTROPHE_RISE else ""
    if width > height and height <= MAX_DASH_HEIGHT:
        return DASH if MIN_DASH_RISE <= rise <= MAX_DASH_RISE and width <= MAX_DASH else ""
    return ANY


def is_symbol(rect: Rect, baseline: float, size: float) -> bool:
    """True if a mark that fills its box is a bullet, or an upright line that divides words."""
    left, top, right, bottom = rect
    width, height = (right - left) / size, (bottom - top) / size
    rise = (baseline - (top + bottom) / 2) / size
    is_divider = height >= MIN_DIVIDER and width <= MAX_DIVIDER_WIDTH
    short, long = sorted((width, height))
    return is_divider or (
        short >= max(MIN_BULLET, MIN_BULLET_PX / size)
        and long <= MAX_BULLET_SLENDERNESS * short
        and rise > MAX_POINT_RISE
    )


def without_chains(boxes: Sequence[Rect]) -> list[Rect]:
    """The marks, without those in rows of equal ones, as leaders and broken lines are."""
    left, top, right, bottom = np.array(boxes).T
    sizes = right - left, bottom - top
    middles = (left + right) / 2, (top + bottom) / 2
    are_equal = np.all([np.abs(size[:, None] - size) <= 1 for size in sizes], axis=0)
    is_in_chain = np.zeros(len(boxes), bool)
    for along, across in ((0, 1), (1, 0)):
        is_stroke = sizes[along] > MAX_DOT_SLENDERNESS * sizes[across]
        least = np.where(is_stroke, MIN_STROKES, MIN_DOTS)
        reach = (least - 1) * np.maximum(CHAIN_PITCH * sizes[along], MIN_CHAIN_PITCH_PX)
        distance = np.abs(middles[along][:, None] - middles[along])
        are_level = np.abs(middles[across][:, None] - middles[across]) <= 1
        in_row = are_equal & are_level & (distance <= reach[:, None])
        is_in_chain |= (sizes[along] + 1 >= sizes[across]) & (np.count_nonzero(in_row, axis=1) >= least)
    return list(itertools.compress(boxes, ~is_in_chain))
