"""Child side: finds own words of a PDF page beside which a small mark is drawn that may be a character of theirs, such
as the minus of a number. Does not read it.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from docserver.layout import Rect, around
from docserver.ocr.pdf.coordinates import PointsToPixels, SlantedImage, TurnedImage, scaled
from docserver.ocr.pdf.glyphs.mark_shapes import (
    ANY,
    DASH,
    MAX_DASH,
    MAX_POINT_RISE,
    POINT,
    is_symbol,
    seen_as,
    without_chains,
)
from docserver.ocr.pdf.glyphs.path_outlines import Grid, outlines
from docserver.ocr.pdf.page_objects import PageObjects
from docserver.ocr.pdf.verification.path_marks import path_marks, without_known
from docserver.ocr.pdf.verification.small_marks import SQUARE, SmallMark, short_edges, small_marks, squares_near
from docserver.ocr.pdf.verification.upright_words import TurnedDrawing, UprightWords, by_direction
from docserver.ocr.pdf.words.own_words import MarkedPart, MarkedWords, OwnWord
from docserver.ocr.pdf.words.text_patches import is_blank

MAX_GAP = 0.55
"""Widest gap between a number and a mark that may be a part of it."""

MAX_LETTER_GAP, MAX_TIGHT_GAP = 0.3, 0.1
"""Widest gap between two words and a mark between them that joins them, and between a word and a mark at its end."""

MIN_SYMBOL_GAP = 0.2
"""Narrowest gap between a word and a bullet, or a line that divides words."""

MAX_MARK_GAP = 0.35
"""Widest gap between two marks of one word."""

MIN_LETTER_WIDTH = 0.4
"""Width of the narrowest of several characters that are one mark. An `l` has less, and is not drawn with others."""

MAX_UNDERSCORE_RISE = 0.05
"""How far above the baseline the middle of an underscore is."""


@dataclass(frozen=True, slots=True)
class _Mark:
    rect: Rect
    seen_as: str
    words: tuple[int, ...]
    """The numbers of the words beside it, or of the one in which it is."""
    is_within: bool
    sign: str = ""
    """What it says, if its shape tells."""
    heights: tuple[float, float] | None = None
    """How far above the baseline it begins and ends, if its shape tells nothing."""


def marked_words(
    words: Sequence[OwnWord],
    *,
    whole: Image.Image,
    graphics: Image.Image | None,
    objects: PageObjects,
    to_pixels: PointsToPixels,
) -> list[MarkedWords]:
    """The words with marks beside them. `whole` is the drawing of the page, and `graphics` that without its texts, if
    it has anything else.
    """
    if graphics is None or not words or is_blank(graphics):
        return []
    scale = graphics.width / to_pixels.width
    directions = by_direction(words, size=graphics.size, scale=scale, to_pixels=to_pixels)
    near = squares_near(itertools.chain(*(upright.reach() for upright in directions)), size=graphics.size)
    pictures = [scaled(to_pixels.rect(image.bounds), scale) for image in objects.images]
    edges = short_edges(graphics, pictures=pictures)
    small = small_marks(edges, is_near=near) if edges else []
    longest = MAX_DASH * max(float(upright.size.max()) for upright in directions)
    grid = Grid(near, SQUARE)
    shapes = outlines(objects.paths, to_pixels=to_pixels, scale=scale, longest=longest, near=grid)
    found = []
    for upright in directions if small or shapes.small else ():
        drawing = TurnedDrawing.of(upright.image, whole=whole, graphics=graphics)
        drawn = list(_turned(small, upright))
        as_paths = path_marks(shapes, upright, drawing)
        marks = [*as_paths, *without_known(drawn, as_paths)]
        for numbers, beside in _together(_marks(marks, upright, drawing)):
            found.append(_marked(numbers, beside, upright, scale=scale))
    return found


def _turned(small: Iterable[SmallMark], words: UprightWords) -> Iterator[SmallMark]:
    """The marks in a drawing as they are where it is turned; none if it is turned by less than a quarter."""
    if isinstance(words.image, TurnedImage):
        for mark in small:
            yield replace(mark, rect=words.image.turn(mark.rect))


def _marked(numbers: Sequence[int], marks: Sequence[_Mark], words: UprightWords, *, scale: float) -> MarkedWords:
    parts = tuple(_parts(numbers, marks, words, scale=scale))
    if not isinstance(words.image, SlantedImage):
        return MarkedWords(parts, words.turns)
    rect = around([*(words.around(number) for number in numbers), *(mark.rect for mark in marks)])
    upright = _around_corner(rect, words.image, scale=scale)
    return MarkedWords(parts, words.turns, words.direction, upright)


def _marks(small: Iterable[SmallMark], words: UprightWords, drawing: TurnedDrawing) -> Iterator[_Mark]:
    """What may be characters beside words."""
    groups: list[Rect] = []
    by_box = {mark.rect: mark for mark in small}
    free = set(without_chains(list(by_box))) if by_box else set()
    for box in sorted(by_box):
        nearest = words.nearest(box)
        # Digits 1 below each other look like a broken line.
        if nearest is None or not (box in free or words.has_digit(nearest, box)):
            continue
        baseline, size = float(words.baseline[nearest]), float(words.size[nearest])
        gap = max(words.left[nearest] - box[2], box[0] - words.right[nearest]) / size
        is_apart = by_box[box].is_full and gap > MIN_SYMBOL_GAP
        if not seen_as(box, baseline, size) or (is_apart and is_symbol(box, baseline, size)):
            continue
        if not drawing.stands_alone(box, baseline, size) or by_box[box].is_dark != drawing.are_dark(words, nearest):
            continue
        rect = box
        for group in [group for group in groups if _are_near(box, group, size)]:
            groups.remove(group)
            rect = around([rect, group])
        groups.append(rect)
    for rect in groups:
        if mark := _mark(rect, words):
            yield mark


def _are_near(box: Rect, other: Rect, size: float) -> bool:
    """True if two marks may be characters of one word, or parts of one character."""
    along = max(box[0] - other[2], other[0] - box[2])
    across = max(box[1] - other[3], other[1] - box[3])
    return along <= MAX_MARK_GAP * size and across <= MAX_MARK_GAP * size


def _mark(rect: Rect, words: UprightWords) -> _Mark | None:
    """What is drawn here beside words, if it may be a part of them."""
    left, top, right, bottom = rect
    middle = (left + right) / 2
    in_line = words.in_line(rect)
    starts, ends = np.where(in_line, words.left, np.inf), np.where(in_line, words.right, -np.inf)
    within = np.flatnonzero((starts < middle) & (middle < ends))
    if within.size:
        number = int(within[0])
        shape = seen_as(rect, words.baseline[number], words.size[number])
        return _Mark(rect, shape, (number,), is_within=True) if shape else None
    starts[starts < middle], ends[ends > middle] = np.inf, -np.inf
    before, after = int(np.argmax(ends)), int(np.argmin(starts))
    size = words.size[before if left - ends[before] < starts[after] - right else after]
    gap_before, gap_after = (left - ends[before]) / size, (starts[after] - right) / size
    nearest = before if gap_before < gap_after else after
    rise = (words.baseline[nearest] - (top + bottom) / 2) / size
    shape = seen_as(rect, words.baseline[nearest], size)
    if not shape or (shape == POINT and rise > MAX_POINT_RISE and gap_before > MAX_LETTER_GAP):
        return None
    is_number = (gap_before <= MAX_GAP and _ends_number(words.words[before].pdf_word.text[::-1])) or (
        gap_after <= MAX_GAP and _ends_number(words.words[after].pdf_word.text)
    )
    is_tight = max(gap_before, gap_after) <= MAX_LETTER_GAP or min(gap_before, gap_after) <= MAX_TIGHT_GAP
    if not is_number and not is_tight:
        return None
    limit = MAX_GAP if is_number else MAX_LETTER_GAP
    beside = tuple(number for number, gap in ((before, gap_before), (after, gap_after)) if gap <= limit)
    sign = ("_" if rise <= MAX_UNDERSCORE_RISE else "-") if shape == DASH else ""
    heights = ((words.baseline[nearest] - top) / size, (words.baseline[nearest] - bottom) / size)
    return _Mark(rect, shape, beside, is_within=False, sign=sign, heights=heights if shape == ANY else None)


def _ends_number(text: str) -> bool:
    """True if the first characters may be a part of a number, and no letter."""
    return not text[:1].isalpha() and any(map(str.isdigit, text))


def _together(marks: Iterable[_Mark]) -> Iterator[tuple[list[int], list[_Mark]]]:
    """The numbers of words that have marks between them, and these marks."""
    groups: list[tuple[set[int], list[_Mark]]] = []
    for mark in marks:
        numbers = set(mark.words)
        near = [group for group in groups if group[0] & numbers]
        groups = [group for group in groups if group not in near]
        groups.append(
            (numbers.union(*(known for known, _ in near)), [mark, *itertools.chain(*(others for _, others in near))])
        )
    for numbers, others in groups:
        yield sorted(numbers), sorted(others, key=lambda mark: mark.rect[0])


def _around_corner(rect: Rect, image: SlantedImage, *, scale: float) -> Rect:
    """A rectangle of the turned drawing on the page's image turned around its corner."""
    (left, top, right, bottom), (x, y) = rect, image.corner
    return scaled((left + x, top + y, right + x, bottom + y), 1 / scale)


