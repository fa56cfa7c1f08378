"""Child side: finds the places of a page that have more ink than text has, such as barcodes and drawings."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from docserver.layout import Box, around
from docserver.ocr.image.analysis import reduction
from docserver.ocr.image.spots import components

REACH_PX = 5
"""Ink is averaged within this distance, in the picture of about 1000 pixels a side: over 11 pixels, 3 mm on A4. So much
of a line of text shows the paper around it too."""

MIN_DENSITY = 0.33
"""Smallest share of ink in a dense place. Barcodes have a half, and text in 10 points a sixth."""

CELL_PX = 4
"""Side of the cells, in the same picture, whose ink is compared."""

MIN_CELLS, MARGIN_CELLS = 3, 4
"""Fewest cells along each side of a dense place, and how many are around it: 5 mm on A4. The density falls at the ends
of a barcode, and the empty space around it is a part of it."""

MORE_ROOM = 4
"""A fourth of its sides is added to a place at each end: the bars at one end of a barcode may be thin."""

PAPER_CELL_PX, PAPER_REACH = 16, 4
"""Side of the cells of the picture of the paper, in the same picture, and how many of them it takes to reach beyond a
barcode: the lightest cell within 2 cm on A4 is paper."""

MIN_CONTRAST = 40
"""Smallest difference of ink and paper, in grey levels, of a page that may have barcodes."""


def dense_places(grey: Image.Image) -> list[Box]:
    """The boxes around the dense places of a picture of mode L with some room, in its pixels, from top to bottom."""
    step = reduction(grey)
    small = grey.reduce(step) if step > 1 else grey
    darkest = int(np.percentile(np.asarray(grey)[::step, ::step], 1))
    paper = small.reduce(PAPER_CELL_PX).filter(ImageFilter.MaxFilter(2 * PAPER_REACH + 1))
    contrast = int(np.asarray(paper).max()) - darkest
    if contrast < MIN_CONTRAST:
        return []
    ink = ImageChops.subtract(paper.resize(small.size, Image.Resampling.BILINEAR), small)
    cells = ink.filter(ImageFilter.BoxBlur(REACH_PX)).reduce(CELL_PX)
    dense = cells.point([255 * (level > MIN_DENSITY * contrast) for level in range(256)])
    large = dense.filter(ImageFilter.MinFilter(MIN_CELLS))
    with_room = large.filter(ImageFilter.MaxFilter(2 * (MIN_CELLS // 2 + MARGIN_CELLS) + 1))
    side = CELL_PX * step
    places: list[Box] = []
    for x0, y0, x1, y1 in components(np.asarray(with_room) > 0):
        more_x, more_y = side * (x1 - x0) // MORE_ROOM, side * (y1 - y0) // MORE_ROOM
        place = (
            max(0, x0 * side - more_x),
            max(0, y0 * side - more_y),
            min(x1 * side + more_x, grey.width),
            min(y1 * side + more_y, grey.height),
        )
        while overlapping := [other for other in places if overlap(place, other)]:
            places = [other for other in places if other not in overlapping]
            place = around([place, *overlapping])
        places.append(place)
    return places


def overlap(box: Box, other: Box) -> bool:
    """True if the boxes have pixels in common."""
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
