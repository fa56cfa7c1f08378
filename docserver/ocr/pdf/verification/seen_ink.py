"""Child side: measures how much of each word one sees, in drawings of a page with and without its words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from docserver.layout import Box, Rect
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.page_objects import is_embedded
from docserver.ocr.pdf.words.text_cells import Rects, black_and_white

MIN_CONTRAST = 10
"""Smallest contrast of a letter with what is behind it, in grey levels. Pale grey on white has 30."""

SOLID_INK = 64
"""Darkness from which a pixel belongs to a letter for certain, in grey levels, and not to its blurred edge."""

NARROW_PX = 2
"""Width of a narrow letter, such as an I of eight points, and height of a dash."""

MAX_HIDDEN_SHARE = 0.8
"""Largest share of a word's solid ink that may be hidden if no letter is seen whole. Of a word under a bar, an edge may
still be seen."""

MAX_UNSEEN_SHARE = 0.3
"""Largest share of a word's solid ink that a line through the word hides. With more, its letters are hard to read."""

MAX_SHARED_INK = 0.5
"""Largest share of a word's solid ink that may be under the ink of other words."""

LETTER_WIDTH = 0.25
"""Width of a narrow digit's ink, as a share of the letters' height."""

UNDERSCORE_DEPTH = 0.25
"""Height of what is below the baseline, where underscores are, as a share of the letters' height."""

MAX_GAP, MAX_GAP_ACROSS = 0.35, 0.25
"""Widest gap between the ink of a whole word and an end of its box, and between it and the upper or lower side, as a
share of the letters' height. It is wider where a letter is cut off."""

MIN_LENGTH = 1.5
"""A word is at least this many times as long as high. Single letters may have wide gaps on all sides."""

MIN_MARGIN = 3
"""Gaps up to this width say nothing, in pixels."""

END_ROWS = 6
"""The ends of words are looked at in the rows that part them into so many parts, to save time."""

LAST_COMMON_LETTER = "\xff"
"""The last of the letters (of Latin-1) for which PDFium always has glyphs."""

MIN_GONE, MAX_CLEAR = 0.9, 0.1
"""Share of the ink in a line of pixels from which the line is hidden, and up to which it is seen."""

Numbers = npt.NDArray[np.int_]


class Seen(Enum):
    """How much of a word one sees."""

    ALL = "all"
    PART = "part"
    NOTHING = "nothing"


@dataclass(slots=True)
class Candidate:
    """A word of the text layer that may be visible. It is not frozen, since that would take a millisecond a page."""

    text: str
    rect: Rect
    """In pixels of the drawing."""
    height: float
    """Height of its letters from descender to ascender, in pixels of the drawing."""
    address: int
    """Address of the text object that draws it."""
    has_glyphs: bool
    """False if PDFium draws nothing for it, though viewers with its font do."""

    @property
    def is_sign(self) -> bool:
        return not any(map(str.isalnum, self.text))


