"""Child side: finds rows of letters and digits that are larger than the text around them. Recognises no text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from docserver.layout import Box, around, is_in
from docserver.ocr.image.connected import connected
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import INK_CONTRAST

MIN_HEIGHT_PX, MAX_SIDE_SHARE = 12, 0.45
"""Height of the lowest large letter, in the picture of about 1000 pixels a side, and that of the highest one as a share
of its longer side."""

LARGE, LARGE_SHARE = 1.6, 0.04
"""Height from which a letter is large: this multiple of the height of most words, or if that is less, this share of the
page's longer side."""

MIN_WIDTH, MAX_WIDTH = 0.1, 2.5
"""Width of such a letter, or of two that touch, as a multiple of its height. Rules are narrower or wider."""

MAX_RUNS, MAX_MARKS = 20_000, 400
"""Most runs of ink along the rows, and most marks, that are looked at. A page with more shows a picture, or all of its
text is large."""

MAX_GAP, MAX_GAP_AT_POINT, MAX_OFFSET, MIN_RATIO = 0.33, 0.7, 0.4, 0.4
"""Widest gap between two letters of a row, widest gap with a point in it, and largest difference of their lower ends,
as multiples of the height of the higher one; and smallest ratio of their heights. Raised digits end higher."""

MIN_OTHER = 0.5
"""Smallest height of another letter in the box of a word, as a multiple of that of the letters that are known. Raised
digits are lower."""

MIN_POINT_PX = 3
"""Shorter side of the smallest point or accent of a large letter."""

MAX_PART, MAX_POINT, MAX_ABOVE = 0.75, 0.3, 0.4
"""Largest height of a part of a letter, such as a ring of a percent sign, and of a point, and largest distance of the
upper end of an accent from the letter, as multiples of the height of the letter."""

Boxes = NDArray[np.int64]


class LargeLetters(NamedTuple):
    """A row of large letters."""

    box: Box
    """Around the letters, their accents, and the points between and after them, in pixels of the full picture."""
    letters: int
    """How many letters and points are in it. Those that touch are one."""


