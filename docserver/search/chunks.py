"""The rows of a segment of the index, packed: its words with their pages, and its keys, in which a search finds the
neighbours of a word.

Each kind of row has an order of its own, and the name of a row is its first entry. So a search reads the last row that
begins before what it looks for, and perhaps the rows after it.
"""

import operator
import re
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import NamedTuple

from docserver.search.numbers import as_array, as_bytes

ROW_BYTES = 8192
"""Bytes of a row before compression. A search unpacks a row for each word and segment; for words with a wrong letter,
it unpacks all rows with keys that begin or end alike."""

NO_COMPRESSION, COMPRESSION = 0, 1
"""Levels of zlib. Rows that are merged soon are not compressed: that would take longer than all else. More compression
takes more time than it saves room."""

_OVERHEAD = 8
"""Bytes of an entry beside its name and its list, about."""

TAB = "\t"
"""The name of a token is its key, a tab and the token itself, so names sort by keys. All tokens sort after a tab. The
name of a key is the key alone."""


class Kind(IntEnum):
    """What a row holds."""

    WORDS = 0
    """Words, in the order of their keys."""
    KEYS = 1
    """Keys, in the order of their lengths and then of their letters."""
    REVERSED_KEYS = 2
    """The same, each key written backwards."""


class Chunk(NamedTuple):
    """A row."""

    kind: Kind
    first: bytes
    """The first entry, as it stands in the order of the rows."""
    data: bytes


def key_order(name: str) -> bytes:
    """Bytes that sort as keys are ordered."""
    return bytes((len(name),)) + name.encode()


def key_of(name: str) -> str:
    """The key in the name of a token; of a key, the key itself."""
    return name.partition(TAB)[0]


class Packer:
    """Packs entries of a kind that come in order. All tokens of a key are in the same row."""

    def __init__(self, kind: Kind, level: int) -> None:
        self.kind, self._level = kind, level
        self._names: list[str] = []
        self._lists: list[bytes] = []

    def add(self, names: Sequence[str], lists: Sequence[bytes]) -> Iterator[Chunk]:
        """Take entries with their packed lists; yields each row that they fill."""
        self._names += names
        self._lists += lists
        sizes = map(operator.add, map(len, self._names), map(len, self._lists))
        ends = [_OVERHEAD * place + size for place, size in enumerate(accumulate(sizes), 1)]
        first = filled = 0
        while ends and ends[-1] - filled >= ROW_BYTES:
            end = self._end_of_key(bisect_left(ends, filled + ROW_BYTES))
            if end == len(ends):
                # More tokens of this key may follow.
                break
            yield self._packed(first, end)
            first, filled = end, ends[end - 1]
        del self._names[:first], self._lists[:first]

    def end(self) -> Iterator[Chunk]:
        """The last row, which may not be full."""
        if self._names:
            yield self._packed(0, len(self._names))
        self._names, self._lists = [], []

    def _end_of_key(self, place: int) -> int:
        """The place after the last entry with the same key."""
        key = key_of(self._names[place])
        while place < len(self._names) and key_of(self._names[place]) == key:
            place += 1
        return place

    def _packed(self, first: int, end: int) -> Chunk:
        names, lists = self._names[first:end], self._lists[first:end]
        sizes = as_bytes(array("I", [len(names), *map(len, lists)]))
        data = zlib.compress(b"".join((sizes, "\n".join(names).encode(), *lists)), self._level)
        first_key = key_of(names[0])
        return Chunk(self.kind, first_key.encode() if self.kind is Kind.WORDS else key_order(first_key), data)


class Entries:
    """The entries of a row, unpacked as far as a search needs them."""

    def __init__(self, data: bytes) -> None:
        unpacked = zlib.decompress(data)
        names = 4 + 4 * int.from_bytes(unpacked[:4], "little")
        self._sizes = as_array(unpacked[4:names])
        lists = len(unpacked) - sum(self._sizes)
        self._names = f"\n{unpacked[names:lists].decode()}\n"
        self._lists = unpacked[lists:]

    @property
    def first_key(self) -> str:
        """The key of the first entry."""
        return key_of(self._names[1 : self._names.index("\n", 1)])

    @property
    def last_key(self) -> str:
        """The key of the last entry."""
        return key_of(self._names[self._names.rindex("\n", 0, -1) + 1 : -1])

    def all(self) -> tuple[list[str], list[bytes]]:
        """All names, and their packed lists."""
        ends = [0, *accumulate(self._sizes)]
        return self._names[1:-1].split("\n"), [self._lists[at:end] for at, end in pairwise(ends)]

    def beginning(self, begins: str) -> Iterator[tuple[str, bytes]]:
        """The tokens or keys whose names begin like this, and their packed lists."""
        begins = f"\n{begins}"
        start, last = self._names.find(begins), self._names.rfind(begins, 0, -1)
        return self._between(start, last) if start >= 0 else iter(())

    def like(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
        """The tokens or keys whose keys match, and their packed lists; the pattern begins with the line break before a
        key.
        """
        names = self._names
        seen = number = at = 0
        for match in pattern.finditer(names):
            start = match.start()
            before, number = number, number + names.count("\n", seen, start)
            at += sum(self._sizes[before:number])
            seen = start
            name = names[start + 1 : names.index("\n", start + 1)]
            yield name[name.find(TAB) + 1 :], self._lists[at : at + self._sizes[number]]

    def _between(self, start: int, last: int) -> Iterator[tuple[str, bytes]]:
        """The tokens or keys whose names follow the line breaks from one place to another."""
        number = self._names.count("\n", 0, start)
        at = sum(self._sizes[:number])
        names = self._names[start + 1 : self._names.index("\n", last + 1)].split("\n")
        for name, size in zip(names, self._sizes[number:], strict=False):
            yield name[name.find(TAB) + 1 :], self._lists[at : at + size]
            at += size