class SeenInk:
    """What is visible of some text objects of a page."""

    def __init__(
        self, whole: Image.Image, *, drawing: PageDrawing, texts: Mapping[int, Any], others: Sequence[Any]
    ) -> None:
        """`whole` is the drawing of the whole page. `texts` has objects by their addresses, `others` are all others.

        `without` is the drawing without the texts, and `contrast` its difference from the whole one, in grey levels.
        """
        self._texts = texts
        # A page that has nothing but these texts need not be drawn again.
        is_all = not others and not drawing.has_annotations
        self.are_with_others = not is_all
        without = Image.new(whole.mode, whole.size, "white") if is_all else drawing.without(texts.values())
        self.without = without
        self._contrast = _strongest(ImageChops.invert(whole) if is_all else ImageChops.difference(whole, without))
        self.contrast = np.asarray(self._contrast)
        self._width, self._height = whole.size
        self._has_hidden = False
        if not is_all:
            self._find_hidden(whole, drawing=drawing, others=others)

    def _find_hidden(self, whole: Image.Image, *, drawing: PageDrawing, others: Sequence[Any]) -> None:
        """Find the ink that is covered. On white paper, the contrast of texts alone is their ink, so none is hidden."""
        ink = _strongest(drawing.ink_without(others, on_black=False))
        if np.any(np.asarray(whole) > np.asarray(self.without)):
            # Some letters are lighter than what is behind them. They have little or no contrast with white paper.
            ink = ImageChops.lighter(ink, _strongest(drawing.ink_without(others, on_black=True)))
        solid = np.asarray(ink) >= SOLID_INK
        # What is covered makes no difference at all. Pale letters make a small one.
        hidden = solid & (self.contrast == 0)
        if hidden.any():
            self._has_hidden = True
            self._solid, self._hidden = black_and_white(solid), black_and_white(hidden)
            self._vanished = _where_paper_is(whole, hidden)

    @cached_property
    def _visible(self) -> bytes:
        """For each pixel, 1 if something is visible in it."""
        return (self.contrast >= MIN_CONTRAST).tobytes()

    def seen_whole(self, words: Sequence[Candidate], rects: Rects) -> set[int]:
        """The numbers of those of these words, in these rectangles, of which one sees all for certain. To look at most
        words together takes a tenth of the time that `of` takes for each.
        """
        if self._has_hidden:
            return set()
        limit = max(self._width, self._height) + 1
        sides = np.clip(rects, -1, limit).astype(int)
        length, height = sides[:, 2] - sides[:, 0], sides[:, 3] - sides[:, 1]
        x, y = length < NARROW_PX, height < NARROW_PX
        left, top, right, bottom = sides[:, 0] - x, sides[:, 1] - y, sides[:, 2] + 1 + x, sides[:, 3] + 1 + y
        inside = np.flatnonzero((left > 0) & (top > 0) & (right < self._width) & (bottom < self._height))
        left, top, right, bottom, length, height = (of[inside] for of in (left, top, right, bottom, length, height))
        if not inside.size:
            return set()
        heights = np.array([word.height for word in words])[inside]
        along, across = (np.maximum(MIN_MARGIN, np.rint(share * heights)) for share in (MAX_GAP, MAX_GAP_ACROSS))
        x_margin = np.minimum(np.where(height > MIN_LENGTH * length, across, along), right - left).astype(int)
        y_margin = np.minimum(np.where(length > MIN_LENGTH * height, across, along), bottom - top).astype(int)
        # How many pixels before each one of these rows have ink.
        start, end = int(top.min()), int(bottom.max())
        sums = np.empty((end - start) * self._width + 1, np.int32)
        sums[0] = 0
        np.cumsum(self.contrast[start:end] >= MIN_CONTRAST, out=sums[1:])

        def have_ink(rows: Numbers, starts: Numbers, ends: Numbers) -> npt.NDArray[np.bool_]:
            """For each of these parts of rows of pixels, True if something is visible in it."""
            first = (rows - start) * self._width
            return np.asarray(sums[first + ends] > sums[first + starts])

        rows = top + (bottom - top) * np.arange(1, END_ROWS)[:, None] // END_ROWS
        edge = np.arange(MIN_MARGIN)[:, None]
        is_whole = (
            have_ink(rows, left, left + x_margin).any(axis=0)
            & have_ink(rows, right - x_margin, right).any(axis=0)
            & ((edge < y_margin) & have_ink(np.minimum(top + edge, bottom - 1), left, right)).any(axis=0)
            & ((edge < y_margin) & have_ink(np.maximum(bottom - 1 - edge, top), left, right)).any(axis=0)
        )
        return set(inside[is_whole].tolist())

    def of(self, word: Candidate) -> Seen:
        """How much one sees of the word, which is drawn by one of the text objects."""
        left, top, right, bottom = map(int, word.rect)
        # PDFium draws small letters at whole pixels, so a narrow one may be beside its place, and a dash above it.
        x, y = int(right - left < NARROW_PX), int(bottom - top < NARROW_PX)
        box = max(0, left - x), max(0, top - y), min(right + 1 + x, self._width), min(bottom + 1 + y, self._height)
        if box[0] >= box[2] or box[1] >= box[3]:
            return Seen.NOTHING
        length, height = right - left, bottom - top
        margins = _margins(word.height, lies=length > MIN_LENGTH * height, stands=height > MIN_LENGTH * length)
        if self._is_uncut(box, margins):
            return self._beside_hidden(word, box) if self._has_hidden else Seen.ALL
        ink = self._contrast.crop(box).getbbox()
        if not self._has_ink(box):
            # The dots before a page number are so small that they are pale.
            return Seen.ALL if word.is_sign and ink else Seen.NOTHING
        seen = self._beside_hidden(word, box) if self._has_hidden else Seen.ALL
        if seen is Seen.ALL and not word.is_sign and ink and _is_cut(word.rect, box=box, ink=ink, margins=margins):
            return Seen.ALL if self._may_lack_glyphs(word) else Seen.PART
        return seen

    def hidden_share(self, rect: Rect) -> float:
        """The share of the texts' ink within a rectangle that is covered."""
        left, top, right, bottom = rect
        box = math.ceil(left), math.ceil(top), math.floor(right), math.floor(bottom)
        if not self._has_hidden or box[0] >= box[2] or box[1] >= box[3]:
            return 0.0
        return self._hidden.crop(box).histogram()[255] / max(self._solid.crop(box).histogram()[255], 1)

    def _may_lack_glyphs(self, word: Candidate) -> bool:
        """True if PDFium may draw only some of the word's letters, though viewers with its font draw all of them."""
        return max(word.text) > LAST_COMMON_LETTER and not is_embedded(self._texts[word.address])

    def _beside_hidden(self, word: Candidate, box: Box) -> Seen:
        """How much one sees of a word that has contrast, though some of its ink may be hidden."""
        if "_" in word.text and not word.is_sign:
            # The line under a link hides underscores, and one still knows that they are there.
            left, top, right, bottom = box
            box = left, top, right, max(top + 1, bottom - round(UNDERSCORE_DEPTH * word.height))
        hidden, solid = self._hidden.crop(box), self._solid.crop(box)
        share = hidden.histogram()[255] / max(solid.histogram()[255], 1)
        if not share:
            return Seen.ALL
        (gone, clear), (gone_across, _) = _longest_runs(hidden, solid)
        letter = max(NARROW_PX, LETTER_WIDTH * word.height)
        if share > MAX_HIDDEN_SHARE and clear < letter:
            return Seen.NOTHING
        if max(gone, gone_across) >= (NARROW_PX if share > MAX_UNSEEN_SHARE else letter):
            return Seen.ALL if word.is_sign else Seen.PART
        if not word.is_sign and _lacks_character(self._vanished.crop(box), solid):
            return Seen.PART
        # No letter or line of pixels is hidden as a whole: the ink lies under ink of about the same shape.
        return Seen.ALL if share <= MAX_SHARED_INK else Seen.NOTHING

    def _is_uncut(self, box: Box, margins: tuple[int, int]) -> bool:
        """True if there is ink at each side of the box, which does not touch the edges of the page. The margins are how
        far from the side it may be.
        """
        left, top, right, bottom = box
        if left == 0 or top == 0 or right == self._width or bottom == self._height:
            return False
        x_margin, y_margin = margins
        end, start, high, low = left + x_margin, right - x_margin, top + y_margin, bottom - y_margin
        if end > right or high > bottom:
            end, start, high, low = min(end, right), max(start, left), min(high, bottom), max(low, top)
        find, width, middle = self._visible.find, self._width, (top + bottom) // 2 * self._width
        # Almost all words have ink at both ends of their middle row.
        return (
            (find(True, middle + left, middle + end) >= 0 or self._has_ink((left, top, end, bottom)))
            and (find(True, middle + start, middle + right) >= 0 or self._has_ink((start, top, right, bottom)))
            and (find(True, top * width + left, top * width + right) >= 0 or self._has_ink((left, top, right, high)))
            and (find(True, low * width + left, low * width + right) >= 0 or self._has_ink((left, low, right, bottom)))
        )

    def _has_ink(self, box: Box) -> bool:
        left, top, right, bottom = box
        find, width = self._visible.find, self._width
        for first in range(top * width, bottom * width, width):  # noqa: SIM110 - `any` takes twice as long
            if find(True, first + left, first + right) >= 0:
                return True
        return False


