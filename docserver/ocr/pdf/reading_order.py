"""Child side: puts the words of a text layer into reading order, as lines, paragraphs and columns, by geometry.

The order in which a file draws its words is only a hint. Some programs draw tables column by column, or headers last,
or a whole page from top to bottom across its columns.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from docserver.ocr.pdf.columns import MIN_GUTTER, can_have_prose_columns, extents, has_gutter, merged, split_at_gutter
from docserver.ocr.pdf.line_segments import MAX_BASELINE_OFFSET, PlacedWord, Segment, segments_of
from docserver.ocr.pdf.paragraphs import LineShape, paragraph_starts
from docserver.ocr.pdf.writing_direction import in_logical_order

MAX_SIZE_RATIO = 2.0
"""Largest ratio of the sizes of letters that decide together which baselines are of one line."""

MIN_PART_GAP = 1.0
"""Smallest gap between two parts of a region that are above each other, as a share of the letters' size. It is an empty
line. The gap is measured without ascenders and descenders."""

MAX_COLUMN_DEPTH = 40
"""Most levels of columns within columns. Real pages have up to three."""

MAX_SEGMENTS = 3000
"""Most segments of a page in which columns are searched. A page of numbers has half as many. The time for the search
grows with the square of their number."""

OrderedLine = list[PlacedWord]
OrderedParagraph = list[OrderedLine]
OrderedBlock = list[OrderedParagraph]


def order_words(words: Sequence[PlacedWord]) -> list[OrderedBlock]:
    """Return the words in reading order. The argument has them in the order in which they are drawn."""
    segments = list(segments_of(words))
    right_to_left = sum(word.right_to_left for word in words) * 2 > len(words)
    if len(segments) > MAX_SEGMENTS:
        return [_paragraphs(_lines(segments, right_to_left=right_to_left))]
    return [
        _paragraphs(_lines(region, right_to_left=right_to_left))
        for region in _regions(segments, right_to_left=right_to_left, depth=0)
    ]


def _regions(
    segments: list[Segment], *, right_to_left: bool, depth: int, only_prose: bool = False
) -> Iterator[list[Segment]]:
    """The parts of a page in reading order. A part never has several columns."""
    if len(segments) < 2 or depth > MAX_COLUMN_DEPTH:
        yield segments
        return
    groups = _groups(segments)
    if len(groups) > 1:
        yield from _join_regions(groups, right_to_left=right_to_left, depth=depth, only_prose=only_prose)
        return
    columns = split_at_gutter(segments, only_prose=only_prose)
    if columns is None:
        parts = _around_widest_gap(segments)
        if len(parts) > 1:
            # Prose in columns may be above or below a table whose cells keep its gutter free.
            yield from _join_regions(parts, right_to_left=right_to_left, depth=depth, only_prose=True)
        else:
            yield segments
        return
    for column in reversed(columns) if right_to_left else columns:
        yield from _regions(column, right_to_left=right_to_left, depth=depth + 1)


def _join_regions(
    groups: list[list[Segment]], *, right_to_left: bool, depth: int, only_prose: bool
) -> Iterator[list[Segment]]:
    """The regions of groups that are below each other. Consecutive groups without columns become one region."""
    joined: list[Segment] = []
    for group in groups:
        regions = list(_regions(group, right_to_left=right_to_left, depth=depth + 1, only_prose=only_prose))
        if len(regions) == 1:
            joined += regions[0]
            continue
        if joined:
            yield joined
            joined = []
        yield from regions
    if joined:
        yield joined


def _groups(segments: list[Segment]) -> list[list[Segment]]:
    """The bands of a region from top to bottom. Consecutive bands form a group if they share a gutter, or have none."""
    groups: list[list[Segment]] = []
    group_extents: list[tuple[float, float]] = []
    for band in _bands(segments):
        band_extents = extents(band)
        both = merged(group_extents + band_extents)
        gutter = MIN_GUTTER * median(segment.size for segment in band)
        if groups and (
            has_gutter(both, gutter) if has_gutter(group_extents, gutter) else not has_gutter(band_extents, gutter)
        ):
            groups[-1] += band
            group_extents = both
        else:
            groups.append(list(band))
            group_extents = band_extents
    return groups


def _bands(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
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


def _around_widest_gap(segments: list[Segment]) -> list[list[Segment]]:
    """The parts of a region above and below its widest vertical gap. The whole region if no gap is wide, or if it
    cannot have columns of prose.
    """
    if not can_have_prose_columns(segments):
        return [segments]
    bands = list(_bands(segments))
    gaps = [
        min(segment.top for segment in lower) - max(segment.baseline for segment in upper)
        for upper, lower in itertools.pairwise(bands)
    ]
    widest = max(gaps, default=0.0)
    if widest < MIN_PART_GAP * median(segment.size for segment in segments):
        return [segments]
    below = gaps.index(widest) + 1
    return [list(itertools.chain.from_iterable(part)) for part in (bands[:below], bands[below:])]


def _lines(segments: list[Segment], *, right_to_left: bool) -> list[OrderedLine]:
    """The lines of a region without columns, from top to bottom."""
    lines: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: (segment.baseline, segment.x0)):
        line = lines[-1] if lines else None
        if line and _are_level(line[0], segment) and _are_level(line[-1], segment):
            line.append(segment)
        else:
            lines.append([segment])
    return [in_logical_order(_words_of(line), right_to_left=right_to_left) for line in lines]


def _words_of(line: Sequence[Segment]) -> list[PlacedWord]:
    """The words of a line from left to right. A larger segment, such as a watermark, stays beside the other words."""
    size = max(line, key=lambda segment: segment.letters).size
    larger = [segment.words for segment in line if segment.size > MAX_SIZE_RATIO * size]
    level = _with_indices([segment for segment in line if segment.size <= MAX_SIZE_RATIO * size])
    parts = sorted([level, *larger], key=lambda words: words[0].x0)
    return [word for words in parts for word in words]


def _with_indices(segments: Sequence[Segment]) -> list[PlacedWord]:
    """The words of segments from left to right. A single word may be within another segment, such as an index that is
    drawn after its line. Longer ones that overlap are small lines beside a large letter, and each stays together.
    """
    long = [segment for segment in segments if len(segment.words) > 1]

    def place(segment: Segment) -> tuple[float, float]:
        around = [other for other in long if len(segment.words) == 1 and other.x0 <= segment.x0 <= other.x1]
        beginning = around[0] if around else segment
        return beginning.x0, beginning.baseline

    placed = [(*place(segment), word.x0, word) for segment in segments for word in segment.words]
    return [word for *_, word in sorted(placed, key=lambda item: item[:3])]


def _are_level(first: Segment, second: Segment) -> bool:
    """True if two segments are on one line. Letters that are much larger than others may stand beside several lines."""
    smaller, larger = sorted((first.size, second.size))
    size = min(larger, MAX_SIZE_RATIO * smaller)
    return abs(first.baseline - second.baseline) <= MAX_BASELINE_OFFSET * size


def _paragraphs(lines: list[OrderedLine]) -> OrderedBlock:
    paragraphs: OrderedBlock = []
    for line, starts in zip(lines, paragraph_starts([_shape(line) for line in lines]), strict=True):
        if starts:
            paragraphs.append([])
        paragraphs[-1].append(line)
    return paragraphs


def _shape(line: OrderedLine) -> LineShape:
    return LineShape(
        x0=min(word.x0 for word in line),
        baseline=median(word.baseline for word in line),
        size=max(word.size for word in line),
    )
