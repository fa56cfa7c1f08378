"""Child side: finds what looks like text on a drawn PDF page and is in no word of its text layer."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from docserver.layout import Box, Rect
from docserver.ocr.pdf.coordinates import is_in, scaled
from docserver.ocr.pdf.drawn_pictures import is_photograph, with_clear_pictures

EDGE_CONTRAST = 30
"""Smallest contrast between two neighbouring pixels at an edge, in grey levels. Even thin grey letters of eight points
have this contrast."""

CELL = 8
"""Side of a cell in pixels, about the height of a line. For each cell, it is decided whether it looks like text."""

MIN_EDGE_SHARE = 0.14
"""Smallest share of the pixels in a text cell that are horizontal edges, and the same for vertical edges. Letters have
both kinds, ruled lines have one kind, and dashed lines have fewer."""

MIN_RUN = 4
"""Fewest text cells in a row or in a column that count as a word. Corners of boxes and markers in charts are single
cells."""

MIN_SHORT_RUN = 2
"""Fewest text cells of a short word, such as an amount, that is drawn as a shape."""

MIN_SLENDERNESS = 2.0
"""A short word is at least this many times as long as high. Radio buttons, symbols and markers in charts are not."""

GROUPED = 128
"""The level of the cells of the group whose box is sought."""

MAX_SHORT_HEIGHT = 20
"""Height of the highest letters of a short word, in pixels of the drawing. Higher words have longer runs."""

MIN_LARGE_CELLS, MIN_LARGE_SHARE = 6, 0.2
"""Fewest text cells of a word in large letters, and their smallest share of its cells. Strokes do not cross in all of
them."""

MAX_LARGE_HEIGHT = 64
"""Height of the highest letters that are looked for, in pixels of the drawing."""

MIN_LARGE_SLENDERNESS = 1.2
"""A word in large letters is at least this many times as long as high."""

MAX_LARGE_GAP = 0.5
"""Widest gap between two letters of such a word, as a share of their height. Radio buttons are further apart."""

MAX_STRAIGHT_SHARE = 0.7
"""Longest straight edge of a word in large letters, as a share of its width. Boxes and tables have longer ones."""

MAX_SHORT_WORDS = 50
"""Most places that are examined for short words. A page with more is a drawing with symbols."""

MIN_COVERED_SHARE = 0.2
"""Smallest share of a recognised word's cells that look like text. A word may only touch some of its cells."""

MIN_LETTER_HEIGHT = 3.0
"""Height of the lowest letters that are read, in pixels of the drawing. Dots and dashes are lower."""

MIN_BULLET_INK, MAX_BULLET_SLENDERNESS = 0.7, 1.5
"""A bullet fills its box with at least this share of ink, and is not much longer one way than the other. Letters fill
half of their boxes, or are as slender as an I."""

BAND_MARGIN = 16
"""Pixels above and below a patch that are read with it: a line of text."""

BLACK, WHITE = 0, 255

_ANY_INK = bytes([0] + [255] * 255)


