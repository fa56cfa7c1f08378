"""Child side: finds blocks of short lines beside each other, such as addresses, whose lines are level like cells."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from docserver.ocr.pdf.layout.columns import are_drawn_apart, gutters, sides, split_at_gutter
from docserver.ocr.pdf.layout.line_segments import MAX_BASELINE_OFFSET, Segment
from docserver.ocr.pdf.layout.page_parts import MIN_PART_GAP
from docserver.ocr.tables.amounts import is_amount
from docserver.ocr.tables.blocks_beside import MAX_AMOUNTS, MIN_LINES, are_blocks_beside, level_lines, may_be_blocks

MAX_SIDE_DIFFERENCE = 0.5
"""Largest distance of the left sides of blocks that are below each other, as a share of the letters' size."""

MAX_BLOCKS = 8
"""Most gutters beside which a block is looked for. Tables have more columns than sheets of labels."""

Columns = tuple[list[Segment], ...]
"""What is read from left to right, each whole."""


def parts_with_blocks(bands: Sequence[list[Segment]]) -> list[Columns]:
    """The parts of a region from top to bottom: blocks beside each other, or what is read across. The region is
    given in bands.
    """
    region = list(itertools.chain(*bands))
    groups = list(_groups(bands))
    parts = [_blocks_of(group) or _columns_of(group) for group in groups] if len(groups) > 1 else [None]
    whole = None if all(parts) else _blocks_of(region)
    if whole and not any(_are_rows_of_amounts(group, whole) for group in groups):
        return [whole]
    if not any(parts):
        return [(region,)]
    known = list(itertools.chain(*(group for group, part in zip(groups, parts, strict=True) if part)))
    joined: list[Columns] = []
    for group, part in zip(groups, parts, strict=True):
        blocks = part or _blocks_like(group, known)
        if blocks:
            joined.append(blocks)
        elif joined and len(joined[-1]) == 1:
            joined[-1][0].extend(group)
        else:
            joined.append((group,))
    return joined


def _groups(bands: Iterable[list[Segment]]) -> Iterator[list[Segment]]:
    """The segments of bands with no empty line between them."""
    group: list[Segment] = []
    bottom = 0.0
    for band in bands:
        if group and min(segment.top for segment in band) - bottom >= MIN_PART_GAP * band[0].size:
            yield group
            group = []
        group += band
        bottom = max(segment.baseline for segment in band)
    yield group


def _blocks_of(segments: list[Segment], *, are_apart: bool | None = None) -> Columns | None:
    """The blocks beside each other in a region; None if there are none. Once there are two of them, others beside them
    need no more evidence than those that are drawn apart.
    """
    if len(segments) < 2 * MIN_LINES:
        return None
    rows = _rows(segments)
    for gutter in itertools.islice(gutters(segments), MAX_BLOCKS):
        if _are_blocks(rows, gutter=gutter, are_apart=are_apart):
            more = (_blocks_of(side, are_apart=True) or (side,) for side in sides(segments, gutter=gutter))
            return tuple(itertools.chain.from_iterable(more))
    return None


def _columns_of(segments: list[Segment]) -> Columns | None:
    """Two columns whose lines are not level, though those of other parts of the region are."""
    if len(segments) < 2 * MIN_LINES:
        return None
    columns = split_at_gutter(segments)
    return columns if columns and min(map(len, columns)) >= MIN_LINES else None


def _are_rows_of_amounts(group: Sequence[Segment], columns: Columns) -> bool:
    """True if the lines of a group in one of the columns are amounts, as are those of a table below two addresses."""
    for column in columns:
        own = set(map(id, column))
        firsts = [row[0] for row in _rows(segment for segment in group if id(segment) in own)]
        if sum(is_amount(first.text) for first in firsts) > MAX_AMOUNTS * len(firsts):
            return True
    return False


def _blocks_like(segments: list[Segment], known: Sequence[Segment]) -> Columns | None:
    """Blocks if the segments stand where known blocks have their lines, and are no amounts."""
    if any(
        is_amount(segment.text)
        or all(abs(segment.x0 - other.x0) > MAX_SIDE_DIFFERENCE * segment.size for other in known)
        for segment in segments
    ):
        return None
    blocks: list[list[Segment]] = []
    rest = segments
    for gutter in gutters([*segments, *known]):
        left, rest = sides(rest, gutter=gutter)
        blocks += [left] if left else []
    blocks += [rest] if rest else []
    return tuple(blocks) if len(blocks) > 1 else None


def _are_blocks(rows: Sequence[Sequence[Segment]], *, gutter: float, are_apart: bool | None) -> bool:
    parted = [sides(row, gutter=gutter) for row in rows]
    level = level_lines(parted)
    left, right = ([row for row in side if row] for side in zip(*parted, strict=True))
    texts, other_texts = ([[segment.text for segment in row] for row in side] for side in (left, right))
    if not may_be_blocks(texts, other_texts):
        return False
    if are_apart is None:
        are_apart = are_drawn_apart(*(list(itertools.chain(*side)) for side in (left, right)))
    return are_blocks_beside(texts, other_texts, level=level, are_apart=are_apart)


def _rows(segments: Iterable[Segment]) -> list[list[Segment]]:
    """The segments in rows from top to bottom, each from left to right."""
    rows: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: segment.baseline):
        if rows and _are_level(rows[-1][0], segment):
            rows[-1].append(segment)
        else:
            rows.append([segment])
    for row in rows:
        row.sort(key=lambda segment: segment.x0)
    return rows


def _are_level(one: Segment, other: Segment) -> bool:
    return abs(one.baseline - other.baseline) <= MAX_BASELINE_OFFSET * min(one.size, other.size)
