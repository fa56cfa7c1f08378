"""Child side: reads from a Type 1 font what PDF/A asks of it: the names of its glyphs, their codes and widths.

Source: Adobe Type 1 Font Format, version 1.1.
"""

import re
from functools import cached_property

from docserver.ocr.archival.glyph_names import STANDARD_ENCODING
from docserver.ocr.archival.unfit import Unfit

FONT_KEY, OUTLINE_KEY, SKIPPED = 55665, 4330, 4
HSBW, ESCAPE, SBW, DIV = 13, 12, 7, 12

_ENCRYPTED = re.compile(rb"currentfile\s+eexec[ \t\r\n]")
_OUTLINE = re.compile(rb"/([!-~]+?)\s+(\d{1,5})\s+(?:RD|-\||\S+) ")
_CODE = re.compile(rb"dup\s+(\d{1,3})\s*/([!-~]+?)\s+put")
_SCALE = re.compile(rb"/FontMatrix\s*\[\s*0?\.001[0 ]")
_SKIPPED = re.compile(rb"/lenIV\s+(-?\d+)")


class Type1:
    """A font. Raises Unfit if it is broken, or of a kind that is not known."""

    def __init__(self, data: bytes) -> None:
        start = _ENCRYPTED.search(data)
        if not start or not _SCALE.search(data[: start.end()]):
            raise Unfit("a Type 1 font is broken")
        self._open = data[: start.start()]
        self._private = _decrypted(_binary(data[start.end() :]), FONT_KEY)[SKIPPED:]
        skipped = _SKIPPED.search(self._private)
        self._skipped = int(skipped[1]) if skipped else SKIPPED

    @cached_property
    def glyphs(self) -> dict[str, bytes]:
        """Name → encrypted outline."""
        offset = self._private.find(b"/CharStrings")
        found: dict[str, bytes] = {}
        # The dictionary's own size comes before its first entry.
        offset = self._private.find(b"begin", offset)
        while offset >= 0 and (entry := _OUTLINE.search(self._private, offset)):
            end = entry.end() + int(entry[2])
            found[entry[1].decode("latin-1")] = self._private[entry.end() : end]
            offset = end
        if not found:
            raise Unfit("a Type 1 font has no glyphs")
        return found

    @cached_property
    def encoding(self) -> dict[int, str]:
        """Code → name of a glyph."""
        _, found, array = self._open.partition(b"/Encoding")
        if not found:
            raise Unfit("a Type 1 font has no encoding")
        if array.lstrip().startswith(b"StandardEncoding"):
            return STANDARD_ENCODING
        return {int(code): name.decode("latin-1") for code, name in _CODE.findall(array)}

    def width(self, name: str) -> float | None:
        """The width of a glyph in thousandths of the font's size; None if there is no such glyph."""
        outline = self.glyphs.get(name)
        if outline is None:
            return None
        code = _decrypted(outline, OUTLINE_KEY)[self._skipped :] if self._skipped >= 0 else outline
        try:
            return _stated_width(code)
        except (IndexError, ZeroDivisionError) as error:
            raise Unfit("an outline of a Type 1 font is broken") from error


def _stated_width(code: bytes) -> float:
    """The width that the operator hsbw or sbw states, with which each outline begins."""
    stack: list[float] = []
    offset = 0
    while True:
        first = code[offset]
        offset += 1
        if first == HSBW:
            return stack[1]
        if first == ESCAPE and code[offset] == SBW:
            return stack[2]
        if first == ESCAPE and code[offset] == DIV:
            divisor = stack.pop()
            stack.append(stack.pop() / divisor)
            offset += 1
        elif 32 <= first <= 246:
            stack.append(first - 139)
        elif 247 <= first <= 254:
            high = (first - 247) * 256 + 108 if first <= 250 else -(first - 251) * 256 - 108
            stack.append(high + code[offset] if first <= 250 else high - code[offset])
            offset += 1
        elif first == 255:
            stack.append(int.from_bytes(code[offset : offset + 4], signed=True))
            offset += 4
        else:
            raise Unfit("an outline of a Type 1 font is not known")


def _binary(data: bytes) -> bytes:
    """The encrypted part, which may be written in hexadecimal."""
    if re.fullmatch(rb"[0-9A-Fa-f\s]{8}", data[:8]):
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", data)
        return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    return data


def _decrypted(data: bytes, key: int) -> bytes:
    plain = bytearray(len(data))
    for index, cipher in enumerate(data):
        plain[index] = cipher ^ key >> 8
        key = (cipher + key) * 52845 + 22719 & 0xFFFF
    return bytes(plain)
