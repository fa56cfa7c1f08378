"""Child side: finds small marks beside words on a drawn PDF page: what is as small as a letter, and no part of a rule,
a box or a picture. Does not judge what they are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from docserver.layout import Box, Rect
from docserver.ocr.pdf.words.text_cells import EDGE_CONTRAST, as_array

MAX_SIDE = 30
"""Longest side of a mark, in pixels of the drawing: that of a dash in letters of 30 points."""

MIN_RULE = 24
"""Length of the shortest edge of a rule or of a box, in pixels of the drawing. Strokes of letters are shorter."""

MAX_EDGES = 60_000
"""Most pixels of edges on a page that are looked at. A page with more is a drawing."""

MAX_MARKS = 400
"""Most marks that are looked at. A page with more is a drawing, too."""

MIN_EVEN_SIDES = 6
"""Fewest of the four sides and corners of a mark on which the ground is the same. At the end of a tinted box, it is
different on half of them."""

MIN_FRAME, MAX_FRAME_SLENDERNESS, FRAME_PX = 6, 1.34, 2
"""Shortest side of a check box or a square bullet, its longest side as a multiple of that, and the width of its frame,
in pixels. An angular zero is more slender."""

MIN_FULL = 0.33
"""Smallest share of its box that a small bullet or bar with blurred edges fills. A plus and brackets fill less."""

SQUARE = 8
"""Side of the squares of a grid in which it is known where words are, in pixels."""

SHORT, RULE = 1, 2
"""How edges are marked while their groups are looked for."""

GROUND_STEP, MIN_GROUND_SHARE = 17, 0.002
"""One pixel in so many is looked at to know the greys of paper and tinted boxes, and the smallest share of the page
that has one of these."""

Places = npt.NDArray[np.int64]
"""Numbers of pixels, row by row."""


@dataclass(frozen=True, slots=True)
class ShortEdges:
    """The edges on a drawing that are too short to be of rules and boxes."""

    drawn: npt.NDArray[np.uint8]
    places: Places
    rules: Places
    """The other edges."""


def short_edges(graphics: Image.Image, *, pictures: Iterable[Rect]) -> ShortEdges | None:
    """The short edges on a drawing; None if there are none, or too many. Pictures that are larger than marks are left
    out.
    """
    low, high = graphics.getextrema()
    if low == high:
        return None
    width, height = graphics.size
    drawn = np.asarray(graphics)
    greys = np.bincount(drawn.ravel()[::GROUND_STEP], minlength=256)
    levels = drawn.copy()
    for left, top, right, bottom in pictures:
        if max(right - left, bottom - top) > MAX_SIDE:
            inside = slice(max(0, int(top)), max(0, int(bottom) + 1)), slice(max(0, int(left)), max(0, int(right) + 1))
            levels[inside] = greys.argmax()
    places = _edges(levels.ravel(), greys >= MIN_GROUND_SHARE * greys.sum(), width)
    if not places.size or places.size > MAX_EDGES:
        return None
    is_short = _are_in_short_runs(places)
    rows, columns = np.divmod(places, width)
    downwards = columns * height + rows
    order = np.argsort(downwards, kind="stable")
    is_short[order] &= _are_in_short_runs(downwards[order])
    return ShortEdges(drawn, places[is_short], places[~is_short]) if is_short.any() else None


@dataclass(frozen=True, slots=True)
class SmallMark:
    rect: Rect
    """In pixels of the drawing."""
    is_dark: bool
    """True if it is darker than what is around it."""
    is_full: bool
    """True if it fills its box, as a bullet and an upright line do."""


def squares_near(rects: Iterable[Rect], *, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The squares of a grid over a drawing of this size, in rows: True where these rectangles are."""
    width, height = size
    is_near = np.zeros((height // SQUARE + 1, width // SQUARE + 1), bool)
    squares = np.clip(as_array(rects), 0, max(width, height)).astype(int) // SQUARE
    for left, top, right, bottom in squares.tolist():
        is_near[top : bottom + 1, left : right + 1] = True
    return is_near


def small_marks(edges: ShortEdges, *, is_near: npt.NDArray[np.bool_]) -> list[SmallMark]:
    """The small marks in these squares, or hardly beside them; none if there are too many."""
    width = edges.drawn.shape[1]
    rows, columns = np.divmod(edges.places, width)
    seeds = edges.places[is_near[rows // SQUARE, columns // SQUARE]]
    groups = _groups(edges, seeds) if seeds.size else ()
    marks: list[SmallMark] = []
    for group in groups:
        rows, columns = np.divmod(group, width)
        box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
        is_small = max(box[2] - box[0], box[3] - box[1]) <= MAX_SIDE
        if is_small and not _is_frame(rows, columns, box):
            ground = _ground(edges.drawn, box)
            if ground is not None:
                inside = edges.drawn[box[1] : box[3], box[0] : box[2]] - ground
                is_full = bool(np.abs(inside).mean() >= MIN_FULL * np.abs(inside).max())
                marks.append(SmallMark(box, is_dark=bool(inside.sum() < 0), is_full=is_full))
    return marks if len(marks) <= MAX_MARKS else []


def _groups(edges: ShortEdges, seeds: Places) -> Iterator[npt.NDArray[np.int64]]:
    """The short edges that touch each other, with some of the seeds among them, and do not touch a rule."""
    height, width = edges.drawn.shape
    steps = (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1)
    # Pad it, so that no step leads out of it.
    levels = np.zeros((height + 2) * width + 2, np.uint8)
    levels[edges.places], levels[edges.rules] = SHORT, RULE
    pending = bytearray(levels.tobytes())
    for seed in seeds.tolist():
        if not pending[seed]:
            continue
        pending[seed] = 0
        group, touches_rule = [seed], False
        for place in group:
            for step in steps:
                level = pending[place + step]
                if level == SHORT:
                    pending[place + step] = 0
                    group.append(place + step)
                elif level:
                    touches_rule = True
        if not touches_rule:
            yield np.array(group)


def _ground(drawn: npt.NDArray[np.uint8], box: Box) -> float | None:
    """The grey around a mark; None if it is not even. The rounded end of a tinted box has another grey inside."""
    left, top, right, bottom = box
    height, width = drawn.shape
    xs, ys = (max(0, left - 1), min(width - 1, right)), (max(0, top - 1), min(height - 1, bottom))
    sides = *(drawn[top:bottom, x] for x in xs), *(drawn[y, left:right] for y in ys)
    greys = np.array([*(np.median(side) for side in sides), *(drawn[y, x] for x in xs for y in ys)])
    ground = float(np.median(greys))
    is_ground = np.abs(greys - ground) < EDGE_CONTRAST
    # Another mark may be close above it or beside it, but the ground goes on along its longer sides.
    long_sides = is_ground[:2] if right - left <= bottom - top else is_ground[2:4]
    return ground if long_sides.all() and np.count_nonzero(is_ground) >= MIN_EVEN_SIDES else None


def _is_frame(rows: Places, columns: Places, box: Box) -> bool:
    """True if the edges are those of a square, be it filled or not."""
    left, top, right, bottom = box
    short, long = sorted((right - left, bottom - top))
    if short < MIN_FRAME or long > MAX_FRAME_SLENDERNESS * short:
        return False
    is_at_side = np.minimum(columns - left, right - 1 - columns) < FRAME_PX
    return bool(np.all(is_at_side | (np.minimum(rows - top, bottom - 1 - rows) < FRAME_PX)))


def _edges(levels: npt.NDArray[np.uint8], is_ground: npt.NDArray[np.bool_], width: int) -> Places:
    """The pixels of ink that have contrast with one beside them, in order. Of two pixels of which none or both may be
    of the ground, it is the right or the lower one.
    """
    is_ink = np.zeros(levels.size, bool)
    for step in (1, width):
        # Few pixels differ at all, so the differences of the others need not be computed.
        changed = np.flatnonzero(levels[step:] != levels[:-step])
        before, after = levels[changed], levels[changed + step]
        is_edge = np.abs(before.astype(np.int16) - after) >= EDGE_CONTRAST
        is_ink_before = is_ground[after] & ~is_ground[before]
        is_ink[(changed + np.where(is_ink_before, 0, step))[is_edge]] = True
    return np.flatnonzero(is_ink)


def _are_in_short_runs(places: Places) -> npt.NDArray[np.bool_]:
    """For each of these places, which are sorted, True if fewer than MIN_RULE follow each other there."""
    ends = np.append(np.flatnonzero(np.diff(places) != 1), len(places) - 1)
    lengths = np.diff(ends, prepend=-1)
    return np.asarray(np.repeat(lengths < MIN_RULE, lengths), bool)
