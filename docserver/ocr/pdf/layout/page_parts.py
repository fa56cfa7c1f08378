"""Child side: cuts a region of a page into parts that are above each other, by the order of drawing and by gutters."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from docserver.ocr.pdf.layout.columns import (
    MIN_GUTTER,
    MIN_PROSE_LETTERS,
    are_drawn_apart,
    are_high,
    extents,
    gutters,
    has_gutter,
    merged,
    sides,
)
from docserver.ocr.pdf.layout.line_segments import Segment

MIN_PART_GAP = 0.8
"""Smallest gap between columns and what is above or below them, as a share of the letters' size. Lines are closer.
The gap is measured without ascenders and descenders."""

MIN_ROWS = 2
"""Fewest rows of a table above or below columns. A single one may be the headings of the columns."""

MAX_INDENT = 2.0
"""Largest distance of a line from the left edge of its column, as a share of the letters' size."""


@dataclass(slots=True)
class _Part:
    """Segments in consecutive bands."""

    segments: list[Segment]
    first: int
    """The lowest of their places in the order of drawing."""
    last: int
    """The highest one."""
    has_columns: bool = False
    """True if it may have columns, and is not lines of text and rows of a table, each drawn by itself."""

    def is_drawn_amid(self, other: "_Part") -> bool:
        """True if the file draws something of one part between segments of the other."""
        return self.first < other.last and other.first < self.last

    def with_below(self, other: "_Part", *, has_columns: bool = False) -> "_Part":
        first, last = min(self.first, other.first), max(self.last, other.last)
        return _Part(self.segments + other.segments, first, last, has_columns)


def _part_of(segments: list[Segment]) -> _Part:
    orders = [segment.order for segment in segments]
    return _Part(segments, min(orders), max(orders))


def drawn_parts(bands: Sequence[list[Segment]]) -> list[list[Segment]]:
    """The parts of a region, from top to bottom, that the file draws one by one, whichever first. It is given in bands.

    Columns that are drawn one after the other are in the same part. Consecutive rows and lines are in one part too.
    """
    groups: list[_Part] = []
    for part in _drawn_apart(bands):
        part.has_columns = are_high(part.segments)
        if groups and not groups[-1].has_columns and not part.has_columns:
            groups[-1] = groups[-1].with_below(part)
        elif groups and _share_columns(groups[-1], part):
            groups[-1] = groups[-1].with_below(part, has_columns=True)
        else:
            groups.append(part)
    return [group.segments for group in groups]


def _drawn_apart(bands: Sequence[list[Segment]]) -> list[_Part]:
    """The smallest parts of which none is drawn amid another."""
    parts: list[_Part] = []
    lowest = highest = bands[0][0].order
    for band in bands:
        part = _part_of(band)
        # Most parts are drawn after all that are above them, and need not be compared with each.
        if lowest < part.last and part.first < highest:
            while amid := [place for place, other in enumerate(parts) if part.is_drawn_amid(other)]:
                for other in reversed(parts[amid[0] :]):
                    part = other.with_below(part)
                del parts[amid[0] :]
        lowest, highest = min(lowest, part.first), max(highest, part.last)
        parts.append(part)
    return parts


def _share_columns(upper: _Part, lower: _Part) -> bool:
    """True if no empty line is between two parts, and both are of the same columns, which the file draws one after the
    other. Of a single column, a part may only be lines, and the file has to go on in that column.
    """
    segments = upper.segments + lower.segments
    gap = min(segment.top for segment in lower.segments) - max(segment.baseline for segment in upper.segments)
    if upper.last > lower.first or gap >= MIN_PART_GAP * median(segment.size for segment in segments):
        return False
    last = max(upper.segments, key=lambda segment: segment.order)
    first = min(lower.segments, key=lambda segment: segment.order)
    return any(
        are_drawn_apart(*sides(segments, gutter=gutter))
        and all(
            all(sides(part.segments, gutter=gutter))
            or (not part.has_columns and (last.x1 <= gutter) == (first.x1 <= gutter))
            for part in (upper, lower)
        )
        for gutter in gutters(segments)
    )


