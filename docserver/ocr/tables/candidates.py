"""Child side: finds successive rows that may be those of a table without a grid: gaps between cells stand in line."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from docserver.ocr.tables.placed import Row, Segment, rows_of
from docserver.ocr.tables.rules import Rule

MAX_SPACE = 2.4
"""Widest space between two rows of a table, as a share of the letters' size."""

MIN_GUTTER = 0.5
"""Narrowest gap that is common to rows, as a share of the letters' size."""

MAX_SINGLE = 2
"""Most successive rows of one segment within a table, such as a heading between rows, or a cell's further lines."""

MAX_LINE = 1.6
"""Largest distance of the baselines of two lines of a cell, as a share of the letters' size."""

Gap = tuple[float, float]


def candidates(segments: Sequence[Segment], *, size: float) -> Iterator[list[Row]]:
    """Rows from top to bottom that may be a table, with a few single segments above and below."""
    rows: list[Row] = []
    single: list[Row] = []
    common: list[Gap] = []
    for row in rows_of(segment for segment in segments if not segment.is_prose):
        last = [*rows, *single][-1:]
        if last and _top(row) - _bottom(last[0]) > MAX_SPACE * size:
            if rows:
                yield rows + single
            rows, single = [], []
        if len(row) == 1:
            if rows and not single and _goes_on(row[0], rows, size):
                rows.append(row)
                continue
            single.append(row)
            if len(single) > MAX_SINGLE:
                if rows:
                    yield rows + single
                rows, single = [], single[-MAX_SINGLE:]
            continue
        shared = _shared(common, _gaps(row), least=MIN_GUTTER * size) if rows else _inner_gaps(row)
        if rows and not shared:
            yield rows + single
            rows, shared = [], _inner_gaps(row)
        rows = [*rows, *single, row]
        single, common = [], shared
    if rows:
        yield rows + single


def between_rules(segments: Sequence[Segment], rules: Sequence[Rule], *, size: float) -> Iterator[list[Row]]:
    """The rows between the first and the last of rules that have the same ends."""
    groups: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda rule: rule.at):
        group = next((group for group in groups if _are_alike(group[0], rule, size)), None)
        if group is None:
            groups.append([rule])
        else:
            group.append(rule)
    for group in groups:
        run = group[:1]
        for before, rule in pairwise(group):
            within = [segment for segment in segments if _is_between(segment, before, rule)]
            if 2 * sum(segment.is_prose for segment in within) >= len(within):
                yield from _rows_between(segments, run)
                run = []
            run.append(rule)
        yield from _rows_between(segments, run)


def _rows_between(segments: Sequence[Segment], rules: Sequence[Rule]) -> Iterator[list[Row]]:
    if len(rules) > 1:
        rows = rows_of(segment for segment in segments if _is_between(segment, rules[0], rules[-1]))
        if rows:
            yield rows


def _is_between(segment: Segment, upper: Rule, lower: Rule) -> bool:
    x0, y0, x1, y1 = segment.rect
    return upper.at < (y0 + y1) / 2 < lower.at and upper.start <= (x0 + x1) / 2 <= upper.end


def _are_alike(one: Rule, other: Rule, size: float) -> bool:
    return abs(one.start - other.start) <= size and abs(one.end - other.end) <= size


def _goes_on(segment: Segment, rows: Sequence[Row], size: float) -> bool:
    """True if a segment is right below the last row, and in the column of one of the cells above but the first one."""
    above = next(row for row in reversed(rows) if len(row) > 1)
    over = [
        place
        for place, cell in enumerate(above)
        if min(cell.rect[2], segment.rect[2]) > max(cell.rect[0], segment.rect[0])
    ]
    return segment.baseline - rows[-1][0].baseline <= MAX_LINE * size and len(over) == 1 and over[0] > 0


def _top(row: Row) -> float:
    return min(segment.rect[1] for segment in row)


def _bottom(row: Row) -> float:
    return max(segment.rect[3] for segment in row)


def _inner_gaps(row: Row) -> list[Gap]:
    return [(left.rect[2], right.rect[0]) for left, right in pairwise(row)]


def _gaps(row: Row) -> list[Gap]:
    return [(float("-inf"), row[0].rect[0]), *_inner_gaps(row), (row[-1].rect[2], float("inf"))]


def _shared(one: Sequence[Gap], other: Sequence[Gap], *, least: float) -> list[Gap]:
    gaps = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return [(start, end) for start, end in gaps if end - start >= least]
