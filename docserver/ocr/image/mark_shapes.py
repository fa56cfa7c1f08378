"""Child side: finds squares and rings among the ink of a page. Whether they are letters is not seen here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from docserver.layout import Box
from docserver.ocr.image.connected import Boxes, pairs_in
from docserver.ocr.image.mark_surroundings import side_of
from docserver.ocr.image.runs import Places, runs_in_rows
from docserver.ocr.image.shades import Mask

MAX_SLENDERNESS = 1.3
"""Longest side of a box as a multiple of its shorter one."""

MIN_COVERED, MIN_RING_COVERED = 0.9, 0.95
"""Smallest share of each side of a box, and of a ring, that is drawn. The letters C and G have less of a ring."""

EDGE, INSIDE_FROM = 1 / 7, 0.25
"""Thickness of the edge in which a side is looked for, and distance from the edge at which the inside begins, as shares
of a box's side. Lines are thinner than that."""

CORNERS = 10
"""The lines of a box meet within a tenth of its side from its corners. Letters such as B and D are round there."""

MAX_CORNER_INK = 0.1
"""Largest share of ink in the corners around a ring."""

EMPTY_UP_TO, MARKED_FROM = 0.02, 0.06
"""Shares of ink inside: up to the first, a box is surely empty; from the second on, surely marked."""

LINES_ALIKE, MAX_PAIRS = 0.2, 2_000_000
"""Largest difference of the ends of the upper and the lower line of a box, as a share of its side, and most pairs of
lines that begin so close together. Hatched areas have more."""

MAX_TOUCHED = 1000
"""Most squares that are looked at because something may touch them. Noise and grids have more."""

POINTS = np.linspace(0, 2 * np.pi, 32, endpoint=False)

SHARES_OF_SIDE = np.linspace(0.12, 0.88, 9)
"""Places on each side of a box that are looked at first. At most one of each side is not drawn."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A square or ring in the reduced picture."""

    box: Box
    inside: float
    """The share of ink inside."""
    is_round: bool
    is_sure: bool = True
    """False if it may be a letter: something is in it, and its corners are a little round or something touches it."""

    @property
    def side(self) -> int:
        return side_of(self.box)

    @property
    def is_empty(self) -> bool:
        return self.inside <= EMPTY_UP_TO


def whole_shapes(ink: Mask, groups: Boxes, *, least: float, most: float) -> list[Shape]:
    """The squares and rings among groups of connected ink, however they stand, with sides between these."""
    widths, heights = groups[:, 2] - groups[:, 0], groups[:, 3] - groups[:, 1]
    shorter, longest = np.minimum(widths, heights), np.maximum(widths, heights)
    compact = groups[(shorter >= least) & (longest <= most) & (longest <= MAX_SLENDERNESS * shorter)]
    may_be = compact[_may_be_boxes(ink, compact)] if len(compact) else compact
    if not len(may_be):
        return []
    may_be_square, are_round = _have_sides(ink, may_be), _have_rings(ink, may_be)
    numbers = np.flatnonzero(may_be_square | are_round)
    return [
        shape
        for box, is_round in zip(may_be[numbers].tolist(), are_round[numbers].tolist(), strict=True)
        for shape in _square_or_ring(ink, tuple(box), is_round=is_round)
    ]


def touched_squares(ink: Mask, *, known: Iterable[Box], least: float, most: float) -> Iterator[Shape]:
    """The squares with a mark in them that reaches beyond them, or with a letter that touches them, but for those in
    known places. None of them is sure: the bowls of letters such as P and d are empty squares.
    """
    boxes = _squares_of_lines(ink, least=least, most=most)
    boxes = boxes[_are_elsewhere(boxes, known)][:MAX_TOUCHED]
    while len(boxes):
        x0, y0, x1, y1 = boxes[0].tolist()
        box = x0, y0, x1, y1
        boxes = boxes[_are_elsewhere(boxes, [box])]
        for shape in _square_or_ring(ink, box, is_round=False):
            if shape.inside >= MARKED_FROM:
                yield Shape(shape.box, shape.inside, is_round=False, is_sure=False)


