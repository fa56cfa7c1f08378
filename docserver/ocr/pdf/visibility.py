"""Child side: a PDF page looked at, drawn coarsely: which words are seen, and how much is seen that may be others."""

from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageChops, ImageDraw

from docserver.layout import Rect

LONGEST_SIDE = 1600
"""Pixels; at one pixel a point an A4 page has 842."""

FAINT = 10
"""Grey levels: words that differ less from what is behind them are not seen; pale grey on white differs by 30."""

EDGE = 30
"""Grey levels between two neighbours that make an edge; thin grey letters of eight points still have such."""

CELL = 8
"""Pixels: the side of the squares that look like text or do not; about the height of a line."""

LIVELY = 0.14
"""The least share of edges, both along and across, in a square of text: letters have both kinds, rules have one, and
dashed rules have fewer."""

RUN = 4
"""Squares side by side that make a word; corners of boxes and markers of charts stand alone."""

ONE_COLOUR = 0.35
"""Share of a picture in about one grey level. Paper, print and charts have more, photographs less."""

ABOUT = 12
"""Grey levels: as far as paper is uneven."""

PHOTOGRAPH = 0.5
"""Share of the page: a larger photograph may be one of a page of text."""


class Sight:
    """A page drawn in grey at about one pixel a point."""

    def __init__(self, page: Any) -> None:
        self._image: Image.Image = page.render(
            scale=min(1.0, LONGEST_SIDE / max(*page.get_size(), 1.0)), grayscale=True
        ).to_pil()
        self.width, self.height = self._image.size
        # How much each pixel differs from the one to its left, and from the one above it.
        self._steps = [
            ImageChops.difference(self._image, ImageChops.offset(self._image, *by)) for by in ((1, 0), (0, 1))
        ]
        self._marks = ImageChops.lighter(*self._steps).point([255 * (step >= FAINT) for step in range(256)]).tobytes()

    @property
    def blank(self) -> bool:
        """Whether there is nothing to see at all."""
        low, high = self._image.getextrema()
        return low == high

    def sees(self, place: Rect) -> bool:
        """Whether something stands out there."""
        left, top, right, bottom = map(int, place)
        left, right = max(0, left), min(right + 1, self.width)
        for row in range(max(0, top), min(bottom + 1, self.height)):
            if self._marks.find(255, row * self.width + left, row * self.width + right) >= 0:
                return True
        return False

    def unexplained(self, words: Iterable[Rect], pictures: Iterable[Rect]) -> float:
        """The share of the page that looks like text and is none of these words, nor a photograph."""
        squares = self._like_text()
        draw = ImageDraw.Draw(squares)
        for left, top, right, bottom in words:
            # Half a square more: letters reach out of their boxes, and squares lie anywhere.
            sides = (left / CELL - 0.5, top / CELL - 0.5, right / CELL + 0.5, bottom / CELL + 0.5)
            draw.rectangle(tuple(map(int, sides)), fill=0)
        for picture in pictures:
            if self._is_photograph(picture):
                draw.rectangle(tuple(int(side / CELL) for side in picture), fill=0)
        return _share(_runs(squares))

    def _part(self, place: Rect) -> Image.Image | None:
        left, top = max(0, int(place[0])), max(0, int(place[1]))
        right, bottom = min(self.width, int(place[2]) + 1), min(self.height, int(place[3]) + 1)
        return self._image.crop((left, top, right, bottom)) if left < right and top < bottom else None

    def _is_photograph(self, place: Rect) -> bool:
        part = self._part(place)
        if part is None or part.width * part.height > PHOTOGRAPH * self.width * self.height:
            return False
        levels = part.histogram()
        most = max(range(256), key=levels.__getitem__)
        return sum(levels[max(0, most - ABOUT) : most + ABOUT + 1]) < ONE_COLOUR * part.width * part.height

    def _like_text(self) -> Image.Image:
        """White squares where there are edges of both kinds, black ones elsewhere."""
        along, across = (
            step.point([255 * (level >= EDGE) for level in range(256)]).reduce(CELL) for step in self._steps
        )
        return ImageChops.darker(along, across).point([255 * (share >= LIVELY * 255) for share in range(256)])


def _runs(squares: Image.Image) -> Image.Image:
    """Of the white squares those in a row of RUN."""
    starts = squares
    for step in range(1, RUN):
        starts = ImageChops.darker(starts, ImageChops.offset(squares, -step, 0))
    runs = starts
    for step in range(1, RUN):
        runs = ImageChops.lighter(runs, ImageChops.offset(starts, step, 0))
    return runs


def _share(squares: Image.Image) -> float:
    return squares.histogram()[255] / (squares.width * squares.height)