def gutter_parts(bands: Iterable[list[Segment]]) -> list[list[Segment]]:
    """The bands of a region from top to bottom. Consecutive bands form a part if they share a gutter, or have none."""
    groups: list[list[list[Segment]]] = []
    group_extents: list[tuple[float, float]] = []
    for band in bands:
        band_extents = extents(band)
        both = merged(group_extents + band_extents)
        gutter = MIN_GUTTER * (band[0].size if len(band) == 1 else median(segment.size for segment in band))
        if groups and (
            has_gutter(both, gutter) if has_gutter(group_extents, gutter) else not has_gutter(band_extents, gutter)
        ):
            groups[-1].append(band)
            group_extents = both
        else:
            above = _first_lines(groups[-1], band) if groups and has_gutter(band_extents, gutter) else []
            if above:
                del groups[-1][-len(above) :]
            groups = [group for group in groups if group]
            groups.append([*above, band])
            group_extents = extents(itertools.chain(*groups[-1]))
    return [list(itertools.chain(*group)) for group in groups]


def _first_lines(upper: Sequence[list[Segment]], band: list[Segment]) -> list[list[Segment]]:
    """The last of the bands above one with a gutter that are the first lines of one of its columns, which begins higher
    than the others: single lines that the file draws right before the next line of the column.
    """
    lines: list[list[Segment]] = []
    lower = band
    for above in reversed(upper):
        (line, *others) = above
        below = next((segment for segment in lower if segment.order == line.order + len(line.words)), None)
        if (
            others
            or below is None
            or min(line.x1, below.x1) <= max(line.x0, below.x0)
            or below.top - line.baseline >= MIN_PART_GAP * line.size
            or not has_gutter(extents([line, *band]), MIN_GUTTER * line.size)
        ):
            break
        lines.insert(0, above)
        lower = above
    return lines


def table_parts(region: Iterable[list[Segment]]) -> list[list[Segment]]:
    """The rows of tables and the columns of prose above and below them, from top to bottom, though they share a gutter
    and are drawn alike, row by row.
    """
    runs = [(is_row, list(bands)) for is_row, bands in itertools.groupby(region, key=_is_row)]
    parts: list[list[Segment]] = [[]]
    for place, (is_row, bands) in enumerate(runs):
        run = list(itertools.chain(*bands))
        neighbours = [near for _, near in runs[max(0, place - 1) : place + 2] if near is not bands]
        prose = [list(itertools.chain(*near)) for near in neighbours if _are_columns(near)]
        if (
            is_row
            and len(bands) >= MIN_ROWS
            and len(prose) == len(neighbours) > 0
            and not any(_part_of(run).is_drawn_amid(_part_of(lines)) for lines in prose)
            and _are_cells(run, beside=list(itertools.chain(*prose)))
        ):
            parts += [run, []]
        else:
            parts[-1] += run
    return [part for part in parts if part]


def _is_row(band: list[Segment]) -> bool:
    return len(band) > 1 and max(segment.letters for segment in band) < MIN_PROSE_LETTERS


def _are_columns(bands: list[list[Segment]]) -> bool:
    """True if most of the lines are prose, and some of them stand beside each other."""
    letters = median(line.letters for band in bands for line in band)
    return letters >= MIN_PROSE_LETTERS and sum(len(band) > 1 for band in bands) >= MIN_ROWS


def _are_cells(segments: list[Segment], *, beside: list[Segment]) -> bool:
    """True if half of the segments begin elsewhere than lines of columns do, or have numbers, but for the first cells
    of rows.
    """
    first = min(segment.x0 for segment in segments)
    edges = [line.x0 for line in beside if line.letters >= MIN_PROSE_LETTERS]
    others = [segment for segment in segments if segment.x0 > first + MAX_INDENT * segment.size]
    cells = sum(
        any(map(str.isdigit, segment.words[-1].text))
        or all(abs(segment.x0 - edge) > MAX_INDENT * segment.size for edge in edges)
        for segment in others
    )
    return 2 * cells >= max(len(others), 1)


def bands_of(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Bands of segments that overlap vertically, from top to bottom."""
    band: list[Segment] = []
    bottom = 0.0
    for segment in sorted(segments, key=lambda segment: segment.top):
        if band and segment.top >= bottom:
            yield band
            band = []
        bottom = max(bottom, segment.baseline) if band else segment.baseline
        band.append(segment)
    if band:
        yield band
