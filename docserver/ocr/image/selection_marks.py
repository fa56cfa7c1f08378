"""Child side: finds boxes to tick and round buttons on a page's picture, and tells which are marked.

A box is a square of thin lines that is connected with nothing but the mark in it; a button is a ring. Cells of tables
are connected with each other, and letters stand close together.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from docserver.elements import MAX_SELECTION_MARKS, SELECTED, UNSELECTED, SelectionMark
from docserver.ocr.image.barcodes import painted_over
from docserver.ocr.image.connected import Boxes, connected
from docserver.ocr.image.mark_close_ups import MAX_SIDE, MIN_SIDE_PX, SEARCHED_SIDE_PX, limits_of_sides
from docserver.ocr.image.mark_places import MIN_CONTRAST, MIN_INK, may_have_marks
from docserver.ocr.image.mark_shapes import (
    EMPTY_UP_TO,
    MARKED_FROM,
    MAX_SLENDERNESS,
    Shape,
    touched_squares,
    whole_shapes,
)
from docserver.ocr.image.mark_surroundings import Surroundings
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import Mask, paper

FULL_FROM = 0.85
"""Share of ink inside from which on a box may be a bullet."""

ALIKE = 1.12
"""Largest ratio of the sides of boxes of one form."""

ROW_OF_CELLS, CELL_GAP = 4, 0.6
"""As many boxes in a row with smaller gaps than this share of their side are places for letters."""

MAX_SHAPES = 3000
"""Most squares and rings of a page with boxes to tick, also those that are letters and cells. A pattern has more."""

PAPER_STEP_PX = 8
"""Side of the squares for which the paper is taken to be of one shade. A shade for each pixel takes ten times as
long."""

PAINTED = 0.12
"""How far around a box its soft edges reach, and the ends of a mark, as a share of its side. The next letter is
farther."""


def selection_marks(page: Overview) -> tuple[SelectionMark, ...]:
    """The boxes and buttons on a page's picture, from top to bottom."""
    grey = page.grey
    if not may_have_marks(page):
        return ()
    step = max(1, round(max(grey.size) / SEARCHED_SIDE_PX))
    ink = _ink(grey.reduce(step) if step > 1 else grey)
    if ink is None:
        return ()
    marks = [
        SelectionMark(
            SELECTED if shape.inside >= (EMPTY_UP_TO + MARKED_FROM) / 2 else UNSELECTED,
            (
                shape.box[0] * step,
                shape.box[1] * step,
                min(shape.box[2] * step, grey.width),
                min(shape.box[3] * step, grey.height),
            ),
            _confidence(shape.inside),
        )
        for shape in _boxes_and_buttons(ink)
    ]
    return tuple(sorted(marks, key=lambda mark: (mark.box[1], mark.box[0])))[:MAX_SELECTION_MARKS]


def without_marks(image: Image.Image, marks: Iterable[SelectionMark]) -> Image.Image:
    """The picture with paper in the place of boxes and buttons, which would be read as letters."""
    places = []
    for mark in marks:
        x0, y0, x1, y1 = mark.box
        edge = round(PAINTED * (x1 - x0)) + 1
        places.append((max(0, x0 - edge), max(0, y0 - edge), min(image.width, x1 + edge), min(image.height, y1 + edge)))
    return painted_over(image, places)