def _are_elsewhere(boxes: Boxes, known: Iterable[Box]) -> Mask:
    """Those of these boxes whose middle is in none that is known."""
    middle_x, middle_y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    elsewhere = np.ones(len(boxes), dtype=np.bool_)
    for x0, y0, x1, y1 in known:
        elsewhere &= (middle_x < x0) | (middle_x > x1) | (middle_y < y0) | (middle_y > y1)
    return elsewhere


def _may_be_boxes(ink: Mask, boxes: Boxes) -> Mask:
    """Those of these boxes that have ink in the middle of each side, and in several corners or in none."""
    x0, y0, x1, y1 = boxes.T
    middle_x, middle_y = (x0 + x1) // 2, (y0 + y1) // 2
    depths = range(3)
    middles = (
        np.any([ink[y0 + depth, middle_x] for depth in depths], axis=0)
        & np.any([ink[y1 - 1 - depth, middle_x] for depth in depths], axis=0)
        & np.any([ink[middle_y, x0 + depth] for depth in depths], axis=0)
        & np.any([ink[middle_y, x1 - 1 - depth] for depth in depths], axis=0)
    )
    near = [
        np.any([ink[y + inwards_y * a, x + inwards_x * b] for a in (0, 1) for b in (0, 1)], axis=0)
        for y, inwards_y in ((y0, 1), (y1 - 1, -1))
        for x, inwards_x in ((x0, 1), (x1 - 1, -1))
    ]
    # The corners of a box that is a little askew lie beside those of the box around it.
    may_be: Mask = middles & (np.sum(near, axis=0) != 1)
    return may_be


def _have_sides(ink: Mask, boxes: Boxes) -> Mask:
    """Those of these boxes that have straight lines at almost all of some places along each side."""
    x0, y0, x1, y1 = boxes.T[:, :, None, None]
    edges = _edges(boxes)
    depths = np.minimum(np.arange(edges.max(initial=0) + 1), edges[:, None, None])
    x = x0 + ((x1 - x0) * SHARES_OF_SIDE[:, None]).astype(np.int64)
    y = y0 + ((y1 - y0) * SHARES_OF_SIDE[:, None]).astype(np.int64)
    have = np.ones(len(boxes), dtype=np.bool_)
    for rows, columns in ((y0 + depths, x), (y1 - 1 - depths, x), (y, x0 + depths), (y, x1 - 1 - depths)):
        drawn = ink[rows, columns]
        # As in the exact measurement, two rows together.
        have &= (drawn[:, :, 1:] | drawn[:, :, :-1]).sum(axis=1).max(axis=1, initial=0) >= SHARES_OF_SIDE.size - 1
    return have


def _have_rings(ink: Mask, boxes: Boxes) -> Mask:
    """Those of these boxes that have no ink in their corners, and some all around, at the same distance from the
    middle.
    """
    x0, y0, x1, y1 = boxes.T
    round_ones: Mask = ~(ink[y0, x0] | ink[y0, x1 - 1] | ink[y1 - 1, x0] | ink[y1 - 1, x1 - 1])
    numbers = np.flatnonzero(round_ones)
    x0, y0, x1, y1 = boxes[numbers].T[:, :, None]
    edges = _edges(boxes[numbers])[:, None]
    covered = np.zeros((numbers.size, POINTS.size), dtype=np.bool_)
    for depth in range(edges.max(initial=0)):
        inwards = np.minimum(depth, edges - 1)
        rows = ((y0 + y1 - 1) / 2 + ((y1 - y0 - 1) / 2 - inwards) * np.sin(POINTS)).round().astype(np.int64)
        columns = ((x0 + x1 - 1) / 2 + ((x1 - x0 - 1) / 2 - inwards) * np.cos(POINTS)).round().astype(np.int64)
        covered |= ink[rows, columns]
    round_ones[numbers] = covered.mean(axis=1) >= MIN_RING_COVERED
    return round_ones


