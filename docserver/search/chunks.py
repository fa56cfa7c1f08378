"""The rows of a segment of the index, packed: its words with their pages, and its keys, in which a search finds the
neighbours of a word.

Each kind of row has an order of its own, and the name of a row is its first entry. So a search reads the last row that
begins before what it looks for, and perhaps the rows after it.
"""

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import orjson

WORDS_BYTES = 8192
"""Bytes of a row of words before compression. A search unpacks a row for each word and segment."""

KEYS_AT_ONCE = 1000
"""Keys in a row of keys. A search looks through all keys that begin or end like its word."""

_LEVEL = 1
"""More compression takes more time than it saves room."""


class Kind(IntEnum):
    """What a row holds."""

    WORDS = 0
    """Words, in the order of their keys."""
    KEYS = 1
    """Keys, in the order of their lengths and then of their letters."""
    REVERSED_KEYS = 2
    """The same, each key written backwards."""


# Millions of these are made when segments are merged, and tuples are made in a fifth of the time of dataclasses.
class Entry(NamedTuple):
    """An entry of a row of words."""

    key: str
    surface: str
    pages: bytes
    """The pages that have the token, packed."""
    often: bytes
    """The pages that have it often, packed."""


class KeyEntry(NamedTuple):
    """An entry of a row of keys."""

    order: bytes
    """See `key_order`."""
    page: int
    """The page that has the key, if only one has it and only once; else 0."""


class Chunk(NamedTuple):
    """A row."""

    kind: Kind
    first: bytes
    """The first entry, as it stands in the order of the rows."""
    data: bytes


def key_order(key: str, kind: Kind) -> bytes:
    """Bytes that sort as keys of this kind are ordered."""
    return bytes((len(key),)) + (key[::-1] if kind is Kind.REVERSED_KEYS else key).encode()


class WordsPacker:
    """Packs entries that come in order. All entries of a key are in the same row."""

    def __init__(self) -> None:
        self._some: list[Entry] = []
        self._size = 0

    def add(self, entries: Iterable[Entry]) -> Iterator[Chunk]:
        """Take entries; yields each row that they fill."""
        for entry in entries:
            if self._size >= WORDS_BYTES and entry.key != self._some[-1].key:
                yield from self.end()
            self._some.append(entry)
            self._size += len(entry.key) + len(entry.surface) + len(entry.pages) + len(entry.often) + 10

    def end(self) -> Iterator[Chunk]:
        """The last row, which may not be full."""
        if self._some:
            header = orjson.dumps([(each.key, each.surface, len(each.pages), len(each.often)) for each in self._some])
            lists = b"".join(each.pages + each.often for each in self._some)
            data = zlib.compress(len(header).to_bytes(4, "little") + header + lists, _LEVEL)
            yield Chunk(Kind.WORDS, self._some[0].key.encode(), data)
        self._some, self._size = [], 0


def unpack_words(data: bytes) -> Iterator[Entry]:
    """The entries of a row of words."""
    unpacked = zlib.decompress(data)
    at = 4 + int.from_bytes(unpacked[:4], "little")
    for key, surface, pages, often in orjson.loads(unpacked[4:at]):
        middle, end = at + pages, at + pages + often
        yield Entry(key, surface, unpacked[at:middle], unpacked[middle:end])
        at = end


class KeysPacker:
    """Packs keys that come in order."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._some: list[KeyEntry] = []

    def add(self, entries: Iterable[KeyEntry]) -> Iterator[Chunk]:
        """Take keys; yields each row that they fill."""
        for entry in entries:
            self._some.append(entry)
            if len(self._some) == KEYS_AT_ONCE:
                yield from self.end()

    def end(self) -> Iterator[Chunk]:
        """The last row, which may not be full."""
        if self._some:
            pages = array("I", [each.page for each in self._some])
            if sys.byteorder == "big":
                pages.byteswap()
            names = b"\n".join(each.order[1:] for each in self._some)
            lengths = bytes(each.order[0] for each in self._some)
            data = zlib.compress(len(lengths).to_bytes(4, "little") + pages.tobytes() + lengths + names, _LEVEL)
            yield Chunk(self._kind, self._some[0].order, data)
        self._some = []


def unpack_keys(data: bytes) -> Iterator[KeyEntry]:
    """The entries of a row of keys."""
    pages, lengths, names = _keys(data)
    for page, length, name in zip(pages, lengths, names.split(b"\n"), strict=True):
        yield KeyEntry(bytes((length,)) + name, page)


def keys_beginning_with(data: bytes, begins: bytes) -> Iterator[tuple[bytes, int]]:
    """The keys of a row that begin with `begins`, as they are written in the row, and the page of each."""
    pages, _, names = _keys(data)
    names = b"\n" + names + b"\n"
    begins = b"\n" + begins
    place, counted = 0, 1
    start = names.find(begins)
    while start >= 0:
        end = names.index(b"\n", start + 1)
        # The place of a name is the number of line breaks before it.
        place, counted = place + names.count(b"\n", counted, start + 1), start + 1
        yield names[start + 1 : end], pages[place]
        start = names.find(begins, end)


def _keys(data: bytes) -> tuple[Sequence[int], bytes, bytes]:
    unpacked = zlib.decompress(data)
    count = int.from_bytes(unpacked[:4], "little")
    pages = array("I", unpacked[4 : 4 + 4 * count])
    if sys.byteorder == "big":
        pages.byteswap()
    names = 4 + 5 * count
    return pages, unpacked[4 + 4 * count : names], unpacked[names:]
