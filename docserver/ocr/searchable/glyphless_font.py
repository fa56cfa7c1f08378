"""Child side: the font of invisible text: one glyph for all characters of a face, and a map that tells them apart."""

from base64 import b64decode
from collections.abc import Iterable
from zlib import decompress

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from docserver.ocr.searchable.text_operators import ADVANCE, DEEPEST, STEPS, Face

TRUETYPE = decompress(
    b64decode(
        "eNrt2M9rHGUcx/HneeaZGTEHo9QeWpQUbBTsJQHrIBGsQushF8dD99CupI5tWBpcoocV2hzsImHBsiUwVAg5TAtaDyVoWSisrSwFn/ZgEeKlHirB"
        "ypLDWmFyGaU68/z4fr/pP+DFgQ3PfpLNvF+HXUgYZ4wF7A0m2MSp05+cvCQvjBjzhoyNs/kP5pK5sbca5U+cLh8H58shGGcny/Pl8vHC/MLHLZ6z"
        "6ip/ni+d/vD9uTOvtV5hTMxXzxfmWk32PZPl91X5mGDVvcrH/mdOLr731Mw286r7PH49avJc7ikPXtlkrvI1cs+jZnnQdyu/8sdexPVyo3yF+Y54"
        "/Lfazv+v//J6ku1iz7OX2DR7nb3N3mV1Ns8W2Rn2GbvAVtmX7Bv2HfuB/cR+Yb+zP9nfPOTP8Of4i3yKz/AjPObH+Tz/iC/xZb7C1/gVfo3f5Hf4"
        "z/xXvsW3BRNjYrfYJw6IV8WbYlYcFSfEgmiJc+K8+EJcFlfFdXFL3BX3xAPxUPzlBd64t9eb9Ka8Ge+IF3vHvXlv0TvrLXsr3pp3xbvm3fTueBve"
        "fW/L25ZMjsndcp88IA/KQ3JWHpUn5IJsyXPyvLwoL8mr8rq8Je/Ke/KBfCgL3/fH/b3+pD/lz/hH/Ng/5p/yF/2z/rK/4q/5V/xr/g3/tr/h3/e3"
        "/O2ABWPB7mAieDk4GBwKZoOjwYlgIWgFnwafBxeDS8HV4HpwK7gb3At+C/4IitAPx8O94WQ4Fc6Eh8N3wmPhqXAxPBsuhyvhWvhV+G14I7wdboT3"
        "w61w+wn7HtLvgunqNLWf59N6++dHtz1bbYneVumWpHpr0C1Veovopgq9BbBxnhf8gL7Low23Pl2u5bO6XrMda8a7em3uWJt8AO2Ja0+wPYH2FNph"
        "SxS0w5YW0J64TmU7dX2C9XWsT0h9F+oTUj+A+oTU51CfuvoU61OoV1APW1JAfeqaUlca0VXZUt2fYn8X+1PSP4D+lPTn0I9rU0xCv3L9CvsV9BfQ"
        "r9z9E9faoGvqWiO6KtuqBQoFAxQoIshBgGtmWrVAEUENBIUTFCgo3L2mXe0qXRNX26Br6mojuipbqw0FGnI0FGiwtdmONTO12lAQQ8cZysjKwN2p"
        "MpiTMdTBgGviaht0TV1tRFdlaysDrkUZ6wxmtYaaM5A1M7WVgaxN0QdDHQx1MNTR0EVDHQ0DNNTRkKMBVmVrtaGOhhoa6sTQAUOdGPpgqBPDCAxd"
        "MHTB0EXDAA1dNORogDV1tRFdla3Vhi4aOmjoEkMfDF1iGIEB16Y3AYYBGAZgGKAhRwOsiatt0DV1tRFdla3VhgEa+mgYEMMIDLhmplYbBsQQgyEH"
        "Qw6GHAyudpWuiatt0DV1tRFdla3VhhwNIzTkaLC12Y41M7XakBND2xnMJ0FlMKfKYE7GUAMDromrbdA1dbURXZWtrQy4FmWsM5jVGmJnIGtmaisD"
        "WZteDww1MNTAUENDBw01NPTRUEPDCA2wKlurDTU0xGioEUMbDDVi6IGhRgxDMHTA0AFDBw19NHTQMEIDrKmrjeiqbK02dNDQRkOHGHpg6BDDEAy4"
        "Nsu/l5yhD4Y+GPpoGKEB1sTVNuiautqIrsrWakMfDT009IlhCAZcM1OrDX1imAXDCAwjMIzA4GpX6Zq42gZdU1cb0VXZWm0YoWGIhhEabG22Y81M"
        "rTaMiGHJGcwnQWUwp8pgTsYQgwHXxNU26Jq62oiuytZWBlyL6g9nazCrNcw6A1kzU1sZyNqU62CIwRCDIUZDGw0xGnpoiNEwRAOsytZqQ4yGWTTE"
        "xLAEhpgY1sEQE8MmGNpgaIOhjYYeGtpoGKIB1tTVRnRVtlYb2mhYQkObGNbB0CaGTTDg2vR3gaEHhh4YemgYogHWxNU26Jq62oiuytZqQw8N62jo"
        "EcMmGHDNTK029IjhMBiGYBiCYQgGV7tK18TVNuiautqIrsrWasMQDZtoGKLB1mY71szUasOQGFrOYD4JKoM5VQZzMoZZMOCauNoGXVNXG9FV2drK"
        "gGtRxjqDWa3hsDOQNTO19n9oaPj6X+qmaV8="
    )
)
"""A glyph for each face: a line without area from where it sinks to where it rises, so that it has a size and shows
nothing. Made with fontTools, by the recipe that stands in the tests."""