@dataclass(frozen=True, slots=True)
class TextPatches:
    """The parts of a drawn page that look like text and are in no word. They have to be read from the page's picture.

    Rectangles are in pixels of the page's picture, which may be larger than the drawing.
    """

    _cells: Image.Image
    """One pixel per cell of the drawing: white if it has to be read."""
    words: tuple[Rect, ...]
    """The words that the text layer has."""
    unread: tuple[Rect, ...]
    """Words with letters that have no Unicode mapping, words of which a part is hidden, and short words as shapes."""
    _cell: float
    """Side of a cell in pixels of the picture."""

    @classmethod
    def of(
        cls, drawn: Image.Image, *, width: int, words: Iterable[Rect], images: Iterable[Rect], unread: Sequence[Rect]
    ) -> "TextPatches":
        """The patches of a page whose picture has this width. `words` are those that the text layer has, and `unread`
        those that it has not, though their places are known.
        """
        cell = CELL * width / drawn.width
        words = tuple(words)
        scale = cell / CELL
        pictures = [scaled(image, 1 / scale) for image in images]
        clear = with_clear_pictures(drawn, pictures)
        cells = _text_cells(clear)
        _clear(cells, words, cell)
        for picture in pictures:
            if is_photograph(drawn, picture):
                _fill(cells, picture, CELL, BLACK)
        short = _short_words(cells, clear, words=words, scale=scale)
        unread = (*unread, *short, *_large_words(cells, clear, scale=scale))
        cells = _runs(cells, MIN_RUN)
        for word in unread:
            _fill(cells, word, cell, WHITE)
        return cls(cells, words, unread, cell)

    @property
    def area(self) -> float:
        """In pixels of the picture."""
        return _white(self._cells) * self._cell**2

    @property
    def share(self) -> float:
        """The share of the page that has to be read."""
        return _white(self._cells) / (self._cells.width * self._cells.height)

    def within(self, rects: Iterable[Rect]) -> "TextPatches":
        """The patches within these rectangles."""
        mask = Image.new("L", self._cells.size)
        for rect in rects:
            _fill(mask, rect, self._cell, WHITE)
        return replace(self, _cells=ImageChops.darker(self._cells, mask))

    def without(self, words: Iterable[Rect]) -> "TextPatches":
        """What is left to be read after these words have been read."""
        cells = self._cells.copy()
        rects = list(words)
        _clear(cells, rects, self._cell)
        unread = tuple(place for place in self.unread if not any(is_in(place, rect) for rect in rects))
        return replace(self, _cells=_runs(cells, MIN_RUN), unread=unread)

    def have(self, box: Box) -> bool:
        """True if a recognised word with this box is in a patch."""
        left, top, right, bottom = (int(side / self._cell) for side in box)
        part = self._cells.crop((left, top, max(left, right) + 1, max(top, bottom) + 1))
        return _white(part) >= MIN_COVERED_SHARE * part.width * part.height

    def bands(self, picture: Image.Image) -> Image.Image:
        """The grey picture with nothing but the bands across the page that have patches. Their edges cut no word."""
        margin = BAND_MARGIN / CELL * self._cell
        is_in_band = bytearray(picture.height)
        for row in range(self._cells.height):
            if _white(self._cells.crop((0, row, self._cells.width, row + 1))):
                _mark(is_in_band, row * self._cell - margin, (row + 1) * self._cell + margin)
        bands = bytes(is_in_band)
        for _, top, _, bottom in self.words:
            first, end = max(0, int(top)), max(0, int(bottom) + 1)
            if bands.find(255, first, end) >= 0:
                _mark(is_in_band, first, end)
        mask = Image.frombytes("L", (1, picture.height), bytes(is_in_band)).resize(picture.size)
        paper = _most_frequent(picture.histogram())
        return Image.composite(picture, Image.new("L", picture.size, paper), mask)


def is_blank(drawn: Image.Image) -> bool:
    """True if the whole page has one colour."""
    low, high = drawn.getextrema()
    return low == high


def has_contrast(drawn: Image.Image, rect: Rect, width: int) -> bool:
    """True if something is seen in this rectangle of a page whose picture has this width."""
    left, top, right, bottom = (int(side * drawn.width / width) for side in rect)
    box = max(0, left), max(0, top), min(right + 1, drawn.width), min(bottom + 1, drawn.height)
    levels = drawn.crop(box).tobytes()
    return bool(levels) and max(levels) - min(levels) >= EDGE_CONTRAST


