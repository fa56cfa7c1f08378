"""Child side: finds notes in the margin beside a body of text, so that no line of the body takes up a part of one."""

import itertools
from collections.abc import Sequence
from statistics import median

from docserver.ocr.pdf.layout.columns import (
    MIN_GUTTER,
    MIN_PROSE_LETTERS,
    are_drawn_apart,
    extents,
    gutters,
    has_gutter,
    merged,
    sides,
)
from docserver.ocr.pdf.layout.line_segments import MAX_BASELINE_OFFSET, Segment
from docserver.ocr.pdf.layout.page_parts import MIN_PART_GAP, MIN_ROWS

MIN_BODY_LINES = 5
"""Fewest lines of a body that may have notes. With fewer, they may be the cells of a table's row."""

MIN_FLUSH_SHARE = 0.7
"""Smallest share of a body's lines that begin at its left edge. Rows of forms begin anywhere."""

MIN_NOTE_LINES = 2.0
"""Smallest average number of lines of notes. A single line may be the heading of a column, or belong to a form."""

MIN_NOTE_LETTERS = 4
"""Smallest median number of characters per line of notes. Numbers of lines and of list items have fewer."""

MAX_NOTE_SIZE = 0.93
"""Largest size of the letters of notes, as a share of the body's. Letters of the same size may be labels in the first
column of a table, if the file does not draw them apart from the body."""

MAX_NOTE_WIDTH = 0.5
"""Largest width of notes, as a share of the body's lines."""

MAX_NOTE_SHARE = 0.7
"""Most lines of notes, as a share of the body's. A table has a label for each of its rows."""

MAX_BODY_GAP = 2.5
"""Largest gap between two lines of a body, as a share of the letters' size. Between paragraphs it is smaller."""

MAX_PITCH = 1.3
"""Largest distance of two lines of a paragraph, as a multiple of the median distance."""


def split_at_notes(bands: Sequence[list[Segment]], *, right_to_left: bool) -> list[list[Segment]] | None:
    """The parts of a region in reading order: what is above a body of text with notes, the body, its notes, and what is
    below; None if there are no notes. The region is given in bands.
    """
    if sum(map(len, bands)) < MIN_BODY_LINES:
        return None
    end = 0
    for index, band in enumerate(bands):
        if index < end or len(band) == 1 or not _has_gutter(extents(band), band):
            continue
        start, end = _range_with_gutter(bands, index)
        goes_on = any(
            _gap(bands[place - 1], bands[place]) < MIN_PART_GAP for place in (start, end) if 0 < place < len(bands)
        )
        body_and_notes = None if goes_on else _body_and_notes(bands[start:end], right_to_left=right_to_left)
        if body_and_notes:
            above, below = (list(itertools.chain(*part)) for part in (bands[:start], bands[end:]))
            return [part for part in (above, *body_and_notes, below) if part]
    return None


def _range_with_gutter(bands: Sequence[list[Segment]], index: int) -> tuple[int, int]:
    """The first band of those around this one that share a gutter with it, and the end of these bands."""
    band, shared = bands[index], extents(bands[index])
    start, end = index, index + 1

    def goes_on(upper: list[Segment], lower: list[Segment], more: list[Segment]) -> bool:
        return _gap(upper, lower) <= MAX_BODY_GAP and _has_gutter(merged(shared + extents(more)), band)

    while start and goes_on(bands[start - 1], bands[start], bands[start - 1]):
        start -= 1
        shared = merged(shared + extents(bands[start]))
    while end < len(bands) and goes_on(bands[end - 1], bands[end], bands[end]):
        shared = merged(shared + extents(bands[end]))
        end += 1
    return start, end


def _has_gutter(covered: list[tuple[float, float]], band: list[Segment]) -> bool:
    return has_gutter(covered, MIN_GUTTER * band[0].size)


def _gap(upper: list[Segment], lower: list[Segment]) -> float:
    """The gap between two bands, as a share of the letters' size."""
    gap = min(segment.top for segment in lower) - max(segment.baseline for segment in upper)
    return gap / lower[0].size


def _body_and_notes(
    bands: Sequence[list[Segment]], *, right_to_left: bool
) -> tuple[list[Segment], list[Segment]] | None:
    """The body is first, unless the notes begin beside its first line and stand where lines begin."""
    segments = list(itertools.chain(*bands))
    for gutter in gutters(segments):
        left, right = sides(segments, gutter=gutter)
        for body, notes in ((left, right), (right, left)):
            if _is_body(body, notes=notes) and _are_notes(notes, body=body):
                is_lower = min(line.baseline for line in notes) > min(line.baseline + line.size for line in body)
                is_first = notes is (right if right_to_left else left) and not is_lower
                return (notes, body) if is_first else (body, notes)
    return None


def _is_body(body: list[Segment], *, notes: list[Segment]) -> bool:
    """True if these are lines of prose, and more and longer ones than those of the notes, which are beside them."""
    if len(body) < MIN_BODY_LINES or len(notes) > MAX_NOTE_SHARE * len(body):
        return False
    size, edge = median(line.size for line in body), median(line.x0 for line in body)
    top, bottom = (limit(line.baseline for line in body) for limit in (min, max))
    width = max(line.x1 for line in notes) - min(line.x0 for line in notes)
    return (
        median(line.letters for line in body) >= MIN_PROSE_LETTERS
        and sum(abs(line.x0 - edge) <= size for line in body) >= MIN_FLUSH_SHARE * len(body)
        and width <= MAX_NOTE_WIDTH * median(line.x1 - line.x0 for line in body)
        and all(top - size <= line.baseline <= bottom + size for line in notes)
    )


def _are_notes(notes: list[Segment], *, body: list[Segment]) -> bool:
    """True if these are notes of several lines, and not the labels of a table's rows."""
    text = "".join(word.text for line in notes for word in line.words)
    if median(line.letters for line in notes) < MIN_NOTE_LETTERS or 2 * sum(map(str.isalpha, text)) <= len(text):
        return False
    firsts = _first_lines(notes)
    if len(notes) < MIN_NOTE_LINES * len(firsts) or _begin_rows(notes, body=body):
        return False
    is_small = max(line.size for line in notes) <= MAX_NOTE_SIZE * median(line.size for line in body)
    return is_small or are_drawn_apart(notes, body)


def _first_lines(notes: list[Segment]) -> list[Segment]:
    ordered = sorted(notes, key=lambda line: line.baseline)
    followers = itertools.pairwise(ordered)
    return [ordered[0], *(line for above, line in followers if line.baseline - above.baseline > 2 * line.size)]


def _begin_rows(notes: list[Segment], *, body: list[Segment]) -> bool:
    """True if several lines of notes are level with lines of the body that are further from the one above than others,
    as the first lines of a table's rows are.
    """
    ordered = sorted(body, key=lambda line: line.baseline)
    pitches = [lower.baseline - upper.baseline for upper, lower in itertools.pairwise(ordered)]
    limit = MAX_PITCH * median(pitches)
    firsts = [line for line, pitch in zip(ordered[1:], pitches, strict=True) if pitch > limit]
    return sum(any(_are_level(line, note) for note in notes) for line in firsts) >= MIN_ROWS


def _are_level(line: Segment, note: Segment) -> bool:
    return abs(line.baseline - note.baseline) <= MAX_BASELINE_OFFSET * line.size
