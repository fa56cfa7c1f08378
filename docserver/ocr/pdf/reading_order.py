"""Child side: puts the words of a text layer into reading order, as lines, paragraphs and columns, by geometry.

The order in which a file draws its words is only a hint. Some programs draw tables column by column, or headers last,
or a whole page from top to bottom across its columns.
"""

import itertools
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from docserver.layout import EXACT, Box
from docserver.ocr.pdf.paragraphs import LineShape, paragraph_starts
from docserver.ocr.pdf.writing_direction import in_logical_order

MAX_WORD_GAP = 1.0
"""Widest space between two words of a line, as a share of the letters' size. Justified text stays below it."""

MIN_GUTTER = 0.6
"""Smallest distance between two columns, as a share of the letters' size."""

MAX_BASELINE_OFFSET = 0.35
"""Largest difference of baselines within a line, as a share of the letters' size. Exponents and indices differ by about
0.3."""

MAX_SIZE_RATIO = 2.0
"""Largest ratio of the sizes of letters that decide together which baselines are of one line."""

MAX_RAISED_LENGTH = 5
"""Most characters of a raised number, such as [12]."""

MAX_RAISED_SIZE = 0.75
"""Largest size of a raised number, such as cents after euros, as a share of the size of the letters beside it."""

MAX_RISE = 0.6
"""Largest rise of such a number, as a share of the size of the letters beside it. It hardly exceeds capitals."""

MAX_RAISED_GAP = 0.5
"""Widest space before or behind such a number, as a share of the size of the letters beside it."""

MIN_PROSE_LETTERS = 18
"""Smallest median number of letters per line in a column of prose. Cells of tables have fewer."""

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

MAX_COLUMN_DEPTH = 40
"""Most levels of columns within columns. Real pages have up to three."""

MAX_SEGMENTS = 3000
"""Most segments of a page in which columns are searched. A page of numbers has half as many. The time for the search
grows with the square of their number."""

MAX_GUTTERS = 50
"""Most gutters that are tried in one region. A table has fewer."""


@dataclass(slots=True)
class PlacedWord:
    """A word with its place on an image that is turned so that the word is upright. Pixels; y grows downwards. Not
    frozen, to save time.
    """

    text: str
    x0: float
    x1: float
    baseline: float
    size: float
    """Height of the letters from ascender to descender."""
    right_to_left: bool
    box: Box
    """On the image as it lies."""
    confidence: float = EXACT


@dataclass(slots=True)
class _Segment:
    """Successive words on one line, without a wide gap between them."""

    words: list[PlacedWord]
    order: int
    """The position of the segment's first word in the order in which words are drawn."""
    x0: float
    x1: float
    baseline: float
    size: float

    @property
    def top(self) -> float:
        """The top without ascenders, so that lines with little spacing do not overlap."""
        return self.baseline - 0.6 * self.size

    @property
    def letters(self) -> int:
        return sum(len(word.text) for word in self.words) + len(self.words) - 1


OrderedLine = list[PlacedWord]
OrderedParagraph = list[OrderedLine]
OrderedBlock = list[OrderedParagraph]


def order_words(words: Sequence[PlacedWord]) -> list[OrderedBlock]:
    """Return the words in reading order. The argument has them in the order in which they are drawn."""
    segments = list(_segments(words))
    right_to_left = sum(word.right_to_left for word in words) * 2 > len(words)
    if len(segments) > MAX_SEGMENTS:
        return [_paragraphs(_lines(segments, right_to_left=right_to_left))]
    return [
        _paragraphs(_lines(region, right_to_left=right_to_left))
        for region in _regions(segments, right_to_left=right_to_left, depth=0)
    ]


def _segments(words: Sequence[PlacedWord]) -> Iterator[_Segment]:
    segment: _Segment | None = None
    for order, word in enumerate(words):
        if segment is not None and _continues(segment, word):
            segment.words.append(word)
            segment.x0, segment.x1 = min(segment.x0, word.x0), max(segment.x1, word.x1)
            if word.size > segment.size:
                segment.size, segment.baseline = word.size, word.baseline
            continue
        if segment is not None:
            yield segment
        segment = _Segment([word], order, word.x0, word.x1, word.baseline, word.size)
    if segment is not None:
        yield segment


