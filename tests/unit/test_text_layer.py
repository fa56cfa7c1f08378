"""Which text layers are trusted, what is read of them, and where its words stand."""

import math
import random
import time
from contextlib import suppress

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont
from pypdf import PdfWriter
from pypdf.generic import RectangleObject
from pypdfium2 import PdfDocument
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import lines_of, words_of
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import page_objects, text_words
from tests.support.samples.pdf_layers import (
    HEIGHT,
    LEFT,
    PROSE,
    RIGHT,
    WIDTH,
    Draw,
    both,
    cmap,
    hidden,
    image,
    in_subset_font,
    in_unmapped_font,
    lines,
    outlines,
    pdf,
    rewritten,
    scan,
    shifted,
    with_mapping,
)
from tests.support.samples.pictures import picture
from tests.support.text_layers import DPI, layer, whole_layer


def beside_patches(data: bytes) -> str:
    """The text of a page of which parts need OCR."""
    read = whole_layer(data)
    assert read.patches is not None
    return read.reading().text


def refusal(data: bytes, page: int = 1) -> str:
    with pytest.raises(TextLayerRejected) as refused:
        whole_layer(data, page)
    return str(refused.value)


def drawn(data: bytes) -> Image.Image:
    with PdfDocument(data) as document:
        document.init_forms()
        picture: Image.Image = document[0].render(scale=DPI / 72, grayscale=True).to_pil()
        return picture.copy()


def has_ink(part: Image.Image) -> bool:
    return any(part.histogram()[:128])


def test_a_born_digital_page_gives_its_lines_with_full_confidence() -> None:
    page_text = layer(pdf(lines(PROSE)))

    assert page_text.text == "\n".join(PROSE)
    words = list(words_of(page_text.blocks))
    assert [word.text for word in words] == " ".join(PROSE).split()
    assert {word.confidence for word in words} == {100.0}


def turned(data: bytes, degrees: int) -> bytes:
    return rewritten(data, lambda writer: writer.pages[0].rotate(degrees))


def cropped(data: bytes) -> bytes:
    def crop(writer: PdfWriter) -> None:
        writer.pages[0].cropbox = RectangleObject((50, 400, 500, 800))

    return rewritten(data, crop)


@pytest.mark.parametrize(
    "data",
    [
        pdf(lines(PROSE)),
        *(turned(pdf(lines(PROSE)), degrees) for degrees in (90, 180, 270)),
        cropped(pdf(lines(PROSE))),
        turned(cropped(pdf(lines(PROSE))), 90),
    ],
    ids=["upright", "90", "180", "270", "cropped", "cropped and 90"],
)
def test_every_word_stands_where_the_picture_shows_it(data: bytes) -> None:
    page_text = layer(data)
    picture = drawn(data)

    assert page_text.text == "\n".join(PROSE)
    for line in lines_of(page_text.blocks):
        for word in line.words:
            assert has_ink(picture.crop(word.box)), word
            # Its ink fills the box: a pixel or two remain for what PDFium rounds.
            ink = ImageChops.invert(picture.crop(word.box)).point(lambda level: 255 * (level > 64)).getbbox()
            assert ink
            assert ink[2] - ink[0] >= word.box[2] - word.box[0] - 4, word
            ImageDraw.Draw(picture).rectangle((word.box[0] - 1, word.box[1] - 1, word.box[2], word.box[3]), fill=255)
    assert picture.getextrema() == (255, 255), "no ink is outside of the words"


def test_columns_are_read_one_after_the_other_however_they_are_drawn() -> None:
    def across(canvas: Canvas) -> None:
        canvas.drawString(72, 770, "A heading over both of the columns that follow it here")
        for number, (left, right) in enumerate(zip(LEFT * 2, RIGHT * 2, strict=True)):
            canvas.drawString(72, 740 - 14 * number, left)
            canvas.drawString(310, 740 - 14 * number, right)

    assert layer(pdf(across)).text.split("\n\n") == [
        "A heading over both of the columns that follow it here",
        "\n".join(LEFT * 2),
        "\n".join(RIGHT * 2),
    ]


def test_rows_of_a_table_are_read_across_though_drawn_by_column() -> None:
    rows = [("Apples", "12", "3.50"), ("Pears", "7", "4.20"), ("Walnuts", "30", "9.90"), ("Honey", "2", "6.00")]

    def table(canvas: Canvas) -> None:
        for column in range(3):
            for number, row in enumerate(rows):
                canvas.drawString(72 + 150 * column, 640 - 16 * number, row[column])

    assert layer(pdf(both(lines(PROSE), table))).text.endswith("\n".join(" ".join(row) for row in rows))


