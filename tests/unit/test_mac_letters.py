"""Letters with accents in TrueType fonts whose codes PDFium takes for those of MacRoman."""

import io
from pathlib import Path
from typing import Any

import pytest
import reportlab
from fontTools.ttLib import TTFont
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, StreamObject
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, both, lines, pdf, rewritten
from tests.support.text_layers import layer

VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"


def mac_font(encoding: str) -> tuple[bytes, list[int]]:
    """A font whose only table has the glyphs of this encoding by their codes, and the widths of the codes."""
    font = TTFont(VERA)
    glyphs = font.getBestCmap()
    (table,) = (part for part in font["cmap"].tables if part.platformID == 1)
    letters = {code: ord(bytes([code]).decode(encoding, errors="replace")) for code in range(32, 256)}
    table.cmap = {code: glyphs[letter] for code, letter in letters.items() if letter in glyphs}
    font["cmap"].tables = [table]
    file = io.BytesIO()
    font.save(file)
    widths = [font["hmtx"][table.cmap.get(code, ".notdef")][0] * 1000 // 2048 for code in range(32, 256)]
    return file.getvalue(), widths


def in_mac_font(line: str, *, encoding: str, name: str | None) -> bytes:
    """A page with a line in such a font, which the PDF says has an encoding of this name, or not."""
    data, widths = mac_font(encoding)

    def change(writer: PdfWriter) -> None:
        file = StreamObject()
        file.set_data(data)
        descriptor = DictionaryObject({NameObject("/Type"): NameObject("/FontDescriptor")})
        descriptor[NameObject("/FontName")] = NameObject("/Vera")
        descriptor[NameObject("/Flags")] = NumberObject(4)
        descriptor[NameObject("/FontFile2")] = writer._add_object(file)
        resources: Any = writer.pages[0]["/Resources"]
        (font,) = (
            font.get_object() for font in resources["/Font"].values() if font.get_object()["/BaseFont"] == "/Courier"
        )
        font.clear()
        font[NameObject("/Type")], font[NameObject("/Subtype")] = NameObject("/Font"), NameObject("/TrueType")
        font[NameObject("/BaseFont")] = NameObject("/Vera")
        font[NameObject("/FirstChar")], font[NameObject("/LastChar")] = NumberObject(32), NumberObject(255)
        font[NameObject("/Widths")] = ArrayObject(map(NumberObject, widths))
        font[NameObject("/FontDescriptor")] = descriptor
        if name:
            font[NameObject("/Encoding")] = NameObject(name)

    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, 500)
        text.setFont("Courier", 11)
        text._code.append(f"<{line.encode(encoding).hex()}> Tj")
        canvas.drawText(text)

    return rewritten(pdf(both(lines(PROSE), draw)), change)


@pytest.mark.parametrize(
    "line",
    [
        "Durée de la scène, où l'été naît",
        "Größe für Käferhofen in der Straße",
        "ÄNDERUNG DER GRÖSSE",
        "El niño comió mañana",
        "flat fields",
    ],
)
@pytest.mark.parametrize("name", ["/WinAnsiEncoding", None])
def test_letters_of_winansi_are_not_those_of_macroman(line: str, name: str | None) -> None:
    assert layer(in_mac_font(line, encoding="cp1252", name=name)).text.splitlines()[-1] == line


@pytest.mark.parametrize("line", ["Durée de la scène, où l'été naît", "Größe für Käferhofen"])
@pytest.mark.parametrize("name", ["/MacRomanEncoding", None])
def test_letters_of_macroman_stay(line: str, name: str | None) -> None:
    assert layer(in_mac_font(line, encoding="mac_roman", name=name)).text.splitlines()[-1] == line
