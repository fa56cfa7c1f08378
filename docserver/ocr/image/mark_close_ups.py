"""Child side: looks closer at what may be boxes to tick in the reduced picture of a page, in its full picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docserver.ocr.image.connected import connected
from docserver.ocr.image.mark_shapes import Shape, whole_shapes
from docserver.ocr.image.mark_surroundings import NEAR, Surroundings
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.runs import Places
from docserver.ocr.image.shades import Mask

Boxes = NDArray[np.int64]
"""x0, y0, x1, y1, each for all boxes."""

MIN_SIDE, MAX_SIDE = 1 / 155, 1 / 30
"""Shortest and longest side of a box, as shares of the picture's longer side: 1.9 and 10 mm on A4."""

SEARCHED_SIDE_PX = 1800
"""Longer side of the picture in which marks are looked for. A4 has 150 dpi at this size, where thin lines are seen."""

MIN_SIDE_PX = 9
"""Shortest side of a box, in pixels. Smaller ones look like letters."""

POINTS_A_SIDE, EDGE_POINTS, CORNER_POINTS, INSIDE_FROM = 30, 6, 3, 8
"""How many points a side of each box are looked at in the full picture, and how many of them from each end belong to
its edge and to its corners, and from where on they are inside."""

MIN_COVERED, MIN_RING_COVERED = 0.9, 0.95
"""Smallest share of each side of a box, and of a ring, that is drawn."""

EMPTY_UP_TO, SHARP_FROM, ROUND_UP_TO = 0.02, 0.3, 0.4
"""Largest share of ink inside an empty box, smallest one in each corner of a marked one, and largest one in each corner
of a ring."""

ALMOST = 0.97
"""The side of a box is measured so exactly in the full picture. Most of the letters o are smaller than a box."""

ANGLES = np.linspace(0, 2 * np.pi, 32, endpoint=False)


def looked_at(page: Overview, cells: NDArray[np.int64], darkest_paper: float) -> tuple[Shape | None, Surroundings]:
    """The square or ring in the place of a box of the reduced picture, with what is around it, in the pixels of the
    picture in which marks are searched.
    """
    shape, around = _seen_within(page, cells, darkest_paper, beside=0.5, above=0.5)
    return (shape, around) if shape is None else _seen_within(page, cells, darkest_paper, beside=NEAR + 1, above=2)


def _seen_within(
    page: Overview, cells: NDArray[np.int64], darkest_paper: float, *, beside: float, above: float
) -> tuple[Shape | None, Surroundings]:
    """The same, with what is no farther than these multiples of its sides."""
    step = max(1, round(max(page.grey.size) / SEARCHED_SIDE_PX))
    x0, y0, x1, y1 = (int(side) * page.step for side in cells)
    more_x, more_y = int(beside * (x1 - x0)), int(above * (y1 - y0))
    left, top = max(0, x0 - more_x), max(0, y0 - more_y)
    part = page.grey.crop((left, top, min(x1 + more_x, page.grey.width), min(y1 + more_y, page.grey.height)))
    ink = np.asarray(part.reduce(step) if step > 1 else part) < darkest_paper
    groups = connected(ink)
    middle = ((x0 + x1) // 2 - left) // step, ((y0 + y1) // 2 - top) // step
    is_around = (groups[:, :2] <= middle).all(axis=1) & (groups[:, 2:] > middle).all(axis=1)
    least, most = limits_of_sides(max(page.grey.size) / step)
    shapes = whole_shapes(ink, groups[is_around], least=least, most=most)
    return max(shapes, key=lambda shape: shape.side, default=None), Surroundings(groups)


def limits_of_sides(longer: float) -> tuple[float, float]:
    """The shortest and longest side of a box in a picture whose longer side is this, in pixels."""
    return max(MIN_SIDE_PX, MIN_SIDE * longer), MAX_SIDE * longer


def seen_closer(
    grey: Image.Image, boxes: Boxes, step: int, lightest: NDArray[np.float64]
) -> tuple[Places, NDArray[np.bool_]]:
    """The ink of each box in the full picture, as a square of points that it fills, if it is large enough and
    there is paper on three of its sides. Ink is darker than the given grey levels.
    """
    room = step + (step + 1) // 2
    width, height = grey.size
    places = [
        (max(0, x0 - room), max(0, y0 - room), min(x1 + room, width), min(y1 + room, height))
        for x0, y0, x1, y1 in (boxes * step).T.tolist()
    ]
    side = POINTS_A_SIDE
    mesh = [
        ((0, side * number, side, side * (number + 1)), (x0, y0, x0, y1, x1, y1, x1, y0))
        for number, (x0, y0, x1, y1) in enumerate(places)
    ]
    parts = np.asarray(grey.transform((side, side * len(places)), Image.Transform.MESH, mesh))
    ink = parts.reshape(-1, side, side) < lightest.astype(np.uint8)[:, None, None]
    shares = (np.arange(POINTS_A_SIDE) + 0.5) / POINTS_A_SIDE
    middle = slice(POINTS_A_SIDE // 3, -(POINTS_A_SIDE // 3))
    ends = [_first_and_end(ink[:, :, middle].any(2)), _first_and_end(ink[:, middle].any(1))]
    lengths = [
        (end - first) * np.array([place[more] - place[less] for place in places]) / POINTS_A_SIDE
        for (first, end), less, more in zip(ends, (1, 0), (3, 2), strict=True)
    ]
    is_large: Mask = np.maximum(*lengths) >= ALMOST * MIN_SIDE * max(grey.size)
    alone = np.flatnonzero(is_large & (sum(1 * (first > 0) + (end < POINTS_A_SIDE) for first, end in ends) >= 3))
    rows, columns = ((first[:, None] + (end - first)[:, None] * shares).astype(np.int64)[alone] for first, end in ends)
    return alone, ink[alone[:, None, None], rows[:, :, None], columns[:, None, :]]


def _first_and_end(sides: Any) -> tuple[Places, Places]:
    """The first point of ink in each row, and the point after the last one."""
    return sides.argmax(1), sides.shape[1] - sides[:, ::-1].argmax(1)


def squares_and_rings(ink: NDArray[np.bool_]) -> tuple[Mask, Mask]:
    """Which of these are squares, and which are rings."""
    edge, corner, last = EDGE_POINTS, CORNER_POINTS, POINTS_A_SIDE - 1
    sides = np.stack((ink[:, :edge].any(1), ink[:, -edge:].any(1), ink[:, :, :edge].any(2), ink[:, :, -edge:].any(2)))
    first, end = slice(corner), slice(-corner, None)
    corners = np.stack([ink[:, y, x].mean((1, 2)) for y in (first, end) for x in (first, end)])
    inside = ink[:, INSIDE_FROM:-INSIDE_FROM, INSIDE_FROM:-INSIDE_FROM].mean((1, 2))
    is_empty = inside <= EMPTY_UP_TO
    is_square = (sides.mean(2) >= MIN_COVERED).all(0) & (corners > np.where(is_empty, 0, SHARP_FROM)).all(0)
    covered = np.zeros((len(ink), ANGLES.size), dtype=np.bool_)
    for depth in range(edge - 1):
        radius = last / 2 - depth
        rows = (last / 2 + radius * np.sin(ANGLES)).round().astype(np.int64)
        columns = (last / 2 + radius * np.cos(ANGLES)).round().astype(np.int64)
        covered |= ink[:, rows, columns]
    is_ring = is_empty & (corners <= ROUND_UP_TO).all(0) & (covered.mean(1) >= MIN_RING_COVERED)
    return is_square, is_ring