def _parts(
    numbers: Iterable[int], marks: Iterable[_Mark], words: UprightWords, *, scale: float
) -> Iterator[MarkedPart]:
    """These words and marks from left to right."""
    within = {mark.words[0]: mark.seen_as for mark in marks if mark.is_within}
    parts: list[tuple[float, float, MarkedPart]] = []
    for number in numbers:
        word = words.words[number]
        # It is not known between which letters of a word a mark is.
        between = f"{within[number]}*" if number in within else ""
        seen_as = between.join(map(re.escape, word.pdf_word.text))
        parts.append((words.left[number], words.right[number], MarkedPart(word.rect, seen_as, word, 0.0)))
    for mark in marks:
        if not mark.is_within:
            rect = scaled(words.image.turn_back(mark.rect), 1 / scale)
            size = max(words.size[number] for number in mark.words)
            most = max(1, round((mark.rect[2] - mark.rect[0]) / (MIN_LETTER_WIDTH * size)))
            part = MarkedPart(rect, f"{mark.seen_as}{{1,{most}}}", None, 0.0, mark.sign, mark.heights)
            if isinstance(words.image, SlantedImage):
                part = replace(part, upright=_around_corner(mark.rect, words.image, scale=scale))
            parts.append((mark.rect[0], mark.rect[2], part))
    size = max(words.size[number] for number in numbers)
    end = -math.inf
    for left, right, part in sorted(parts, key=lambda part: part[0]):
        yield replace(part, gap=(left - end) / size)
        end = right
