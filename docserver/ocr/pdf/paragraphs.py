"""Child side: lines of a text without columns grouped into paragraphs, by spacing, size and indentation."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MAX_PITCH_RATIO = 1.35
"""Times the usual distance of two baselines: lines farther apart are in two paragraphs."""

MAX_PITCH = 2.2
"""Times the letters' size: lines of one paragraph are not farther apart, even in typescripts with double spacing."""

MIN_INDENT = 0.8
"""Of the letters' size: the first line of a paragraph is set in by at least so much."""

MIN_SIZE_RATIO = 1.18
"""A heading's letters are at least so many times larger than its text's."""


@dataclass(frozen=True, slots=True)
class LineShape:
    """Where a line of text is, in pixels; y grows downwards."""

    x0: float
    baseline: float
    size: float
    """Height of its largest letters, from ascender to descender."""


def paragraph_starts(lines: Sequence[LineShape]) -> list[bool]:
    """For each line, from top to bottom, True if it begins a paragraph."""
    pitches = [lower.baseline - upper.baseline for upper, lower in itertools.pairwise(lines)]
    pitch = median(pitches) if pitches else 0.0
    margin = min((line.x0 for line in lines), default=0.0)
    starts = []
    for number, line in enumerate(lines):
        if not number:
            starts.append(True)
            continue
        before, after = lines[number - 1], lines[number + 1] if number + 1 < len(lines) else None
        starts.append(
            line.baseline - before.baseline > MAX_PITCH_RATIO * min(max(pitch, line.size), MAX_PITCH * line.size)
            or max(line.size, before.size) > MIN_SIZE_RATIO * min(line.size, before.size)
            or _is_indented(line, before=before, after=after, margin=margin)
        )
    return starts


def _is_indented(line: LineShape, *, before: LineShape, after: LineShape | None, margin: float) -> bool:
    """True if the line is set in, and its neighbours are not."""
    indent = MIN_INDENT * line.size
    return (
        line.x0 - margin > indent
        and before.x0 - margin < indent / 2
        and (after is None or after.x0 - margin < indent / 2)
    )
