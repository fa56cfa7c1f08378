"""Child side: decides which words of a text layer are visible, by drawing the page with and without them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops

from docserver.layout import Box, Rect
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.drawing import MAX_SIDE, PageDrawing
from docserver.ocr.pdf.page_objects import PageObjects
from docserver.ocr.pdf.undrawn_words import MIN_CONTRAST, would_show

SOLID_INK = 64
"""Darkness from which a pixel belongs to a letter for certain, in grey levels, and not to its blurred edge."""

NARROW_PX = 2
"""Width of a narrow letter, such as an I of eight points, and height of a dash."""

MAX_HIDDEN_SHARE = 0.5
"""Largest share of a word's solid ink that may be hidden. Of a word under a bar, an edge may still be seen."""

MIN_OVERLAP = 0.2
"""Words that overlap by this share of the smaller one are drawn one by one, to see which of them is visible. Letters of
two neighbouring words overlap less."""

MAX_REPEAT_OFFSET = 0.25
"""Largest distance of two equal words that are one word, drawn twice as a shadow or as bold, as a share of the letters'
height. The boxes must overlap too, so that 1 1 in narrow letters stays two words."""

MAX_LAYERS = 4
"""Most groups of overlapping words that are drawn one by one. Two are common: a correction over the old text."""

GRID_PX = 32
"""Side of the squares of a grid in which overlapping words are found. A word covers one to four."""

MAX_WORDS_IN_SQUARE = 64
"""Most words in a square of the grid, so that a page crammed with words is rejected and not compared word by word. The
smallest print has 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A word of the text layer that may be visible."""

    text: str
    rect: Rect
    """In pixels of the drawing."""
    height: float
    """Height of its letters from descender to ascender, in pixels of the drawing."""
    address: int
    """Address of the text object that draws it."""
    has_glyphs: bool
    """False if PDFium draws nothing for it, though viewers with its font do."""


def visible(
    words: Sequence[Candidate], *, whole: Image.Image, drawing: PageDrawing, objects: PageObjects
) -> list[bool]:
    """For each word, True if it is visible on the page. `whole` is the drawing of the whole page.

    Of a word that is drawn twice in the same place, one is visible. Raises TextLayerRejected if too many words overlap.
    """
    repeats, conflicts = _overlaps(words)
    layers = _layers(conflicts)
    visibilities = [
        _Visibility(whole, drawing=drawing, objects=objects, texts=texts)
        for texts in _texts_of_layers(objects.texts, layers)
    ]
    result = [word.has_glyphs and visibilities[layers.get(word.address, 0)].shows(word) for word in words]
    undrawn = [index for index, word in enumerate(words) if not word.has_glyphs]
    if undrawn:
        places = [(words[index].address, words[index].rect) for index in undrawn]
        shown = would_show(places, whole=whole, drawing=drawing, objects=objects)
        for index, is_shown in zip(undrawn, shown, strict=True):
            result[index] = is_shown
    for index, earlier in repeats:
        # The earlier word may itself be hidden, as under a second text that says the same.
        if result[earlier]:
            result[index] = False
    return result


