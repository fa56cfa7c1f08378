"""Child side: reads from a TrueType font what PDF/A asks of it: its glyphs, their widths and characters."""

import struct
from functools import cached_property

from docserver.ocr.archival.unfit import Unfit

HEADS = (b"\x00\x01\x00\x00", b"true", b"OTTO")
MAX_TABLES, MAX_CMAPS = 100, 20
"""More than any font has: most have 20 tables and 3 maps."""

UNICODE, MACINTOSH, SYMBOL = (3, 1), (1, 0), (3, 0)
"""Platform and encoding of the maps that PDF viewers use."""


class TrueType:
    """A font file. Raises Unfit if it is broken."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            head, count = struct.unpack_from(">4sH", data)
            if head not in HEADS or count > MAX_TABLES:
                raise Unfit("a TrueType font is broken")
            records = (struct.unpack_from(">4s4xII", data, 12 + 16 * index) for index in range(count))
            self._tables = {tag: (start, length) for tag, start, length in records}
        except struct.error as error:
            raise Unfit("a TrueType font is broken") from error

    def table(self, tag: bytes) -> bytes:
        """The bytes of a table, which must be there."""
        start, length = self._tables.get(tag, (0, 0))
        if not length or start + length > len(self._data):
            raise Unfit("a TrueType font lacks a table")
        return self._data[start : start + length]

    @cached_property
    def glyph_count(self) -> int:
        return _number(self.table(b"maxp"), 4)

    @cached_property
    def _units_per_em(self) -> int:
        return _number(self.table(b"head"), 18)

    @cached_property
    def _advances(self) -> tuple[int, ...]:
        count = _number(self.table(b"hhea"), 34)
        table = self.table(b"hmtx")
        if not 0 < count <= len(table) // 4:
            raise Unfit("a TrueType font has no widths")
        return tuple(advance for advance, _ in struct.iter_unpack(">HH", table[: 4 * count]))

    def width(self, glyph: int) -> float | None:
        """The width of a glyph in thousandths of the font's size; None if there is no such glyph."""
        if glyph >= self.glyph_count:
            return None
        if not self._units_per_em:
            raise Unfit("a TrueType font has no scale")
        return self._advances[min(glyph, len(self._advances) - 1)] * 1000 / self._units_per_em

    @cached_property
    def maps(self) -> dict[tuple[int, int], dict[int, int]]:
        """Its maps of characters to glyphs, by platform and encoding."""
        if b"cmap" not in self._tables:
            return {}
        table = self.table(b"cmap")
        try:
            count = _number(table, 2)
            if count > MAX_CMAPS:
                raise Unfit("a TrueType font is broken")
            records = [struct.unpack_from(">HHI", table, 4 + 8 * index) for index in range(count)]
            return {(platform, encoding): _character_map(table[start:]) for platform, encoding, start in records}
        except (struct.error, IndexError) as error:
            raise Unfit("a TrueType font is broken") from error


def _number(table: bytes, offset: int) -> int:
    if len(table) < offset + 2:
        raise Unfit("a TrueType font is broken")
    return int.from_bytes(table[offset : offset + 2])


def _character_map(table: bytes) -> dict[int, int]:
    """Character → glyph, without characters that have none."""
    form = _number(table, 0)
    if form == 0:
        found = dict(enumerate(table[6:262]))
    elif form == 4:
        found = _segments(table)
    elif form == 6:
        first, count = struct.unpack_from(">HH", table, 6)
        found = {
            first + index: glyph for index, (glyph,) in enumerate(struct.iter_unpack(">H", table[10 : 10 + 2 * count]))
        }
    else:
        # Characters beyond the first 65,536 have codes in no simple font.
        found = {}
    return {character: glyph for character, glyph in found.items() if glyph}


def _segments(table: bytes) -> dict[int, int]:
    """A map in format 4 of the TrueType specification."""
    count = _number(table, 6) // 2

    def column(index: int) -> tuple[int, ...]:
        return struct.unpack_from(f">{count}H", table, 14 + 2 * count * index + (2 if index else 0))

    ends, starts, deltas, offsets = (column(index) for index in range(4))
    found = {}
    for index, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for character in range(first, last + 1):
            glyph = character
            if offsets[index]:
                place = 16 + 6 * count + 2 * index + offsets[index] + 2 * (character - first)
                if place + 2 > len(table):
                    continue
                glyph = _number(table, place)
                if not glyph:
                    continue
            found[character] = (glyph + deltas[index]) & 0xFFFF
    return found
