"""Child side: finds what looks like text on a drawn PDF page and is in no word of its text layer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops

from docserver.layout import Box, Rect, is_in
from docserver.ocr.image.spots import components
from docserver.ocr.pdf.coordinates import scaled, touched_pixels
from docserver.ocr.pdf.drawn_pictures import has_print, is_photograph, most_frequent, with_clear_pictures
from docserver.ocr.pdf.words.isolated_words import large_words, short_words
from docserver.ocr.pdf.words.slanted_text import slanted_texts
from docserver.ocr.pdf.words.text_cells import (
    BLACK,
    CELL,
    EDGE_CONTRAST,
    MIN_LETTER_HEIGHT,
    MIN_RUN,
    WHITE,
    BesideWords,
    count_white,
    fill,
    has_words_only,
    no_cells,
    runs_of,
    text_cells,
    without_words,
)

MIN_COVERED_SHARE = 0.2
"""Smallest share of a recognised word's cells that look like text. A word may only touch some of its cells."""

MIN_BULLET_INK, MAX_BULLET_SLENDERNESS = 0.7, 1.5
"""A bullet fills its box with at least this share of ink, and is not much longer one way than the other. Letters fill
half of their boxes, or are as slender as an I."""

BAND = 32
"""Height of the parts of a page in which something is looked for, in pixels."""

BAND_MARGIN = 16
"""Pixels above and below a patch that are read with it: a line of text."""


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
    _texts: tuple[Rect, ...]
    """Those of these words that the text layer knows, though not what they say or what is seen of them."""
    _pictures: tuple[Rect, ...]
    """Pictures that have text. What else is read there is text too: a chart with names also has numbers."""
    _cell: float
    """Side of a cell in pixels of the picture."""

    @classmethod
    def of(
        cls,
        drawn: Image.Image,
        *,
        width: int,
        words: Iterable[Rect],
        images: Iterable[Rect],
        unread: Sequence[Rect],
        beside: BesideWords | None = None,
    ) -> "TextPatches":
        """The patches of a page whose picture has this width. `words` are those that the text layer has, and `unread`
        those that it has not, though their places are known. `beside` may be what is known to be beside the words.
        """
        cell = CELL * width / drawn.width
        words = tuple(words)
        scale = cell / CELL
        pictures = [scaled(image, 1 / scale) for image in images]
        if not pictures and has_words_only(drawn, words, scale=scale, known=beside):
            cells = no_cells(drawn)
            for place in unread:
                fill(cells, place, cell, WHITE)
            return cls(cells, words, tuple(unread), tuple(unread), (), cell)
        clear = with_clear_pictures(drawn, pictures)
        cells = without_words(text_cells(clear), words, cell)
        for picture in pictures:
            if is_photograph(drawn, picture):
                _keep_print_only(cells, drawn, picture)
        short = short_words(cells, clear, words=words, scale=scale)
        slanted = slanted_texts(cells, clear, scale=scale)
        places = (*unread, *short, *large_words(cells, clear, scale=scale), *slanted)
        cells = runs_of(cells, MIN_RUN)
        with_text = tuple(scaled(picture, scale) for picture in _with_runs(pictures, cells))
        for place in places:
            fill(cells, place, cell, WHITE)
        return cls(cells, words, places, tuple(unread), with_text, cell)

    @property
    def area(self) -> float:
        """In pixels of the picture."""
        return count_white(self._cells) * self._cell**2

    @property
    def share(self) -> float:
        """The share of the page that has to be read."""
        return count_white(self._cells) / (self._cells.width * self._cells.height)

    def within(self, rects: Iterable[Rect]) -> "TextPatches":
        """The patches within these rectangles."""
        mask = Image.new("L", self._cells.size)
        for rect in rects:
            fill(mask, rect, self._cell, WHITE)
        return replace(self, _cells=ImageChops.darker(self._cells, mask))

    def without(self, words: Iterable[Rect]) -> "TextPatches":
        """What is left to be read after these words have been read."""
        rects = list(words)
        cells = without_words(self._cells, rects, self._cell)
        unread = tuple(place for place in self.unread if not any(is_in(place, rect) for rect in rects))
        return replace(self, _cells=runs_of(cells, MIN_RUN), unread=unread)

    def have(self, box: Box) -> bool:
        """True if a recognised word with this box is in a patch, or in a picture that has text."""
        if any(is_in(picture, box) for picture in self._pictures):
            return True
        left, top, right, bottom = (int(side / self._cell) for side in box)
        part = self._cells.crop((left, top, max(left, right) + 1, max(top, bottom) + 1))
        return count_white(part) >= MIN_COVERED_SHARE * part.width * part.height

    def is_text(self, box: Box) -> bool:
        """True if a recognised word with this box is text for certain, and no drawing."""
        return any(is_in(place, box) for place in self._texts)

    def bands(self, picture: Image.Image) -> Image.Image:
        """The grey picture with nothing but the bands across the page that have patches. Their edges cut no word."""
        margin = BAND_MARGIN / CELL * self._cell
        is_in_band = bytearray(picture.height)
        for row in range(self._cells.height):
            if count_white(self._cells.crop((0, row, self._cells.width, row + 1))):
                _mark(is_in_band, row * self._cell - margin, (row + 1) * self._cell + margin)
        for _, top, _, bottom in self._pictures:
            _mark(is_in_band, top, bottom)
        bands = bytes(is_in_band)
        for _, top, _, bottom in self.words:
            first, end = max(0, int(top)), max(0, int(bottom) + 1)
            if bands.find(255, first, end) >= 0:
                _mark(is_in_band, first, end)
        mask = Image.frombytes("L", (1, picture.height), bytes(is_in_band)).resize(picture.size)
        paper = most_frequent(picture.histogram())
        return Image.composite(picture, Image.new("L", picture.size, paper), mask)


