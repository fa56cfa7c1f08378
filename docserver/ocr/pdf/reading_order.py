"""Child side: the words of a text layer put into reading order, as lines, paragraphs and columns; geometry alone.

The order in which a file draws its words is a hint and no more: programs draw tables by column, headers last, or whole
pages from top to bottom across their columns.
"""

import itertools
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

WORD_GAP = 1.0
"""Of the letters' size: a wider gap on one line is no space between two words; justified text stays below."""

GUTTER = 0.6
"""Of the letters' size: columns are at least so far apart."""

SAME_LINE = 0.35
"""Of the letters' size: baselines that differ less belong to one line; exponents and indices differ by about 0.3."""

PROSE_LETTERS = 18
"""Lines of prose have more letters at the median, cells of tables fewer."""

ALIGNED = 0.7
"""Rows of a table stand at the same height left and right of a gutter, lines of two columns often do not."""

BESIDE = 0.5
"""Share of the lines of the shorter column that have something beside them; else they stand above each other."""

LOOSE = 1.35
"""Times the usual distance of two lines: farther apart, they are two paragraphs."""

WIDEST_SPACING = 2.2
"""Times the letters' size: lines of one paragraph are not farther apart, as in typescripts with double spacing."""

INDENT = 0.8
"""Of the letters' size: the least by which the first line of a paragraph is set in."""

OTHER_SIZE = 1.18
"""Times: a heading is at least so much larger than its text."""

MAX_DEPTH = 40
"""Columns within columns; real pages have three."""

MOST_PIECES = 3000
"""A page of numbers has half as many. Columns are looked for in a time that grows with their square."""

MOST_GUTTERS = 50
"""A table has fewer."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A word upright in its frame: y grows downwards; the unit is the pixel."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    size: float
    """Height of the letters from ascender to descender."""
    backwards: bool
    """Written from right to left."""


@dataclass(slots=True)
class Piece:
    """Words that follow each other on one line, and when they were drawn."""

    words: list[Placed]
    order: int
    x0: float
    x1: float
    baseline: float
    size: float

    @property
    def top(self) -> float:
        """Without ascenders, so that lines set tightly do not touch."""
        return self.baseline - 0.6 * self.size

    @property
    def letters(self) -> int:
        return sum(len(word.text) for word in self.words) + len(self.words) - 1


LaidLine = list[Placed]
LaidParagraph = list[LaidLine]
LaidBlock = list[LaidParagraph]


def arrange(words: Sequence[Placed]) -> list[LaidBlock]:
    """Blocks of paragraphs of lines of words in reading order; `words` come as they were drawn."""
    pieces = list(_pieces(words))
    backwards = sum(word.backwards for word in words) * 2 > len(words)
    if len(pieces) > MOST_PIECES:
        return [_paragraphs(_lines(pieces))]
    return [_paragraphs(_lines(region)) for region in _regions(pieces, backwards=backwards, depth=0)]


def _pieces(words: Sequence[Placed]) -> Iterator[Piece]:
    piece: Piece | None = None
    for order, word in enumerate(words):
        if piece is not None and _follows(piece, word):
            piece.words.append(word)
            piece.x0, piece.x1 = min(piece.x0, word.x0), max(piece.x1, word.x1)
            if word.size > piece.size:
                piece.size, piece.baseline = word.size, word.baseline
            continue
        if piece is not None:
            yield piece
        piece = Piece([word], order, word.x0, word.x1, word.baseline, word.size)
    if piece is not None:
        yield piece


def _follows(piece: Piece, word: Placed) -> bool:
    size = max(piece.size, word.size)
    if abs(piece.baseline - word.baseline) > SAME_LINE * size:
        return False
    last = piece.words[-1]
    gap = last.x0 - word.x1 if word.backwards and last.backwards else word.x0 - last.x1
    # In a line of both directions a word may stand anywhere near.
    if word.backwards != last.backwards:
        gap = max(word.x0 - piece.x1, piece.x0 - word.x1)
    return -SAME_LINE * size < gap < WORD_GAP * size


def _regions(pieces: list[Piece], *, backwards: bool, depth: int) -> Iterator[list[Piece]]:
    """Parts of a page in reading order, none of which has columns."""
    if len(pieces) < 2 or depth > MAX_DEPTH:
        yield pieces
        return
    groups = _groups(pieces)
    if len(groups) > 1:
        yield from _joined(groups, backwards=backwards, depth=depth)
        return
    columns = _columns(pieces)
    if columns is None:
        yield pieces
        return
    for column in reversed(columns) if backwards else columns:
        yield from _regions(column, backwards=backwards, depth=depth + 1)


def _joined(groups: list[list[Piece]], *, backwards: bool, depth: int) -> Iterator[list[Piece]]:
    """The regions of groups that stand below each other; neighbours without columns are one region again."""
    run: list[Piece] = []
    for group in groups:
        regions = list(_regions(group, backwards=backwards, depth=depth + 1))
        if len(regions) == 1:
            run += regions[0]
            continue
        if run:
            yield run
            run = []
        yield from regions
    if run:
        yield run


def _groups(pieces: list[Piece]) -> list[list[Piece]]:
    """The bands of a region gathered from top to bottom, so that those with a common gutter are together."""
    groups: list[list[Piece]] = []
    covered: list[tuple[float, float]] = []
    for band in _bands(pieces):
        own = _covered(band)
        both = _merged(covered + own)
        least = GUTTER * median(piece.size for piece in band)
        parted = _has_gutter(covered, least)
        if groups and (_has_gutter(both, least) if parted else not _has_gutter(own, least)):
            groups[-1] += band
            covered = both
        else:
            groups.append(list(band))
            covered = own
    return groups


def _bands(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces whose heights overlap, from top to bottom."""
    band: list[Piece] = []
    bottom = 0.0
    for piece in sorted(pieces, key=lambda piece: piece.top):
        if band and piece.top >= bottom:
            yield band
            band = []
        bottom = max(bottom, piece.baseline) if band else piece.baseline
        band.append(piece)
    if band:
        yield band