class _Visibility:
    """What is visible of some text objects."""

    def __init__(
        self, whole: Image.Image, *, drawing: PageDrawing, objects: PageObjects, texts: Mapping[int, Any]
    ) -> None:
        without = drawing.without(texts.values())
        self._contrast = ImageChops.difference(whole, without)
        is_visible = self._contrast.point([255 * (contrast >= MIN_CONTRAST) for contrast in range(256)])
        self._visible, self._width, self._height = is_visible.tobytes(), *whole.size
        others = [*objects.others, *(handle for address, handle in objects.texts.items() if address not in texts)]
        ink = drawing.ink_without(others, on_black=False)
        if ImageChops.subtract(whole, without).getbbox():
            # Some letters are lighter than what is behind them. They have little or no contrast with white paper.
            ink = ImageChops.lighter(ink, drawing.ink_without(others, on_black=True))
        self._solid = ink.point([255 * (level >= SOLID_INK) for level in range(256)])
        # What is covered makes no difference at all. Pale letters make a small one.
        self._hidden = ImageChops.subtract(self._solid, self._contrast.point([0] + [255] * 255))
        self._has_hidden = self._hidden.getbbox() is not None

    def shows(self, word: Candidate) -> bool:
        left, top, right, bottom = map(int, word.rect)
        # PDFium draws small letters at whole pixels, so a narrow one may be beside its place, and a dash above it.
        x, y = int(right - left < NARROW_PX), int(bottom - top < NARROW_PX)
        box = max(0, left - x), max(0, top - y), min(right + 1 + x, self._width), min(bottom + 1 + y, self._height)
        if box[0] >= box[2] or box[1] >= box[3]:
            return False
        if not self._has_contrast(box):
            # The dots before a page number are so small that they are pale.
            is_sign = not any(map(str.isalnum, word.text))
            return is_sign and self._contrast.crop(box).getbbox() is not None
        if not self._has_hidden:
            return True
        hidden, solid = (picture.crop(box).histogram()[255] for picture in (self._hidden, self._solid))
        return hidden <= MAX_HIDDEN_SHARE * solid

    def _has_contrast(self, box: Box) -> bool:
        left, top, right, bottom = box
        # The middle rows come first, because all letters have ink there.
        middle = (top + bottom) // 2
        for row in (*range(middle, bottom), *range(top, middle)):
            if self._visible.find(255, row * self._width + left, row * self._width + right) >= 0:
                return True
        return False


def _overlaps(words: Sequence[Candidate]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of overlapping words: repeats as (index, index of the earlier word), other pairs as addresses of their text
    objects.
    """
    repeats: list[tuple[int, int]] = []
    conflicts: list[tuple[int, int]] = []
    squares: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, word in enumerate(words):
        left, top, right, bottom = word.rect
        for square in _squares(word.rect):
            there = squares[square]
            if len(there) == MAX_WORDS_IN_SQUARE:
                raise TextLayerRejected("too many words in one place")
            for earlier in there:
                other = words[earlier]
                x0, y0, x1, y1 = other.rect
                if x0 >= right or x1 <= left or y0 >= bottom or y1 <= top:
                    continue
                overlap = (min(right, x1) - max(left, x0)) * (min(bottom, y1) - max(top, y0))
                if _is_repeat(word, other):
                    repeats.append((index, earlier))
                elif word.address != other.address and overlap > MIN_OVERLAP * min(_area(word), _area(other)):
                    conflicts.append((word.address, other.address))
            there.append(index)
    return repeats, conflicts


def _squares(rect: Rect) -> list[tuple[int, int]]:
    # No drawing is larger than MAX_SIDE, but words may be.
    left, top, right, bottom = (int(min(max(side, 0), MAX_SIDE)) // GRID_PX for side in rect)
    if left == right and top == bottom:
        return [(left, top)]
    return [(column, row) for column in range(left, right + 1) for row in range(top, bottom + 1)]


def _is_repeat(word: Candidate, earlier: Candidate) -> bool:
    """True if both are the same word in nearly the same place. Their boxes overlap."""
    if word.text != earlier.text:
        return False
    reach = MAX_REPEAT_OFFSET * word.height
    return all(abs(side - other) <= reach for side, other in zip(word.rect, earlier.rect, strict=True))


def _area(word: Candidate) -> float:
    left, top, right, bottom = word.rect
    return (right - left) * (bottom - top)


def _layers(conflicts: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Address of a text object that overlaps others → number of its layer. Objects that overlap are in different ones,
    as far as MAX_LAYERS suffices. All objects that are not in the result are in layer 0.
    """
    neighbours: dict[int, set[int]] = defaultdict(set)
    for one, other in conflicts:
        neighbours[one].add(other)
        neighbours[other].add(one)
    layers: dict[int, int] = {}
    for address, others in neighbours.items():
        taken = {layers[other] for other in others if other in layers}
        layers[address] = next((layer for layer in range(MAX_LAYERS) if layer not in taken), MAX_LAYERS - 1)
    return layers


def _texts_of_layers(texts: Mapping[int, Any], layers: Mapping[int, int]) -> list[dict[int, Any]]:
    """The text objects of each layer, by their addresses."""
    split: list[dict[int, Any]] = [{} for _ in range(max(layers.values(), default=0) + 1)]
    for address, handle in texts.items():
        split[layers.get(address, 0)][address] = handle
    return split
