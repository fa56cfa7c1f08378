"""Child side: finds ink that looks like letters in places where no word was read. Recognises no text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docserver.layout import Box, Rect
from docserver.ocr.image.connected import connected, lowest_connected
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import INK_CONTRAST, Contrasts, Mask

MIN_CONTRAST_SHARES = 0.4, 0.2
"""Smallest contrasts of ink, as shares of the median contrast of the words that were read. The first is for letters
like theirs, whose soft edges would join with a smaller share; the second for pale and coloured ones. What shows through
from the other side, and the grain of paper, have less."""

MARGIN, MAX_MARGIN = 0.25, 0.5
"""Room around a word that may have ink of this word, as a multiple of its height, and the widest one, as a multiple of
the height of most words. Beside large numerals stands small print."""

MIN_HEIGHT_PX, MAX_HEIGHT_PX = 5, 60
"""Height of the marks that may be letters, in the picture of about 1000 pixels a side."""

MIN_WIDTH, MAX_WIDTH, MAX_WIDTH_ON_SIDE = 0.15, 12.0, 3.0
"""Width of the marks that may be letters, or words whose letters touch, as a multiple of their height. The last value
is for words on their side: the edge of a page falls into longer pieces."""

MIN_PX, MAX_PX = 20, 100_000
"""Fewest pixels of unread ink that may be letters, and most that are looked at: a page with more is a picture."""

MAX_MARKS = 1500
"""Most marks that are compared. If there are more, those at the top show enough."""

PICTURE_SIDE, PICTURE_SIDE_PX, PICTURE_DENSITY, MAX_WORDS_IN_PICTURE = 4.0, 32, 0.1, 0.5
"""Shorter side of a picture, as a multiple of the height of words and in pixels, smallest share of ink in it, and
largest share of the page's words in it. What is inside of it counts as a part of it. A frame around letters has less
ink. The edge of a photographed page has most words in it, and what is farther than this side from all words is dirt."""

MIN_OVERLAP = 0.6
"""Smallest share of the height of the higher of two marks in a row that is beside the other one."""

MAX_GAP, MAX_WIDE_GAP = 1.0, 20.0
"""Widest gap between two letters of a word, and between two in cells of a row, as multiples of their height."""

MAX_UNLIKE_PX, MAX_UNLIKE_INK, REACH_SIGNS, MIN_SIGNS = 1, 0.2, 3, 5
"""Largest differences between two equal signs, in pixels of their sides and as a share of their ink; how many signs on
each side of one must be like those beside them; and fewest signs of a row. The digits of 11 or 25 are as much alike."""

MIN_SIZE, MAX_SIZE, MIN_LONE_PX = 0.5, 1.6, 8
"""Height of a lone letter, as a multiple of the height of the words in its row, and its fewest pixels. The digit 1 in
10 points on A4 has more, and specks have fewer."""

EQUAL = 0.2
"""Largest difference in the heights and the lower ends of letters in cells of a row, as a share of their height."""

Boxes = NDArray[np.int64]


def unread_letters(seen: Overview, words: Sequence[Box]) -> int:
    """How many marks look like letters in places where none of these words is. The picture has dark letters.

    They are close to two others, as in a word; have the size and the line of another one in the same row, as in the
    cells of a table; or stand in a row with a word. The first count in columns too: letters may lie on their side.
    """
    boxes = reduced(words, seen)
    return max(
        max(len(_upright_letters(marks, boxes)), _count_on_side(marks))
        for marks in (_unread_marks(seen, boxes, share) for share in MIN_CONTRAST_SHARES)
    )


def places_of_unread_letters(seen: Overview, words: Sequence[Box]) -> list[Box]:
    """The boxes of the marks that look like upright letters in places where none of these words is, in pixels of the
    full picture.
    """
    boxes = reduced(words, seen)
    found = [_upright_letters(_unread_marks(seen, boxes, share), boxes) for share in MIN_CONTRAST_SHARES]
    return [(left, top, right, bottom) for left, top, right, bottom, _ in (seen.step * max(found, key=len)).tolist()]


def letters_on_side(seen: Overview, words: Sequence[Box]) -> int:
    """How many marks look like letters of words that run upwards or downwards, in places where none of these words is;
    0 if more of them are close to each other across the page.
    """
    marks = _unread_marks(seen, reduced(words, seen), MIN_CONTRAST_SHARES[0])
    on_side = _count_on_side(marks)
    return on_side if on_side > np.count_nonzero(_are_in_words(_letters(marks, max_width=MAX_WIDTH))) else 0


def _upright_letters(marks: Boxes, words: NDArray[np.float64]) -> Boxes:
    letters = _letters(marks, max_width=MAX_WIDTH)
    return letters[_are_in_words(letters) | _are_in_cells(letters) | _are_beside(letters, words)]


def _count_on_side(marks: Boxes) -> int:
    letters = _letters(marks[:, [1, 0, 3, 2, 4]], max_width=MAX_WIDTH_ON_SIDE)
    return int(np.count_nonzero(_are_in_words(letters)))


def reduced(words: Sequence[Box], seen: Overview) -> NDArray[np.float64]:
    """The boxes of words in the picture of about 1000 pixels a side."""
    return np.asarray(words, dtype=np.float64).reshape(-1, 4) / seen.step


def _unread_marks(seen: Overview, words: NDArray[np.float64], contrast_share: float) -> Boxes:
    """The unread marks of a picture, in that of about 1000 pixels a side."""
    if not words.size:
        return np.empty((0, 5), dtype=np.int64)
    unread = unread_ink(seen.contrasts, words, contrast_share)
    if not MIN_PX <= np.count_nonzero(unread) <= MAX_PX:
        return np.empty((0, 5), dtype=np.int64)
    return _marks(unread, words)


def heights(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The heights of words, also of those on their side."""
    return np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def unread_ink(contrasts: Contrasts, boxes: NDArray[np.float64], contrast_share: float) -> Mask:
    """The ink outside of words that has this share of their contrast."""
    ink = contrasts > INK_CONTRAST
    of_words, elsewhere = np.zeros_like(ink), np.ones_like(ink)
    of_boxes = heights(boxes)
    most = MAX_MARGIN * np.median(of_boxes)
    for (left, top, right, bottom), height in zip(boxes, of_boxes, strict=True):
        of_words[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = True
        room = max(1.0, min(MARGIN * height, most))
        rows = slice(max(0, int(top - room)), int(bottom + room) + 1)
        elsewhere[rows, max(0, int(left - room)) : int(right + room) + 1] = False
    of_words &= ink
    usual = float(np.median(contrasts[of_words])) if of_words.any() else 0.0
    unread: Mask = (contrasts > max(INK_CONTRAST, contrast_share * usual)) & elsewhere
    return unread


def _marks(ink: Mask, words: NDArray[np.float64]) -> Boxes:
    """The box and the pixels of ink of each group of ink, without pictures and what is in them or at the edge."""
    height = float(np.median(heights(words)))
    height_px, width_px = ink.shape
    marks = connected(ink)
    left, top, right, bottom = marks.T
    inside = (left > 0) & (top > 0) & (right < width_px) & (bottom < height_px)
    sides = np.minimum(right - left, bottom - top)
    for x0, y0, x1, y1 in marks[sides > max(PICTURE_SIDE * height, PICTURE_SIDE_PX)]:
        if ink[y0:y1, x0:x1].mean() < PICTURE_DENSITY:
            continue
        if _are_in(words, (x0, y0, x1, y1)).mean() <= MAX_WORDS_IN_PICTURE:
            inside &= ~_are_in(marks, (x0, y0, x1, y1))
        else:
            inside &= _are_in(marks, _text_area(words, PICTURE_SIDE * height))
    inside &= sides >= MIN_WIDTH * MIN_HEIGHT_PX
    pixels = [np.count_nonzero(ink[y0:y1, x0:x1]) for x0, y0, x1, y1 in marks[inside]]
    return np.column_stack([marks[inside], np.array(pixels, dtype=np.int64)])


def _text_area(words: NDArray[np.float64], margin: float) -> Rect:
    left, top, right, bottom = words.T
    return left.min() - margin, top.min() - margin, right.max() + margin, bottom.max() + margin


def _are_in(places: NDArray[Any], box: Rect) -> Mask:
    """Which places are inside a box."""
    left, top, right, bottom = places.T[:4]
    x0, y0, x1, y1 = box
    inside: Mask = (left >= x0) & (top >= y0) & (right <= x1) & (bottom <= y1)
    return inside


def _letters(marks: Boxes, *, max_width: float) -> Boxes:
    """The marks that have the shape of a letter or of some that touch, without those in rows of equal signs."""
    width, height = marks[:, 2] - marks[:, 0], marks[:, 3] - marks[:, 1]
    is_high = (height >= MIN_HEIGHT_PX) & (height <= MAX_HEIGHT_PX)
    letters = marks[is_high & (width >= MIN_WIDTH * height) & (width <= max_width * height)][:MAX_MARKS]
    return letters[~_are_signs(letters)]


def _are_signs(letters: Boxes) -> Mask:
    """Which of them are in rows of one sign, such as `*****`: they are like those beside them, as are the next ones."""
    close = _are_close(letters)
    width, height, pixels = letters[:, 2] - letters[:, 0], letters[:, 3] - letters[:, 1], letters[:, 4]
    unlike: Mask = np.abs(np.subtract.outer(pixels, pixels)) > MAX_UNLIKE_INK * np.maximum.outer(pixels, pixels)
    for side in (width, height):
        unlike |= np.abs(np.subtract.outer(side, side)) > MAX_UNLIKE_PX
    unlike &= close
    for _ in range(REACH_SIGNS):
        # A letter that is like its neighbours may be a part of a word.
        unlike |= close & unlike.any(axis=1)
    rows = lowest_connected(len(letters), *np.nonzero(close))
    is_long = np.bincount(rows)[rows] >= MIN_SIGNS
    signs: Mask = np.logical_and(is_long, ~unlike.any(axis=1))
    return signs


def _are_in_words(letters: Boxes) -> Mask:
    """Which letters are close to two others in their row, or to one that is."""
    close = _are_close(letters)
    is_middle = close.sum(axis=1) >= 2
    are: Mask = is_middle | (close & is_middle).any(axis=1)
    return are


def _are_close(letters: Boxes) -> Mask:
    """For each two of them, if they are as close as letters of a word."""
    left, top, right, bottom, _ = letters.T
    height = np.maximum.outer(bottom - top, bottom - top)
    overlap = np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top)
    gap = np.maximum.outer(left, left) - np.minimum.outer(right, right)
    close: Mask = (overlap >= MIN_OVERLAP * height) & (gap <= MAX_GAP * height)
    np.fill_diagonal(close, False)
    return close