def is_blank(drawn: Image.Image) -> bool:
    """True if the whole page has one colour."""
    colour = drawn.getpixel((0, 0))
    # Most pages have something in one of the first bands.
    bands = (drawn.crop((0, top, drawn.width, min(top + BAND, drawn.height))) for top in range(0, drawn.height, BAND))
    return all(band.getextrema() == (colour, colour) for band in bands)


def has_contrast(drawn: Image.Image, rect: Rect, width: int) -> bool:
    """True if something is seen in this rectangle of a page whose picture has this width."""
    levels = drawn.crop(touched_pixels(scaled(rect, drawn.width / width), *drawn.size)).tobytes()
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


def _with_runs(pictures: Iterable[Rect], runs: Image.Image) -> Iterator[Rect]:
    """Those of these pictures, in pixels of the drawing, that have such runs of text cells. None of the page's size."""
    for picture in pictures:
        left, top, right, bottom = box = touched_pixels(scaled(picture, 1 / CELL), *runs.size)
        is_large = 2 * (right - left) * (bottom - top) > runs.width * runs.height
        is_on_page = left < right and top < bottom
        if is_on_page and not is_large and runs.crop(box).getbbox():
            yield picture


def _keep_print_only(cells: Image.Image, drawn: Image.Image, photograph: Rect) -> None:
    """Blacken the cells of a photograph but for those of signs in it."""
    mask = Image.new("L", cells.size)
    fill(mask, photograph, CELL, WHITE)
    runs = runs_of(ImageChops.darker(cells, mask), MIN_RUN)
    fill(cells, photograph, CELL, BLACK)
    for left, top, right, bottom in components(np.asarray(runs) > 0):
        if has_print(drawn.crop((left * CELL, top * CELL, right * CELL, bottom * CELL))):
            box = left, top, right, bottom
            cells.paste(runs.crop(box), box)


def _mark(rows: bytearray, first: float, end: float) -> None:
    start, stop = max(0, int(first)), min(len(rows), int(end) + 1)
    rows[start:stop] = b"\xff" * (stop - start)