def is_mark(drawn: Image.Image, word: Rect, width: int) -> bool:
    """True if a word of a page whose picture has this width is no letter but a bullet or a row of dots."""
    scale = drawn.width / width
    left, top, right, bottom = (side * scale for side in word)
    if bottom - top < MIN_LETTER_HEIGHT:
        return True
    x0, y0, x1, y1 = int(left), int(top), int(right) + 1, int(bottom) + 1
    levels = drawn.crop((x0, y0, x1, y1)).histogram()
    with_paper = drawn.crop((x0 - 1, y0 - 1, x1 + 1, y1 + 1)).histogram()
    paper = max(range(256), key=lambda level: with_paper[level] - levels[level])
    contrasts = [(abs(level - paper), count) for level, count in enumerate(levels) if count]
    ink = sum(contrast * count for contrast, count in contrasts) / max(max(contrasts)[0], 1)
    slenderness = max(right - left, bottom - top) / max(min(right - left, bottom - top), 1.0)
    return slenderness < MAX_BULLET_SLENDERNESS and ink > MIN_BULLET_INK * (right - left) * (bottom - top)


def _mark(rows: bytearray, first: float, end: float) -> None:
    start, stop = max(0, int(first)), min(len(rows), int(end) + 1)
    rows[start:stop] = b"\xff" * (stop - start)


def _text_cells(drawn: Image.Image) -> Image.Image:
    """A picture with one pixel per cell: white if the cell has both horizontal and vertical edges, else black."""
    vertical, horizontal = (_edges(drawn, *by).reduce(CELL) for by in ((1, 0), (0, 1)))
    is_text = [255 * (share >= MIN_EDGE_SHARE * 255) for share in range(256)]
    return ImageChops.darker(vertical, horizontal).point(is_text)


def _edges(drawn: Image.Image, x: int, y: int) -> Image.Image:
    """White where a pixel has contrast with the pixel on its left (1, 0), or with that above it (0, 1); else black."""
    contrast = ImageChops.difference(drawn, ImageChops.offset(drawn, x, y))
    return contrast.point([255 * (level >= EDGE_CONTRAST) for level in range(256)])


def _most_frequent(levels: Sequence[int]) -> int:
    """The grey level with the most pixels in a histogram."""
    return max(range(len(levels)), key=levels.__getitem__)


def _fill(cells: Image.Image, rect: Rect, cell: float, colour: int) -> None:
    """Give the cells of this rectangle a colour."""
    ImageDraw.Draw(cells).rectangle(tuple(int(side / cell) for side in rect), fill=colour)


def _clear(cells: Image.Image, words: Iterable[Rect], cell: float) -> None:
    """Make the cells of these words black."""
    draw = ImageDraw.Draw(cells)
    for left, top, right, bottom in words:
        # Add half a cell on each side, because letters may exceed their boxes, and boxes do not end at cells.
        sides = (left / cell - 0.5, top / cell - 0.5, right / cell + 0.5, bottom / cell + 0.5)
        draw.rectangle(tuple(map(int, sides)), fill=0)


def _short_words(cells: Image.Image, drawn: Image.Image, *, words: Iterable[Rect], scale: float) -> list[Rect]:
    """The places of what looks like short words beside these words, in pixels of the picture. The picture is `scale`
    times as large as the drawing.
    """
    longer = _runs(cells, MIN_RUN)
    short = ImageChops.subtract(_runs(cells, MIN_SHORT_RUN), longer)
    if not short.getbbox():
        return []
    edges = _edges(drawn, 1, 0)
    _clear(edges, words, scale)
    boxes = itertools.islice(components(short), MAX_SHORT_WORDS)
    places = [_ink_in(edges, box) for box in boxes if not longer.crop(_with_neighbours(box)).getbbox()]
    return [
        (left * scale, top * scale, right * scale, bottom * scale)
        for left, top, right, bottom in places
        if MIN_LETTER_HEIGHT <= bottom - top <= MAX_SHORT_HEIGHT and right - left >= MIN_SLENDERNESS * (bottom - top)
    ]


