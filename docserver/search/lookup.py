"""Looks up the words of a query in rows of the index: which rows to read, which pages have a word, and how exactly."""

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from docserver.search.chunks import TAB, Entries, Kind
from docserver.search.folding import Likeness, edited, edited_rest, key, likeness
from docserver.search.numbers import Pages
from docserver.search.query import Word

ENDS_OTHERWISE = ("r", "f")
"""Last letters of the beginning of a word whose key depends on the letters that follow."""


@dataclass(frozen=True, slots=True)
class Range:
    """The entries of a kind that begin with `first`."""

    kind: Kind
    first: bytes

    @property
    def end(self) -> bytes:
        """Sorts after all entries that begin with `first`: no text has this byte."""
        return self.first + b"\xff"


@dataclass(slots=True)
class Found:
    """The pages that have a word."""

    like: dict[Likeness, Pages] = field(default_factory=dict)

    def pages(self, how: Likeness) -> Pages:
        """The pages that have something like the word, as `how` says."""
        return self.like.setdefault(how, Pages())

    def all_pages(self) -> int:
        """The set of all these pages."""
        return reduce(operator.or_, (pages.all() for pages in self.like.values()), 0)

    def count(self) -> int:
        """How many pages these are."""
        return self.all_pages().bit_count()


def words_range(word: Word) -> Range:
    """Where the entries of a word are. For the beginning of a word, these are all entries that begin with it."""
    name = key(word.surface)
    while word.is_prefix and name.endswith(ENDS_OTHERWISE):
        name = name[:-1]
    return Range(Kind.WORDS, name.encode())


def neighbour_ranges(word: Word) -> Iterator[Range]:
    """Where the keys are that are the same as that of a word but for its first or its second half, which differs."""
    name = key(word.surface)
    half = len(name) // 2
    for length in (len(name) - 1, len(name), len(name) + 1):
        for kind, begins in ((Kind.KEYS, name[:half]), (Kind.REVERSED_KEYS, name[half:][::-1])):
            yield Range(kind, bytes((length,)) + begins.encode())


def add_words(found: Mapping[Word, Found], rows: Iterable[bytes], *, fuzzy: bool) -> None:
    """Add what rows of words say about all these words."""
    begins = {word: words_range(word).first.decode() + ("" if word.is_prefix else TAB) for word in found}
    for row in map(Entries, rows):
        for word, name in begins.items():
            for surface, packed in row.beginning(name):
                if how := _how(word, surface, fuzzy=fuzzy):
                    found[word].pages(how).add(packed)


def _how(word: Word, surface: str, *, fuzzy: bool) -> Likeness | None:
    if word.is_prefix:
        return Likeness.FOLDED if word.begins(surface) else None
    return likeness(word.surface, surface, fuzzy=fuzzy)


def add_neighbours(
    found: Found, word: Word, rows: Iterable[tuple[int, int, bytes]], *, frequent_as: Likeness
) -> dict[str, set[int]]:
    """Add the pages of a word's neighbours; frequent ones are like the word as `frequent_as` says. `rows` are rows of
    keys, each with its segment and kind. Returns the frequent neighbours, each with the segments in which rows of words
    have its pages.
    """
    name = key(word.surface)
    half = len(name) // 2
    patterns = {
        Kind.KEYS: edited_rest(name[:half], name[half:]),
        Kind.REVERSED_KEYS: edited_rest(name[half:][::-1], name[:half][::-1]),
    }
    listed: list[tuple[str, bytes]] = []
    frequent: dict[str, set[int]] = {}
    for segment, kind, row in rows:
        for written, packed in Entries(row).like(patterns[Kind(kind)]):
            neighbour = written[::-1] if kind == Kind.REVERSED_KEYS else written
            if packed and neighbour != name:
                listed.append((neighbour, packed))
            elif neighbour != name:
                frequent.setdefault(neighbour, set()).add(segment)
    # The lists beside keys are short, and so not bits: they can be put together.
    found.pages(Likeness.EDITED).add(b"".join(packed for neighbour, packed in listed if neighbour not in frequent))
    found.pages(frequent_as).add(b"".join(packed for neighbour, packed in listed if neighbour in frequent))
    return frequent


def add_frequent_neighbours(
    found: Found, word: Word, rows: Iterable[bytes], names: Iterable[str], *, frequent_as: Likeness
) -> None:
    """Add what rows of words say about a word's neighbours with these names."""
    in_order = sorted(names)
    for row in map(Entries, rows):
        for name in in_order[bisect_left(in_order, row.first_key) : bisect_right(in_order, row.last_key)]:
            for _, packed in _edited(word, row.beginning(f"{name}{TAB}")):
                found.pages(frequent_as).add(packed)


def add_neighbours_in_words(
    found: Found, word: Word, rows: Iterable[Entries], frequent: Collection[str], *, frequent_as: Likeness
) -> None:
    """Add the neighbours of a word from all rows of words of some segments. `frequent` are neighbours that are frequent
    in others.
    """
    name = key(word.surface)
    half = len(name) // 2
    pattern = edited(name[:half], name[half:])
    for row in rows:
        for surface, packed in _edited(word, row.like(pattern)):
            found.pages(frequent_as if key(surface) in frequent else Likeness.EDITED).add(packed)


def _edited(word: Word, entries: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Those of these tokens that are like a word but for a wrong letter."""
    for surface, packed in entries:
        if likeness(word.surface, surface, fuzzy=True) is Likeness.EDITED:
            yield surface, packed
