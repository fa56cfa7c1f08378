"""Child side: tells columns of text from tables, by the gutter between them and the order in which they are drawn."""

import itertools
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from docserver.ocr.pdf.layout.line_segments import MAX_BASELINE_OFFSET, Segment

MIN_GUTTER = 0.6
"""Smallest distance between two columns, as a share of the letters' size."""

MIN_PROSE_LETTERS = 18
"""Smallest median number of letters per line in a column of prose. Cells of tables have fewer."""

MIN_PROSE_OR_ROWS_SHARE = 0.7
"""Smallest share of segments that are lines of prose or parts of rows in a column that may have a table too. The others
are headings, and last lines of paragraphs."""

MIN_ALIGNED_SHARE = 0.9
"""Smallest share of lines with a partner at the same height across the gutter in a table that is drawn by columns."""

MIN_ALIGNED_SHARE_OF_ROWS = 0.3
"""The same for two columns that the file does not draw one after the other, such as those of a table."""

MAX_CROSSINGS_SHARE = 0.125
"""Most crossings of a gutter between two columns that are drawn one after the other, as a share of the shorter column's
lines. A heading or page number that is drawn apart makes up to three. A table that is drawn by rows has more than one
for each row."""

MIN_HEIGHT = 3.0
"""Smallest distance of the first and last baseline of columns that are told by the order of drawing, as a share of the
letters' size. Less may be a row of a table."""

MIN_BESIDE_SHARE = 0.5
"""Smallest share of a column's lines that have a line of the other one beside them. With fewer in both, one is
above the other."""

MIN_ENTRIES = 3
"""Fewest labels of a form, each of which begins with a capital or a digit. So few lines of prose do by chance."""

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


def gutters(segments: list[Segment]) -> Iterator[float]:
    """Where the gutters begin, from left to right: the right edges of what is left of them."""
    width = MIN_GUTTER * median(segment.size for segment in segments)
    for left, right in itertools.pairwise(extents(segments)[: MAX_GUTTERS + 1]):
        if right[0] - left[1] >= width:
            yield left[1]


def sides(segments: Sequence[Segment], *, gutter: float) -> tuple[list[Segment], list[Segment]]:
    """The segments left and right of a gutter."""
    left = [segment for segment in segments if segment.x1 <= gutter]
    return left, [segment for segment in segments if segment.x1 > gutter]


def split_at_gutter(segments: list[Segment]) -> tuple[list[Segment], list[Segment]] | None:
    """The segments left and right of the first gutter between columns. A gutter between table cells does not count."""
    for gutter in gutters(segments):
        left, right = sides(segments, gutter=gutter)
        if _share_beside(left, right, within=1.0) >= MIN_BESIDE_SHARE and _are_columns(left, right):
            return left, right
    return None


def are_high(segments: list[Segment]) -> bool:
    """True if the segments take up more lines than a row of a table."""
    baselines = [segment.baseline for segment in segments]
    return max(baselines) - min(baselines) >= MIN_HEIGHT * median(segment.size for segment in segments)


def are_drawn_apart(left: list[Segment], right: list[Segment]) -> bool:
    """True if the file draws one column after the other, but for a few lines."""
    drawn = sorted([(segment.order, "left") for segment in left] + [(segment.order, "right") for segment in right])
    crossings = sum(before != after for (_, before), (_, after) in itertools.pairwise(drawn))
    return crossings <= max(1, MAX_CROSSINGS_SHARE * min(len(left), len(right)))


def _are_columns(left: list[Segment], right: list[Segment]) -> bool:
    aligned = _share_beside(left, right, within=MAX_BASELINE_OFFSET)
    if _is_prose(left) and _is_prose(right):
        are_rows = aligned >= MIN_ALIGNED_SHARE and _are_entries(left) and not are_drawn_apart(left, right)
        return not are_rows
    if not (are_high([*left, *right]) and are_drawn_apart(left, right)):
        return aligned < MIN_ALIGNED_SHARE_OF_ROWS
    return aligned < MIN_ALIGNED_SHARE or (_is_prose_or_rows(left) and _is_prose_or_rows(right))


def _is_prose_or_rows(segments: list[Segment]) -> bool:
    """True if most segments are lines of prose, or are drawn by rows, as no column of a table is."""
    drawn = sorted(segments, key=lambda segment: segment.order)
    in_rows = {
        id(segment)
        for before, after in itertools.pairwise(drawn)
        if abs(before.baseline - after.baseline) <= MAX_BASELINE_OFFSET * before.size
        for segment in (before, after)
    }
    number = sum(id(segment) in in_rows or segment.letters >= MIN_PROSE_LETTERS for segment in segments)
    return number >= MIN_PROSE_OR_ROWS_SHARE * len(segments)


def _is_prose(segments: list[Segment]) -> bool:
    return len(segments) > 1 and median(segment.letters for segment in segments) >= MIN_PROSE_LETTERS


def _are_entries(segments: list[Segment]) -> bool:
    """True if no segment goes on with the sentence of the one above it, as the labels of a form do not."""
    firsts = [next(filter(str.isalnum, segment.words[0].text), "") for segment in segments]
    return len(firsts) >= MIN_ENTRIES and all(first.isupper() or first.isdigit() for first in firsts)


def _share_beside(left: list[Segment], right: list[Segment], *, within: float) -> float:
    """The share of a column's lines that have a line of the other column beside them; the larger one of both shares.

    A line is beside another one if their baselines differ by at most `within` times the letters' size.
    """
    return max(_share_of_lines_beside(*columns, within=within) for columns in ((left, right), (right, left)))


def _share_of_lines_beside(segments: list[Segment], others: list[Segment], *, within: float) -> float:
    baselines = sorted(segment.baseline for segment in others)
    beside = 0
    for segment in segments:
        place = bisect(baselines, segment.baseline)
        nearest = baselines[max(0, place - 1) : place + 1]
        beside += min(abs(baseline - segment.baseline) for baseline in nearest) <= within * segment.size
    return beside / len(segments)
