"""Letters that a font says are others than it draws are read from the picture; fonts that are right stay exact."""

import re
from collections.abc import Mapping
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import NameObject, StreamObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Word
from docserver.ocr.pdf import pdfium, text_layer
from docserver.ocr.pdf.glyphs.glyph_shapes import TWINS
from docserver.ocr.pdf.verification.wrong_mappings import MappingCheck
from docserver.ocr.pdf.words.own_words import TextLayer
from tests.support.samples.pdf_layers import (
    PROSE,
    both,
    cmap,
    in_subset_font,
    lines,
    pdf,
    rewritten,
    shifted,
    with_mapping,
)
from tests.support.text_layers import DPI, MAX_PIXELS, beside_patches, layer, read_words, refusal, whole_layer

ASCII = {code: code for code in range(32, 127)}


def swapped(one: str, other: str) -> dict[int, int]:
    """A mapping that takes each of two characters for the other one."""
    return ASCII | {ord(one): ord(other), ord(other): ord(one)}


def with_line(line: str, mapping: Mapping[int, int | str]) -> bytes:
    """A page of prose, and a line in a font with this mapping."""

    def in_courier(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        canvas.drawString(72, 500, line)

    return with_mapping(pdf(both(lines(PROSE), in_courier)), cmap(mapping), base_font="Courier")


def read_with(check: MappingCheck, data: bytes) -> TextLayer:
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with pdfium.opened(file.name) as document, check.of_document(document) as fonts:
            document.init_forms()
            return text_layer.read(document, source=file.name, page=1, dpi=DPI, max_pixels=MAX_PIXELS, fonts=fonts)


@pytest.mark.parametrize(
    ("line", "mapping", "exact"),
    [
        ("Rooms 36 and 40 are let", swapped("3", "8"), "Rooms and 40 are let"),
        ("Paid by Marlowe at noon", swapped("M", "P"), "by at noon"),
        ("Owed $ 500 or less", swapped("$", "%"), "Owed 500 or less"),
        # Both digits are said to be an 8.
        ("Take 6 or 8 a day", ASCII | {ord("6"): ord("8")}, "Take or a day"),
        ("Owed 1,254.50 or less", ASCII | {ord("5"): "55"}, "Owed or less"),
        ("Four boxes of it", ASCII | {ord("x"): "xx"}, "Four of it"),
        # OCR reads Rcntal as Rental.
        ("Rental of Marlowe in October", ASCII | {ord("c"): ord("e")}, "of in"),
    ],
)
def test_words_are_read_from_the_picture_if_the_font_draws_other_letters(
    line: str, mapping: Mapping[int, int | str], exact: str
) -> None:
    assert beside_patches(with_line(line, mapping)) == "\n".join((*PROSE, "", exact))


def test_a_page_is_rejected_if_its_font_draws_other_letters_throughout() -> None:
    data = with_mapping(pdf(in_subset_font(PROSE)), cmap(shifted(1)), base_font="Vera")

    assert refusal(data) == "letters without a meaning"


def test_letters_that_look_alike_may_be_mapped_to_each_other() -> None:
    line = "Osc 0 and Il are let"

    assert layer(with_line(line, swapped("O", "0"))).text.endswith("0sc O and Il are let")


def test_letters_of_a_word_in_another_font_than_its_first_one_are_judged() -> None:
    def in_two_fonts(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 11)
        canvas.drawString(72, 500, "Rooms of 40 are let at 12")
        canvas.drawString(72, 480, "The others are not")
        canvas.setFont("Courier", 11)
        canvas.drawString(72 + canvas.stringWidth("Rooms of 40 are let at 12", "Helvetica", 11), 500, "36")

    data = with_mapping(pdf(both(lines(PROSE), in_two_fonts)), cmap(swapped("3", "8")), base_font="Courier")

    assert "are let at\n\nThe others" in beside_patches(data)


CYRILLIC = ASCII | {ord(latin): ord(twin) for twin, latin in TWINS.items() if "\u0400" <= twin < "\u0500"}
"""A font with these letters draws them as Courier draws the Latin ones."""


def test_cyrillic_letters_are_as_the_font_says_if_they_look_like_latin_ones() -> None:
    line = "Bcex pac 36"

    assert layer(with_line(line, CYRILLIC)).text.endswith(line.translate(CYRILLIC))


def test_cyrillic_letters_are_read_if_the_font_draws_others() -> None:
    mapping = CYRILLIC | {ord("e"): CYRILLIC[ord("a")], ord("a"): CYRILLIC[ord("e")]}

    assert beside_patches(with_line("Bcex pac 36", mapping)).endswith("\n36")


def test_a_glyph_is_judged_once_whichever_document_it_is_in() -> None:
    pictures = []

    def read(picture: Image.Image) -> list[Word]:
        pictures.append(picture)
        return list(read_words(picture))

    check = MappingCheck(read)
    for line in ("Rooms 36 and 48 are let", "Of 84 rooms, 63 are let"):
        assert read_with(check, with_line(line, swapped("3", "8"))).patches

    assert len(pictures) == 1


def test_letters_stay_as_the_font_says_where_they_cannot_be_read() -> None:
    check = MappingCheck(lambda _: ())

    assert read_with(check, with_line("Rooms 36 and 40 are let", swapped("3", "8"))).is_exact


def saying(line: str, lies: Mapping[str, str]) -> bytes:
    """A page of prose, and a line in an embedded font that says of some characters that they are others."""

    def change(writer: PdfWriter) -> None:
        resources: Any = writer.pages[0]["/Resources"]
        for font in resources["/Font"].values():
            if "/ToUnicode" in font.get_object():
                text = font.get_object()["/ToUnicode"].get_object().get_data().decode()
                for char, said in lies.items():
                    meant = "".join(f"{ord(one):04X}" for one in said)
                    text = re.sub(f"<{ord(char):04x}>", f"<{meant}>", text, flags=re.IGNORECASE)
                stream = StreamObject()
                stream.set_data(text.encode())
                font.get_object()[NameObject("/ToUnicode")] = writer._add_object(stream)

    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))

    def in_vera(canvas: Canvas) -> None:
        canvas.setFont("Vera", 11)
        canvas.drawString(72, 500, line)

    return rewritten(pdf(both(lines(PROSE), in_vera)), change)


