"""Looks up the words of a query in rows of the index: which rows to read, which pages have a word, and how exactly."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from docserver.search.chunks import Kind, key_order, keys_beginning_with, unpack_words
from docserver.search.folding import Likeness, is_edited, key, likeness, one_edit
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
    often: Pages = field(default_factory=Pages)
    """The pages that often have the word itself, in any case and with any accents."""

    def pages(self, how: Likeness) -> Pages:
        """The pages that have something like the word, as `how` says."""
        return self.like.setdefault(how, Pages())


def words_range(word: Word) -> Range:
    """Where the entries of a word are. For the beginning of a word, these are all entries that begin with it."""
    name = key(word.surface)
    while word.is_prefix and name.endswith(ENDS_OTHERWISE):
        name = name[:-1]
    return Range(Kind.WORDS, name.encode())


def neighbour_ranges(word: Word) -> Iterator[Range]:
    """Where the keys are that are the same as that of a word but for one letter: in its first or in its second half."""
    if word.is_prefix or not is_edited(word.surface):
        return
    name = key(word.surface)
    half = len(name) // 2
    for length in (len(name) - 1, len(name), len(name) + 1):
        for kind, begins in ((Kind.KEYS, name[:half]), (Kind.REVERSED_KEYS, name[half:])):
            yield Range(kind, bytes((length,)) + key_order(begins, kind)[1:])


def add_words(found: dict[Word, Found], rows: Iterable[bytes], *, fuzzy: bool) -> None:
    """Add what rows of words say about all these words."""
    whole: dict[str, list[Word]] = {}
    for word in found:
        if not word.is_prefix:
            whole.setdefault(key(word.surface), []).append(word)
    beginnings = [word for word in found if word.is_prefix]
    for row in rows:
        for entry in unpack_words(row):
            for word in whole.get(entry.key, ()):
                how = likeness(word.surface, entry.surface, fuzzy=fuzzy)
                if how:
                    found[word].pages(how).add(entry.pages)
                    if entry.often and how >= Likeness.FOLDED:
                        found[word].often.add(entry.often)
            for word in beginnings:
                if word.begins(entry.surface):
                    found[word].pages(Likeness.FOLDED).add(entry.pages)


def add_neighbours(
    found: dict[Word, Found], word: Word, rows: Iterable[tuple[int, int, bytes]], elsewhere: dict[str, set[int]]
) -> None:
    """Add the pages of a word's neighbours. `rows` are rows of keys, each with its segment and kind. If the pages of a
    neighbour are in the rows of words, add the neighbour and its segment to `elsewhere`.
    """
    name = key(word.surface)
    half = len(name) // 2
    pattern = one_edit(name)
    for segment, kind, row in rows:
        is_reversed = kind == Kind.REVERSED_KEYS
        begins = name[half:][::-1] if is_reversed else name[:half]
        for written, page in keys_beginning_with(row, begins.encode()):
            neighbour = written.decode()[::-1] if is_reversed else written.decode()
            if neighbour == name or not pattern.fullmatch(neighbour):
                continue
            if page:
                found[word].pages(Likeness.EDITED).add_number(page)
            else:
                elsewhere.setdefault(neighbour, set()).add(segment)


def add_words_of_neighbours(found: dict[Word, Found], rows: Iterable[bytes], names: Iterable[str]) -> None:
    """Add what rows of words say about neighbours."""
    words = [word for word in found if not word.is_prefix and is_edited(word.surface)]
    near = {name: [word for word in words if one_edit(key(word.surface)).fullmatch(name)] for name in names}
    for row in rows:
        for entry in unpack_words(row):
            for word in near.get(entry.key, ()):
                if entry.key != key(word.surface) and likeness(word.surface, entry.surface, fuzzy=True):
                    found[word].pages(Likeness.EDITED).add(entry.pages)
