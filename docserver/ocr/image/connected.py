"""Child side: the groups of connected pixels of ink on a picture, all at once. Recognises no text."""

import numpy as np
from numpy.typing import NDArray

from docserver.layout import Box
from docserver.ocr.image.runs import runs_in_rows
from docserver.ocr.image.shades import Mask

Boxes = NDArray[np.int64]
"""x0, y0, x1, y1 in each row."""


def connected(ink: Mask, *, corners: bool = True) -> Boxes:
    """The boxes around the groups of connected pixels, with `corners` also of those that touch at a corner."""
    rows, starts, ends = runs_in_rows(ink)
    if not rows.size:
        return np.empty((0, 4), dtype=np.int64)
    upper, lower = _touching(rows, starts, ends, width=ink.shape[1], corners=corners)
    groups = lowest_connected(rows.size, upper, lower)
    order, firsts = _in_groups(groups)
    return _around_groups(rows, starts, ends, order=order, firsts=firsts)


def connected_at(ink: Mask, place: Box) -> list[tuple[Box, int]]:
    """The boxes around the groups of connected pixels that have some in a place, and how many pixels each has."""
    rows, starts, ends = runs_in_rows(ink)
    if not rows.size:
        return []
    upper, lower = _touching(rows, starts, ends, width=ink.shape[1], corners=True)
    groups = lowest_connected(rows.size, upper, lower)
    order, firsts = _in_groups(groups)
    boxes = _around_groups(rows, starts, ends, order=order, firsts=firsts).tolist()
    sizes = np.add.reduceat((ends - starts)[order], firsts).tolist()
    left, top, right, bottom = place
    is_there = (rows >= top) & (rows < bottom) & (starts < right) & (ends > left)
    reached = np.logical_or.reduceat(is_there[order], firsts).tolist()
    return [
        ((x0, y0, x1, y1), size)
        for (x0, y0, x1, y1), size, is_reached in zip(boxes, sizes, reached, strict=True)
        if is_reached
    ]


def _in_groups(groups: Boxes) -> tuple[Boxes, Boxes]:
    """The numbers of the runs, those of a group together, and where each group begins among them."""
    order = np.argsort(groups, kind="stable")
    return order, np.flatnonzero(np.diff(groups[order], prepend=-1))


def _around_groups(rows: Boxes, starts: Boxes, ends: Boxes, *, order: Boxes, firsts: Boxes) -> Boxes:
    sides = (
        np.minimum.reduceat(starts[order], firsts),
        np.minimum.reduceat(rows[order], firsts),
        np.maximum.reduceat(ends[order], firsts),
        np.maximum.reduceat(rows[order], firsts) + 1,
    )
    return np.stack(sides, axis=1)


def first_connected(ink: Mask) -> Mask:
    """The pixels that are connected by their sides with the leftmost one of the uppermost row with ink."""
    height, width = ink.shape
    rows, starts, ends = runs_in_rows(ink)
    upper, lower = _touching(rows, starts, ends, width=width, corners=False)
    in_group = lowest_connected(rows.size, upper, lower) == 0
    edges = np.zeros(height * width + 1, dtype=np.int8)
    edges[(rows * width + starts)[in_group]] += 1
    edges[(rows * width + ends)[in_group]] -= 1
    group: Mask = edges[:-1].cumsum(dtype=np.int8).view(np.bool_).reshape(height, width)
    return group


def _touching(rows: Boxes, starts: Boxes, ends: Boxes, *, width: int, corners: bool) -> tuple[Boxes, Boxes]:
    """The pairs of runs that touch in neighbouring rows, by their numbers; with `corners`, also at a corner."""
    stride = width + 2
    first_places, last_places = rows * stride + starts, rows * stride + ends
    # Of the row below, the runs that end behind this one's start and begin before its end; with corners, also those
    # that end at its start or begin at its end.
    firsts = np.searchsorted(last_places, first_places + stride, side="left" if corners else "right")
    lasts = np.searchsorted(first_places, last_places + stride, side="right" if corners else "left")
    return pairs_in(firsts, lasts)


def pairs_in(firsts: Boxes, ends: Boxes) -> tuple[Boxes, Boxes]:
    """The number of each range from a first one to an end, and each number in that range."""
    counts = np.maximum(ends - firsts, 0)
    ranges = np.repeat(np.arange(firsts.size), counts)
    before = np.repeat(counts.cumsum() - counts, counts)
    return ranges, np.repeat(firsts, counts) + np.arange(ranges.size) - before


def lowest_connected(count: int, first: Boxes, second: Boxes) -> Boxes:
    """For each of so many things, the lowest number among those that pairs connect with it."""
    lowest = np.arange(count)
    while first.size:
        least = np.minimum(lowest[first], lowest[second])
        np.minimum.at(lowest, lowest[first], least)
        np.minimum.at(lowest, lowest[second], least)
        # Follow the numbers to the end, so that long chains need few rounds.
        while not np.array_equal(further := lowest[lowest], lowest):
            lowest = further
        differ = lowest[first] != lowest[second]
        first, second = first[differ], second[differ]
    return lowest
