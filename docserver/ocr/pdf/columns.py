"""Child side: tells columns of text from tables, by the gutter between them and the order in which they are drawn."""

import itertools
from bisect import bisect
from collections.abc import Iterable
from statistics import median

from docserver.ocr.pdf.line_segments import MAX_BASELINE_OFFSET, Segment

MIN_GUTTER = 0.6
"""Smallest distance between two columns, as a share of the letters' size."""

MIN_PROSE_LETTERS = 18
"""Smallest median number of letters per line in a column of prose. Cells of tables have fewer."""

MIN_PROSE_LINES = 3
"""Fewest lines of prose in a column that may have a table too, or is above or below one. Cells of text have fewer."""

MIN_PROSE_WIDTH = 0.75
"""Smallest width of a line of prose in such a column, as a share of the widest line's. Cells of text differ more."""

ALIGNED_SHARE = 0.7
"""Smallest share of lines with a partner at the same height across the gutter that makes two columns a table. If the
file does not draw one column after the other, as tables do not, the rest of 1 is enough."""

MAX_CROSSINGS_SHARE = 0.125
"""Most crossings of a gutter between two columns that are drawn one after the other, as a share of the shorter column's
lines. A heading or page number that is drawn apart makes up to three. A table that is drawn by rows has more than one
for each row."""

MIN_BESIDE_SHARE = 0.5
"""Smallest share of the shorter column's lines that have a line beside them. With fewer, the two texts are not columns,
but one is above the other."""

MAX_GUTTERS = 50
"""Most gutters that are tried in one region. A table has fewer."""


def extents(segments: Iterable[Segment]) -> list[tuple[float, float]]:
    """The parts of the x axis that segments cover, from left to right."""
    return merged([(segment.x0, segment.x1) for segment in segments])


def merged(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def has_gutter(extents: list[tuple[float, float]], width: float) -> bool:
    return any(right[0] - left[1] >= width for left, right in itertools.pairwise(extents))


def can_have_prose_columns(segments: list[Segment]) -> bool:
    """True if the region has a gutter, and enough lines of prose for two columns."""
    gutter = MIN_GUTTER * median(segment.size for segment in segments)
    return len(_prose(segments)) >= 2 * MIN_PROSE_LINES and has_gutter(extents(segments), gutter)


def split_at_gutter(segments: list[Segment], *, only_prose: bool) -> tuple[list[Segment], list[Segment]] | None:
    """The segments left and right of the first gutter between columns; with `only_prose`, between columns of prose that
    are drawn one after the other. A gutter between table cells does not count.
    """
    gutter = MIN_GUTTER * median(segment.size for segment in segments)
    for left_of, right_of in itertools.pairwise(extents(segments)[: MAX_GUTTERS + 1]):
        if right_of[0] - left_of[1] < gutter:
            continue
        left = [segment for segment in segments if segment.x1 <= left_of[1]]
        right = [segment for segment in segments if segment.x1 > left_of[1]]
        if _share_beside(left, right, within=1.0) < MIN_BESIDE_SHARE:
            continue
        if _are_prose_drawn_apart(left, right) if only_prose else _are_columns(left, right):
            return left, right
    return None


def _are_columns(left: list[Segment], right: list[Segment]) -> bool:
    if (_is_prose(left) and _is_prose(right)) or _are_prose_drawn_apart(left, right):
        return True
    aligned = _share_beside(left, right, within=MAX_BASELINE_OFFSET)
    return aligned < (ALIGNED_SHARE if _are_drawn_apart(left, right) else 1 - ALIGNED_SHARE)


def _are_prose_drawn_apart(left: list[Segment], right: list[Segment]) -> bool:
    """True if most letters of both columns are in prose, though there may be a table in a column, and the file draws
    one column after the other.
    """
    return all(map(_has_mostly_prose, (left, right))) and _are_drawn_apart(left, right)


def _has_mostly_prose(segments: list[Segment]) -> bool:
    """True if most letters are in lines of prose that are about as wide as the widest, in one column or several."""
    width = max(segment.x1 - segment.x0 for segment in segments)
    lines = [line.letters for line in _prose(segments) if line.x1 - line.x0 >= MIN_PROSE_WIDTH * width]
    return len(lines) >= MIN_PROSE_LINES and 2 * sum(lines) > sum(segment.letters for segment in segments)


def _are_drawn_apart(left: list[Segment], right: list[Segment]) -> bool:
    """True if the file draws one column after the other, but for a few lines."""
    drawn = sorted([(segment.order, "left") for segment in left] + [(segment.order, "right") for segment in right])
    crossings = sum(before != after for (_, before), (_, after) in itertools.pairwise(drawn))
    return crossings <= max(1, MAX_CROSSINGS_SHARE * min(len(left), len(right)))


def _is_prose(segments: list[Segment]) -> bool:
    return len(segments) > 1 and median(segment.letters for segment in segments) >= MIN_PROSE_LETTERS


def _prose(segments: Iterable[Segment]) -> list[Segment]:
    """The segments that may be lines of prose."""
    return [segment for segment in segments if segment.letters >= MIN_PROSE_LETTERS]


def _share_beside(left: list[Segment], right: list[Segment], *, within: float) -> float:
    """The share of the shorter column's lines that have a line of the other column beside them.

    A line is beside another one if their baselines differ by at most `within` times the letters' size.
    """
    fewer, more = sorted((left, right), key=len)
    baselines = sorted(segment.baseline for segment in more)
    beside = 0
    for segment in fewer:
        place = bisect(baselines, segment.baseline)
        nearest = baselines[max(0, place - 1) : place + 1]
        beside += min(abs(baseline - segment.baseline) for baseline in nearest) <= within * segment.size
    return beside / len(fewer)
