"""Child side: puts the words of a text layer into reading order, as lines, paragraphs and columns, by geometry.

The order in which a file draws its words is only a hint. Some programs draw tables column by column, or headers last,
or a whole page from top to bottom across its columns.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from statistics import median

from docserver.ocr.pdf.layout.blocks import parts_with_blocks
from docserver.ocr.pdf.layout.columns import split_at_gutter
from docserver.ocr.pdf.layout.drop_caps import with_drop_caps_in_line
from docserver.ocr.pdf.layout.line_segments import MAX_BASELINE_OFFSET, PlacedWord, Segment, segments_of
from docserver.ocr.pdf.layout.margins import split_at_notes
from docserver.ocr.pdf.layout.page_parts import bands_of, drawn_parts, gutter_parts, table_parts
from docserver.ocr.pdf.layout.paragraphs import LineShape, paragraph_starts
from docserver.ocr.pdf.layout.raised_words import with_raised_words
from docserver.ocr.pdf.layout.writing_direction import in_logical_order

_X0 = attrgetter("x0")

MAX_SIZE_RATIO = 2.0
"""Largest ratio of the sizes of letters that decide together which baselines are of one line."""

MAX_BASELINE_DIFFERENCE = 0.05
"""Largest difference of two baselines that are the same, as a share of the letters' size."""

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
    segments = with_raised_words(list(segments_of(with_drop_caps_in_line(words))))
    right_to_left = sum(word.right_to_left for word in words) * 2 > len(words)
    if len(segments) > MAX_SEGMENTS:
        return [_paragraphs(_lines(segments, right_to_left=right_to_left))]
    return [
        _paragraphs(_lines(region, right_to_left=right_to_left))
        for region in _regions(segments, right_to_left=right_to_left, depth=0)
    ]


def _regions(segments: list[Segment], *, right_to_left: bool, depth: int) -> Iterator[list[Segment]]:
    """The parts of a page in reading order. A part never has several columns."""
    if len(segments) < 2 or depth > MAX_COLUMN_DEPTH:
        yield segments
        return
    bands = list(bands_of(segments))
    if parts_with_notes := split_at_notes(bands, right_to_left=right_to_left):
        for part in parts_with_notes:
            yield from _regions(part, right_to_left=right_to_left, depth=depth + 1)
        return
    for parts in (drawn_parts(bands), gutter_parts(bands), table_parts(bands)):
        if len(parts) > 1:
            yield from _join_regions(parts, right_to_left=right_to_left, depth=depth)
            return
    columns = split_at_gutter(segments)
    for beside in [columns] if columns else parts_with_blocks(bands):
        if len(beside[0]) == len(segments):
            yield segments
            return
        for column in reversed(beside) if right_to_left else beside:
            yield from _regions(column, right_to_left=right_to_left, depth=depth + 1)


def _join_regions(parts: list[list[Segment]], *, right_to_left: bool, depth: int) -> Iterator[list[Segment]]:
    """The regions of parts that are below each other. Consecutive parts without columns become one region."""
    joined: list[Segment] = []
    for part in parts:
        regions = list(_regions(part, right_to_left=right_to_left, depth=depth + 1))
        if len(regions) == 1:
            joined += regions[0]
            continue
        if joined:
            yield joined
            joined = []
        yield from regions
    if joined:
        yield joined


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
    if len(line) == 1:
        return _from_left(sorted(line[0].words, key=_X0))
    size = max(line, key=lambda segment: segment.letters).size
    larger = [segment.words for segment in line if segment.size > MAX_SIZE_RATIO * size]
    level = _with_indices([segment for segment in line if segment.size <= MAX_SIZE_RATIO * size])
    parts = sorted([level, *larger], key=lambda words: words[0].x0)
    return [word for words in parts for word in words]


def _with_indices(segments: Sequence[Segment]) -> list[PlacedWord]:
    """The words of segments from left to right. A single word may be within another segment, such as an index that is
    drawn after its line, and so may words on the very same baseline. Others that overlap are small lines beside a large
    letter, and each stays together.
    """
    long = [segment for segment in segments if len(segment.words) > 1]

    def place(segment: Segment) -> tuple[float, float]:
        around = [
            other
            for other in long
            if other.x0 <= segment.x0 <= other.x1 and (len(segment.words) == 1 or _are_on_one_baseline(segment, other))
        ]
        beginning = min(around, key=lambda other: other.x0, default=segment)
        return beginning.x0, beginning.baseline

    placed = [
        (*beginning, word.x0, word) for segment in segments for beginning in [place(segment)] for word in segment.words
    ]
    return _from_left([word for *_, word in sorted(placed, key=lambda item: item[:3])])


def _from_left(words: list[PlacedWord]) -> list[PlacedWord]:
    """These words of a line, which are sorted, with the upper number of each fraction before the lower one."""
    for index, (word, following) in enumerate(pairwise(words)):
        if following.x0 < word.x1 and _is_over(following, word):
            words[index : index + 2] = following, word
    return words


def _is_over(upper: PlacedWord, lower: PlacedWord) -> bool:
    """True if the first word stands above the second one, as the upper number of a fraction."""
    if not (upper.text[0].isdigit() and lower.text[0].isdigit()):
        return False
    shared = min(upper.x1, lower.x1) - max(upper.x0, lower.x0)
    return (
        2 * shared > min(upper.x1 - upper.x0, lower.x1 - lower.x0) and upper.baseline < lower.baseline - lower.size / 2
    )


def _are_on_one_baseline(first: Segment, second: Segment) -> bool:
    return abs(first.baseline - second.baseline) <= MAX_BASELINE_DIFFERENCE * min(first.size, second.size)


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
    baselines = [word.baseline for word in line]
    return LineShape(
        x0=min([word.x0 for word in line]),
        # Those of most lines are equal, which takes less time to see than to find their median.
        baseline=baselines[0] if baselines.count(baselines[0]) == len(baselines) else median(baselines),
        size=max([word.size for word in line]),
    )
