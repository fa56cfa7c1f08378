"""Child side: reads from a CFF font what PDF/A asks of it: its glyphs with their names or numbers, and their widths.

Sources: Adobe Technical Notes 5176 (the font) and 5177 (the outlines).
"""

import itertools
import struct
from functools import cached_property

from docserver.ocr.archival.glyph_names import STANDARD_ENCODING, STANDARD_STRINGS
from docserver.ocr.archival.unfit import Unfit

CHARSET, ENCODING, CHAR_STRINGS, PRIVATE, SUBRS, DEFAULT_WIDTH, NOMINAL_WIDTH = 15, 16, 17, 18, 19, 20, 21
FONT_MATRIX, ROS, FD_ARRAY, FD_SELECT = 1207, 1230, 1236, 1237
"""Operators of dictionaries; those of two bytes as 1200 and the second byte."""

ISO_ADOBE_GLYPHS = 229
FULL_SCALE = 0.001

CALL_SUBR, RETURN, CALL_GSUBR = 10, 11, 29
EVEN_ARGUMENTS = {1: 0, 3: 0, 18: 0, 23: 0, 19: 0, 20: 0, 21: 2, 4: 1, 22: 1, 14: 0}
"""First operator of an outline → how many arguments it has without a width; 0 for an even number of them."""

MAX_CALLS = 10
MAX_GLYPHS = 65535


class Cff:
    """A font. Raises Unfit if it is broken, or of a kind that is not known."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            names, offset = self._index(data[2])
            tops, offset = self._index(offset)
            self._strings, offset = self._index(offset)
            self._global_subrs, _ = self._index(offset)
            if len(names) != 1 or len(tops) != 1:
                raise Unfit("a CFF font is not one font")
            self._top = _dictionary(tops[0])
            self._outlines, _ = self._index(int(self._top[CHAR_STRINGS][0]))
            self.is_cid = ROS in self._top
            self._charset = self._read_charset()
            self._privates = self._read_privates()
        except (LookupError, struct.error, ValueError, OverflowError) as error:
            raise Unfit("a CFF font is broken") from error
        if abs(self._top.get(FONT_MATRIX, [FULL_SCALE])[0] - FULL_SCALE) > FULL_SCALE / 1000:
            raise Unfit("a CFF font has an unusual scale")

    @property
    def glyph_count(self) -> int:
        return len(self._outlines)

    @cached_property
    def glyphs(self) -> dict[str, int]:
        """Name → glyph, of a font with names."""
        return {self._string(sid): glyph for glyph, sid in enumerate(self._charset)}

    @cached_property
    def cids(self) -> dict[int, int]:
        """CID → glyph; without CIDs of its own, the number of a glyph is its CID."""
        return (
            {cid: glyph for glyph, cid in enumerate(self._charset)}
            if self.is_cid
            else {glyph: glyph for glyph in range(self.glyph_count)}
        )

    @cached_property
    def encoding(self) -> dict[int, str]:
        """Code → name of a glyph."""
        start = int(self._top.get(ENCODING, [0])[0])
        if start == 0:
            return STANDARD_ENCODING
        if start == 1:
            raise Unfit("a CFF font has an expert encoding")
        form, count = self._data[start], self._data[start + 1]
        codes: list[int] = []
        if form & 0x7F == 0:
            codes, end = list(self._data[start + 2 : start + 2 + count]), start + 2 + count
        else:
            for index in range(count):
                first, left = self._data[start + 2 + 2 * index : start + 4 + 2 * index]
                codes += range(first, first + left + 1)
            end = start + 2 + 2 * count
        found = {code: self._string(self._charset[glyph]) for glyph, code in enumerate(codes, 1)}
        if form & 0x80:
            for index in range(self._data[end]):
                code, sid = struct.unpack_from(">BH", self._data, end + 1 + 3 * index)
                found[code] = self._string(sid)
        return found

    def width(self, glyph: int) -> float | None:
        """The width of a glyph in thousandths of the font's size; None if there is no such glyph."""
        if glyph >= self.glyph_count:
            return None
        private, subrs = self._privates[self._font_of(glyph)]
        try:
            given = self._given_width(self._outlines[glyph], subrs)
        except LookupError as error:
            raise Unfit("an outline of a CFF font is broken") from error
        if given is None:
            return private.get(DEFAULT_WIDTH, [0.0])[0]
        return private.get(NOMINAL_WIDTH, [0.0])[0] + given

    def _given_width(self, outline: bytes, subrs: list[bytes]) -> float | None:
        """The width that stands before the arguments of the first operator of an outline; None if there is none."""
        stack: list[float] = []
        waiting = [(outline, 0)]
        while waiting:
            code, offset = waiting.pop()
            if offset >= len(code):
                continue
            operator = code[offset]
            number, after = _number(code, offset)
            if number is not None:
                stack.append(number)
                waiting.append((code, after))
            elif operator in (CALL_SUBR, CALL_GSUBR):
                called = subrs if operator == CALL_SUBR else self._global_subrs
                bias = 107 if len(called) < 1240 else 1131 if len(called) < 33900 else 32768
                if len(waiting) >= MAX_CALLS:
                    raise Unfit("outlines of a CFF font call one another too deep")
                waiting += [(code, offset + 1), (called[_position(int(stack.pop()) + bias)], 0)]
            elif operator == RETURN:
                continue
            elif operator in EVEN_ARGUMENTS:
                usual = EVEN_ARGUMENTS[operator]
                # An outline may end with four arguments: an accented letter is made of two others.
                has_width = len(stack) % 2 == 1 if usual == 0 else len(stack) > usual
                return stack[0] if has_width else None
            else:
                raise Unfit("an outline of a CFF font is not known")
        raise Unfit("an outline of a CFF font does not end")

    def _string(self, sid: int) -> str:
        if sid < len(STANDARD_STRINGS):
            return STANDARD_STRINGS[sid]
        return self._strings[sid - len(STANDARD_STRINGS)].decode("latin-1")

    def _font_of(self, glyph: int) -> int:
        """Which of the private dictionaries is that of a glyph."""
        if FD_SELECT not in self._top:
            return 0
        start = int(self._top[FD_SELECT][0])
        if self._data[start] == 0:
            return self._data[start + 1 + glyph]
        (count,) = struct.unpack_from(">H", self._data, start + 1)
        ranges = [struct.unpack_from(">HB", self._data, start + 3 + 3 * index) for index in range(count)]
        return int(max((first, font) for first, font in ranges if first <= glyph)[1])

    def _read_charset(self) -> list[int]:
        """The string or CID of each glyph."""
        count, start = len(self._outlines), int(self._top.get(CHARSET, [0])[0])
        if start == 0 and not self.is_cid:
            return list(range(min(count, ISO_ADOBE_GLYPHS)))
        if start <= 2:
            raise Unfit("a CFF font has an expert charset")
        form, offset, found = self._data[start], start + 1, [0]
        while len(found) < count:
            (first,) = struct.unpack_from(">H", self._data, offset)
            offset += 2
            left = 0
            if form:
                left = int.from_bytes(self._data[offset : offset + form])
                offset += form
            found += range(first, first + min(left, MAX_GLYPHS) + 1)
        return found[:count]

    def _read_privates(self) -> list[tuple[dict[int, list[float]], list[bytes]]]:
        """The private dictionaries and local subroutines."""
        fonts = [self._top]
        if FD_ARRAY in self._top:
            array, _ = self._index(int(self._top[FD_ARRAY][0]))
            fonts = [_dictionary(font) for font in array]
            if (
                any(FONT_MATRIX in font and abs(font[FONT_MATRIX][0] - 1) > FULL_SCALE for font in fonts)
                and FONT_MATRIX in self._top
            ):
                raise Unfit("a CFF font has an unusual scale")
        found = []
        for font in fonts:
            size, start = (int(value) for value in font[PRIVATE])
            private = _dictionary(self._data[start : start + size])
            subrs, _ = self._index(start + int(private[SUBRS][0])) if SUBRS in private else ([], 0)
            found.append((private, subrs))
        return found

    def _index(self, start: int) -> tuple[list[bytes], int]:
        """The parts of an INDEX, and where it ends."""
        (count,) = struct.unpack_from(">H", self._data, start)
        if not count:
            return [], start + 2
        size = self._data[start + 2]
        if not 1 <= size <= 4 or start + 3 + (count + 1) * size > len(self._data):
            raise Unfit("a CFF font is broken")
        places = [
            int.from_bytes(self._data[start + 3 + size * index : start + 3 + size * (index + 1)])
            for index in range(count + 1)
        ]
        base = start + 2 + size * (count + 1)
        return [self._data[base + first : base + last] for first, last in itertools.pairwise(places)], base + places[-1]