def _large_words(cells: Image.Image, drawn: Image.Image, *, scale: float) -> Iterator[Rect]:
    """The places of what looks like words in large letters, in pixels of the picture, as for short words."""
    loose = ImageChops.subtract(cells, _runs(cells, MIN_RUN))
    if _white(loose) < MIN_LARGE_CELLS:
        return
    edges = _edges(drawn, 0, 1)
    for box in itertools.islice(components(cells.filter(ImageFilter.MaxFilter(3))), MAX_SHORT_WORDS):
        x, y = box[0] * CELL, box[1] * CELL
        ink = edges.crop((x, y, box[2] * CELL, box[3] * CELL)).getbbox()
        if not ink or not _are_crossing_strokes(cells.crop(box), loose.crop(box)):
            continue
        rect = x + ink[0], y + ink[1], x + ink[2], y + ink[3]
        width, height = rect[2] - rect[0], rect[3] - rect[1]
        if (
            height <= MAX_LARGE_HEIGHT
            and width >= MIN_LARGE_SLENDERNESS * height
            and _longest_edge(edges.crop(rect)) <= MAX_STRAIGHT_SHARE * width
            and _widest_gap(edges.crop(rect)) <= MAX_LARGE_GAP * height
        ):
            yield rect[0] * scale, rect[1] * scale, rect[2] * scale, rect[3] * scale


def _are_crossing_strokes(cells: Image.Image, loose: Image.Image) -> bool:
    """True if text cells, most of which are in no longer run, are as dense as the crossings in large letters."""
    left, top, right, bottom = cells.getbbox() or (0, 0, 0, 0)
    count = _white(cells)
    is_dense = count >= max(MIN_LARGE_CELLS, MIN_LARGE_SHARE * (right - left) * (bottom - top))
    return is_dense and 2 * _white(loose) >= count


def _longest_edge(edges: Image.Image) -> int:
    """The number of pixels of the longest straight edge from left to right."""
    rows = (edges.crop((0, y, edges.width, y + 1)).tobytes() for y in range(edges.height))
    return max(len(run) for row in rows for run in row.split(b"\0"))


def _widest_gap(edges: Image.Image) -> int:
    """The number of columns of the widest gap between edges."""
    columns = edges.reduce((1, edges.height)).tobytes()
    return max(map(len, columns.translate(_ANY_INK).split(b"\xff")))


def components(cells: Image.Image) -> Iterator[Box]:
    """The boxes of the groups of white cells. The cells become black."""
    while (first := cells.tobytes().find(255)) >= 0:
        ImageDraw.floodfill(cells, (first % cells.width, first // cells.width), GROUPED)
        box = cells.point([255 * (level == GROUPED) for level in range(256)]).getbbox()
        assert box is not None
        yield box
        cells.paste(cells.point([0 if level == GROUPED else level for level in range(256)]))


def _with_neighbours(cells: Box) -> Box:
    left, top, right, bottom = cells
    return left - 2, top - 2, right + 2, bottom + 2


def _ink_in(edges: Image.Image, cells: Box) -> Box:
    """The box in pixels around the shapes that have edges in these cells, with all their rows. It has no area if a
    shape goes on to the left or right of the neighbouring cells.
    """
    left, _, right, _ = _with_neighbours(cells)
    x0, x1 = max(0, left * CELL), min(right * CELL, edges.width)
    strip = edges.crop((x0, 0, x1, edges.height))
    rows = strip.reduce((strip.width, 1)).tobytes()
    top = next((y for y in range(cells[1] * CELL, min(cells[3] * CELL, len(rows))) if rows[y]), 0)
    bottom = rows.find(0, top) % (len(rows) + 1)
    top = rows.rfind(0, 0, top) + 1
    ink = strip.crop((0, top, strip.width, bottom)).getbbox()
    if ink is None or ink[0] == 0 or ink[2] == strip.width:
        return 0, 0, 0, 0
    return x0 + ink[0], top, x0 + ink[2], bottom


def _runs(cells: Image.Image, length: int) -> Image.Image:
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


def _white(cells: Image.Image) -> int:
    return cells.histogram()[255]
