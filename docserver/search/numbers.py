"""Ascending lists of page numbers, packed: as four bytes each or, where that is shorter, as bits. Sets of pages while a
search runs are the bits of one number.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence

_LISTED, _BITS = b"\0", b"\1"

_BYTES = 4
"""Bytes of a listed number, and of the number that the first bit stands for."""

_WINDOW = 512
"""Bytes of a set that are looked at together, so that its last pages are found without reading all of it."""


def pack(numbers: Sequence[int]) -> bytes:
    """Pack ascending numbers; empty if there are none."""
    if not numbers:
        return b""
    first, span = numbers[0], numbers[-1] - numbers[0] + 1
    if len(numbers) * _BYTES <= span // 8 + _BYTES:
        return _LISTED + _array(numbers).tobytes()
    bits = bytearray(span // 8 + 1)
    for number in numbers:
        bits[number - first >> 3] |= 1 << (number - first & 7)
    return _BITS + first.to_bytes(_BYTES, "little") + bytes(bits)


def unpack(packed: bytes) -> Sequence[int]:
    """The numbers of a packed list."""
    if packed[:1] == _BITS:
        first = int.from_bytes(packed[1 : 1 + _BYTES], "little")
        return [first + place for place in reversed(list(descending(int.from_bytes(packed[1 + _BYTES :], "little"))))]
    numbers = array("I", packed[1:])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def joined(packed: Sequence[bytes]) -> bytes:
    """Several packed lists as one. They must have no number in common."""
    if len(packed) < 2:
        return packed[0] if packed else b""
    if all(each[:1] == _LISTED for each in packed):
        numbers: Sequence[int] = unpack(_LISTED + b"".join(each[1:] for each in packed))
    else:
        numbers = [number for each in packed for number in unpack(each)]
    return pack(sorted(numbers))


class Pages:
    """Collects packed lists, to make one set of them."""

    def __init__(self) -> None:
        self._listed: list[bytes] = []
        self._bits: list[bytes] = []

    def add(self, packed: bytes) -> None:
        """Add the pages of a list."""
        (self._bits if packed[:1] == _BITS else self._listed).append(packed[1:])

    def add_number(self, number: int) -> None:
        """Add one page."""
        self._listed.append(number.to_bytes(_BYTES, "little"))

    def as_set(self) -> int:
        """The numbers of all pages as bits."""
        pages = 0
        for packed in self._bits:
            pages |= int.from_bytes(packed[_BYTES:], "little") << int.from_bytes(packed[:_BYTES], "little")
        numbers = unpack(_LISTED + b"".join(self._listed))
        return pages | set_of(numbers)


def set_of(numbers: Sequence[int]) -> int:
    """A set of these pages."""
    if not numbers:
        return 0
    bits = bytearray((max(numbers) >> 3) + 1)
    for number in numbers:
        bits[number >> 3] |= 1 << (number & 7)
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


def _array(numbers: Sequence[int]) -> "array[int]":
    listed = array("I", numbers)
    if sys.byteorder == "big":
        listed.byteswap()
    return listed