def _position(index: int) -> int:
    if index < 0:
        raise IndexError(index)
    return index


def _number(code: bytes, offset: int) -> tuple[float | None, int]:
    """A number of an outline, and where it ends; None for an operator."""
    first = code[offset]
    if first == 28:
        return struct.unpack_from(">h", code, offset + 1)[0], offset + 3
    if 32 <= first <= 246:
        return first - 139, offset + 1
    if 247 <= first <= 250:
        return (first - 247) * 256 + code[offset + 1] + 108, offset + 2
    if 251 <= first <= 254:
        return -(first - 251) * 256 - code[offset + 1] - 108, offset + 2
    if first == 255:
        return struct.unpack_from(">i", code, offset + 1)[0] / 65536, offset + 5
    return None, offset + 1


def _dictionary(data: bytes) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    operands: list[float] = []
    offset = 0
    while offset < len(data):
        first = data[offset]
        if first == 12:
            found[1200 + data[offset + 1]], operands, offset = operands, [], offset + 2
        elif first <= 21:
            found[first], operands, offset = operands, [], offset + 1
        elif first == 29:
            operands.append(struct.unpack_from(">i", data, offset + 1)[0])
            offset += 5
        elif first == 30:
            real, offset = _real(data, offset + 1)
            operands.append(real)
        else:
            number, offset = _number(data, offset)
            if number is None:
                raise Unfit("a CFF font is broken")
            operands.append(number)
    return found


def _real(data: bytes, offset: int) -> tuple[float, int]:
    digits = ""
    while True:
        byte = data[offset]
        offset += 1
        for nibble in (byte >> 4, byte & 15):
            if nibble == 15:
                return float(digits), offset
            digits += ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "E", "E-", "", "-")[nibble]
