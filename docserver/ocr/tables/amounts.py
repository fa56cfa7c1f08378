"""Child side: tells amounts from other texts of cells."""

import re
from collections.abc import Iterable, Sequence

AMOUNT = re.compile(r"[^\w]*(?:[A-Z]{1,3}\W?)?\d[\d\W]*\w{0,3}[^\w]*|[-\u2013\u2014\u2212]|n/?a", re.IGNORECASE)
"""A number with its signs and a short unit, such as `12,50`, `$ 1,240`, `USD 5` or `7.35 kg`; or what stands for one
that is missing."""

MIN_AMOUNTS = 0.6
"""Smallest share of amounts in a column of numbers."""

MAX_HEADER_ROWS = 4
"""Most rows of a heading."""


def is_amount(text: str) -> bool:
    return AMOUNT.fullmatch(text) is not None


def rows_above(columns: Iterable[Sequence[tuple[int, str]]], *, rows: int) -> int:
    """How many rows are above the first amount of the columns of numbers, and are a heading. For each column, the rows
    of its cells and their texts, from top to bottom.
    """
    firsts = []
    for cells in columns:
        amounts = [row for row, text in cells if is_amount(text)]
        above = sum(row < amounts[0] for row, _ in cells) if amounts else 0
        if amounts and len(amounts) >= MIN_AMOUNTS * (len(cells) - above):
            firsts.append((amounts[0], above))
    first = min((row for row, _ in firsts), default=0)
    return first if any(above for _, above in firsts) and first <= min(MAX_HEADER_ROWS, rows - 1) else 0
