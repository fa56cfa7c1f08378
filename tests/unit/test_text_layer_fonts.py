"""Text layers in fonts that are missing, or whose letters have another meaning or none."""

import ctypes
import io
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pypdfium2.raw
import pytest
from pypdfium2 import _library_scope
from pypdfium2.internal import bases
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import words_of
from tests.support.samples.pdf_fonts import VERA, add_numbered_font
from tests.support.samples.pdf_layers import (
    PROSE,
    Draw,
    both,
    cmap,
    in_subset_font,
    in_unmapped_font,
    lines,
    pdf,
    shifted,
    with_mapping,
)
from tests.support.text_layers import DPI, beside_patches, layer, refusal, whole_layer


@pytest.fixture
def no_fonts_of_this_machine(tmp_path: Path) -> Iterator[None]:
    """Lets PDFium find no fonts but its own, whichever are installed."""
    place = ctypes.create_string_buffer(bytes(tmp_path))
    paths = (ctypes.POINTER(ctypes.c_char) * 2)(ctypes.cast(place, ctypes.POINTER(ctypes.c_char)))
    _library_scope.destroy_lib()
    pypdfium2.raw.FPDF_InitLibraryWithConfig(pypdfium2.raw.FPDF_LIBRARY_CONFIG(version=2, m_pUserFontPaths=paths))
    bases.LIBRARY_AVAILABLE = True
    yield
    _library_scope.destroy_lib()
    _library_scope.init_lib()


@pytest.mark.parametrize("line", ["Rooms 47 and 9 are let", "Pay us on the 8irst"])
def test_drawn_letters_behind_a_space_have_to_be_read_if_they_are_said_to_be_spaces(line: str) -> None:
    def in_courier(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        canvas.drawString(72, 500, line)

    letters = {letter: letter for letter in range(32, 127)} | {ord(digit): 32 for digit in "0123456789"}
    data = with_mapping(pdf(both(lines(PROSE), in_courier)), cmap(letters), base_font="Courier")

    assert "irst" not in beside_patches(data).split()


@pytest.mark.parametrize("by", [1, 3, 13, 23])
def test_letters_mapped_to_others_are_rejected(by: int) -> None:
    assert refusal(with_mapping(pdf(lines(PROSE)), cmap(shifted(by)))) == "letters without a meaning"


def test_letters_mapped_to_private_use_are_rejected() -> None:
    private = {code: 0xE000 + code for code in range(33, 127)}

    assert refusal(with_mapping(pdf(lines(PROSE)), cmap(private))) == "letters without a meaning"


def test_spaces_of_a_leader_that_is_replaced_as_a_whole_are_spaces() -> None:
    def leader(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        text = canvas.beginText(72, 600)
        text._code.append("(Robbery) Tj /Span << /ActualText ( . . . ) >> BDC (.....) Tj EMC")
        canvas.drawText(text)

    assert layer(pdf(leader)).text.endswith("Robbery . . .")


@pytest.mark.parametrize("blank", [0x20, 0xA0, 0xAD, 0x200B])
def test_letters_that_are_mapped_to_blanks_and_drawn_have_to_be_read(blank: int) -> None:
    data = with_mapping(
        pdf(both(lines(PROSE), in_unmapped_font(["Total 120.50"], x=72, top=400))),
        cmap(dict.fromkeys(range(256), blank)),
        base_font="Vera",
    )

    assert beside_patches(data) == "\n".join(PROSE)


def in_numbered_font(text: str, *, unmapped: str) -> bytes:
    """PROSE, and a line in a font whose codes are the numbers of its glyphs. One letter is mapped to nothing."""
    glyphs = TTFont("Vera", str(VERA)).face.charToGlyph
    codes = {letter: glyphs[ord(letter)] for letter in sorted(set(text))}
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf(lines(PROSE)))) as made:
        texts = {code: "" if letter == unmapped else letter for letter, code in codes.items()}
        add_numbered_font(made, "Numbered", texts, width=700, encoding="/Identity-H")
        shown = "".join(f"{codes[letter]:04X}" for letter in text)
        made.pages[0].contents_add(made.make_stream(f"BT /Numbered 11 Tf 72 400 Td <{shown}> Tj ET".encode()))
        made.save(file)
    return file.getvalue()


