"""Child side: groups the lines of a text without columns into paragraphs, by spacing, size and indentation."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MAX_PITCH_RATIO = 1.35
"""Largest distance of two baselines within a paragraph, as a multiple of the usual distance."""

MAX_PITCH = 2.2
"""Largest usual distance of two baselines, as a multiple of the letters' size. Even double spacing is below it."""

MIN_INDENT = 0.8
"""Smallest indentation of a paragraph's first line, as a share of the letters' size."""

MIN_SIZE_RATIO = 1.18
"""If the sizes of two lines differ by at least this factor, one is a heading, and a paragraph begins between them."""


@dataclass(frozen=True, slots=True)
class LineShape:
    """The position and size of a line of text, in pixels; y grows downwards."""

    x0: float
    baseline: float
    size: float
    """Height of the line's largest letters, from ascender to descender."""


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
    """True if the line is indented and its neighbours are not."""
    indent = MIN_INDENT * line.size
    return (
        line.x0 - margin > indent
        and before.x0 - margin < indent / 2
        and (after is None or after.x0 - margin < indent / 2)
    )