ROWS = [f"{1000 + 37 * number} {number}" for number in range(20)]
BESIDE = (RIGHT + LEFT) * 3


def numbers(canvas: Canvas) -> None:
    for number, row in enumerate(ROWS):
        for column, cell in enumerate(row.split()):
            canvas.drawString(72 + 60 * column, 640 - 16 * number, cell)


@pytest.mark.parametrize(
    "drawn",
    [
        both(lines(BESIDE, x=310, top=640, pitch=13), numbers),
        both(lines(BESIDE[:1], x=310, top=640), numbers, lines(BESIDE[1:], x=310, top=627, pitch=13)),
    ],
    ids=["after the prose", "after the first line of the prose"],
)
def test_a_table_beside_prose_is_read_first_though_drawn_later(drawn: Draw) -> None:
    assert layer(pdf(drawn)).text.split("\n\n") == ["\n".join(ROWS), "\n".join(BESIDE)]


def test_text_across_the_page_is_read_in_its_own_direction() -> None:
    def landscape(canvas: Canvas) -> None:
        canvas.rotate(90)
        canvas.translate(0, -WIDTH)
        lines(PROSE, top=500)(canvas)

    data = pdf(landscape)
    page_text = layer(data)

    assert page_text.text == "\n".join(PROSE)
    first = next(lines_of(page_text.blocks)).words[0]
    assert first.box[3] - first.box[1] > first.box[2] - first.box[0]
    assert has_ink(drawn(data).crop(first.box))


def test_a_hyphen_at_the_end_of_a_line_stays() -> None:
    page_text = layer(
        pdf(lines(["This line ends in the middle of a hyphen-", "ated word, and the text is to tell so."]))
    )

    assert page_text.text == "This line ends in the middle of a hyphen-\nated word, and the text is to tell so."


