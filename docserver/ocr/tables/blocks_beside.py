"""Child side: tells blocks beside each other, such as addresses, from the columns of a table, by what their lines say.

The cells of a column are of one kind: names, or amounts, or the labels of a form. The lines of an address are not: in
some a number stands first, in others last or nowhere. And what stands beside an address is often alike, line by line.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from docserver.ocr.tables.amounts import is_amount

MIN_LINES = 3
"""Fewest lines of a block. Two may be the head of a table and its only row."""

MAX_LINES = 7
"""Most lines of a block that needs no other evidence than that it is drawn apart and has lines of several kinds."""

MIN_VARIED = 4
"""Fewest level lines that tell enough about their kinds if not all are like those beside them."""

MAX_LIKE_NEXT = 0.45
"""Largest share of lines of a block that are like the next ones."""

MIN_LEVEL = 2
"""Fewest lines that are level with one of the other block."""

MAX_USUAL_SHARE = 0.67
"""Largest share of the lines of a block that are of one kind. More are a column of cells."""

MIN_LINES_BELOW_HEAD = 3
"""From so many lines below the first one, which may be the head of a column, they have to be of several kinds too."""

MAX_AMOUNTS = 0.5
"""Largest share of the lines of a block that are amounts."""

MIN_LABELS = 0.6
"""Smallest share of lines with the labels of a form, such as `Date:`."""

MIN_MORE_ALIKE = 0.3
"""By how much larger the share of lines has to be that are like those beside them than the share of those that are like
the next lines, if one block is not drawn or read after the other."""

MIN_KINDS = 3
"""Fewest kinds of lines, none of them like the next one, that are enough evidence. The cells of a column have two: that
of its head, and another one."""

MIN_REPEATING, MIN_REPEATING_SHARE = 2, 0.3
"""Fewest lines with a word of the line beside them, such as the same label, and their smallest share."""

MIN_WORD = 2
"""Fewest letters of such a word."""

MIN_LONG_NUMBER = 4
"""Fewest digits of a number that is another kind of beginning than a short one. A postcode has so many, and the number
of a house has not."""

ONLINE = re.compile(r"@|www\.|https?:")

Row = Sequence[str]
"""The cells of a line from left to right; at least one."""


class _Kind(NamedTuple):
    """How a line begins and ends, as far as signs tell."""

    begins: int
    """1 if it begins with a number, 2 with a long one."""
    ends_with_number: bool
    is_label: bool
    online: str
    """What shows that it is an address on the internet."""


def level_lines(rows: Iterable[tuple[Sequence[object], Sequence[object]]]) -> list[tuple[int, int]]:
    """For rows in two parts, the places of parts that are level among those of their side that are not empty."""
    level = []
    left = right = 0
    for part, other in rows:
        if part and other:
            level.append((left, right))
        left += bool(part)
        right += bool(other)
    return level


def may_be_blocks(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """A check in little time: False if one of two columns has too few lines, or is of amounts."""
    return min(len(left), len(right)) >= MIN_LINES and all(
        _share([is_amount(row[0]) for row in rows]) <= MAX_AMOUNTS for rows in (left, right)
    )


def are_blocks_beside(
    left: Sequence[Row], right: Sequence[Row], *, level: Sequence[tuple[int, int]], are_apart: bool
) -> bool:
    """True if two columns of lines are blocks of their own, and not the cells of rows.

    `level` are the places of lines of both that are level. `are_apart` is True if one column is drawn, or was read,
    after the other.
    """
    if not may_be_blocks(left, right) or len(level) < (MIN_LEVEL if are_apart else MIN_LINES):
        return False
    if _repeat_words(left, right, level):
        return True
    kinds, others = ([_kind(row[0]) for row in rows] for rows in (left, right))
    if _are_labels(others):
        return _are_mixed(kinds) or (_are_labels(kinds) and are_apart)
    if any(_share([len(row) > 1 and is_amount(row[-1]) for row in rows]) > MAX_AMOUNTS for rows in (left, right)):
        return False
    return _are_mixed(kinds) and _are_mixed(others) and _differ_down(kinds, others, level, are_apart=are_apart)


def _differ_down(
    kinds: Sequence[_Kind], others: Sequence[_Kind], level: Sequence[tuple[int, int]], *, are_apart: bool
) -> bool:
    """True if lines are less like the next ones of their column than those of a table are."""
    below = _share([upper == lower for of_side in (kinds, others) for upper, lower in itertools.pairwise(of_side)])
    if are_apart and max(len(kinds), len(others)) <= MAX_LINES and below <= MAX_LIKE_NEXT:
        return True
    beside = _share([kinds[place] == others[other] for place, other in level])
    if beside >= below + MIN_MORE_ALIKE:
        return len(level) >= MIN_VARIED or beside == 1.0
    return len(level) >= MIN_VARIED and not below and min(len(set(kinds)), len(set(others))) >= MIN_KINDS


def _repeat_words(left: Sequence[Row], right: Sequence[Row], level: Sequence[tuple[int, int]]) -> bool:
    """True if enough lines begin with the word with which the line beside them begins, and the next line does not."""
    words, other_words = ([_first_word(row) for row in rows] for rows in (left, right))
    repeating = [words[place] for place, other in level if words[place] and words[place] == other_words[other]]
    below = [upper for upper, lower in itertools.pairwise(words) if upper and upper == lower]
    return (
        len(set(repeating)) >= MIN_REPEATING
        and len(repeating) >= MIN_REPEATING_SHARE * len(level)
        and not set(repeating) & set(below)
    )


def _first_word(row: Row) -> str:
    word = row[0].split()[0].rstrip(".,;:")
    return word if len(word) >= MIN_WORD and word.isalpha() else ""


def _are_labels(kinds: Sequence[_Kind]) -> bool:
    return _share([kind.is_label for kind in kinds]) >= MIN_LABELS


def _are_mixed(kinds: Sequence[_Kind]) -> bool:
    parts = [kinds, kinds[1:]] if len(kinds) > MIN_LINES_BELOW_HEAD else [kinds]
    return all(max(Counter(part).values()) <= MAX_USUAL_SHARE * len(part) for part in parts)


def _kind(text: str) -> _Kind:
    words = text.split()
    digits = sum(map(str.isdigit, words[0])) if words[0][0].isdigit() else 0
    begins = 0 if not digits else 2 if digits >= MIN_LONG_NUMBER else 1
    ends_with_number = len(words) > 1 and any(map(str.isdigit, words[-1]))
    online = ONLINE.search(text)
    return _Kind(begins, ends_with_number, any(word.endswith(":") for word in words), online.group() if online else "")


def _share(of: Sequence[bool]) -> float:
    return sum(of) / len(of) if of else 0.0