EM = 1000
MOST_CODES = 0xFFFF
UNKNOWN = "\N{REPLACEMENT CHARACTER}"

CODES_AT_ONCE = 100
"""As many mappings as one block of a CMap may hold (Adobe Technical Note 5014)."""

SYMBOLIC_FIXED_PITCH = 5
"""Flags of ISO 32000-1, table 123: no standard encoding, and all glyphs of one width."""


class BlankFont:
    """The font in one PDF, with as many faces and characters as its pages turn out to use."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._codes: dict[str, int] = {}
        self._faces: dict[Face, Object] = {}
        self._map = pdf.make_stream(b"")
        self._glyphs: dict[Face, Stream] = {}
        self._file = pdf.make_stream(TRUETYPE, Length1=len(TRUETYPE))

    def encode(self, text: str) -> bytes:
        """The text's codes in hexadecimal, two bytes each; new characters get the next code."""
        return b"".join(b"%04x" % self._code(character) for character in text)

    def face(self, face: Face) -> Object:
        """The font dictionary for one face."""
        found = self._faces.get(face)
        if found is None:
            found = self._faces[face] = self._pdf.make_indirect(self._composite(face))
        return found

    def finish(self) -> None:
        """Write what is known only when every page has been laid out."""
        self._map.write(_to_unicode(self._codes))
        for face, glyphs in self._glyphs.items():
            glyphs.write(_glyph(face).to_bytes(2) * (len(self._codes) + 1))

    def _code(self, character: str) -> int:
        known = self._codes.get(character)
        if known is not None:
            return known
        if len(self._codes) >= MOST_CODES - 1:
            character = UNKNOWN
        return self._codes.setdefault(character, len(self._codes) + 1)

    def _composite(self, face: Face) -> Dictionary:
        name = Name(f"/{face.name}")
        self._glyphs[face] = self._pdf.make_stream(b"")
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=name,
            Flags=SYMBOLIC_FIXED_PITCH,
            FontBBox=Array([0, -EM * face.sink // STEPS, int(EM * ADVANCE), EM * face.rise // STEPS]),
            ItalicAngle=0,
            Ascent=EM * face.rise // STEPS,
            # Where it is zero, readers take it for missing and guess.
            Descent=-max(EM * face.sink // STEPS, 1),
            CapHeight=EM * face.rise // STEPS,
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
            CIDToGIDMap=self._glyphs[face],
        )
        return Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=name,
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([self._pdf.make_indirect(descendant)]),
            ToUnicode=self._map,
        )


def _glyph(face: Face) -> int:
    return 1 + (face.rise - 1) * (DEEPEST + 1) + face.sink


def _to_unicode(codes: dict[str, int]) -> bytes:
    """A CMap from codes to UTF-16 (ISO 32000-1, 9.10.3)."""
    pairs = [b"<%04x> <%s>" % (code, character.encode("utf-16-be").hex().encode()) for character, code in codes.items()]
    blocks = [pairs[start : start + CODES_AT_ONCE] for start in range(0, len(pairs), CODES_AT_ONCE)]
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