def _are_in_cells(letters: Boxes) -> Mask:
    """Which letters have the height and the lower end of another one in their row."""
    left, top, right, bottom, _ = letters.T
    height = np.maximum.outer(bottom - top, bottom - top)
    equal = np.maximum(1, EQUAL * height)
    gap = np.maximum.outer(left, left) - np.minimum.outer(right, right)
    alike = np.abs(np.subtract.outer(bottom - top, bottom - top)) <= equal
    alike &= (np.abs(np.subtract.outer(bottom, bottom)) <= equal) & (gap <= MAX_WIDE_GAP * height)
    np.fill_diagonal(alike, False)
    are: Mask = alike.any(axis=1)
    return are


def _are_beside(letters: Boxes, words: NDArray[np.float64]) -> Mask:
    """Which letters stand in a row with a word, and have about its height."""
    _, top, _, bottom, _ = (side[:, np.newaxis] for side in letters.T)
    _, word_top, _, word_bottom = words.T
    height, word_height = bottom - top, word_bottom - word_top
    overlap = np.minimum(bottom, word_bottom) - np.maximum(top, word_top)
    in_row = (overlap >= MIN_OVERLAP * height) & (height >= MIN_SIZE * word_height) & (height <= MAX_SIZE * word_height)
    are: Mask = in_row.any(axis=1) & (letters[:, 4] >= MIN_LONE_PX)
    return are
