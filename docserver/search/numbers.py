"""Packed lists of the pages that have a token. Sets of pages while a search runs are the bits of one number.

A list has four bytes for each page, in ascending order: twice its number, and one more if the page has the token often.
Where that is shorter, a list has the number of its first page, the bits of its pages, and those of the pages that have
the token often. Each of these two has an odd number of bytes, so the length of a list tells which kind it is.
"""

import sys
from array import array
from collections.abc import Collection, Iterator, Sequence

_BYTES = 4

_SHORT = 1024
"""Bytes of a list that is not worth bits. Most lists are shorter, and are joined without a look into them."""

_WINDOW = 512
"""Bytes of a set that are looked at together, so that its last pages are found without reading all of it."""


def entry(page: int, *, often: bool) -> bytes:
    """A page as it stands in a list."""
    return (page << 1 | often).to_bytes(_BYTES, "little")


def pack(listed: bytes) -> bytes:
    """A list, as bits if that is shorter."""
    if len(listed) <= _SHORT or _is_bits(listed):
        return listed
    first, last = (int.from_bytes(each, "little") >> 1 for each in (listed[:_BYTES], listed[-_BYTES:]))
    return listed if len(listed) < _BYTES + 2 * _width(first, last) else _as_bits(*_sets_of_listed(listed))


def pages_of(packed: bytes) -> list[int]:
    """The pages of a list."""
    return [each >> 1 for each in _entries(packed)]


def united(one: bytes, other: bytes) -> bytes:
    """Two lists that are not bits as one. Their pages may be the same."""
    return as_bytes(array("I", sorted({*as_array(one), *as_array(other)})))


def joined(one: bytes, other: bytes) -> bytes:
    """Two lists as one, which may still have to be packed. All pages of the second one are later."""
    if not (len(one) | len(other)) & 3:
        return one + other
    (pages, often), (more, more_often) = _sets(one), _sets(other)
    bits = _as_bits(pages | more, often | more_often)
    return bits if len(bits) <= _BYTES * (pages | more).bit_count() else as_bytes(_entries(bits))


def without(packed: bytes, dead: Collection[int]) -> bytes:
    """A list without these pages."""
    entries = _entries(packed)
    living = array("I", [each for each in entries if each >> 1 not in dead])
    return packed if len(living) == len(entries) else pack(as_bytes(living))


def _entries(packed: bytes) -> "array[int]":
    """The entries of a list: twice the number of each page, and one more if the page has the token often."""
    if not _is_bits(packed):
        return as_array(packed)
    pages, often = _sets(packed)
    return array("I", [number << 1 | (often >> number & 1) for number in reversed(list(descending(pages)))])


class Pages:
    """Collects lists, to make one set of them."""

    def __init__(self) -> None:
        self._all = self._often = 0
        """The sets so far."""
        self._more: list[bytes] = []
        self._more_often: list[bytes] = []
        """Lists that are not in them yet."""

    def add(self, packed: bytes) -> None:
        """Add the pages of a list."""
        self._more.append(packed)
        self._more_often.append(packed)

    def add_set(self, pages: int) -> None:
        """Add a set of pages, none of them as one that has a token often."""
        self._all |= pages

    def all(self) -> int:
        """The set of all pages."""
        more, self._more = self._more, []
        self._all |= _set_of_listed(as_array(b"".join(packed for packed in more if not _is_bits(packed))))
        for packed in filter(_is_bits, more):
            self._all |= _sets(packed)[0]
        return self._all

    def often(self) -> int:
        """The set of the pages that have the token often."""
        more, self._more_often = self._more_often, []
        listed = as_array(b"".join(packed for packed in more if not _is_bits(packed)))
        self._often |= _set_of_listed([entry for entry in listed if entry & 1])
        for packed in filter(_is_bits, more):
            self._often |= _sets(packed)[1]
        return self._often


def set_of(pages: Sequence[int]) -> int:
    """A set of these pages."""
    bits = bytearray((max(pages, default=0) >> 3) + 1)
    for page in pages:
        bits[page >> 3] |= 1 << (page & 7)
    return int.from_bytes(bits, "little")


def descending(pages: int) -> Iterator[int]:
    """The numbers of a set, highest first."""
    data = pages.to_bytes((pages.bit_length() + 7) // 8, "little")
    for end in range(len(data), 0, -_WINDOW):
        start = max(0, end - _WINDOW)
        window = int.from_bytes(data[start:end], "little")
        while window:
            place = window.bit_length() - 1
            yield start * 8 + place
            window ^= 1 << place


def as_array(data: bytes) -> "array[int]":
    """Numbers of four bytes each."""
    numbers = array("I", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def as_bytes(numbers: "array[int]") -> bytes:
    """The inverse of `as_array`."""
    if sys.byteorder == "big":
        numbers = array("I", numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _is_bits(packed: bytes) -> bool:
    return len(packed) & 3 != 0


def _sets(packed: bytes) -> tuple[int, int]:
    """The pages of a list, and those that have the token often."""
    if not _is_bits(packed):
        return _sets_of_listed(packed)
    first, middle = int.from_bytes(packed[:_BYTES], "little"), (len(packed) + _BYTES) // 2
    parts = packed[_BYTES:middle], packed[middle:]
    pages, often = (int.from_bytes(part, "little") << first for part in parts)
    return pages, often


def _sets_of_listed(listed: bytes) -> tuple[int, int]:
    entries = as_array(listed)
    return _set_of_listed(entries), _set_of_listed([entry for entry in entries if entry & 1])


_BIT = [1 << (entry >> 1) for entry in range(16)]
"""The bit of an entry in its byte of a set."""


def _set_of_listed(entries: Sequence[int]) -> int:
    bits = bytearray((max(entries, default=0) >> 4) + 1)
    for entry in entries:
        bits[entry >> 4] |= _BIT[entry & 15]
    return int.from_bytes(bits, "little")


def _as_bits(pages: int, often: int) -> bytes:
    first = (pages & -pages).bit_length() - 1
    width = _width(first, pages.bit_length() - 1)
    parts = [(each >> first).to_bytes(width, "little") for each in (pages, often)]
    return first.to_bytes(_BYTES, "little") + b"".join(parts)


def _width(first: int, last: int) -> int:
    """Bytes for the bits of these pages and all between them."""
    return (last - first) // 8 + 1 | 1
