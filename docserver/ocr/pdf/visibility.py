"""Child side: finds what looks like text on a PDF page that is drawn at a low resolution."""

from collections.abc import Iterable

from PIL import Image, ImageChops, ImageDraw

from docserver.layout import Rect

EDGE_CONTRAST = 30
"""Smallest contrast between two neighbouring pixels at an edge, in grey levels. Even thin grey letters of eight points
have this contrast."""

CELL = 8
"""Side of a cell in pixels, about the height of a line. For each cell, it is decided whether it looks like text."""

MIN_EDGE_SHARE = 0.14
"""Smallest share of the pixels in a text cell that are horizontal edges, and the same for vertical edges. Letters have
both kinds, ruled lines have one kind, and dashed lines have fewer."""

MIN_RUN = 4
"""Fewest text cells side by side that count as a word. Corners of boxes and markers in charts are single cells."""

MIN_BACKGROUND_SHARE = 0.35
"""Smallest share of an image that has about the same grey level, its background. Paper, print and charts have more,
photographs have less."""

BACKGROUND_SPREAD = 12
"""Grey levels by which the background of an image may be lighter or darker, as that of paper is."""

MAX_PHOTOGRAPH_SHARE = 0.5
"""Largest share of the page that a photograph may cover. A larger one may be a photograph of a page of text."""


class PageVisibility:
    """A page drawn in grey with about one pixel per point. All rectangles are in these pixels; y grows downwards."""

    def __init__(self, drawn: Image.Image) -> None:
        self._image = drawn
        self._width, self._height = drawn.size

    @property
    def is_blank(self) -> bool:
        """True if the whole page has one colour."""
        low, high = self._image.getextrema()
        return low == high

    def unexplained_share(self, words: Iterable[Rect], images: Iterable[Rect]) -> float:
        """The share of the page that looks like text, but is neither in one of these words nor in a photograph."""
        cells = self._text_cells()
        draw = ImageDraw.Draw(cells)
        for left, top, right, bottom in words:
            # Add half a cell on each side, because letters may exceed their boxes, and boxes do not end at cells.
            sides = (left / CELL - 0.5, top / CELL - 0.5, right / CELL + 0.5, bottom / CELL + 0.5)
            draw.rectangle(tuple(map(int, sides)), fill=0)
        for image in images:
            if self._is_photograph(image):
                draw.rectangle(tuple(int(side / CELL) for side in image), fill=0)
        return _white_share(_runs(cells))

    def _text_cells(self) -> Image.Image:
        """A picture with one pixel per cell: white if the cell has both horizontal and vertical edges, else black."""
        is_edge = [255 * (contrast >= EDGE_CONTRAST) for contrast in range(256)]
        # The contrast of each pixel with its left neighbour, and with the pixel above it.
        contrasts = (ImageChops.difference(self._image, ImageChops.offset(self._image, *by)) for by in ((1, 0), (0, 1)))
        vertical, horizontal = (contrast.point(is_edge).reduce(CELL) for contrast in contrasts)
        is_text = [255 * (share >= MIN_EDGE_SHARE * 255) for share in range(256)]
        return ImageChops.darker(vertical, horizontal).point(is_text)

    def _is_photograph(self, rect: Rect) -> bool:
        part = self._crop(rect)
        if part is None or part.width * part.height > MAX_PHOTOGRAPH_SHARE * self._width * self._height:
            return False
        levels = part.histogram()
        background = max(range(256), key=levels.__getitem__)
        near_background = sum(levels[max(0, background - BACKGROUND_SPREAD) : background + BACKGROUND_SPREAD + 1])
        return near_background < MIN_BACKGROUND_SHARE * part.width * part.height

    def _crop(self, rect: Rect) -> Image.Image | None:
        """The part of the page in the rectangle; None if the rectangle is outside the page."""
        left, top = max(0, int(rect[0])), max(0, int(rect[1]))
        right, bottom = min(self._width, int(rect[2]) + 1), min(self._height, int(rect[3]) + 1)
        return self._image.crop((left, top, right, bottom)) if left < right and top < bottom else None


def _runs(cells: Image.Image) -> Image.Image:
    """The white cells that belong to a run of at least MIN_RUN white cells in a row."""
    starts = cells
    for step in range(1, MIN_RUN):
        starts = ImageChops.darker(starts, ImageChops.offset(cells, -step, 0))
    runs = starts
    for step in range(1, MIN_RUN):
        runs = ImageChops.lighter(runs, ImageChops.offset(starts, step, 0))
    return runs


def _white_share(cells: Image.Image) -> float:
    return cells.histogram()[255] / (cells.width * cells.height)