def test_letters_mapped_to_nothing_are_not_taken_for_their_codes() -> None:
    data = in_numbered_font("seen by trees", unmapped="e")

    assert beside_patches(data) == "\n".join((*PROSE, "", "by"))


def test_text_in_an_embedded_subset_of_a_font_is_read() -> None:
    assert layer(pdf(in_subset_font(PROSE))).text == "\n".join(PROSE)


def test_bullets_in_symbol_fonts_do_not_reject_a_page() -> None:
    mapping = {code: code for code in range(32, 127)} | {ord("@"): 0xF0B7}
    data = with_mapping(pdf(lines(["@ " + line for line in PROSE])), cmap(mapping))

    assert layer(data).text == "\n".join("• " + line for line in PROSE)


def in_missing_font(draw: Draw) -> Draw:
    """What is drawn in a font for which PDFium has no glyphs."""

    def draw_in_font(canvas: Canvas) -> None:
        pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
        canvas.setFont("HeiseiMin-W3", 40)
        draw(canvas)

    return draw_in_font


@pytest.mark.parametrize("degrees", [0, 90])
@pytest.mark.parametrize("step", [1, 9])
@pytest.mark.usefixtures("no_fonts_of_this_machine")
def test_text_in_a_font_that_is_missing_here_is_read_with_the_room_it_takes(step: int, degrees: int) -> None:
    """`step` is the number of letters that are drawn by one operator."""
    text = "日本語の文章です"

    def japanese(canvas: Canvas) -> None:
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        for first in range(0, len(text), step):
            canvas.drawString(40 * first - 160, 0, text[first : first + step])

    read = layer(pdf(in_missing_font(japanese)))

    assert (read.text, read.confidence) == (text, 100)
    (word,) = words_of(read.blocks)
    left, top, right, bottom = word.box
    along, across = (right - left, bottom - top) if degrees == 0 else (bottom - top, right - left)
    assert abs(along - 320 * DPI / 72) < 20
    assert abs(across - 40 * DPI / 72) < 20


@pytest.mark.usefixtures("no_fonts_of_this_machine")
def test_a_page_of_letters_without_a_mapping_in_a_font_that_is_missing_here_is_not_empty_in_silence() -> None:
    text = "日本語の文章です"
    private = cmap({ord(letter): 0xE000 + number for number, letter in enumerate(text)})

    read = whole_layer(with_mapping(pdf(in_missing_font(lines([text]))), private))

    assert read.patches is not None
    assert len(read.patches.unread) == 1


@pytest.mark.usefixtures("no_fonts_of_this_machine")
def test_single_ideographs_in_a_font_that_is_missing_here_are_not_left_to_recognition() -> None:
    letters = (lines([letter], x=72 + 70 * number) for number, letter in enumerate("日本語文章"))

    assert layer(pdf(in_missing_font(both(*letters)))).text == "日 本 語 文 章"


@pytest.mark.parametrize(("box_first", "grey", "is_read"), [(True, 1, True), (True, 0, False), (False, 0, False)])
@pytest.mark.usefixtures("no_fonts_of_this_machine")
def test_text_in_a_missing_font_is_read_unless_it_is_painted_over_or_has_the_colour_of_what_is_behind_it(
    *, box_first: bool, grey: float, is_read: bool
) -> None:
    def box(canvas: Canvas) -> None:
        canvas.setFillGray(0)
        canvas.rect(60, 600, 400, 60, stroke=0, fill=1)
        canvas.setFillGray(grey)

    text = in_missing_font(lines(["日本語の文章です"], top=620))
    read = layer(pdf(both(lines(PROSE), *((box, text) if box_first else (text, box))))).text

    assert read.endswith("日本語の文章です") == is_read
