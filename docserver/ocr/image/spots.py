"""Child side: measures spots of ink: if any may be a letter, and which are alone on a page. Recognises no text."""

from collections.abc import Iterable, Iterator

import numpy as np

from docserver.layout import Box, around
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import Mask

MIN_HEIGHT_PX, MAX_SIDE_PX = 5, 200
"""Height of the lowest spot that may be a letter, and longest side of one that may be a word, in the picture of about
1000 pixels a side. There, small letters in 8 points on A4 have 5 pixels, and most specks of dust 4 or fewer."""

MIN_JOINED_PX = 8
"""Longest side of the smallest spot that may be faint letters, in the same picture, after its ink was thickened by one
pixel. Faint letters fall into pieces, which are joined by that. A faint word in noise has such a spot; noise alone has
spots of 7 pixels at most."""

MIN_PIECES, MAX_PIECES = 8, 500
"""How many smaller spots may be pieces of hardly legible letters. If there are more, and none are joined to a larger
spot, they are dots or noise."""

REACH_PX = 2
"""Parts of a spot, such as an i and its dot, have at most twice this distance, in the same picture. Ink is thickened by
one pixel at a time."""

MAX_INK_SHARE = 0.02
"""Largest share of a page with a few spots that is ink. It is less than that of half a page of text."""

MAX_SPOTS = 24
"""Most spots that are given. A page with more of them is not empty, or is dirty."""

MAX_SLENDERNESS = 2.0
"""Longest side of a single letter as a multiple of its shorter side. Words of four letters are longer."""


def may_show_letters(ink: Mask, *, joined: bool) -> bool:
    """True if a spot of ink is as large as a letter, in the picture of about 1000 pixels a side. With `joined`, pieces
    of ink that are close to each other are one spot, and a few smaller spots may be pieces of letters too.

    Spots that reach the edge of the picture do not count: a border, the table beside a page and the ends of ruled lines
    do, and not all letters of a page.
    """
    least = MIN_JOINED_PX if joined else MIN_HEIGHT_PX
    spots = thickened(ink) if joined else ink
    middle = spots[tuple(slice(side // 3, side - side // 3) for side in spots.shape)]
    # Look in the middle first: whole spots are mostly there. At the edges of photos, spots may be as large as the page.
    if any(longer >= least for longer in _sides_of_whole(middle)):
        return True
    smaller = 0
    for longer in _sides_of_whole(spots):
        if longer >= least:
            return True
        smaller += 1
    return joined and MIN_PIECES <= smaller <= MAX_PIECES


def _sides_of_whole(spots: Mask) -> Iterator[int]:
    """The longer sides of the spots that do not reach the edge."""
    for box in components(spots):
        if not _reaches_edge(box, spots):
            left, top, right, bottom = box
            yield max(right - left, bottom - top)


def few_spots(seen: Overview) -> list[Box]:
    """The boxes of the spots on a page with dark letters that may be letters or short words, from top to bottom; none
    if there are more than MAX_SPOTS of them. Spots that reach the edge of the picture, such as a folded corner, are
    none of these.
    """
    step, ink = seen.step, seen.ink
    if np.count_nonzero(ink) > MAX_INK_SHARE * ink.size:
        return []
    for _ in range(REACH_PX):
        ink = thickened(ink)
    inside = (_shrunk(box) for box in components(ink) if not _reaches_edge(box, ink))
    boxes: list[Box] = []
    others: list[Box] = []
    for box in inside:
        (boxes if _may_be_word(box) else others).append(box)
        if len(boxes) > MAX_SPOTS:
            return []
    width, height = seen.grey.size
    return [
        (left * step, top * step, min(right * step, width), min(bottom * step, height))
        for left, top, right, bottom in (_with_dashes(box, others) for box in boxes)
    ]


def is_compact(box: Box) -> bool:
    """True if a spot may be a single letter, or a few. Words are longer in one direction."""
    left, top, right, bottom = box
    short, long = sorted((right - left, bottom - top))
    return long <= MAX_SLENDERNESS * short


def _reaches_edge(box: Box, ink: Mask) -> bool:
    left, top, right, bottom = box
    height, width = ink.shape
    return left <= 0 or top <= 0 or right >= width or bottom >= height


def _shrunk(grown: Box) -> Box:
    left, top, right, bottom = grown
    return left + REACH_PX, top + REACH_PX, right - REACH_PX, bottom - REACH_PX


def _with_dashes(spot: Box, others: Iterable[Box]) -> Box:
    """The box of a spot and of the dashes beside it, as in `- 3 -`. Half a dash would look like part of a letter."""
    left, top, right, bottom = spot
    reach = bottom - top
    dashes = [
        box
        for box in others
        if box[0] >= left - 2 * reach
        and box[2] <= right + 2 * reach
        and box[1] >= top
        and box[3] <= bottom
        and box[2] - box[0] > box[3] - box[1]
    ]
    return around([spot, *dashes])


def _may_be_word(box: Box) -> bool:
    left, top, right, bottom = box
    return bottom - top >= MIN_HEIGHT_PX and max(right - left, bottom - top) <= MAX_SIDE_PX


def components(mask: Mask) -> Iterator[Box]:
    """The boxes of the groups of places that are True, from top to bottom."""
    framed = np.pad(mask, 1)
    width = framed.shape[1]
    pending = bytearray(framed.tobytes())
    while (first := pending.find(1)) >= 0:
        pending[first] = 0
        group = [first]
        for cell in group:
            for neighbour in (cell - 1, cell + 1, cell - width, cell + width):
                if pending[neighbour]:
                    pending[neighbour] = 0
                    group.append(neighbour)
        columns = [cell % width for cell in group]
        yield min(columns) - 1, first // width - 1, max(columns), max(group) // width


def thickened(mask: Mask) -> Mask:
    """The places that are True or beside one that is, also at a corner."""
    framed = np.pad(mask, 1)
    rows = framed[:-2] | framed[1:-1] | framed[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
