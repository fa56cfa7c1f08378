"""Child side: puts raised numbers that a file draws later than their lines into the segments of these lines."""

from collections import defaultdict
from collections.abc import Sequence

from docserver.ocr.pdf.layout.line_segments import MAX_RAISED_SIZE, MAX_RISE, PlacedWord, Segment, is_raised

MIN_RAISED_SIZE = 0.3
"""Smallest size of such a number, as a share of the size of the letters beside it. A brace over many lines is
larger."""

MAX_WORDS = 20
"""Most raised numbers of a line that are near each other."""


def with_raised_words(segments: Sequence[Segment]) -> list[Segment]:
    """The segments, without those of which all words are raised numbers beside words of other segments."""
    limit = MAX_RAISED_SIZE * max((segment.size for segment in segments), default=0.0)
    small = [segment for segment in segments if segment.size <= limit and len(segment.words) <= MAX_WORDS]
    if not small:
        return list(segments)
    height = limit / MAX_RAISED_SIZE * MAX_RISE
    rows: dict[int, list[Segment]] = defaultdict(list)
    for segment in segments:
        rows[int(segment.baseline // height)].append(segment)
    raised: set[int] = set()
    for segment in small:
        row = int(segment.baseline // height)
        lower = [other for near in (row, row + 1) for other in rows.get(near, ()) if id(other) not in raised]
        hosts = [_host(word, lower) for word in segment.words]
        if None not in hosts:
            raised.add(id(segment))
            for word, host in zip(segment.words, hosts, strict=True):
                if host:
                    host.words.append(word)
                    host.x0, host.x1 = min(host.x0, word.x0), max(host.x1, word.x1)
    return [segment for segment in segments if id(segment) not in raised]


def _host(word: PlacedWord, lower: Sequence[Segment]) -> Segment | None:
    """The segment that has a word beside which this one is raised; None if there is none."""
    for segment in lower:
        if (
            word.baseline < segment.baseline
            and MIN_RAISED_SIZE * segment.size <= word.size <= MAX_RAISED_SIZE * segment.size
            and segment.x0 - segment.size < word.x0 < segment.x1 + segment.size
            and any(is_raised(word, beside) for beside in segment.words)
        ):
            return segment
    return None
