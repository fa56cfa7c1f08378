"""Child side: removes leaders, the rows of dots between titles and page numbers, from a picture. Recognises no text."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docserver.ocr.image.ruling import widened
from docserver.ocr.image.runs import Places, Runs, runs_in_rows, runs_of
from docserver.ocr.image.shades import Mask, paper_in_full, threshold

MAX_DOT_STROKES, MIN_DOT_PX = 4.2, 3
"""Largest width and height of a dot, in thicknesses of the letters' strokes and in pixels. A dot is 1 to 1.5 strokes
thick in most fonts, and 4 in the light fonts of typewriters."""

MAX_SIDE_RATIO = 2
"""Largest height of a dot, as a multiple of its width in some row of pixels, and largest width as a multiple of the
height. Strokes of letters and dashes are more slender."""

MIN_DOTS = 8
"""Fewest dots of a leader. An ellipsis has three, and letters hardly ever have so many small parts at equal distances.
"""

MAX_UNEVENNESS_PX = 2
"""Largest difference between successive distances of a leader's dots, and between the widths of successive dots."""

MAX_DISTANCE_DOTS = 8
"""Largest distance of a leader's dots, in sizes of the largest dot. Dots farther apart are not read as letters."""

MIN_LEADERS = 3
"""Fewest leaders of a table of contents. A single row of dots may be a place to write on."""

REACH_DOTS = 4
"""Largest distance of a number behind a leader from it, in distances of the leader's dots. Behind a row of dots that
stands for something unsaid, in a column of text, the column ends."""

MIN_DOTS_IN_STRIP = 5
"""Fewest dots of a leader in one of STRIPS."""

MIN_LETTERS_SHARE = 0.1
"""Smallest ink of letters, as a share of that of leaders. Dotted paper has none, and short titles have half."""

STRIPS = ((0.45, 0.6), (0.6, 0.75))
"""Parts of the page's width. In one of them, most lines of a table of contents have nothing but their leaders."""


def without_leaders(grey: Image.Image, *, stroke_px: float) -> Image.Image | None:
    """The picture with its leaders painted over in the shade of the paper; None if it has no column of leaders, or
    hardly anything else, as dotted paper.

    `grey` has dark letters on light paper, and `stroke_px` is the thickness of their strokes. Where leaders stand in
    several columns, they stay, because they keep the columns apart.
    """
    largest = max(MIN_DOT_PX, round(MAX_DOT_STROKES * stroke_px))
    ink = np.asarray(grey) <= threshold(grey)
    if not _are_in_strips(ink, largest):
        return None
    dots = _leaders(ink, largest=largest)
    # Small letters on low lines look like leaders at first.
    if not _are_in_strips(dots, largest):
        return None
    if np.diff(np.flatnonzero(dots.any(axis=0))).max() > MAX_DISTANCE_DOTS * largest:
        return None
    # Widen the dots, because their edges are soft.
    wide = widened(dots, by=2)
    if not _lead_to_something(dots, ink & ~wide, largest):
        return None
    if np.count_nonzero(ink & ~wide) < MIN_LETTERS_SHARE * np.count_nonzero(dots):
        return None
    mask = Image.fromarray(wide).convert("L")
    cleaned = grey.copy()
    cleaned.paste(paper_in_full(grey), mask=mask)
    return cleaned


def _are_in_strips(ink: Mask, largest: int) -> bool:
    """True if one of STRIPS shows leaders."""
    width = ink.shape[1]
    return any(_shows_leaders(ink[:, round(start * width) : round(end * width)], largest) for start, end in STRIPS)


def _shows_leaders(strip: Mask, largest: int) -> bool:
    """True if some lines have nothing but dots in a strip of the page. It takes a hundredth of reading the page."""
    tops, bottoms = runs_of(np.any(strip, axis=1))
    # Lines of dots may be a little askew, but letters are higher than that.
    low = bottoms - tops <= largest + MAX_UNEVENNESS_PX
    parts = np.count_nonzero(strip[:, 1:] & ~strip[:, :-1], axis=1)
    most_parts = [int(parts[top:bottom].max()) for top, bottom in zip(tops[low], bottoms[low], strict=True)]
    return sum(most >= MIN_DOTS_IN_STRIP for most in most_parts) >= MIN_LEADERS


def _lead_to_something(dots: Mask, letters: Mask, largest: int) -> bool:
    """True if enough rows of dots have letters before them and letters or digits close behind them."""
    count = 0
    for top, bottom in zip(*runs_of(np.any(dots, axis=1)), strict=True):
        starts, _ = runs_of(np.any(dots[top:bottom], axis=0))
        reach = REACH_DOTS * (starts[-1] - starts[0]) // len(starts)
        # Letters are higher than dots, so only letters are above the row of dots.
        above = np.flatnonzero(letters[max(0, top - 2 * largest) : top].any(axis=0))
        behind = above[above > starts[-1]]
        count += bool(above.size and above[0] < starts[0] and behind.size and behind[0] < starts[-1] + reach)
    return count >= MIN_LEADERS


def _leaders(ink: Mask, *, largest: int) -> Mask:
    """The pixels of ink in rows of many things that are low, short, and at equal distances."""
    columns, tops, bottoms = runs_in_rows(ink.T)
    # Above and below a dot is paper. Above and below a part of a letter, there are mostly other parts of it.
    ends_before = np.where(np.diff(columns, prepend=-1) == 0, np.roll(bottoms, 1), -largest)
    starts_behind = np.where(np.diff(columns, append=-1) == 0, np.roll(tops, -1), len(ink) + largest)
    is_low = (bottoms - tops <= largest) & (np.minimum(tops - ends_before, starts_behind - bottoms) >= largest)
    low = (columns[is_low], tops[is_low], bottoms[is_low])
    heights = _filled(ink.T.shape, low, values=(bottoms - tops)[is_low]).T
    rows, starts, ends = runs_in_rows(ink)
    widths, heights_here = ends - starts, heights[rows, (starts + ends) // 2]
    is_low = (heights[rows, starts] > 0) & (heights[rows, ends - 1] > 0) & (heights_here > 0)
    is_round = (heights_here <= MAX_SIDE_RATIO * widths) & (widths <= MAX_SIDE_RATIO * heights_here)
    short = (widths <= largest) & is_low & is_round
    rows, starts, ends = rows[short], starts[short], ends[short]
    distances = np.diff(starts)
    equal = np.abs(np.diff(ends - starts)) <= MAX_UNEVENNESS_PX
    near = (np.diff(rows) == 0) & (distances <= MAX_DISTANCE_DOTS * largest) & equal
    # Each flag is of the run in the middle of three.
    even = near[1:] & near[:-1] & (np.abs(np.diff(distances)) <= MAX_UNEVENNESS_PX)
    firsts, ends_of_middles = runs_of(even)
    afters = ends_of_middles + 2
    many = afters - firsts >= MIN_DOTS
    in_leader = _filled((1, len(rows)), (np.zeros_like(firsts[many]), firsts[many], afters[many]))[0] > 0
    return _filled(ink.shape, (rows[in_leader], starts[in_leader], ends[in_leader])) > 0


def _filled(shape: tuple[int, ...], runs: Runs, *, values: Places | int = 1) -> NDArray[np.int16]:
    """Zeros, with these values in the runs along the rows."""
    rows, starts, ends = runs
    edges = np.zeros((shape[0], shape[1] + 1), dtype=np.int16)
    np.add.at(edges, (rows, starts), values)
    np.subtract.at(edges, (rows, ends), values)
    return edges.cumsum(axis=1, dtype=np.int16)[:, :-1]
