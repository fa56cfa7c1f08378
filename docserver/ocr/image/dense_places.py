"""Child side: finds the places of a page that have more ink than text has, such as barcodes and drawings."""

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from docserver.layout import Box, area, around, overlap
from docserver.ocr.image.connected import connected, first_connected
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import Mask, Shades, lightest_around

CELL_PX = 4
"""Side of the cells, in the picture of about 1000 pixels a side, whose ink is compared."""

REACH_CELLS = 1.0
"""Ink is averaged within this distance: over 12 pixels, 3 mm on A4. So much of a line of text shows the paper around it
too."""

MIN_DENSITY = 0.33
"""Smallest share of ink in a dense place. Barcodes have a half, and text in 10 points a sixth."""

MIN_CELLS, MARGIN_CELLS = 3, 5
"""Fewest cells along each side of a dense place, and how many are around those that are within it: 6 mm on A4. The
density falls at the ends of a barcode, and the empty space around it is a part of it."""

MORE_ROOM = 4
"""A fourth of its sides is added to a place at each end: the bars at one end of a barcode may be thin."""

MIN_SURE_CELLS, MIN_SURE_DENSITY = 2, 0.42
"""Fewest cells that are within a dense place along each side, and smallest median of their density, where there may be
a barcode. Bold letters and stamps have less; small QR codes have 4 such cells, with densities from 0.49 on."""

MIN_SHARE, MAX_SIDE_CELLS = 0.3, 16
"""Smallest share of dense cells in a place that is searched as a whole, and the longest side of one that always is. The
dark edges around a page are in a place as large as the page; the cells of barcodes have 0.7 and more."""

MIN_ROUGHNESS, ROUGHNESS_CELLS = 0.2, 2.0
"""Smallest mean deviation of the pixels of a barcode from the means of their cells, as a share of the contrast, and
distance within which it is averaged. What photographed pages lie on has 0.1 and less."""

EDGE_CELLS = 2
"""How far the blurred edge of a page reaches."""

MAX_GROWTH = 1.3
"""How many times larger than both together the box around two overlapping places may be, to be one place."""

PAPER_REACH = 4
"""How many cells of the overview the picture of the paper takes to reach beyond a barcode: the lightest cell within
2 cm on A4 is paper."""

MIN_CONTRAST = 40
"""Smallest difference of ink and paper, in grey levels, of a page that may have barcodes."""


def dense_places(page: Overview) -> list[Box]:
    """The boxes around the dense places of a picture with some room, in its pixels, from top to bottom."""
    paper = lightest_around(page.cells, PAPER_REACH)
    contrast = int(paper.max()) - page.darkest
    if contrast < MIN_CONTRAST:
        return []
    cells = page.small.reduce(CELL_PX)
    ink = ImageChops.subtract(Image.fromarray(paper).resize(cells.size, Image.Resampling.BILINEAR), cells)
    density = np.asarray(ink.filter(ImageFilter.BoxBlur(REACH_CELLS)))
    is_dense = density > MIN_DENSITY * contrast
    is_within = ~lightest_around(~is_dense, MIN_CELLS // 2)
    if any(side.any() for side in (is_within[0], is_within[-1], is_within[:, 0], is_within[:, -1])):
        is_within &= ~lightest_around(_around_page(page, cells, is_dense, contrast), EDGE_CELLS)
    sure: list[Box] = []
    others: list[Box] = []
    for box in _pieces(is_within, (tuple(box) for box in connected(is_within).tolist())):
        (sure if _is_sure(box, density, is_within, contrast) else others).append(box)
    side = CELL_PX * page.step
    places = [_with_room(box, side, page.grey.size) for box in sure]
    # The parts of a barcode whose bars are thin may be less dense.
    near = (_with_room(box, side, page.grey.size) for box in others)
    places += [box for box in near if any(overlap(box, place) for place in places)]
    return sorted(_joined(places), key=lambda box: box[1])


def _around_page(page: Overview, cells: Image.Image, is_dense: Mask, contrast: int) -> Mask:
    """The dense cells without bars that are connected with the edge of the picture: what a page lies on."""
    deviations = ImageChops.difference(page.grey.resize(cells.size, Image.Resampling.NEAREST), cells)
    roughness = np.asarray(deviations.filter(ImageFilter.BoxBlur(ROUGHNESS_CELLS)))
    is_smooth = is_dense & (roughness < MIN_ROUGHNESS * contrast)
    around_page: Mask = first_connected(np.pad(is_smooth, 1, constant_values=True))[1:-1, 1:-1]
    return around_page


def _pieces(is_within: Mask, boxes: Iterable[Box]) -> Iterator[Box]:
    """The boxes, those that are mostly empty in smaller pieces without what is empty."""
    pending = list(boxes)
    while pending:
        x0, y0, x1, y1 = pending.pop()
        part = is_within[y0:y1, x0:x1]
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        if not rows.size:
            continue
        x0, x1 = x0 + int(columns[0]), x0 + int(columns[-1]) + 1
        y0, y1 = y0 + int(rows[0]), y0 + int(rows[-1]) + 1
        if max(x1 - x0, y1 - y0) <= MAX_SIDE_CELLS or is_within[y0:y1, x0:x1].mean() >= MIN_SHARE:
            yield x0, y0, x1, y1
        elif x1 - x0 > y1 - y0:
            middle = (x0 + x1) // 2
            pending += [(x0, y0, middle, y1), (middle, y0, x1, y1)]
        else:
            middle = (y0 + y1) // 2
            pending += [(x0, y0, x1, middle), (x0, middle, x1, y1)]


def _is_sure(box: Box, density: Shades, is_within: Mask, contrast: int) -> bool:
    x0, y0, x1, y1 = box
    if min(x1 - x0, y1 - y0) < MIN_SURE_CELLS:
        return False
    place = slice(y0, y1), slice(x0, x1)
    return bool(np.median(density[place][is_within[place]]) >= MIN_SURE_DENSITY * contrast)


def _with_room(box: Box, side: int, size: tuple[int, int]) -> Box:
    """The place of a box of cells of this side with room around it, in a picture of this size."""
    x0, y0, x1, y1 = box
    more_x, more_y = (
        side * MARGIN_CELLS + side * (end - start + 2 * MARGIN_CELLS) // MORE_ROOM
        for start, end in ((x0, x1), (y0, y1))
    )
    return (
        max(0, x0 * side - more_x),
        max(0, y0 * side - more_y),
        min(x1 * side + more_x, size[0]),
        min(y1 * side + more_y, size[1]),
    )


def _joined(places: Iterable[Box]) -> list[Box]:
    """The places. Those that overlap or touch become one, unless they run in different directions, as the edges of a
    page do.
    """
    joined: list[Box] = []
    for box in places:
        place = box
        while overlapping := [other for other in joined if _are_one(place, other)]:
            joined = [other for other in joined if other not in overlapping]
            place = around([place, *overlapping])
        joined.append(place)
    return joined


def _are_one(place: Box, other: Box) -> bool:
    x0, y0, x1, y1 = other
    if not overlap(place, (x0 - 1, y0 - 1, x1 + 1, y1 + 1)):
        return False
    common = max(place[0], other[0]), max(place[1], other[1]), min(place[2], other[2]), min(place[3], other[3])
    return area(around([place, other])) <= MAX_GROWTH * (area(place) + area(other) - area(common))
