"""Child side: finds which rectangles on a drawn PDF page overlap, of many. Does not know what is in them."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.drawing import MAX_SIDE

MAX_LAYERS = 4
"""Most groups of overlapping texts that are drawn one by one. Two are common: a correction over the old text."""

GRID_PX = 32
"""Side of the squares of a grid in which overlapping rectangles are found. A word covers one to four."""

MAX_IN_SQUARE = 200
"""Most rectangles in a square of the grid, so that a page crammed with words is rejected and not compared word by word.
The smallest print has 20, letters in a figure 70. A stamp that is drawn over itself forty times has 190."""

Numbers = npt.NDArray[np.int_]


def squares_of(rects: npt.NDArray[np.float64]) -> Numbers:
    """For each rectangle, the first column and row and the last column and row of its squares in the grid."""
    # No drawing is larger than MAX_SIDE, but words may be.
    return np.clip(rects, 0, MAX_SIDE).astype(int) // GRID_PX


def overlapping(rects: npt.NDArray[np.float64], grid: Numbers) -> tuple[Numbers, Numbers]:
    """The numbers of each two rectangles that overlap; some pairs come several times. `grid` is what `squares_of`
    gives. Raises TextLayerRejected if there are too many in a square.
    """
    if not len(rects):
        return np.zeros(0, int), np.zeros(0, int)
    first, high, last, low = grid.T
    columns, rows = last - first + 1, low - high + 1
    counts = columns * rows
    numbers = np.repeat(np.arange(len(rects)), counts)
    places = np.arange(len(numbers)) - np.repeat(np.cumsum(counts) - counts, counts)
    down, along = np.divmod(places, columns[numbers])
    squares = (high[numbers] + down) * (MAX_SIDE // GRID_PX + 1) + first[numbers] + along
    most = int(np.bincount(squares).max())
    if most > MAX_IN_SQUARE:
        raise TextLayerRejected("too many words in one place")
    if _are_apart(rects):
        return numbers[:0], numbers[:0]
    order = np.argsort(squares, kind="stable")
    squares, numbers = squares[order], numbers[order]
    ones, others = [numbers[:0]], [numbers[:0]]
    for step in range(1, most):
        together = squares[step:] == squares[:-step]
        ones.append(numbers[:-step][together])
        others.append(numbers[step:][together])
    one, other = np.concatenate(ones), np.concatenate(others)
    (x0, y0, x1, y1), (left, top, right, bottom) = rects[one].T, rects[other].T
    meet = (x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top)
    return one[meet], other[meet]


def _are_apart(rects: npt.NDArray[np.float64]) -> bool:
    """True if no two rectangles overlap, which takes a fifth of the time to find out if they stand in lines."""
    left, top, right, bottom = rects[np.argsort(rects[:, 1])].T
    lines = np.cumsum(np.append(False, top[1:] >= np.maximum.accumulate(bottom)[:-1]))
    order = np.lexsort((left, lines))
    left, right, lines = left[order], right[order], lines[order]
    return bool(((lines[1:] != lines[:-1]) | (left[1:] >= right[:-1])).all())


def layers_of(conflicts: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Address of a text object that overlaps others → number of its layer. Objects that overlap are in different ones,
    as far as MAX_LAYERS suffices. All objects that are not in the result are in layer 0.
    """
    neighbours: dict[int, set[int]] = defaultdict(set)
    for one, other in conflicts:
        neighbours[one].add(other)
        neighbours[other].add(one)
    layers: dict[int, int] = {}
    for address, others in neighbours.items():
        taken = {layers[other] for other in others if other in layers}
        layers[address] = next((layer for layer in range(MAX_LAYERS) if layer not in taken), MAX_LAYERS - 1)
    return layers
