"""Child side: a PDF page drawn coarsely, to find which words are visible and how much else looks like text."""

from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageChops, ImageDraw

from docserver.layout import Rect

MAX_SIDE = 1600
"""Pixels; at one pixel a point an A4 page has 842."""

MIN_CONTRAST = 10
"""Grey levels between a visible word and its background; pale grey on white has 30."""

EDGE_CONTRAST = 30
"""Grey levels between two neighbouring pixels at an edge; thin grey letters of eight points still have as much."""

CELL = 8
"""Pixels: the side of the cells that look like text or not; about the height of a line."""

MIN_EDGE_SHARE = 0.14
"""Of the pixels of a text cell, for horizontal and for vertical edges: letters have both, rules one kind, and dashed
rules fewer."""

MIN_RUN = 4
"""Cells side by side that make a word; corners of boxes and markers of charts stand alone."""

MIN_BACKGROUND_SHARE = 0.35
"""Of an image, in about one grey level. Paper, print and charts have more, photographs less."""

BACKGROUND_SPREAD = 12
"""Grey levels by which the background of an image varies up and down, as paper does."""

MAX_PHOTOGRAPH_SHARE = 0.5
"""Of the page: a larger photograph may show a page of text."""


class PageVisibility:
    """A page drawn in grey at about one pixel a point. All rectangles are in its pixels, y downwards."""

    def __init__(self, page: Any) -> None:
        self._image: Image.Image = page.render(
            scale=min(1.0, MAX_SIDE / max(*page.get_size(), 1.0)), grayscale=True
        ).to_pil()
        self.width, self.height = self._image.size
        # The contrast of each pixel with the one to its left, and with the one above it.
        self._contrasts = [
            ImageChops.difference(self._image, ImageChops.offset(self._image, *by)) for by in ((1, 0), (0, 1))
        ]
        visible = [255 * (contrast >= MIN_CONTRAST) for contrast in range(256)]
        self._visible = ImageChops.lighter(*self._contrasts).point(visible).tobytes()

    @property
    def is_blank(self) -> bool:
        """True if the whole page has one colour."""
        low, high = self._image.getextrema()
        return low == high

    def is_visible(self, rect: Rect) -> bool:
        """True if something in the rectangle has contrast."""
        left, top, right, bottom = map(int, rect)
        left, right = max(0, left), min(right + 1, self.width)
        for row in range(max(0, top), min(bottom + 1, self.height)):
            if self._visible.find(255, row * self.width + left, row * self.width + right) >= 0:
                return True
        return False

    def unexplained_share(self, words: Iterable[Rect], images: Iterable[Rect]) -> float:
        """The share of the page that looks like text, but is in none of these words nor in a photograph."""
        cells = self._text_cells()
        draw = ImageDraw.Draw(cells)
        for left, top, right, bottom in words:
            # Half a cell more, because letters exceed their boxes and cells lie anywhere.
            sides = (left / CELL - 0.5, top / CELL - 0.5, right / CELL + 0.5, bottom / CELL + 0.5)
            draw.rectangle(tuple(map(int, sides)), fill=0)
        for image in images:
            if self._is_photograph(image):
                draw.rectangle(tuple(int(side / CELL) for side in image), fill=0)
        return _white_share(_runs(cells))

    def _text_cells(self) -> Image.Image:
        """One pixel for each cell: white where there are both horizontal and vertical edges, else black."""
        is_edge = [255 * (contrast >= EDGE_CONTRAST) for contrast in range(256)]
        vertical, horizontal = (contrast.point(is_edge).reduce(CELL) for contrast in self._contrasts)
        is_text = [255 * (share >= MIN_EDGE_SHARE * 255) for share in range(256)]
        return ImageChops.darker(vertical, horizontal).point(is_text)

    def _is_photograph(self, rect: Rect) -> bool:
        part = self._crop(rect)
        if part is None or part.width * part.height > MAX_PHOTOGRAPH_SHARE * self.width * self.height:
            return False
        levels = part.histogram()
        background = max(range(256), key=levels.__getitem__)
        near_background = sum(levels[max(0, background - BACKGROUND_SPREAD) : background + BACKGROUND_SPREAD + 1])
        return near_background < MIN_BACKGROUND_SHARE * part.width * part.height

    def _crop(self, rect: Rect) -> Image.Image | None:
        """The part of the page in the rectangle; None if it lies outside."""
        left, top = max(0, int(rect[0])), max(0, int(rect[1]))
        right, bottom = min(self.width, int(rect[2]) + 1), min(self.height, int(rect[3]) + 1)
        return self._image.crop((left, top, right, bottom)) if left < right and top < bottom else None


def _runs(cells: Image.Image) -> Image.Image:
    """The white cells that have at least MIN_RUN in a row."""
    starts = cells
    for step in range(1, MIN_RUN):
        starts = ImageChops.darker(starts, ImageChops.offset(cells, -step, 0))
    runs = starts
    for step in range(1, MIN_RUN):
        runs = ImageChops.lighter(runs, ImageChops.offset(starts, step, 0))
    return runs


def _white_share(cells: Image.Image) -> float:
    return cells.histogram()[255] / (cells.width * cells.height)
