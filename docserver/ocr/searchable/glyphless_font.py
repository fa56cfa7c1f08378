"""Child side: the font of invisible text: all characters share an empty glyph, and a map gives their Unicode values."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from zlib import compress

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

FONT_FILE = "glyphless.ttf"
"""The font file in this directory. `python -m tests.support.glyphless_font` generates it. It has one glyph for each
FontVariant: a vertical line without area, so that the glyph has a height but shows nothing."""

EM = 1000
"""Units of the font per font size. PDF uses the same units for glyphs."""

ADVANCE = 0.5
"""Width of every glyph, as a share of the font's size."""

STEPS = 20
"""Number of steps per font size to which the heights of words are rounded."""

MAX_RISE, MAX_SINK = 21, 8
"""Largest rise and sink, in these steps. Poppler ignores the heights of a font that claims more."""

MAX_CODE = 0xFFFF
"""Largest character code. Codes have two bytes."""

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Replaces every new character when no code is left."""

MAPPINGS_PER_BLOCK = 100
"""Most mappings in one block of a CMap (Adobe Technical Note 5014)."""

SYMBOLIC_FIXED_PITCH = 5
"""Flags from ISO 32000-1, table 123: the font has no standard encoding, and all glyphs have the same width."""


@dataclass(frozen=True, slots=True)
class FontVariant:
    """The font for words of one height: how far they rise above and sink below the baseline, in steps."""

    rise: int
    sink: int

    @property
    def name(self) -> str:
        return f"Words{self.rise}x{self.sink}"

    @property
    def glyph(self) -> int:
        """The number of the variant's glyph in FONT_FILE. Glyph 0 is the one for missing characters."""
        return 1 + (self.rise - 1) * (MAX_SINK + 1) + self.sink


@cache
def font_file() -> bytes:
    """The bytes of the TrueType font from which every variant takes its glyph."""
    return resources.files(__package__).joinpath(FONT_FILE).read_bytes()


class GlyphlessFont:
    """The font in one PDF. It collects the variants and characters that the pages use."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._codes: dict[str, int] = {}
        self._dictionaries: dict[FontVariant, Object] = {}
        self._to_unicode = pdf.make_stream(b"")
        self._glyph_maps: dict[FontVariant, Stream] = {}
        self._file = pdf.make_stream(compress(font_file()), Length1=len(font_file()), Filter=Name.FlateDecode)

    def encode(self, text: str) -> bytes:
        """The text's codes in hexadecimal, two bytes each; new characters get the next code."""
        return b"".join(b"%04x" % self._code(character) for character in text)

    def dictionary(self, variant: FontVariant) -> Object:
        """The font dictionary of a variant, for the resources of a page."""
        dictionary = self._dictionaries.get(variant)
        if dictionary is None:
            dictionary = self._dictionaries[variant] = self._pdf.make_indirect(self._type0(variant))
        return dictionary

    def finish(self) -> None:
        """Write the character maps. Call this after every page has its text."""
        self._to_unicode.write(compress(_to_unicode(self._codes)), filter=Name.FlateDecode)
        for variant, glyph_map in self._glyph_maps.items():
            glyph_map.write(compress(variant.glyph.to_bytes(2) * (len(self._codes) + 1)), filter=Name.FlateDecode)

    def _code(self, character: str) -> int:
        code = self._codes.get(character)
        if code is not None:
            return code
        if len(self._codes) >= MAX_CODE - 1:
            character = UNKNOWN
        return self._codes.setdefault(character, len(self._codes) + 1)

    def _type0(self, variant: FontVariant) -> Dictionary:
        """A composite font with two-byte codes. All codes show the glyph of this variant (ISO 32000-1, 9.7)."""
        name = Name(f"/{variant.name}")
        self._glyph_maps[variant] = self._pdf.make_stream(b"")
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=name,
            Flags=SYMBOLIC_FIXED_PITCH,
            FontBBox=Array([0, -EM * variant.sink // STEPS, int(EM * ADVANCE), EM * variant.rise // STEPS]),
            ItalicAngle=0,
            Ascent=EM * variant.rise // STEPS,
            # The value must not be 0: PDF readers treat 0 as missing, and guess.
            Descent=-max(EM * variant.sink // STEPS, 1),
            CapHeight=EM * variant.rise // STEPS,
            StemV=80,
            FontFile2=self._file,
        )
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=name,
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=self._pdf.make_indirect(descriptor),
            DW=int(EM * ADVANCE),
            CIDToGIDMap=self._glyph_maps[variant],
        )
        return Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=name,
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([self._pdf.make_indirect(descendant)]),
            ToUnicode=self._to_unicode,
        )


def _to_unicode(codes: dict[str, int]) -> bytes:
    """A CMap from codes to UTF-16 (ISO 32000-1, 9.10.3)."""
    pairs = [b"<%04x> <%s>" % (code, character.encode("utf-16-be").hex().encode()) for character, code in codes.items()]
    blocks = [pairs[start : start + MAPPINGS_PER_BLOCK] for start in range(0, len(pairs), MAPPINGS_PER_BLOCK)]
    return b"\n".join([_CMAP_HEAD, *map(_block, blocks), _CMAP_TAIL])


def _block(pairs: Iterable[bytes]) -> bytes:
    lines = list(pairs)
    return b"\n".join([b"%d beginbfchar" % len(lines), *lines, b"endbfchar"])


_CMAP_HEAD = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <ffff>
endcodespacerange"""

_CMAP_TAIL = b"""endcmap
CMapName currentdict /CMap defineresource pop
end
end"""
