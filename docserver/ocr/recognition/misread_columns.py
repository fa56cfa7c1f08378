"""Child side: finds what Tesseract has read of cells below each other as if they were a line that runs downwards."""

from collections.abc import Sequence
from statistics import median

from docserver.layout import Box, Word, around

MIN_HEIGHT = 1.8
"""Smallest height of such a word, as a multiple of the height of most words on the page."""

SURE_FROM = 60.0
"""Confidence from which a word that runs downwards is one. Columns of digits are read with up to 55."""

MAX_GAP = 3.0
"""Widest gap between two words in a column, as a multiple of the height of most words."""

MIN_ROWS = 2
"""Fewest rows of other words beside a column of cells."""


MAX_WORDS = 50
"""Most words of such a height. A page with more has lines that run downwards, and the time grows with the square."""


def misread_columns(words: Sequence[Word]) -> list[Word]:
    """The unsure words in columns that have rows of other words beside them, as the cells of a table do."""
    unsure = [word for word in words if word.confidence < SURE_FROM]
    if not unsure:
        return []
    height = median(word.box[3] - word.box[1] for word in words)
    seeds = [word for word in unsure if _runs_downwards(word, height)]
    if len(seeds) > MAX_WORDS:
        return []
    columns: list[list[Word]] = []
    for seed in seeds:
        if not any(seed in column for column in columns):
            columns.append(_column(seed, unsure, MAX_GAP * height))
    sure = [word.box for word in words if word.confidence >= SURE_FROM]
    beside_rows = [column for column in columns if _rows_beside(around(word.box for word in column), sure) >= MIN_ROWS]
    # Columns may share words.
    return list({id(word): word for column in beside_rows for word in column}.values())


def _runs_downwards(word: Word, height: float) -> bool:
    left, top, right, bottom = word.box
    return len(word.text) > 1 and bottom - top > right - left and bottom - top >= MIN_HEIGHT * height


def _column(seed: Word, words: Sequence[Word], gap: float) -> list[Word]:
    """The words above and below one with at most this gap between each two, that one included."""
    left, _, right, _ = seed.box
    stacked = [word for word in words if left <= (word.box[0] + word.box[2]) / 2 <= right]
    column, _, top, _, bottom = [seed], *seed.box
    for word in sorted(stacked, key=lambda word: abs(word.box[1] + word.box[3] - seed.box[1] - seed.box[3])):
        if word is not seed and word.box[1] <= bottom + gap and word.box[3] >= top - gap:
            column.append(word)
            top, bottom = min(top, word.box[1]), max(bottom, word.box[3])
    return column


def _rows_beside(column: Box, words: Sequence[Box]) -> int:
    """How many rows of words are beside a column."""
    rows = 0
    last = column[1]
    for left, top, right, bottom in sorted(words, key=lambda box: box[3]):
        is_beside = right <= column[0] or left >= column[2]
        if is_beside and (top + bottom) / 2 > last and bottom <= column[3] + (bottom - top) / 2:
            rows, last = rows + 1, bottom
    return rows
