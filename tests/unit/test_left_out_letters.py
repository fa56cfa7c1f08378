"""Letters that PDFium leaves out of the text of a font whose letters are far smaller than its size."""

import io
from collections.abc import Sequence

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw, ImageFont

from docserver.ocr.pdf.words.pdf_words import UNMAPPED
from tests.support.text_layers import layer, refusal, whole_layer

SIZE = 11.0
EM = 40
"""Height of the letters' pictures in pixels."""

MARKS = ImageFont.load_default(size=EM)
LINES = ("Please pay 1001 and 20022 in June", "The committee will offer all of it", "Total of 3100 by the clerk")
"""Letters that are left out are the second ones of ll, ff, mm, tt and 00."""


def glyph(letter: str, *, em: float) -> bytes:
    """Rectangles, one for each row of pixels, in a glyph space with this height."""
    cell = Image.new("1", (EM, 2 * EM))
    ImageDraw.Draw(cell).text((0, 0), letter, fill=1, font=MARKS)
    ink = np.pad(np.asarray(cell), ((0, 0), (1, 1)))
    rows, starts = np.nonzero(ink[:, 1:] & ~ink[:, :-1])
    ends = np.nonzero(~ink[:, 1:] & ink[:, :-1])[1]
    unit, top = em / EM, MARKS.getmetrics()[0]  # type: ignore[union-attr]
    bars = " ".join(
        f"{start * unit:.2f} {(top - row - 1) * unit:.2f} {(end - start) * unit:.2f} {unit:.2f} re"
        for row, start, end in zip(rows, starts, ends, strict=True)
    )
    width = MARKS.getlength(letter) * unit
    return f"{width:.2f} 0 0 {-0.3 * em:.2f} {width:.2f} {em:.2f} d1 {bars} f".encode()


def page(lines: Sequence[str], *, em: float, one_by_one: bool = False) -> bytes:
    """Lines in a Type 3 font. Its letters are as large as others if its `em` is 1000."""
    letters = sorted(set("".join(lines)))
    with pikepdf.new() as pdf:
        shapes = {f"/g{ord(letter)}": pdf.make_stream(glyph(letter, em=em)) for letter in letters}
        coded = [part for letter in letters for part in (ord(letter), Name(f"/g{ord(letter)}"))]
        listed = "\n".join(f"<{ord(letter):02X}> <{ord(letter):04X}>" for letter in letters)
        mapping = f"begincmap 1 begincodespacerange <00> <FF> endcodespacerange {len(letters)} beginbfchar\n{listed}\n"
        font = Dictionary(
            Type=Name.Font, Subtype=Name.Type3, FontBBox=Array([0, -0.3 * em, em, em]),
            FontMatrix=Array([0.001, 0, 0, 0.001, 0, 0]), CharProcs=Dictionary(shapes), FirstChar=32, LastChar=122,
            Widths=Array([MARKS.getlength(chr(code)) * em / EM for code in range(32, 123)]),
            Encoding=Dictionary(Differences=Array(coded)),
            ToUnicode=pdf.make_stream(f"{mapping}endbfchar endcmap".encode()),
        )  # fmt: skip
        shown = ((f"({letter}) Tj" for letter in line) if one_by_one else [f"({line}) Tj"] for line in lines)
        placed = (f"1 0 0 1 72 {780 - 16 * number} Tm {' '.join(line)}" for number, line in enumerate(shown))
        sheet = pdf.add_blank_page(page_size=(595, 842))
        sheet.Resources = Dictionary(Font=Dictionary(F=pdf.make_indirect(font)))
        sheet.Contents = pdf.make_stream(f"BT /F {SIZE * 1000 / em} Tf {' '.join(placed)} ET".encode())
        file = io.BytesIO()
        pdf.save(file)
        return file.getvalue()


@pytest.mark.parametrize("em", [1000, 500])
def test_a_type_3_font_with_letters_of_about_its_size_is_exact(em: float) -> None:
    assert layer(page(LINES, em=em)).text == "\n".join(LINES)


def test_words_of_which_letters_are_left_out_have_to_be_read() -> None:
    read = whole_layer(page((*LINES, "No word is lost here, and the next one is whole"), em=200))

    assert read.patches
    unread = len(read.patches.unread)
    exact = [word.pdf_word.text for word in read.words]
    assert unread
    assert not {"comitee", "committe", "comite", "wil", "ofer", "ofe", "al"} & set(exact)
    assert len(exact) + unread == len(" ".join(LINES).split()) + 11
    assert {"Please", "1001", "20022", "clerk"} <= set(exact)
    assert UNMAPPED not in "".join(exact)


def test_a_page_of_which_most_words_may_lack_letters_is_read_from_its_picture() -> None:
    assert refusal(page(["Pay 1001 in all", "20022 will fall"], em=100)) == "letters without a meaning"


def test_a_page_with_such_letters_one_by_one_is_read_from_its_picture() -> None:
    assert refusal(page(LINES, em=200, one_by_one=True)) == "letters left out"
    assert layer(page(LINES, em=1000, one_by_one=True)).text == "\n".join(LINES)
