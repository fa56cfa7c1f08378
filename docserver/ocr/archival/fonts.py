"""Child side: checks the fonts of visible text: whether their files are there, with the glyphs and widths that the PDF
claims (ISO 19005-2, 6.2.11).
"""

from typing import Any, Protocol

from pikepdf import Array, Dictionary, Name, Object, PdfError, Stream

from docserver.ocr.archival.cff import Cff
from docserver.ocr.archival.glyph_names import CHARACTERS, ENCODINGS
from docserver.ocr.archival.truetype import MACINTOSH, SYMBOL, UNICODE, TrueType
from docserver.ocr.archival.type1 import Type1
from docserver.ocr.archival.unfit import Unfit

MAX_DIFFERENCE = 1
"""Largest difference of a width in the PDF and in the font, in thousandths of the font's size (6.2.11.5)."""

MAX_FONT_BYTES = 30_000_000
"""Most bytes of a font file. One with all Chinese letters has 20 million."""

SYMBOLIC = 1 << 2
SYMBOL_CODES = 0xF000
"""The flag of fonts with codes of their own, and where the maps of many such fonts begin."""

NO_GLYPH = ".notdef"

_STANDARD = (
    "/Courier /Courier-Bold /Courier-Oblique /Courier-BoldOblique /Helvetica /Helvetica-Bold /Helvetica-Oblique "
    "/Helvetica-BoldOblique /Times-Roman /Times-Bold /Times-Italic /Times-BoldItalic /Symbol /ZapfDingbats"
)
STANDARD = frozenset(_STANDARD.split())
"""Fonts whose widths every viewer knows."""


class Font(Protocol):
    """A font that pages use."""

    def check(self, shown: bytes, *, visible: bool) -> None:
        """Check the glyphs of a text. Raises Unfit."""


def program_of(descriptor: Object | None) -> bytes:
    """The font file. Raises Unfit if there is none."""
    files = [descriptor.get(key) for key in (Name.FontFile, Name.FontFile2, Name.FontFile3)] if descriptor else []
    embedded = [file for file in files if isinstance(file, Stream)]
    if len(embedded) != 1:
        raise Unfit("a font is not embedded")
    try:
        data = embedded[0].read_bytes()
    except PdfError as error:
        raise Unfit("a font cannot be read") from error
    if len(data) > MAX_FONT_BYTES:
        raise Unfit("a font is too large")
    return data


def mended_descriptor(font: Object) -> Dictionary | None:
    """A font's descriptor, without the lists of its glyphs, which need not be there, but would have to be right."""
    descriptor = font.get(Name.FontDescriptor)
    if not isinstance(descriptor, Dictionary):
        return None
    for key in (Name.CIDSet, Name.CharSet):
        if key in descriptor:
            del descriptor[key]
    return descriptor