def _continues(segment: _Segment, word: PlacedWord) -> bool:
    """True if the word is on the segment's line, close to the segment's last word."""
    size = max(segment.size, word.size)
    last = segment.words[-1]
    if abs(segment.baseline - word.baseline) > MAX_BASELINE_OFFSET * size:
        return _is_raised(last, word) or _is_raised(word, last)
    if word.right_to_left != last.right_to_left:
        # Where text of two writing directions meets, the next word may be on either side of the segment.
        gap = max(word.x0 - segment.x1, segment.x0 - word.x1)
    else:
        gap = last.x0 - word.x1 if word.right_to_left else word.x0 - last.x1
    return -MAX_BASELINE_OFFSET * size < gap < MAX_WORD_GAP * size


def _is_raised(word: PlacedWord, beside: PlacedWord) -> bool:
    """True if the first word is a raised number right beside the other word, on its line."""
    gap = max(word.x0 - beside.x1, beside.x0 - word.x1)
    return (
        len(word.text) <= MAX_RAISED_LENGTH
        and word.size <= MAX_RAISED_SIZE * beside.size
        and 0 < beside.baseline - word.baseline <= MAX_RISE * beside.size
        and -MAX_BASELINE_OFFSET * word.size < gap < MAX_RAISED_GAP * beside.size
    )


def _regions(segments: list[_Segment], *, right_to_left: bool, depth: int) -> Iterator[list[_Segment]]:
    """The parts of a page in reading order. A part never has several columns."""
    if len(segments) < 2 or depth > MAX_COLUMN_DEPTH:
        yield segments
        return
    groups = _groups(segments)
    if len(groups) > 1:
        yield from _join_regions(groups, right_to_left=right_to_left, depth=depth)
        return
    columns = _columns(segments)
    if columns is None:
        yield segments
        return
    for column in reversed(columns) if right_to_left else columns:
        yield from _regions(column, right_to_left=right_to_left, depth=depth + 1)


def _join_regions(groups: list[list[_Segment]], *, right_to_left: bool, depth: int) -> Iterator[list[_Segment]]:
    """The regions of groups that are below each other. Consecutive groups without columns become one region."""
    joined: list[_Segment] = []
    for group in groups:
        regions = list(_regions(group, right_to_left=right_to_left, depth=depth + 1))
        if len(regions) == 1:
            joined += regions[0]
            continue
        if joined:
            yield joined
            joined = []
        yield from regions
    if joined:
        yield joined


def _groups(segments: list[_Segment]) -> list[list[_Segment]]:
    """The bands of a region from top to bottom. Consecutive bands form a group if they share a gutter, or have none."""
    groups: list[list[_Segment]] = []
    group_extents: list[tuple[float, float]] = []
    for band in _bands(segments):
        band_extents = _extents(band)
        both = _merged(group_extents + band_extents)
        gutter = MIN_GUTTER * median(segment.size for segment in band)
        if groups and (
            _has_gutter(both, gutter) if _has_gutter(group_extents, gutter) else not _has_gutter(band_extents, gutter)
        ):
            groups[-1] += band
            group_extents = both
        else:
            groups.append(list(band))
            group_extents = band_extents
    return groups


def _bands(segments: Iterable[_Segment]) -> Iterator[list[_Segment]]:
    """Bands of segments that overlap vertically, from top to bottom."""
    band: list[_Segment] = []
    bottom = 0.0
    for segment in sorted(segments, key=lambda segment: segment.top):
        if band and segment.top >= bottom:
            yield band
            band = []
        bottom = max(bottom, segment.baseline) if band else segment.baseline
        band.append(segment)
    if band:
        yield band


