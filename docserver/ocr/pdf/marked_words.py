"""Child side: finds own words of a PDF page beside which a small mark is drawn that may be a character of theirs, such
as the minus of a number. Does not read it.
"""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from docserver.layout import Rect, around
from docserver.ocr.pdf.coordinates import PointsToPixels, TurnedImage, scaled
from docserver.ocr.pdf.mark_shapes import DASH, MAX_HEIGHT, MAX_POINT_RISE, POINT, is_symbol, seen_as, without_chains
from docserver.ocr.pdf.own_words import MarkedPart, MarkedWords, OwnWord
from docserver.ocr.pdf.small_marks import SmallMark, short_edges, small_marks
from docserver.ocr.pdf.text_words import LETTER_HEIGHT

REACH, REACH_ACROSS = 3.0, 0.3
"""How far beside a word marks are looked for, along its line and across. This and all lengths below are shares of the
letters' size. A number may have several characters that are marks."""

MAX_GAP = 0.55
"""Widest gap between a number and a mark that may be a part of it."""

MAX_LETTER_GAP, MAX_TIGHT_GAP = 0.3, 0.1
"""Widest gap between two words and a mark between them that joins them, and between a word and a mark at its end."""

MIN_SYMBOL_GAP = 0.2
"""Narrowest gap between a word and a bullet, or a line that divides words."""

MAX_MARK_GAP = 0.35
"""Widest gap between two marks of one word."""

TOP, BOTTOM = 0.95, 0.3
"""How far above and below the baseline a character reaches."""

MAX_SIZE = 40.0
"""Size of the largest letters beside which marks are looked for, in pixels of the drawing."""

MIN_INSET_PX = 3
"""Width of the narrowest mark of which the outer columns are not looked at, in pixels."""

LETTER_INK = 32
"""Contrast from which a pixel is ink of a letter, in grey levels."""

MAX_UNDERSCORE_RISE = 0.05
"""How far above the baseline the middle of an underscore is."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of one direction in a drawing that is turned so that they are upright."""

    words: Sequence[OwnWord]
    turns: int
    """Quarter turns clockwise by which the drawing is turned."""
    image: TurnedImage
    left: Numbers
    right: Numbers
    baseline: Numbers
    size: Numbers

    def reach(self) -> list[Rect]:
        """The rectangles in which marks are looked for, in the drawing as it is."""
        along, across = REACH * self.size, REACH_ACROSS * self.size
        top, bottom = self.baseline - TOP * self.size - across, self.baseline + BOTTOM * self.size + across
        rects = np.stack([self.left - along, top, self.right + along, bottom], axis=1).tolist()
        return [self.image.turn_back(rect) for rect in rects] if self.turns else rects

    def in_line(self, rect: Rect) -> npt.NDArray[np.bool_]:
        """For each word, True if this may be a character in its line."""
        _, top, _, bottom = rect
        middle = (top + bottom) / 2
        above, below = self.baseline - TOP * self.size, self.baseline + BOTTOM * self.size
        is_level: npt.NDArray[np.bool_] = (above < middle) & (middle < below)
        return is_level & (bottom - top <= MAX_HEIGHT * self.size)

    def are_dark(self, number: int, letters: npt.NDArray[np.int16]) -> bool:
        """True if the letters of a word are darker than what is behind them."""
        left, right = int(self.left[number]), int(self.right[number]) + 1
        top, bottom = max(0, int(self.baseline[number] - TOP * self.size[number])), int(self.baseline[number]) + 1
        return bool(letters[top:bottom, max(0, left) : right].sum() < 0)


@dataclass(frozen=True, slots=True)
class _Mark:
    rect: Rect
    seen_as: str
    words: tuple[int, ...]
    """The numbers of the words beside it, or of the one in which it is."""
    is_within: bool
    sign: str = ""
    """What it says, if its shape tells."""


def marked_words(
    words: Sequence[OwnWord],
    *,
    whole: Image.Image,
    graphics: Image.Image,
    pictures: Sequence[Rect],
    to_pixels: PointsToPixels,
) -> list[MarkedWords]:
    """The words with marks beside them. `whole` is the drawing of the page, and `graphics` that without its texts.
    `pictures` are in pixels of the page's image.
    """
    scale = graphics.width / to_pixels.width
    edges = short_edges(graphics, pictures=[scaled(picture, scale) for picture in pictures])
    if not edges:
        return []
    directions = _by_turns(words, size=graphics.size, scale=scale, to_pixels=to_pixels)
    small = small_marks(edges, near=itertools.chain(*(upright.reach() for upright in directions)))
    if not small:
        return []
    # Letters that are darker than what is behind them are negative.
    letters = np.asarray(whole).astype(np.int16) - np.asarray(graphics)
    found = []
    for upright in directions:
        turned = [replace(mark, rect=upright.image.turn(mark.rect)) for mark in small]
        marks = _marks(turned, upright, np.rot90(letters, -upright.turns))
        for numbers, beside in _together(marks):
            parts = tuple(_parts(numbers, beside, upright, scale=scale))
            found.append(MarkedWords(parts, upright.turns))
    return found


