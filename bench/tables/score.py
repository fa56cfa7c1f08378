"""Compares the tables that were found on a page with the one that is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from bench.tables.made import Cell

MIN_ALIKE = 0.6
"""Smallest similarity of the text of a cell that was read by OCR."""


@dataclass(slots=True)
class Score:
    right: int = 0
    """Cells with words that were found in their row and column, with their text."""
    found: int = 0
    there: int = 0
    with_tables: int = 0
    """Pages on which some table was found."""

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, self.found + self.there)

    def add(self, other: "Score") -> None:
        self.right += other.right
        self.found += other.found
        self.there += other.there
        self.with_tables += other.with_tables


def score(truth: Sequence[Cell], tables: Sequence[Sequence[Cell]], *, exact: bool) -> Score:
    """The score of the table that has most of the truth; the cells of all others are wrong."""
    rights = [sum(_is_found(cell, table, exact=exact) for cell in truth) for table in tables]
    return Score(max(rights, default=0), sum(map(len, tables)), len(truth), with_tables=bool(tables))


def _is_found(cell: Cell, table: Sequence[Cell], *, exact: bool) -> bool:
    return any(
        cell[:4] == other[:4]
        and (cell.text == other.text or (not exact and _alike(cell.text, other.text) >= MIN_ALIKE))
        for other in table
    )


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