def _covered(pieces: Iterable[Piece]) -> list[tuple[float, float]]:
    return _merged([(piece.x0, piece.x1) for piece in pieces])


def _merged(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _has_gutter(covered: list[tuple[float, float]], least: float) -> bool:
    return any(right[0] - left[1] >= least for left, right in itertools.pairwise(covered))


def _columns(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]] | None:
    """Left and right of the first gutter that parts columns and not the cells of a table."""
    least = GUTTER * median(piece.size for piece in pieces)
    for left_of, right_of in itertools.pairwise(_covered(pieces)[: MOST_GUTTERS + 1]):
        if right_of[0] - left_of[1] < least:
            continue
        left = [piece for piece in pieces if piece.x1 <= left_of[1]]
        right = [piece for piece in pieces if piece.x1 > left_of[1]]
        if _are_columns(left, right):
            return left, right
    return None


def _are_columns(left: list[Piece], right: list[Piece]) -> bool:
    if _beside(left, right, within=1.0) < BESIDE:
        return False
    if _is_prose(left) and _is_prose(right):
        return True
    aligned = _beside(left, right, within=SAME_LINE)
    apart = max(piece.order for piece in left) < min(piece.order for piece in right)
    return aligned < (ALIGNED if apart else 1 - ALIGNED)


def _is_prose(pieces: list[Piece]) -> bool:
    return len(pieces) > 1 and median(piece.letters for piece in pieces) >= PROSE_LETTERS


def _beside(left: list[Piece], right: list[Piece], *, within: float) -> float:
    """The share of the shorter column's lines that have one of the other beside them, `within` so many sizes."""
    fewer, more = sorted((left, right), key=len)
    baselines = sorted(piece.baseline for piece in more)
    found = 0
    for piece in fewer:
        place = bisect(baselines, piece.baseline)
        near = baselines[max(0, place - 1) : place + 1]
        found += min(abs(baseline - piece.baseline) for baseline in near) <= within * piece.size
    return found / len(fewer)


def _lines(pieces: list[Piece]) -> list[LaidLine]:
    """The lines of a region without columns: pieces of one height from left to right."""
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.baseline, piece.x0)):
        near = lines[-1] if lines else None
        if near and abs(near[0].baseline - piece.baseline) <= SAME_LINE * max(near[0].size, piece.size):
            near.append(piece)
        else:
            lines.append([piece])
    return [[word for piece in _along(line) for word in piece.words] for line in lines]


def _along(line: list[Piece]) -> list[Piece]:
    backwards = sum(word.backwards for piece in line for word in piece.words)
    mostly = backwards * 2 > sum(len(piece.words) for piece in line)
    return sorted(line, key=lambda piece: -piece.x1 if mostly else piece.x0)


def _paragraphs(lines: list[LaidLine]) -> LaidBlock:
    if not lines:
        return []
    shapes = [_Shape.of(line) for line in lines]
    pitches = [lower.baseline - upper.baseline for upper, lower in itertools.pairwise(shapes)]
    pitch = median(pitches) if pitches else 0.0
    left = min(shape.x0 for shape in shapes)
    paragraphs = [[lines[0]]]
    for number in range(1, len(lines)):
        before, here = shapes[number - 1], shapes[number]
        after = shapes[number + 1] if number + 1 < len(lines) else None
        if (
            here.baseline - before.baseline > LOOSE * min(max(pitch, here.size), WIDEST_SPACING * here.size)
            or max(here.size, before.size) > OTHER_SIZE * min(here.size, before.size)
            or _set_in(before, here, after, left=left)
        ):
            paragraphs.append([])
        paragraphs[-1].append(lines[number])
    return paragraphs


@dataclass(frozen=True, slots=True)
class _Shape:
    x0: float
    x1: float
    baseline: float
    size: float

    @classmethod
    def of(cls, line: LaidLine) -> "_Shape":
        return cls(
            x0=min(word.x0 for word in line),
            x1=max(word.x1 for word in line),
            baseline=median(word.baseline for word in line),
            size=max(word.size for word in line),
        )


def _set_in(before: _Shape, here: _Shape, after: _Shape | None, *, left: float) -> bool:
    """Whether a line is set in, and those around it are not."""
    indent = INDENT * here.size
    return here.x0 - left > indent and before.x0 - left < indent / 2 and (after is None or after.x0 - left < indent / 2)