@lru_cache(maxsize=100)
def _margins(height: float, *, lies: bool, stands: bool) -> tuple[int, int]:
    """How far from the sides of its box, along the x and the y axis, the ink of a word may be. Its letters have this
    height, and it lies along the x axis, stands along the y axis, or is about as long as high.
    """
    along, across = (max(MIN_MARGIN, round(share * height)) for share in (MAX_GAP, MAX_GAP_ACROSS))
    return across if stands else along, across if lies else along


def _is_cut(word: Rect, *, box: Box, ink: Box, margins: tuple[int, int]) -> bool:
    """True if there is a wider gap than the margins between a side of the word and the ink, whose place is given in the
    box.
    """
    left, top, right, bottom = word
    x_gap = max(box[0] + ink[0] - left, right - box[0] - ink[2])
    y_gap = max(box[1] + ink[1] - top, bottom - box[1] - ink[3])
    return x_gap > margins[0] or y_gap > margins[1]


def _longest_runs(hidden: Image.Image, solid: Image.Image) -> list[tuple[int, int]]:
    """Of lines across a word and of lines along it: the most in a row with hidden ink, and the most with visible ink.

    Lines without ink do not count. The word is as long as the longer side of the two pictures.
    """
    sides = [(1, solid.height), (solid.width, 1)]
    if solid.height > solid.width:
        sides.reverse()
    return [_runs(hidden.reduce(side).tobytes(), solid.reduce(side).tobytes()) for side in sides]