class SimpleFont:
    """A font with codes of one byte: Type 1 or TrueType."""

    def __init__(self, font: Object) -> None:
        self._font = font
        self._descriptor = mended_descriptor(font)
        self._fit: set[tuple[int, bool]] = set()
        self._file: Type1 | Cff | TrueType | None = None
        self._names: dict[int, str] | None = None
        self._widths = widths_of(font)
        if Name.BaseFont not in font:
            raise Unfit("a font has no name")

    def check(self, shown: bytes, *, visible: bool) -> None:
        for code in set(shown):
            if (code, visible) not in self._fit:
                self._check_code(code, visible=visible)
                self._fit.add((code, visible))

    def _check_code(self, code: int, *, visible: bool) -> None:
        if not visible and not self._is_embedded:
            if _differences(self._font).get(code) == NO_GLYPH:
                raise Unfit("a text has no glyph")
            return
        width = self._truetype_width(code) if self._is_truetype else self._named_width(code)
        if width is None:
            raise Unfit("a text has no glyph")
        missing = self._descriptor.get(Name.MissingWidth, 0) if self._descriptor else 0
        if visible and abs(width - self._widths.get(code, float(missing))) > MAX_DIFFERENCE:
            raise Unfit("a font has other widths than the PDF says")

    @property
    def _is_embedded(self) -> bool:
        keys = (Name.FontFile, Name.FontFile2, Name.FontFile3)
        return self._descriptor is not None and any(key in self._descriptor for key in keys)

    @property
    def _is_truetype(self) -> bool:
        return self._font.get(Name.Subtype) == Name.TrueType

    def _program(self) -> Type1 | Cff | TrueType:
        if self._file is None:
            assert self._descriptor is not None or not self._is_embedded
            data = program_of(self._descriptor)
            assert self._descriptor is not None
            if self._is_truetype != (Name.FontFile2 in self._descriptor):
                raise Unfit("a font's file is of another kind")
            if self._is_truetype:
                self._file = TrueType(data)
                self._check_maps(self._file)
            elif Name.FontFile in self._descriptor:
                self._file = Type1(data)
            else:
                self._file = compact_font(data, str(self._descriptor.FontFile3.get(Name.Subtype)))
        return self._file

    def _named_width(self, code: int) -> float | None:
        """The width in a font whose glyphs have names."""
        program = self._program()
        assert not isinstance(program, TrueType)
        if self._names is None:
            self._names = _encoding(self._font, program.encoding)
        name = self._names.get(code, NO_GLYPH)
        if name == NO_GLYPH:
            return None
        if isinstance(program, Type1):
            return program.width(name)
        glyph = program.glyphs.get(name)
        return None if glyph is None or program.is_cid else program.width(glyph)

    @property
    def _is_symbolic(self) -> bool:
        return self._descriptor is not None and bool(int(self._descriptor.get(Name.Flags, 0)) & SYMBOLIC)

    def _check_maps(self, program: TrueType) -> None:
        """ISO 19005-2, 6.2.11.6."""
        maps, encoding = program.maps, self._font.get(Name.Encoding)
        if self._is_symbolic:
            if encoding is not None or (len(maps) != 1 and SYMBOL not in maps):
                raise Unfit("a TrueType font has codes that are not clear")
            return
        base = encoding.get(Name.BaseEncoding) if isinstance(encoding, Dictionary) else encoding
        if str(base) not in ("/WinAnsiEncoding", "/MacRomanEncoding") or not {UNICODE, MACINTOSH} & maps.keys():
            raise Unfit("a TrueType font has codes that are not clear")
        differences = _differences(self._font).values()
        if differences and (UNICODE not in maps or not all(map(_character, differences))):
            raise Unfit("a TrueType font has codes that are not clear")

    def _truetype_width(self, code: int) -> float | None:
        program = self._program()
        assert isinstance(program, TrueType)
        glyph = self._symbol(program, code) if self._is_symbolic else self._letter(program, code)
        return program.width(glyph) if glyph else None

    def _symbol(self, program: TrueType, code: int) -> int | None:
        maps = program.maps
        found = maps.get(SYMBOL) or next(iter(maps.values()))
        return found.get(SYMBOL_CODES + code) or found.get(code)

    def _letter(self, program: TrueType, code: int) -> int | None:
        if self._names is None:
            self._names = _encoding(self._font, {})
        name = self._names.get(code, NO_GLYPH)
        if UNICODE in program.maps:
            character = _character(name)
            return program.maps[UNICODE].get(ord(character)) if character else None
        mac = {known: mac_code for mac_code, known in ENCODINGS["/MacRomanEncoding"].items()}
        return program.maps[MACINTOSH].get(mac.get(name, 0))


def compact_font(data: bytes, subtype: str) -> Cff:
    """The CFF font in a file of this subtype."""
    if subtype == "/OpenType":
        return Cff(TrueType(data).table(b"CFF "))
    if subtype in ("/Type1C", "/CIDFontType0C"):
        return Cff(data)
    raise Unfit("a font's file is of another kind")


def widths_of(font: Object) -> dict[int, float]:
    """Code → width of a simple font. Raises Unfit if they are not there."""
    first, last, widths = font.get(Name.FirstChar), font.get(Name.LastChar), font.get(Name.Widths)
    if widths is None and str(font.get(Name.BaseFont)) in STANDARD:
        return {}
    if not (isinstance(first, int) and isinstance(last, int) and isinstance(widths, Array)):
        raise Unfit("a font has no widths")
    if len(widths) != last - first + 1:
        raise Unfit("a font has too few widths")
    return {first + index: float(width) for index, width in enumerate(widths)}


def _encoding(font: Object, built_in: dict[int, str]) -> dict[int, str]:
    """Code → name of the glyph."""
    encoding = font.get(Name.Encoding)
    base: Any = encoding.get(Name.BaseEncoding) if isinstance(encoding, Dictionary) else encoding
    if base is not None and str(base) not in ENCODINGS:
        raise Unfit("an encoding is not known")
    return {**(built_in if base is None else ENCODINGS[str(base)]), **_differences(font)}


def _differences(font: Object) -> dict[int, str]:
    encoding = font.get(Name.Encoding)
    listed: Any = encoding.get(Name.Differences, []) if isinstance(encoding, Dictionary) else []
    found, code = {}, 0
    for entry in listed:
        if isinstance(entry, int):
            code = entry
        else:
            found[code] = str(entry)[1:]
            code += 1
    return found


def _character(name: str) -> str | None:
    """The character that a glyph is named after."""
    if name in CHARACTERS:
        return CHARACTERS[name]
    digits = name[3:] if name.startswith("uni") and len(name) == 7 else ""
    try:
        return chr(int(digits, 16))
    except ValueError:
        return None