def _by_turns(
    words: Iterable[OwnWord], *, size: tuple[int, int], scale: float, to_pixels: PointsToPixels
) -> list[_Words]:
    """The words of each direction, as they stand upright in a drawing of this size that is `scale` times as large as
    the page's image. Slanted words and very large ones are left out.
    """
    directions: dict[float, list[OwnWord]] = defaultdict(list)
    largest = MAX_SIZE / scale
    for word in words:
        if not word.pdf_word.is_vertical and _size(word, to_pixels) <= largest:
            directions[word.direction(to_pixels) / 90].append(word)
    upright = []
    for turns, alike in directions.items():
        if turns.is_integer():
            image = TurnedImage(int(turns), width=size[0], height=size[1])
            rects = np.array([image.turn(scaled(word.rect, scale)) for word in alike])
            baselines = [image.turn_point((word.baseline[0] * scale, word.baseline[1] * scale))[1] for word in alike]
            sizes = [max(_size(word, to_pixels) * scale, 1.0) for word in alike]
            upright.append(
                _Words(alike, int(turns), image, rects[:, 0], rects[:, 2], np.array(baselines), np.array(sizes))
            )
    return upright


def _size(word: OwnWord, to_pixels: PointsToPixels) -> float:
    """The size of the word's letters, in pixels of the page's image."""
    return word.orientation.height * to_pixels.pixels_per_point / LETTER_HEIGHT


def _marks(small: Iterable[SmallMark], words: _Words, letters: npt.NDArray[np.int16]) -> Iterator[_Mark]:
    """What may be characters beside words. `letters` is how much lighter the letters are than what is behind them."""
    groups: list[Rect] = []
    by_box = {mark.rect: mark for mark in small}
    for box in sorted(without_chains(list(by_box))):
        nearest = _nearest(box, words)
        if nearest is None:
            continue
        baseline, size = float(words.baseline[nearest]), float(words.size[nearest])
        gap = max(words.left[nearest] - box[2], box[0] - words.right[nearest]) / size
        is_apart = by_box[box].is_full and gap > MIN_SYMBOL_GAP
        if not seen_as(box, baseline, size) or (is_apart and is_symbol(box, baseline, size)):
            continue
        if not _stands_alone(box, baseline, size, letters):
            continue
        if by_box[box].is_dark != words.are_dark(nearest, letters):
            continue
        rect = box
        for group in [group for group in groups if _are_near(box, group, size)]:
            groups.remove(group)
            rect = around([rect, group])
        groups.append(rect)
    for rect in groups:
        if mark := _mark(rect, words):
            yield mark


def _nearest(box: Rect, words: _Words) -> int | None:
    """The number of the nearest word in the line in which this may be a character."""
    near = np.flatnonzero(words.in_line(box))
    if not near.size:
        return None
    return int(near[np.argmin(np.maximum(words.left[near] - box[2], box[0] - words.right[near]))])


def _stands_alone(box: Rect, baseline: float, size: float, letters: npt.NDArray[np.int16]) -> bool:
    """True if no letters are above or below the mark, as they are at lines under words and over fractions."""
    left, right = int(box[0]), int(box[2])
    # A blurred edge may be in a column with a letter.
    inset = max((right - left) // 4, int(right - left >= MIN_INSET_PX))
    top, bottom = max(0, int(baseline - TOP * size)), int(baseline + BOTTOM * size) + 1
    around_mark = letters[top:bottom, left + inset : max(right - inset, left + inset + 1)]
    return not np.any(np.abs(around_mark) >= LETTER_INK)


def _are_near(box: Rect, other: Rect, size: float) -> bool:
    """True if two marks may be characters of one word, or parts of one character."""
    along = max(box[0] - other[2], other[0] - box[2])
    across = max(box[1] - other[3], other[1] - box[3])
    return along <= MAX_MARK_GAP * size and across <= MAX_MARK_GAP * size


def _mark(rect: Rect, words: _Words) -> _Mark | None:
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
    return _Mark(rect, shape, beside, is_within=False, sign=sign)


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


def _parts(numbers: Iterable[int], marks: Iterable[_Mark], words: _Words, *, scale: float) -> Iterator[MarkedPart]:
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
            part = MarkedPart(rect, f"{mark.seen_as}+", None, 0.0, mark.sign)
            parts.append((mark.rect[0], mark.rect[2], part))
    size = max(words.size[number] for number in numbers)
    end = -math.inf
    for left, right, part in sorted(parts, key=lambda part: part[0]):
        yield replace(part, gap=(left - end) / size)
        end = right