def _edges(boxes: Boxes) -> Places:
    """The thickness of the edges of boxes in which their lines are looked for."""
    x0, y0, x1, y1 = boxes.T
    edges: Places = np.maximum(2, np.round(EDGE * np.minimum(x1 - x0, y1 - y0)).astype(np.int64))
    return edges


def _squares_of_lines(ink: Mask, *, least: float, most: float) -> Boxes:
    """The boxes between two level lines of the same length, at a distance that is about as long; the largest first."""
    thick = ink.copy()
    thick[1:] |= ink[:-1]
    rows, starts, ends = runs_in_rows(thick)
    lengths = ends - starts
    fitting = (lengths >= least) & (lengths <= most)
    order = np.flatnonzero(fitting)[np.argsort(starts[fitting], kind="stable")]
    rows, starts, ends, lengths = rows[order], starts[order], ends[order], lengths[order]
    tolerance = LINES_ALIKE * lengths
    firsts = np.searchsorted(starts, starts - tolerance, side="left")
    lasts = np.searchsorted(starts, starts + tolerance, side="right")
    if (lasts - firsts).sum() > MAX_PAIRS:
        return np.empty((0, 4), dtype=np.int64)
    upper, lower = pairs_in(firsts, lasts)
    distances, sides, tolerances = rows[lower] - rows[upper], lengths[upper], tolerance[upper]
    are_opposite = (np.abs(distances - sides) <= 2 * tolerances) & (np.abs(ends[lower] - ends[upper]) <= tolerances)
    upper, lower = upper[are_opposite], lower[are_opposite]
    # The ends of a mark may make one of the lines longer.
    shorter = np.where(lengths[upper] <= lengths[lower], upper, lower)
    # In the thickened picture, the lower line reaches a row further.
    boxes = np.stack((starts[shorter], rows[upper], ends[shorter], rows[lower]), axis=1)
    boxes = boxes[_may_be_boxes(ink, boxes)]
    boxes = boxes[_have_sides(ink, boxes)]
    largest_first: Boxes = boxes[np.argsort(boxes[:, 1] - boxes[:, 3], kind="stable")]
    return largest_first


def _square_or_ring(ink: Mask, box: Box, *, is_round: bool) -> Iterator[Shape]:
    """The box as a square, or as a ring if it is known to be round."""
    x0, y0, x1, y1 = box
    part = ink[y0:y1, x0:x1]
    height, width = part.shape
    if max(height, width) > MAX_SLENDERNESS * min(height, width):
        return
    edge = max(2, round(EDGE * min(height, width)))
    margin = max(2, round(INSIDE_FROM * min(height, width)))
    if _is_square(part, edge):
        inside = _share_inside(part, margin)
        is_sharp = bool(part[[0, 0, -1, -1], [0, -1, 0, -1]].all())
        yield Shape(box, inside, is_round=False, is_sure=is_sharp or inside <= EMPTY_UP_TO)
        return
    corner = max(1, edge // 2)
    if is_round and part[:corner, :corner].mean() <= MAX_CORNER_INK:
        yield Shape(box, _share_inside(part, margin), is_round=True)


def _share_inside(part: Mask, margin: int) -> float:
    return float(part[margin:-margin, margin:-margin].mean())


def _is_square(part: Mask, edge: int) -> bool:
    """True if there is a straight line along each side, and they meet in the corners."""
    near = max(2, min(part.shape) // CORNERS)
    corners = (part[:near, :near], part[:near, -near:], part[-near:, :near], part[-near:, -near:])
    if not all(corner.any() for corner in corners):
        return False
    sides = (part[: edge + 1], part[-edge - 1 :], part[:, : edge + 1].T, part[:, -edge - 1 :].T)
    return all(_longest_line(side) >= MIN_COVERED * side.shape[1] for side in sides)


def _longest_line(rows: Mask) -> int:
    """The longest run of ink in two neighbouring rows together: a line may be slightly askew."""
    _, starts, ends = runs_in_rows(rows[1:] | rows[:-1])
    return int(np.max(ends - starts, initial=0))