def _where_paper_is(whole: Image.Image, hidden: npt.NDArray[np.bool_]) -> Image.Image:
    """White where the paper is seen instead of hidden ink, so that nothing tells that something is hidden."""
    grey = whole.convert("L")
    levels = grey.histogram()
    paper = levels.index(max(levels))
    return black_and_white(hidden & (np.abs(np.asarray(grey).astype(np.int16) - paper) < SOLID_INK))


def _lacks_character(vanished: Image.Image, solid: Image.Image) -> bool:
    """True if all ink between two gaps of a word has vanished, as a point does under a white box."""
    side = (1, solid.height) if solid.width >= solid.height else (solid.width, 1)
    gone = ink = 0
    for vanished_ink, solid_ink in zip(
        [*vanished.reduce(side).tobytes(), 0], [*solid.reduce(side).tobytes(), 0], strict=True
    ):
        if not solid_ink and ink:
            if gone >= MIN_GONE * ink:
                return True
            gone = ink = 0
        gone, ink = gone + vanished_ink, ink + solid_ink
    return False


def _runs(hidden: bytes, solid: bytes) -> tuple[int, int]:
    gone = clear = longest_gone = longest_clear = 0
    for hidden_ink, ink in zip(hidden, solid, strict=True):
        if ink:
            gone = gone + 1 if hidden_ink >= MIN_GONE * ink else 0
            clear = clear + 1 if hidden_ink <= MAX_CLEAR * ink else 0
            longest_gone, longest_clear = max(longest_gone, gone), max(longest_clear, clear)
    return longest_gone, longest_clear


def _strongest(picture: Image.Image) -> Image.Image:
    """For each pixel, the highest level of its colours."""
    if picture.mode == "L":
        return picture
    red, green, blue = picture.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)
