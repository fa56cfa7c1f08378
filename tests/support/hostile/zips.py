"""ZIPs whose parts say what no program would write (APPNOTE.TXT 6.3.10, 4.3), and the parts that they are made of."""

import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")

DATA = b"hello"
IN_ZIP64 = 0xFFFFFFFF
"""Stands for a number that an extra field has."""


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def local(name: bytes, *, method: int = 8, crc: int = 0, packed: int = 0, size: int = 0, flags: int = 0) -> bytes:
    """What stands before the bytes of an entry."""
    return _LOCAL.pack(b"PK\x03\x04", 20, flags, method, 0, 0, crc, packed, size, len(name), 0) + name


def central(
    name: bytes = b"a",
    *,
    method: int = 8,
    crc: int = 0,
    packed: int = 0,
    size: int = 0,
    flags: int = 0,
    place: int = 0,
    extra: bytes = b"",
) -> bytes:
    """An entry of the central directory."""
    lengths = (len(name), len(extra), 0)
    head = _CENTRAL.pack(b"PK\x01\x02", 20, 20, flags, method, 0, 0, crc, packed, size, *lengths, 0, 0, 0, place)
    return head + name + extra


def end(entries: int, *, size: int, place: int, comment: bytes = b"") -> bytes:
    """The end of an archive whose directory has this size and place."""
    count = entries & 0xFFFF
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, size & IN_ZIP64, place & IN_ZIP64, len(comment)) + comment


def zip64_end(entries: int, *, size: int, place: int) -> bytes:
    return _ZIP64_END.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, place)


def zip64_locator(place: int) -> bytes:
    return _ZIP64_LOCATOR.pack(b"PK\x06\x07", 0, place, 1)


def zip64_extra(*, size: int = len(DATA), packed: int = len(deflated(DATA)), place: int = 0) -> bytes:
    return struct.pack("<HH3Q", 1, 24, size, packed, place)


def archive(
    name: bytes = b"a.png",
    data: bytes = DATA,
    *,
    in_local: Mapping[str, Any] = MappingProxyType({}),
    in_central: Mapping[str, Any] = MappingProxyType({}),
    before: bytes = b"",
    comment: bytes = b"",
    **both: int,
) -> bytes:
    """An archive of one file, sound but for the given fields and what its directory does not count `before` it."""
    packed = deflated(data)
    fields: dict[str, Any] = {"crc": zlib.crc32(data), "packed": len(packed), "size": len(data), **both}
    entry = before + local(name, **{**fields, **in_local}) + packed
    directory = central(name, **{"place": len(before), **fields, **in_central})
    return entry + directory + end(1, size=len(directory), place=len(entry), comment=comment)


def in_zip64(extra: bytes) -> bytes:
    """An archive of one file, whose sizes and place are those of an extra field."""
    return archive(in_central={"packed": IN_ZIP64, "size": IN_ZIP64, "place": IN_ZIP64, "extra": extra})


def whole_zip64() -> bytes:
    """An archive of one file, whose directory has an end in Zip64 too."""
    made = in_zip64(zip64_extra())
    body, (_, size, place, _) = made[: -_END.size], struct.unpack("<HLLH", made[-12:])
    ends = zip64_end(1, size=size, place=place) + zip64_locator(len(body))
    return body + ends + end(0xFFFF, size=IN_ZIP64, place=IN_ZIP64)


def around(inner: bytes, *, then: bytes = local(b"last.png", method=0, packed=200) + bytes(200)) -> bytes:
    """An archive that breaks off without its directory, after a file and the archive within it, stored as it is."""
    first = local(b"first.png", method=0, packed=9) + b"the first"
    return first + local(b"inner.zip", method=0, packed=len(inner), size=len(inner)) + inner + then


def only_entries(number: int, *, said: int) -> bytes:
    """A directory of so many entries without files, whose end says another number."""
    directory = central() * number
    return directory + end(said, size=len(directory), place=0)


def with_two_ends(number: int) -> bytes:
    """A directory of so many entries, and two ends: the one that the locator names says fewer."""
    directory = central() * number
    few = zip64_end(1, size=len(central()), place=0)
    many = zip64_end(number, size=len(directory), place=len(few))
    return few + directory + many + zip64_locator(0) + end(0xFFFF, size=IN_ZIP64, place=IN_ZIP64)


def overlapping(number: int) -> bytes:
    """Entries that all have the same bytes: a bomb without a second layer (D. Fifield, 2019)."""
    data = bytes(100_000)
    fields: dict[str, Any] = {"crc": zlib.crc32(data), "packed": len(deflated(data)), "size": len(data)}
    entry = local(b"a", **fields) + deflated(data)
    directory = central(**fields) * number
    return entry + directory + end(number, size=len(directory), place=len(entry))
