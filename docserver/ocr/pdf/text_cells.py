"""Child side: a drawn PDF page as cells, each of which looks like text or not."""

from collections.abc import Iterable, Iterator

from PIL import Image, ImageChops, ImageDraw

from docserver.layout import Box, Rect

EDGE_CONTRAST = 30
"""Smallest contrast between two neighbouring pixels at an edge, in grey levels. Even thin grey letters of eight points
have this contrast."""

CELL = 8
"""Side of a cell in pixels, about the height of a line. For each cell, it is decided whether it looks like text."""

MIN_EDGE_SHARE = 0.14
"""Smallest share of the pixels in a text cell that are horizontal edges, and the same for vertical edges. Letters have
both kinds, ruled lines have one kind, and dashed lines have fewer."""

GROUPED = 128
"""The level of the cells of the group whose box is sought."""

MIN_RUN = 4
"""Fewest text cells in a row or in a column that count as a word. Corners of boxes and markers in charts are single
cells."""

MIN_LETTER_HEIGHT = 3.0
"""Height of the lowest letters that are read, in pixels of the drawing. Dots and dashes are lower."""

BLACK, WHITE = 0, 255


def text_cells(drawn: Image.Image) -> Image.Image:
    """A picture with one pixel per cell: white if the cell has both horizontal and vertical edges, else black."""
    vertical, horizontal = (edges_of(drawn, *by).reduce(CELL) for by in ((1, 0), (0, 1)))
    is_text = [255 * (share >= MIN_EDGE_SHARE * 255) for share in range(256)]
    return ImageChops.darker(vertical, horizontal).point(is_text)


def edges_of(drawn: Image.Image, x: int, y: int) -> Image.Image:
    """White where a pixel has contrast with the pixel on its left (1, 0), or with that above it (0, 1); else black."""
    contrast = ImageChops.difference(drawn, ImageChops.offset(drawn, x, y))
    return contrast.point([255 * (level >= EDGE_CONTRAST) for level in range(256)])


def fill(cells: Image.Image, rect: Rect, cell: float, colour: int) -> None:
    """Give the cells of this rectangle a colour."""
    ImageDraw.Draw(cells).rectangle(tuple(int(side / cell) for side in rect), fill=colour)


def blacken(cells: Image.Image, words: Iterable[Rect], cell: float) -> None:
    """Make the cells of these words black."""
    draw = ImageDraw.Draw(cells)
    for left, top, right, bottom in words:
        # Add half a cell on each side, because letters may exceed their boxes, and boxes do not end at cells.
        sides = (left / cell - 0.5, top / cell - 0.5, right / cell + 0.5, bottom / cell + 0.5)
        draw.rectangle(tuple(map(int, sides)), fill=0)


def runs_of(cells: Image.Image, length: int) -> Image.Image:
    """The white cells that belong to a run of at least `length` white cells, in a row or in a column."""
    return ImageChops.lighter(_runs_along(cells, 1, 0, length), _runs_along(cells, 0, 1, length))


def _runs_along(cells: Image.Image, x: int, y: int, length: int) -> Image.Image:
    starts = cells
    for step in range(1, length):
        starts = ImageChops.darker(starts, ImageChops.offset(cells, -step * x, -step * y))
    runs = starts
    for step in range(1, length):
        runs = ImageChops.lighter(runs, ImageChops.offset(starts, step * x, step * y))
    return runs


def count_white(cells: Image.Image) -> int:
    return cells.histogram()[255]


def components(cells: Image.Image) -> Iterator[Box]:
    """The boxes of the groups of white cells. The cells become black."""
    while (first := cells.tobytes().find(255)) >= 0:
        ImageDraw.floodfill(cells, (first % cells.width, first // cells.width), GROUPED)
        box = cells.point([255 * (level == GROUPED) for level in range(256)]).getbbox()
        assert box is not None
        yield box
        cells.paste(cells.point([0 if level == GROUPED else level for level in range(256)]))
