"""Child side: finds marks beside words among the paths of a PDF page, where its drawing does not tell them: close to
rules, beside slanted words, and in large letters. Does not judge what characters they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import Points
from docserver.ocr.pdf.glyphs.mark_shapes import MAX_DASH
from docserver.ocr.pdf.glyphs.path_outlines import MAX_RULE_WIDTH, Outlines
from docserver.ocr.pdf.verification.small_marks import MIN_FULL, SmallMark
from docserver.ocr.pdf.verification.upright_words import TurnedDrawing, UprightWords
from docserver.ocr.pdf.words.text_cells import EDGE_CONTRAST, as_array

MAX_MARKS = 100
"""Most marks of a page's paths that are looked at. A page with more is a drawing."""

TOUCH = 0.25
"""Largest gap between two lines that touch each other, in pixels of the drawing."""

MIN_TICKS, MAX_TICK_OFFSET = 3, 1.0
"""Fewest equal strokes at one line that are the ticks of an axis, and how far their ends may be from each other, in
pixels of the drawing."""

MAX_ROW = 2.0
"""How far above or below the middle of a mark the rules of its row in a table are, as a share of the letters' size."""

ROOM = 3
"""Width of the border around a mark that shows what is behind it, in pixels of the drawing."""


def path_marks(outlines: Outlines, words: UprightWords, drawing: TurnedDrawing) -> list[SmallMark]:
    """The marks beside words of one direction. Rectangles are in pixels of the drawing that is turned so that the words
    are upright.
    """
    boxes: dict[Rect, int] = {}
    for outline in outlines.small:
        if outline.is_frame:
            continue
        box = outline.rect(words.image.turn_points(outline.points))
        nearest = words.nearest(box)
        if nearest is not None and box[2] - box[0] <= MAX_DASH * words.size[nearest]:
            boxes[box] = nearest
    if not boxes:
        return []
    rules = _Rules.of(outlines, words)
    free = [box for box, nearest in boxes.items() if not rules.have(box, list(boxes), words, nearest)]
    marks = [mark for box in free if (mark := _seen(box, drawing))]
    return marks if len(marks) <= MAX_MARKS else []


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules along and across the lines of words."""

    level: Points
    upright: Points
    """Rows of left, top, right, bottom."""

    @classmethod
    def of(cls, outlines: Outlines, words: UprightWords) -> "_Rules":
        rects = as_array(rule.rect(words.image.turn_points(rule.points)) for rule in outlines.rules)
        width, height = rects[:, 2] - rects[:, 0], rects[:, 3] - rects[:, 1]
        return cls(
            rects[(height <= MAX_RULE_WIDTH) & (width > height)], rects[(width <= MAX_RULE_WIDTH) & (height >= width)]
        )

    def have(self, box: Rect, others: Sequence[Rect], words: UprightWords, nearest: int) -> bool:
        """True if a mark is a part of a rule, or a tick at one."""
        left, top, right, bottom = box
        level, upright = (rules[_touching(box, rules, within=TOUCH)] for rules in (self.level, self.upright))
        if len(level) and (not words.has_digit(nearest, box) or _reaches_middle(box, level, across=True)):
            return True
        if not len(upright):
            return False
        if bottom - top > right - left and not words.has_digit(nearest, box):
            return True
        if any(self._has_row(rule, box, float(words.size[nearest])) for rule in upright):
            return False
        is_tick = _reaches_middle(box, upright, across=False)
        return is_tick or sum(_are_alike(box, other) for other in others) >= MIN_TICKS

    def _has_row(self, rule: Points, box: Rect, size: float) -> bool:
        """True if level rules above and below the mark meet this upright one, as those of a table do."""
        at_rule = (self.level[:, 0] <= rule[2] + TOUCH) & (self.level[:, 2] >= rule[0] - TOUCH)
        below = self.level[at_rule, 1:4:2].mean(axis=1) - (box[1] + box[3]) / 2
        is_near = np.abs(below) <= MAX_ROW * size
        return bool(np.any(is_near & (below < 0)) and np.any(is_near & (below > 0)))


def without_known(marks: Sequence[SmallMark], known: Sequence[SmallMark]) -> list[SmallMark]:
    """The marks, without those that stand in the place of a known one."""
    places = as_array(mark.rect for mark in known)
    return [mark for mark in marks if not _touching(mark.rect, places, within=0).any()]


def _reaches_middle(box: Rect, rules: Points, *, across: bool) -> bool:
    """True if a mark reaches the middle of one of these rules, as a tick does."""
    first = int(across)
    middles = rules[:, [first, first + 2]].mean(axis=1)
    return bool(np.any((box[first] <= middles + TOUCH) & (middles - TOUCH <= box[first + 2])))


def _are_alike(box: Rect, other: Rect) -> bool:
    """True if two marks have the same place along a line and the same size."""
    return all(abs(box[side] - other[side]) <= MAX_TICK_OFFSET for side in (0, 2)) and (
        abs((box[3] - box[1]) - (other[3] - other[1])) <= MAX_TICK_OFFSET
    )


def _touching(box: Rect, others: Points, *, within: float) -> npt.NDArray[np.bool_]:
    left, top, right, bottom = box
    return (
        (others[:, 0] <= right + within)
        & (others[:, 2] >= left - within)
        & (others[:, 1] <= bottom + within)
        & (others[:, 3] >= top - within)
    )


def _seen(box: Rect, drawing: TurnedDrawing) -> SmallMark | None:
    """The mark as it is drawn; None if it is not visible."""
    left, top, right, bottom = (max(0, int(side)) for side in box)
    around = drawing.graphics[max(0, top - ROOM) : bottom + 1 + ROOM, max(0, left - ROOM) : right + 1 + ROOM]
    inside = drawing.graphics[top : bottom + 1, left : right + 1].astype(np.int16)
    if not inside.size:
        return None
    contrast = inside - int(np.bincount(around.ravel()).argmax())
    strongest = int(np.abs(contrast).max())
    if strongest < EDGE_CONTRAST:
        return None
    is_full = bool(np.abs(contrast).mean() >= MIN_FULL * strongest)
    return SmallMark(box, is_dark=bool(contrast.sum() < 0), is_full=is_full)
