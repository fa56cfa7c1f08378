"""Fonts of PDFs whose codes are the numbers of their glyphs."""

from collections.abc import Mapping
from pathlib import Path

import reportlab
from pikepdf import Array, Dictionary, Name, Pdf

VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"


def add_numbered_font(made: Pdf, name: str, texts: Mapping[int, str], *, width: int, encoding: str) -> None:
    """Give the first page Vera under a name, with codes of two bytes that are mapped to these texts. All its letters
    have one width, in thousandths of their size.
    """
    listed = "\n".join(f"<{code:04X}> <{text.encode('utf-16-be').hex()}>" for code, text in texts.items())
    mapping = (
        "begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
        f"{len(texts)} beginbfchar\n{listed}\nendbfchar endcmap"
    )
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name.Made,
        Flags=4,
        Ascent=880,
        Descent=-120,
        FontFile2=made.make_stream(VERA.read_bytes()),
    )
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name.Made,
        CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
        FontDescriptor=made.make_indirect(descriptor),
        DW=width,
        CIDToGIDMap=Name.Identity,
    )
    made.pages[0].Resources.Font[f"/{name}"] = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type0,
        BaseFont=Name.Made,
        Encoding=Name(encoding),
        DescendantFonts=Array([made.make_indirect(descendant)]),
        ToUnicode=made.make_stream(mapping.encode()),
    )