def rows_of_large_letters(seen: Overview, words: Sequence[Box]) -> list[LargeLetters]:
    """The rows of letters that are larger than most of these words. The picture has dark letters."""
    if not words:
        return []
    heights = [bottom - top for _, top, _, bottom in words]
    ink = seen.contrasts > INK_CONTRAST
    usual = float(np.median(heights)) / seen.step
    least = max(MIN_HEIGHT_PX, min(LARGE * usual, LARGE_SHARE * max(ink.shape)))
    for (left, top, right, bottom), height in zip(words, heights, strict=True):
        if height < least * seen.step:
            ink[top // seen.step : bottom // seen.step + 1, left // seen.step : right // seen.step + 1] = False
    if np.count_nonzero(ink[:, 1:] > ink[:, :-1]) > MAX_RUNS:
        return []
    marks = connected(ink)
    is_letter = _may_be_letters(marks, least=least, shape=ink.shape)
    if not 0 < np.count_nonzero(is_letter) <= MAX_MARKS:
        return []
    points = [(left, top, right, bottom) for left, top, right, bottom in marks[_may_be_points(marks)].tolist()]
    rows = _rows(_whole_letters(marks[is_letter].tolist()), points)
    large = [
        _large_letters(row, points, seen.step)
        for row in rows
        if max(bottom - top for _, top, _, bottom in row) >= least
    ]
    return [row for row in large if not any(_is_inside(row.box, other.box) for other in large if other is not row)]


def has_only(seen: Overview, letters: Sequence[Box], word: Box) -> bool:
    """True if the box of a word has nothing as large as its letters outside of these boxes of letters."""
    left, top, right, bottom = (side // seen.step for side in word)
    ink = seen.contrasts[top : bottom + 1, left : right + 1] > INK_CONTRAST
    heights = [0]
    for x0, y0, x1, y1 in letters:
        if word[0] < x1 and x0 < word[2] and word[1] < y1 and y0 < word[3]:
            rows = slice(max(0, y0 // seen.step - top), max(0, y1 // seen.step - top))
            ink[rows, max(0, x0 // seen.step - left) : max(0, x1 // seen.step - left)] = False
            heights.append(y1 - y0)
    rest = connected(ink)
    return not (rest[:, 3] - rest[:, 1] >= MIN_OTHER * max(heights) / seen.step).any()


def _is_inside(box: Box, other: Box) -> bool:
    return box[3] - box[1] < other[3] - other[1] and is_in(other, box)


def _large_letters(row: list[Box], points: Sequence[Box], step: int) -> LargeLetters:
    ends = [point for point in points if _ends(point, row[-1])]
    # More of them are small print beside a numeral.
    signs = ends if len(ends) == 1 else []
    signs += [point for point in points if any(_is_accent(point, letter) for letter in row)]
    left, top, right, bottom = around(row + signs)
    return LargeLetters((left * step, top * step, right * step, bottom * step), len(row))


def _ends(point: Box, last: Box) -> bool:
    """True for a point or a comma after the last letter of a row."""
    height = last[3] - last[1]
    is_low = point[3] - point[1] <= MAX_POINT * height and abs(point[3] - last[3]) <= MAX_POINT * height
    return is_low and 0 <= point[0] - last[2] <= MAX_GAP * height


def _is_accent(point: Box, letter: Box) -> bool:
    left, top, right, bottom = letter
    room = MAX_ABOVE * (bottom - top)
    return left <= (point[0] + point[2]) / 2 <= right and top - room <= point[1] and point[3] <= top + 1


def _may_be_letters(marks: Boxes, *, least: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which marks have the size and the shape of a letter in a row with large ones. Marks at the edge of the picture
    and frames are none.
    """
    left, top, right, bottom = marks.T
    width, height = right - left, bottom - top
    are: NDArray[np.bool_] = (left > 0) & (top > 0) & (right < shape[1]) & (bottom < shape[0])
    are &= (height >= MIN_RATIO * least) & (height <= MAX_SIDE_SHARE * max(shape))
    are &= (width >= MIN_WIDTH * height) & (width <= MAX_WIDTH * height)
    for x0, y0, x1, y1 in marks[are & (height >= least)]:
        if (are & (left > x0) & (right < x1) & (top > y0) & (bottom < y1)).any():
            are &= (left != x0) | (top != y0) | (right != x1) | (bottom != y1)
    return are


def _may_be_points(marks: Boxes) -> NDArray[np.bool_]:
    sides: Boxes = np.minimum(marks[:, 2] - marks[:, 0], marks[:, 3] - marks[:, 1])
    return sides >= MIN_POINT_PX


def _whole_letters(marks: Sequence[Sequence[int]]) -> list[Box]:
    """The boxes of letters, each with its parts beside it."""
    letters: list[Box] = []
    for left, top, right, bottom in sorted(marks, key=lambda mark: mark[1] - mark[3]):
        for number, (x0, y0, x1, y1) in enumerate(letters):
            is_part = bottom - top <= MAX_PART * (y1 - y0) and top >= y0 - 1 and bottom <= y1 + 1
            if is_part and left < x1 and right > x0:
                letters[number] = around([letters[number], (left, top, right, bottom)])
                break
        else:
            letters.append((left, top, right, bottom))
    return letters


def _rows(letters: Sequence[Box], points: Sequence[Box]) -> list[list[Box]]:
    rows: list[list[Box]] = []
    for letter in sorted(letters):
        for row in rows:
            if _follows(letter, row[-1], points):
                row += [*_between(row[-1], letter, points), letter]
                break
        else:
            rows.append([letter])
    return rows


def _follows(letter: Box, last: Box, points: Sequence[Box]) -> bool:
    lower, higher = sorted(bottom - top for _, top, _, bottom in (letter, last))
    gap = letter[0] - last[2]
    if abs(letter[3] - last[3]) > MAX_OFFSET * higher or lower < MIN_RATIO * higher or gap > MAX_GAP_AT_POINT * higher:
        return False
    return gap <= MAX_GAP * higher or bool(_between(last, letter, points))


def _between(last: Box, letter: Box, points: Sequence[Box]) -> list[Box]:
    """The points on the line between two letters of a row."""
    most = MAX_POINT * (last[3] - last[1])
    return [
        point
        for point in points
        if last[2] <= point[0] and point[2] <= letter[0] and point[3] - point[1] <= most
        if last[3] - most <= point[3] <= last[3] + most
    ]