def _extents(segments: Iterable[_Segment]) -> list[tuple[float, float]]:
    """The parts of the x axis that segments cover, from left to right."""
    return _merged([(segment.x0, segment.x1) for segment in segments])


def _merged(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _has_gutter(extents: list[tuple[float, float]], width: float) -> bool:
    return any(right[0] - left[1] >= width for left, right in itertools.pairwise(extents))


def _columns(segments: list[_Segment]) -> tuple[list[_Segment], list[_Segment]] | None:
    """The segments left and right of the first gutter between columns. A gutter between table cells does not count."""
    gutter = MIN_GUTTER * median(segment.size for segment in segments)
    for left_of, right_of in itertools.pairwise(_extents(segments)[: MAX_GUTTERS + 1]):
        if right_of[0] - left_of[1] < gutter:
            continue
        left = [segment for segment in segments if segment.x1 <= left_of[1]]
        right = [segment for segment in segments if segment.x1 > left_of[1]]
        if _are_columns(left, right):
            return left, right
    return None


def _are_columns(left: list[_Segment], right: list[_Segment]) -> bool:
    if _share_beside(left, right, within=1.0) < MIN_BESIDE_SHARE:
        return False
    if _is_prose(left) and _is_prose(right):
        return True
    aligned = _share_beside(left, right, within=MAX_BASELINE_OFFSET)
    return aligned < (ALIGNED_SHARE if _are_drawn_apart(left, right) else 1 - ALIGNED_SHARE)


def _are_drawn_apart(left: list[_Segment], right: list[_Segment]) -> bool:
    """True if the file draws one column after the other, but for a few lines."""
    drawn = sorted([(segment.order, "left") for segment in left] + [(segment.order, "right") for segment in right])
    crossings = sum(before != after for (_, before), (_, after) in itertools.pairwise(drawn))
    return crossings <= max(1, MAX_CROSSINGS_SHARE * min(len(left), len(right)))


def _is_prose(segments: list[_Segment]) -> bool:
    return len(segments) > 1 and median(segment.letters for segment in segments) >= MIN_PROSE_LETTERS


def _share_beside(left: list[_Segment], right: list[_Segment], *, within: float) -> float:
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


def _lines(segments: list[_Segment], *, right_to_left: bool) -> list[OrderedLine]:
    """The lines of a region without columns, from top to bottom."""
    lines: list[list[_Segment]] = []
    for segment in sorted(segments, key=lambda segment: (segment.baseline, segment.x0)):
        line = lines[-1] if lines else None
        if line and _are_level(line[0], segment) and _are_level(line[-1], segment):
            line.append(segment)
        else:
            lines.append([segment])
    return [in_logical_order(_words_of(line), right_to_left=right_to_left) for line in lines]


def _words_of(line: Sequence[_Segment]) -> list[PlacedWord]:
    """The words of a line from left to right. A larger segment, such as a watermark, stays beside the other words."""
    size = max(line, key=lambda segment: segment.letters).size
    larger = [segment.words for segment in line if segment.size > MAX_SIZE_RATIO * size]
    level = _with_indices([segment for segment in line if segment.size <= MAX_SIZE_RATIO * size])
    parts = sorted([level, *larger], key=lambda words: words[0].x0)
    return [word for words in parts for word in words]


def _with_indices(segments: Sequence[_Segment]) -> list[PlacedWord]:
    """The words of segments from left to right. A single word may be within another segment, such as an index that is
    drawn after its line. Longer ones that overlap are small lines beside a large letter, and each stays together.
    """
    long = [segment for segment in segments if len(segment.words) > 1]

    def place(segment: _Segment) -> tuple[float, float]:
        around = [other for other in long if len(segment.words) == 1 and other.x0 <= segment.x0 <= other.x1]
        beginning = around[0] if around else segment
        return beginning.x0, beginning.baseline

    placed = [(*place(segment), word.x0, word) for segment in segments for word in segment.words]
    return [word for *_, word in sorted(placed, key=lambda item: item[:3])]


def _are_level(first: _Segment, second: _Segment) -> bool:
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
