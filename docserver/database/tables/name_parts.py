"""Parts of names, which the index in `name_index` records, and places of documents as they are stored there. No SQL.

A name is the weights of its letters, two bytes each. Its parts are all runs of one to three letters. A name that has a
text in it has all parts of the text. The reverse holds too, unless the name has a pair of letters twice in which two
neighbouring parts of the text overlap: only then may these parts stand in different places of the name.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import compress

BLOCK = 8192
"""Documents of a block. The larger a block is, the more documents wait until it is full; the smaller, the more rows."""

LONGEST = 3
"""Letters of the longest parts: each is in few enough names, and there are not too many of them."""

DELETED = b"\0"
"""The part that stands for deleted documents. It is shorter than those of names."""

_WEIGHT_BYTES = 2


def parts_of(letters: bytes, content_type: str) -> set[bytes]:
    """All parts that are recorded of a document with this name."""
    parts = {run for size in range(1, LONGEST + 1) for run in _runs(letters, size)}
    return parts | repeated_pairs(letters) | {part_of_type(content_type)}


def repeated_pairs(letters: bytes) -> set[bytes]:
    """The parts that stand for pairs of letters that the name has more than once."""
    once: set[bytes] = set()
    twice: set[bytes] = set()
    for pair in _runs(letters, 2):
        (twice if pair in once else once).add(pair)
    return {_part_of_repeated(pair) for pair in twice}


def parts_to_find(letters: bytes) -> list[bytes]:
    """The longest parts of a text that is looked for. Each name with the text in it has all of them."""
    return sorted({*_runs(letters, min(LONGEST, len(letters) // _WEIGHT_BYTES))})


def repeated_to_find(letters: bytes) -> list[bytes]:
    """The parts for pairs in which `parts_to_find` overlap. A name with one of these may lack the text."""
    inner = letters[_WEIGHT_BYTES:-_WEIGHT_BYTES]
    return sorted({_part_of_repeated(pair) for pair in _runs(inner, 2)})


def part_of_type(content_type: str) -> bytes:
    """The part that stands for a content type. It is longer than those of names."""
    return sha256(content_type.encode()).digest()[:8]


def _part_of_repeated(pair: bytes) -> bytes:
    # Of an odd length, which no run has.
    return pair + b"\0"


def _runs(letters: bytes, count: int) -> Iterator[bytes]:
    """All runs of so many letters."""
    size = count * _WEIGHT_BYTES
    return (letters[start : start + size] for start in range(0, len(letters) - size + 1, _WEIGHT_BYTES))


def pack(places: Sequence[int]) -> bytes:
    """Places in a block: as two bytes each or, if that is not longer, as a bit for each document of the block."""
    if len(places) * 2 < BLOCK // 8:
        return pack_each(places)
    return bits_at(places).to_bytes(BLOCK // 8, "little")


def pack_each(places: Iterable[int]) -> bytes:
    """Places in a block, as two bytes each."""
    return b"".join(place.to_bytes(2, "little") for place in places)


def unpack_each(packed: bytes) -> list[int]:
    """What `pack_each` has packed."""
    return [low | high << 8 for low, high in zip(packed[::2], packed[1::2], strict=True)]


def bits_of(packed: bytes) -> int:
    """What `pack` has packed, as the bits of a number."""
    if len(packed) == BLOCK // 8:
        return int.from_bytes(packed, "little")
    return bits_at(unpack_each(packed))


def bits_at(places: Iterable[int]) -> int:
    """Places as the bits of a number."""
    bits = bytearray(BLOCK // 8)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(bits, "little")


def bits_by_block(numbers: Iterable[int], blocks: range) -> dict[int, int]:
    """Numbers of documents of these blocks, as bits of each block."""
    first = blocks.start * BLOCK
    # A list may have all documents with a status. To set a byte takes a third of the time of setting a bit.
    flags = bytearray(len(blocks) * BLOCK)
    for number in numbers:
        flags[number - first] = 1
    joined = 0
    for bit in range(8):
        joined |= int.from_bytes(flags[bit::8], "little") << bit
    size = BLOCK // 8
    packed = joined.to_bytes(len(blocks) * size, "little")
    return {
        block: int.from_bytes(packed[place * size : (place + 1) * size], "little") for place, block in enumerate(blocks)
    }


def places_of(bits: int) -> list[int]:
    """The places of the bits that are set, lowest first."""
    if bits.bit_count() * 8 > BLOCK // 8:
        return list(compress(_PLACES, f"{bits:b}"[::-1].encode().translate(_DIGITS)))
    places = array("H")
    while bits:
        lowest = bits & -bits
        places.append(lowest.bit_length() - 1)
        bits ^= lowest
    return list(places)


_DIGITS = bytes.maketrans(b"01", b"\0\1")
"""For `bytes.translate`: binary digits as truth values."""

_PLACES = tuple(range(BLOCK))
"""All places. To make them anew each time would take most of the time of `places_of`."""