def _ink(small: Image.Image) -> Mask | None:
    """The ink of a reduced picture; None if it is too pale or too small to have any boxes."""
    if MAX_SIDE * max(small.size) < MIN_SIDE_PX:
        return None
    shades = paper(small)
    pixels = np.asarray(small)
    sampled = pixels[::3, ::3]
    papers = np.asarray(shades.resize((sampled.shape[1], sampled.shape[0]), Image.Resampling.BICUBIC), dtype=np.int16)
    least = max(MIN_CONTRAST, MIN_INK * float(np.percentile(papers - sampled, 99)))
    darkest_paper = shades.point([max(0, round(level - least)) for level in range(256)])
    columns, rows = (-(-side // PAPER_STEP_PX) for side in small.size)
    stepped = np.asarray(darkest_paper.resize((columns, rows), Image.Resampling.BICUBIC))
    in_rows = stepped.repeat(PAPER_STEP_PX, axis=1)[:, : small.width]
    ink: Mask = pixels < in_rows.repeat(PAPER_STEP_PX, axis=0)[: small.height]
    return ink


def _confidence(inside: float) -> float:
    """How sure it is whether a box is marked, given the share of ink inside: 50 half way between empty and marked."""
    if inside <= EMPTY_UP_TO or inside >= MARKED_FROM:
        return 95.0
    middle = (EMPTY_UP_TO + MARKED_FROM) / 2
    return round(50 + 45 * abs(inside - middle) / (MARKED_FROM - middle), 2)


def _boxes_and_buttons(ink: Mask) -> list[Shape]:
    """The squares and rings that are no letters, bullets or places for letters."""
    least, most = limits_of_sides(max(ink.shape))
    groups = connected(ink)
    around = Surroundings(groups)
    found = whole_shapes(ink, groups, least=least, most=most)
    if len(found) > MAX_SHAPES:
        return []
    squares = [shape for shape in found if not (shape.is_round or around.is_letter(shape.box))]
    rings = [shape for shape in found if shape.is_round and not around.is_round_letter(shape.box)]
    empty = [shape.side for shape in squares if shape.is_empty]
    if empty:
        least, most = max(least, min(empty) / MAX_SLENDERNESS), min(most, max(empty) * MAX_SLENDERNESS)
        touched = list(touched_squares(ink, known=[shape.box for shape in found], least=least, most=most))
        found += touched
        squares += [shape for shape in touched if not around.is_letter(shape.box)]
    kept = [*_plausible(squares), *_plausible(rings)]
    everything = np.array([shape.box for shape in found])
    return [shape for shape in _largest(kept) if not _is_cell(shape, everything)]


def _plausible(shapes: Sequence[Shape]) -> list[Shape]:
    """Those of one kind that are like others, one of them empty, and clear empty boxes. Frames may have letters."""
    models = [shape for shape in shapes if shape.is_sure and shape.inside < FULL_FROM]
    sides, are_empty = np.array([model.side for model in models]), np.array([model.is_empty for model in models])
    kept = []
    for shape in shapes:
        alike = np.maximum(sides, shape.side) <= ALIKE * np.minimum(sides, shape.side)
        is_model = shape.is_sure and shape.inside < FULL_FROM
        is_one_of_several = alike.sum() > is_model and (shape.is_empty or (alike & are_empty).any())
        is_clear = is_model and not shape.is_round and shape.is_empty
        if is_one_of_several or is_clear:
            kept.append(shape)
    return kept


def _largest(shapes: list[Shape]) -> list[Shape]:
    """Those that are not in another one: the mark in a box may be a box itself."""
    if not shapes:
        return []
    x0, y0, x1, y1 = np.array([shape.box for shape in shapes]).T
    sides, middle_x, middle_y = np.maximum(x1 - x0, y1 - y0), (x0 + x1) / 2, (y0 + y1) / 2
    return [
        shape
        for shape, side, x, y in zip(shapes, sides, middle_x, middle_y, strict=True)
        if not ((sides > side) & (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)).any()
    ]


def _is_cell(mark: Shape, boxes: Boxes) -> bool:
    """True if a box is one of several in a row that are close together. `boxes` are all squares and rings."""
    side = mark.side
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    are_alike = np.maximum(sides, side) <= ALIKE * np.minimum(sides, side)
    row = sorted(tuple(box) for box in boxes[are_alike & (np.abs(boxes[:, 1] - mark.box[1]) < side / 3)].tolist())
    place = row.index(mark.box)
    first = last = place
    while first > 0 and row[first][0] - row[first - 1][2] < CELL_GAP * side:
        first -= 1
    while last + 1 < len(row) and row[last + 1][0] - row[last][2] < CELL_GAP * side:
        last += 1
    return last - first + 1 >= ROW_OF_CELLS
