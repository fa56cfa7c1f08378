"""Fonts as PDF/A looks at them: their glyphs and widths, compared with what fontTools says of the same files."""

import io
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont
from reportlab import __file__ as reportlab_file

from docserver.ocr.archival.cff import Cff
from docserver.ocr.archival.glyph_names import ENCODINGS, NAMES, STANDARD_STRINGS
from docserver.ocr.archival.truetype import MACINTOSH, UNICODE, TrueType
from docserver.ocr.archival.type1 import FONT_KEY, OUTLINE_KEY, Type1
from docserver.ocr.archival.unfit import Unfit

WIDTHS = {".notdef": 500, "A": 600, "space": 250, "comma": 333, "Euro": 1021}


def vera() -> bytes:
    return (Path(reportlab_file).parent / "fonts" / "Vera.ttf").read_bytes()


def compact() -> bytes:
    """A CFF font whose glyphs have these names and widths."""
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(list(WIDTHS))
    builder.setupCharacterMap({ord("A"): "A"})
    outlines = {}
    for name, width in WIDTHS.items():
        pen = T2CharStringPen(width, None)
        pen.moveTo((0, 0))
        pen.lineTo((width, 0))
        pen.lineTo((0, 700))
        pen.closePath()
        outlines[name] = pen.getCharString()
    builder.setupCFF("Made", {}, outlines, {})
    builder.setupHorizontalMetrics({name: (width, 0) for name, width in WIDTHS.items()})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return TrueType(file.getvalue()).table(b"CFF ")


def encrypted(data: bytes, key: int) -> bytes:
    """Adobe Type 1 Font Format, 7.1."""
    cipher = bytearray()
    for plain in b"\0\0\0\0" + data:
        cipher.append(plain ^ key >> 8)
        key = (cipher[-1] + key) * 52845 + 22719 & 0xFFFF
    return bytes(cipher)


def number(value: int) -> bytes:
    return b"\xff" + value.to_bytes(4, signed=True)


OUTLINES = {
    "A": number(0) + number(600) + b"\x0d\x0e",
    "comma": bytes([139, 139 + 83]) + b"\x0d\x0e",
    "half": bytes([139]) + number(501) + bytes([141, 12, 12]) + b"\x0d\x0e",
    "high": bytes([139, 139]) + number(700) + bytes([139]) + b"\x0c\x07\x0e",
    "far": bytes([251, 0, 247, 8]) + b"\x0d\x0e",
}


def type1(*, encoding: bytes = b"StandardEncoding def", scale: bytes = b"0.001", hexadecimal: bool = False) -> bytes:
    """A Type 1 font with these outlines."""
    entries = b"".join(
        b"/%s %d RD %s ND\n" % (name.encode(), len(code), code)
        for name, code in ((name, encrypted(outline, OUTLINE_KEY)) for name, outline in OUTLINES.items())
    )
    private = encrypted(b"dup /Private 8 dict dup begin /CharStrings 5 dict dup begin\n%send" % entries, FONT_KEY)
    head = b"%%!PS-AdobeFont\n/FontMatrix [%s 0 0 0.001 0 0] readonly def\n/Encoding %s\n" % (scale, encoding)
    return head + b"currentfile eexec\n" + (private.hex().encode() if hexadecimal else private)


def test_a_truetype_font_has_the_glyphs_and_widths_that_its_file_says() -> None:
    font, known = TrueType(vera()), TTFont(io.BytesIO(vera()))
    order, per_em = known.getGlyphOrder(), known["head"].unitsPerEm

    assert font.glyph_count == len(order)
    assert [font.width(glyph) for glyph in range(font.glyph_count)] == [
        known["hmtx"][name][0] * 1000 / per_em for name in order
    ]
    assert font.width(font.glyph_count) is None
    for place in (UNICODE, MACINTOSH):
        (table,) = [each for each in known["cmap"].tables if (each.platformID, each.platEncID) == place]
        wanted = {code: known.getGlyphID(name) for code, name in table.cmap.items()}
        assert font.maps[place] == {code: glyph for code, glyph in wanted.items() if glyph}


def test_a_cff_font_has_the_glyphs_and_widths_that_its_file_says() -> None:
    font = Cff(compact())

    assert {name: font.width(glyph) for name, glyph in font.glyphs.items()} == WIDTHS
    assert font.encoding[ord("A")] == "A"
    assert font.cids[2] == 2
    assert font.width(font.glyph_count) is None


@pytest.mark.parametrize("hexadecimal", [False, True])
def test_a_type1_font_has_the_glyphs_and_widths_that_its_file_says(*, hexadecimal: bool) -> None:
    font = Type1(type1(hexadecimal=hexadecimal))

    assert {name: font.width(name) for name in OUTLINES} == {
        "A": 600,
        "comma": 83,
        "half": 250.5,
        "high": 700,
        "far": 116,
    }
    assert font.width("B") is None
    assert font.encoding[ord(",")] == "comma"


def test_a_type1_font_may_have_codes_of_its_own() -> None:
    own = b"256 array 0 1 255 {1 index exch /.notdef put} for\ndup 65 /comma put dup 8#102 /A put readonly def"

    assert Type1(type1(encoding=own)).encoding[65] == "comma"


@pytest.mark.parametrize("cut", [0, 10, 100, 1000, 20_000])
def test_a_font_that_breaks_off_is_unfit(cut: int) -> None:
    with pytest.raises(Unfit):
        TrueType(vera()[:cut]).width(3)
    with pytest.raises(Unfit):
        Cff(compact()[: min(cut, 60)])
    with pytest.raises(Unfit):
        Type1(type1()[: min(cut, 140)]).width("A")


def test_a_font_of_another_scale_is_unfit() -> None:
    with pytest.raises(Unfit):
        Type1(type1(scale=b"0.0005"))


def test_encodings_are_those_of_the_standard() -> None:
    assert ENCODINGS["/WinAnsiEncoding"][0x80] == "Euro"
    assert ENCODINGS["/WinAnsiEncoding"][0x27] == "quotesingle"
    assert ENCODINGS["/StandardEncoding"][0x27] == "quoteright"
    assert ENCODINGS["/MacRomanEncoding"][0x8A] == "adieresis"
    assert (len(STANDARD_STRINGS), NAMES["ß"]) == (391, "germandbls")