def test_soft_hyphens_are_read_only_where_they_are_drawn() -> None:
    def word(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        canvas.drawString(72, 600, "Donau dampf~schiff")

    # In this font, both the space and the tilde stand for a soft hyphen.
    data = with_mapping(pdf(both(lines(PROSE), word)), cmap({32: 0xAD, 126: 0xAD}), base_font="Courier")

    assert layer(data).text.split()[-1] == "Donaudampf-schiff"


@pytest.mark.parametrize("line", ["Rooms 47 and 9 are let", "Pay us on the 8irst"])
def test_drawn_letters_behind_a_space_have_to_be_read_if_they_are_said_to_be_spaces(line: str) -> None:
    def in_courier(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        canvas.drawString(72, 500, line)

    letters = {letter: letter for letter in range(32, 127)} | {ord(digit): 32 for digit in "0123456789"}
    data = with_mapping(pdf(both(lines(PROSE), in_courier)), cmap(letters), base_font="Courier")

    assert "irst" not in beside_patches(data).split()


def test_pages_of_one_document_are_judged_one_by_one() -> None:
    data = pdf(lines(PROSE), scan(PROSE), lines(()), lines(LEFT))

    assert layer(data, 1).text == "\n".join(PROSE)
    assert refusal(data, 2) == "a picture without text"
    assert (layer(data, 3).text, layer(data, 3).confidence) == ("", 0.0)
    assert layer(data, 4).text == "\n".join(LEFT)


def test_text_hidden_under_a_scan_is_rejected() -> None:
    assert refusal(pdf(both(scan(PROSE), hidden(PROSE)))) == "a picture without text"


def test_a_scan_with_a_stamp_on_it_is_rejected() -> None:
    assert refusal(pdf(both(scan(PROSE), lines(["Exhibit 12, page 3"], top=30)))) == "more to read than the layer has"


def test_text_that_a_scan_is_painted_over_is_rejected() -> None:
    assert refusal(pdf(both(lines(PROSE), scan(PROSE, y=600)))) == "no text"


def test_a_paragraph_as_an_image_has_to_be_read_beside_the_text() -> None:
    data = pdf(both(lines(PROSE), scan(PROSE[:3], x=72, y=400, width=400)))

    assert beside_patches(data) == "\n".join(PROSE)


def test_a_page_whose_text_is_drawn_as_outlines_is_rejected() -> None:
    assert refusal(pdf(outlines(PROSE, x=72, y=500, width=430))) == "no text"


def test_outlines_have_to_be_read_beside_the_text() -> None:
    data = pdf(both(lines(PROSE), outlines(PROSE, x=72, y=300, width=430)))

    assert beside_patches(data) == "\n".join(PROSE)


def test_a_scanned_line_that_runs_upwards_has_to_be_read_beside_the_text() -> None:
    stamp = picture("RECEIVED 14 MARCH").rotate(90, expand=True)
    data = pdf(both(lines(PROSE), image(stamp, x=480, y=300, width=16, height=16 * stamp.height / stamp.width)))

    assert beside_patches(data) == "\n".join(PROSE)


def test_logos_rules_charts_and_photographs_are_not_taken_for_text() -> None:
    noise = random.Random(1)
    photograph = Image.frombytes("L", (120, 90), noise.randbytes(120 * 90)).resize((480, 360), Image.Resampling.BICUBIC)

    def chart(canvas: Canvas) -> None:
        for number in range(8):
            canvas.line(72, 300 + 20 * number, 300, 300 + 20 * number)
            canvas.rect(90 + 25 * number, 300, 15, 10 + 15 * number, fill=1)
        canvas.circle(420, 380, 60)

    data = pdf(both(lines(PROSE), chart, image(photograph, x=72, y=450, width=240, height=180)))

    assert layer(data).text == "\n".join(PROSE)


@pytest.mark.parametrize("by", [1, 3, 13, 23])
def test_letters_mapped_to_others_are_rejected(by: int) -> None:
    assert refusal(with_mapping(pdf(lines(PROSE)), cmap(shifted(by)))) == "no language"


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


def test_a_page_of_letters_without_a_mapping_in_a_font_that_is_missing_here_is_not_empty_in_silence() -> None:
    text = "日本語の文章です"
    private = cmap({ord(letter): 0xE000 + number for number, letter in enumerate(text)})

    read = whole_layer(with_mapping(pdf(in_missing_font(lines([text]))), private))

    assert read.patches is not None
    assert len(read.patches.unread) == 1


def test_single_ideographs_in_a_font_that_is_missing_here_are_not_left_to_recognition() -> None:
    letters = (lines([letter], x=72 + 70 * number) for number, letter in enumerate("日本語文章"))

    assert layer(pdf(in_missing_font(both(*letters)))).text == "日 本 語 文 章"


@pytest.mark.parametrize(("box_first", "grey", "is_read"), [(True, 1, True), (True, 0, False), (False, 0, False)])
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


@pytest.mark.parametrize("text", ["e", "0", "word"])
def test_a_page_crammed_with_one_word_is_judged_in_a_moment(text: str) -> None:
    def crammed(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 1)
        for row in range(120):
            for column in range(80):
                canvas.drawString(20 + 7 * column, 20 + 6.5 * row, text)

    began = time.process_time()
    with suppress(TextLayerRejected):
        layer(pdf(crammed))

    assert time.process_time() - began < 20


def test_white_words_on_white_are_left_out() -> None:
    def white(canvas: Canvas) -> None:
        canvas.setFillGray(1)
        lines(["secret words"], top=400)(canvas)

    assert layer(pdf(both(lines(PROSE), white))).text == "\n".join(PROSE)


def test_white_words_on_black_are_read() -> None:
    def poster(canvas: Canvas) -> None:
        canvas.rect(0, 0, WIDTH, HEIGHT, fill=1)
        canvas.setFillGray(1)
        lines(PROSE)(canvas)

    assert layer(pdf(poster)).text == "\n".join(PROSE)


def test_words_outside_of_the_page_are_left_out() -> None:
    assert layer(pdf(both(lines(PROSE), lines(["Printer's mark"], top=900)))).text == "\n".join(PROSE)


def test_words_drawn_twice_to_be_bold_are_read_once() -> None:
    assert layer(pdf(both(lines(PROSE), lines(PROSE, x=72.4)))).text == "\n".join(PROSE)


@pytest.mark.parametrize(
    ("latin", "read"),
    [
        ("f(x) is (singer, actor)", "f(x) is (singer, actor)"),
        ("Smith (Ed.) a/b", "Smith (Ed.) a/b"),
        ("see [1] and", "see [1] and"),
    ],
)
def test_latin_words_beside_hebrew_keep_their_brackets(latin: str, read: str) -> None:
    hebrew = "\u05e9\u05dc\u05d5\u05dd"

    def line(canvas: Canvas) -> None:
        pdfmetrics.registerFont(TTFont("DejaVu", ImageFont.truetype("DejaVuSans.ttf").path))
        canvas.setFont("DejaVu", 10)
        canvas.drawString(60, 400, hebrew[::-1])
        canvas.drawString(120, 400, latin)
        canvas.drawString(400, 400, hebrew[::-1])

    assert layer(pdf(both(lines(PROSE), line))).text.endswith(f"{hebrew} {read} {hebrew}")


@pytest.mark.parametrize("degrees", [0, 30])
@pytest.mark.parametrize(("scale", "words"), [(0.1, "giffly office"), (0.5, "fluffy offfield"), (1, "stiff offfield")])
def test_doubled_italic_letters_are_kept_where_each_is_drawn_by_itself(scale: float, words: str, degrees: int) -> None:
    def by_letter(canvas: Canvas) -> None:
        canvas.translate(200, 400)
        canvas.rotate(degrees)
        x = 0.0
        for letter in words:
            text = canvas.beginText()
            text.setFont("Times-Italic", 11 / scale)
            text.setTextTransform(scale, 0, 0, scale, x, 0)
            text.textOut(letter)
            canvas.drawText(text)
            x += pdfmetrics.stringWidth(letter, "Times-Italic", 11)

    assert layer(pdf(both(lines(PROSE), by_letter))).text.endswith(words)


def test_values_of_form_fields_are_read() -> None:
    def form(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.acroForm.textfield(value="Filled in by hand", x=72, y=500, width=200, height=20, fontSize=12)

    assert layer(pdf(form)).text == "\n".join(PROSE) + "\n\nFilled in by hand"


def test_values_in_forms_below_each_other_stay_apart() -> None:
    values = ("789.82", "Ivo", "78.08")

    def forms(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        for number, value in enumerate(values):
            canvas.beginForm(value)
            canvas.setFont("Helvetica", 11)
            canvas.drawString(0, 0, value)
            canvas.endForm()
            canvas.saveState()
            canvas.translate(100, 500 - 15 * number)
            canvas.doForm(value)
            canvas.restoreState()

    assert layer(pdf(forms)).text.endswith("\n".join(values))


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_a_raised_number_is_not_joined_to_the_number_before_it(degrees: int) -> None:
    def price(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        canvas.setFont("Times-Roman", 22)
        canvas.drawString(0, 0, "Price 19")
        canvas.setFont("Times-Roman", 10)
        canvas.drawString(73, 8, "95")

    assert layer(pdf(price)).text.endswith("Price 19 95")


def test_high_cents_are_in_the_line_of_their_euros() -> None:
    def prices(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        for x, euros, cents in ((72, "Only 32", "56"), (160, "or 45", "61")):
            canvas.setFont("Courier", 14)
            canvas.drawString(x, 400, euros)
            canvas.setFont("Courier", 7)
            canvas.drawString(x + 8.4 * len(euros) + 3, 407, cents)

    assert layer(pdf(prices)).text.endswith("\n\nOnly 32 56 or 45 61")


@pytest.mark.parametrize(
    ("drawn", "read"),
    [
        ([("in 2019.", 11, 0), ("3", 7, 4)], "in 2019. 3"),
        ([("10", 11, 0), ("-3", 7, 4), (" metres", 11, 0)], "10 -3 metres"),
        ([("x", 11, 0), ("2", 7, 4), ("+3 = 4", 11, 0)], "x 2 +3 = 4"),
        ([("Price 19", 20, 0), ("95", 9, 0)], "Price 19 95"),
        ([("Price 12", 20, 0), (".50", 9, 0)], "Price 12.50"),
        ([("H", 12, 0), ("2", 8, -2), ("O", 12, 0)], "H2O"),
        ([("C", 12, 0), ("12", 8, -2), ("H", 12, 0), ("22", 8, -2)], "C12H22"),
        ([("word", 11, 0), ("12", 7, 4), (" and", 11, 0)], "word12 and"),
        ([("1", 7, 4), ("See chapter 4", 11, 0)], "1See chapter 4"),
        ([("of 1914", 10, 0), (" 4", 6, 4.2), (" and", 10, 0)], "of 1914 4 and"),
        ([(" 4 ", 6, 4.2), ("See the map", 10, 0)], "4 See the map"),
    ],
)
def test_an_index_stays_in_its_word_but_makes_no_other_number(drawn: list[tuple[str, float, float]], read: str) -> None:
    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, 400)
        for letters, size, rise in drawn:
            text.setFont("Times-Roman", size)
            text.setRise(rise)
            text.textOut(letters)
        canvas.drawText(text)

    assert layer(pdf(both(lines(PROSE), draw))).text == "\n".join(PROSE) + "\n\n" + read


@pytest.mark.parametrize("x", [100, 130])
def test_small_lines_beside_large_letters_stay_together(x: float) -> None:
    def heading(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 9)
        canvas.drawString(100, 404, "Department of the Treasury of this state")
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(x, 401, "Income Tax Return")

    words = layer(pdf(both(lines(PROSE), heading))).text.removeprefix("\n".join(PROSE)).split()

    assert " ".join(words) == "Department of the Treasury of this state Income Tax Return"


@pytest.mark.parametrize("value", ["DE89370400440532013000", "1100", "1 2 3 4", "1 2   3", "24 12 1999"])
def test_a_comb_field_has_the_words_of_its_value(value: str) -> None:
    def form(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.acroForm.textfield(
            value=value,
            x=72,
            y=500,
            width=20 * len(value),
            height=20,
            fontSize=12,
            maxlen=len(value),
            fieldFlags="comb",
        )

    assert layer(pdf(form)).text == "\n".join(PROSE) + "\n\n" + " ".join(value.split())


@pytest.mark.parametrize("value", ["DE89370400440532013000", "11 00"])
def test_letters_apart_in_a_comb_field_are_joined_but_not_over_an_empty_box(value: str) -> None:
    def form(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.acroForm.textfield(
            x=72, y=500, width=20 * len(value), height=20, maxlen=len(value), fieldFlags="comb", fillColor=None
        )
        for box, letter in enumerate(value):
            canvas.drawString(76 + 20 * box, 505, letter)

    assert layer(pdf(form)).text == "\n".join(PROSE) + "\n\n" + value


@pytest.mark.parametrize("degrees", [10, 45, 100, -30])
def test_slanted_lines_are_read_along_their_slant(degrees: int) -> None:
    rows = ["Bolts 55.5 12.0", "Washers 55.5 9.5", "Nails 55.5 7.25"]

    def slanted(canvas: Canvas) -> None:
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        lines(PROSE, x=-150, top=100)(canvas)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells.split()):
                canvas.drawString(-150 + 80 * column, -50 - 14 * row, cell)

    assert layer(pdf(slanted)).text.split() == " ".join([*PROSE, *rows]).split()


@pytest.mark.parametrize("waves", [0.2, 0.5])
def test_words_along_bent_lines_stay_together(waves: float) -> None:
    names = ["Great Ouse River", "Lower Mill Lane", "Old Roman Road"]

    def on_map(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        for row, name in enumerate(names):
            x, y = 80.0 + 20 * row, 560.0 - 100 * row
            for letter in name:
                slant = waves * math.sin(x / 40)
                canvas.saveState()
                canvas.translate(x, y)
                canvas.rotate(math.degrees(slant))
                canvas.drawString(0, 0, letter)
                canvas.restoreState()
                width = canvas.stringWidth(letter)
                x, y = x + width * math.cos(slant), y + width * math.sin(slant)

    text = " ".join(layer(pdf(on_map)).text.split())

    assert all(name in text for name in names), text


def test_a_stamp_across_a_page_is_read_after_its_lines() -> None:
    def stamped(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.translate(200, 200)
        canvas.rotate(35)
        canvas.drawString(0, 0, "Paid in full 4 May")

    assert layer(pdf(stamped)).text == "\n".join([*PROSE, "", "Paid in full 4 May"])


def test_what_is_beside_a_slanted_word_has_to_be_read() -> None:
    def slanted(canvas: Canvas) -> None:
        canvas.translate(100, 100)
        canvas.rotate(45)
        canvas.setFont("Helvetica", 60)
        canvas.drawString(0, 0, "CONFIDENTIAL")

    beside = scan(["Words that were scanned"], x=330, y=150, width=200)
    assert "CONFIDENTIAL" in beside_patches(pdf(both(both(lines(PROSE), beside), slanted)))


def test_mirrored_text_is_rejected() -> None:
    def mirrored(canvas: Canvas) -> None:
        canvas.transform(-1, 0, 0, 1, 595, 0)
        lines(PROSE)(canvas)

    assert refusal(pdf(mirrored)) == "mirrored text"


def test_a_page_with_too_many_characters_or_objects_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_words, "MAX_CHARACTERS", 300)
    assert refusal(pdf(lines(PROSE))) == "too many characters"

    monkeypatch.setattr(page_objects, "MAX_OBJECTS", 3)
    assert refusal(pdf(lines(PROSE))) == "too many objects"


def test_a_page_with_too_many_pictures_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    def picture(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawInlineImage(Image.new("L", (10, 10)), 72, 400)

    assert layer(pdf(picture)).text == "\n".join(PROSE)
    monkeypatch.setattr(page_objects, "MAX_IMAGES", 0)

    assert refusal(pdf(picture)) == "too many pictures"


def test_text_that_pdfium_cannot_load_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypdfium2.raw.FPDFText_LoadPage", lambda _: None)

    assert refusal(pdf(lines(PROSE))) == "the text cannot be parsed"
