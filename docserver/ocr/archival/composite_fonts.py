"""Child side: checks composite fonts, whose codes have two bytes (ISO 19005-2, 6.2.11)."""

from typing import Any

from pikepdf import Array, Dictionary, Name, Object, PdfError, Stream

from docserver.ocr.archival.fonts import MAX_DIFFERENCE, compact_font, mended_descriptor, program_of
from docserver.ocr.archival.truetype import TrueType
from docserver.ocr.archival.unfit import Unfit

CODE_BYTES = 2
DEFAULT_WIDTH = 1000
MAX_WIDTHS = 200_000
"""Most entries of a font's list of widths: there are 65,536 codes, in ranges of three numbers at most."""


class CompositeFont:
    """A font whose codes are the numbers of its glyphs, or are mapped to them."""

    def __init__(self, font: Object) -> None:
        if str(font.get(Name.Encoding)) not in ("/Identity-H", "/Identity-V"):
            raise Unfit("a font has a map of codes that is not known")
        descendants: Any = font.get(Name.DescendantFonts)
        if not isinstance(descendants, Array) or len(descendants) != 1 or Name.BaseFont not in font:
            raise Unfit("a font is invalid")
        self._font = descendants[0]
        self._descriptor = mended_descriptor(self._font)
        self._default = float(self._font.get(Name.DW, DEFAULT_WIDTH))
        self._widths = _widths(self._font.get(Name.W))
        self._fit: set[tuple[int, bool]] = set()
        self._program = None if self._descriptor is None else self._opened(self._descriptor)

    def _opened(self, descriptor: Dictionary) -> "_TrueTypeGlyphs | _CffGlyphs | None":
        if self._font.get(Name.Subtype) == Name.CIDFontType2:
            if Name.FontFile2 not in descriptor:
                return None
            return _TrueTypeGlyphs(TrueType(program_of(descriptor)), self._font.get(Name.CIDToGIDMap))
        if self._font.get(Name.Subtype) != Name.CIDFontType0:
            raise Unfit("a font is invalid")
        if Name.FontFile3 not in descriptor:
            return None
        return _CffGlyphs(program_of(descriptor), str(descriptor.FontFile3.get(Name.Subtype)))

    def check(self, shown: bytes, *, visible: bool) -> None:
        if self._program is None:
            if visible:
                raise Unfit("a font is not embedded")
            return
        if len(shown) % CODE_BYTES:
            raise Unfit("a text has half a code")
        for start in range(0, len(shown), CODE_BYTES):
            code = int.from_bytes(shown[start : start + CODE_BYTES])
            if (code, visible) in self._fit:
                continue
            width = self._program.width(code)
            if width is None:
                raise Unfit("a text has no glyph")
            if visible and abs(width - self._widths.get(code, self._default)) > MAX_DIFFERENCE:
                raise Unfit("a font has other widths than the PDF says")
            self._fit.add((code, visible))


class _TrueTypeGlyphs:
    def __init__(self, program: TrueType, mapping: Any) -> None:
        self._program = program
        self._mapping = None
        if isinstance(mapping, Stream):
            try:
                self._mapping = mapping.read_bytes()
            except PdfError as error:
                raise Unfit("a map of glyphs cannot be read") from error
        elif str(mapping) != "/Identity":
            raise Unfit("a font has no map of glyphs")

    def width(self, code: int) -> float | None:
        """The width of a code's glyph; None if it has none."""
        glyph = code if self._mapping is None else int.from_bytes(self._mapping[2 * code : 2 * code + 2])
        return self._program.width(glyph) if glyph else None


class _CffGlyphs:
    def __init__(self, data: bytes, subtype: str) -> None:
        self._program = compact_font(data, subtype)

    def width(self, code: int) -> float | None:
        """The width of a code's glyph; None if it has none."""
        glyph = self._program.cids.get(code)
        return self._program.width(glyph) if glyph else None


def _widths(listed: Any) -> dict[int, float]:
    """Code → width, of a list in the form of ISO 32000-1, 9.7.4.3."""
    found: dict[int, float] = {}
    entries = list(listed) if isinstance(listed, Array) else []
    index = 0
    while index + 1 < len(entries):
        first, second = entries[index], entries[index + 1]
        if isinstance(second, Array):
            found |= {int(first) + place: float(width) for place, width in enumerate(second)}
            index += 2
        elif index + 2 < len(entries):
            if not 0 <= int(second) - int(first) <= MAX_WIDTHS:
                raise Unfit("a font has invalid widths")
            found |= dict.fromkeys(range(int(first), int(second) + 1), float(entries[index + 2]))
            index += 3
        else:
            break
        if len(found) > MAX_WIDTHS:
            raise Unfit("a font has invalid widths")
    return found