@pytest.mark.parametrize(
    ("line", "lies", "exact"),
    [
        ("Balance -438.10 today", {"-": " "}, "Balance today"),
        ("-438.10 is due", {"-": " "}, "is due"),
        ("Total 12.50 and 3.75 in May", {".": " "}, "Total and in May"),
        ("The \ufb01rst is con\ufb01rmed at noon", {"\ufb01": "f"}, "The is at noon"),
        ("The \ufb01rst is con\ufb01rmed at noon", {"\ufb01": "n"}, "The is at noon"),
        ("The \ufb01ve and the \ufb02oor", {"\ufb01": "fl"}, "The and the"),
        ("Herr M\u00fcller hat angerufen", {"\u00fc": "u"}, "Herr hat angerufen"),
        ("Le caf\u00e9 ouvrira bient\u00f4t", {"\u00e9": "e"}, "Le ouvrira bient\u00f4t"),
        ("Sum 5255 and 17", {"5": "S"}, "Sum and 17"),
        ("Sum 1284 and 36", {"1": "l"}, "Sum and 36"),
        ("Sum 3200 and 36", {"0": "O"}, "Sum and 36"),
        ("A bill in that limit", {"i": "l"}, "A that"),
        ("Price \u20ac 438 today", {"\u20ac": "?"}, "Price 438 today"),
    ],
)
def test_what_is_not_as_the_font_says_is_read_from_the_picture(line: str, lies: Mapping[str, str], exact: str) -> None:
    assert beside_patches(saying(line, lies)).removeprefix("\n".join(PROSE)).split() == exact.split()


@pytest.mark.parametrize(
    "line",
    [
        "The \ufb01ve are con\ufb01rmed on the \ufb02oor",
        "Le caf\u00e9 ouvrira bient\u00f4t \u00e0 No\u00ebl",
        "l I 1 O 0 o S 5 Z 2 B 8 i",
    ],
)
def test_ligatures_accents_and_letters_that_look_alike_stay_exact_if_the_font_is_right(line: str) -> None:
    assert whole_layer(saying(line, {})).is_exact


def test_it_is_known_what_a_wrongly_mapped_word_may_be_read_as() -> None:
    (word,) = whole_layer(saying("Herr M\u00fcller hat", {"\u00fc": "u"})).wrongly_mapped

    assert re.fullmatch("".join(word.seen_as), "M\u00fcller")
    assert not re.fullmatch("".join(word.seen_as), "Muller")
