"""What is one word of a text layer, and which line it is in."""

import math

import pytest
from PIL import ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import (
    HEIGHT,
    PROSE,
    WIDTH,
    both,
    lines,
    pdf,
    scan,
)
from tests.support.text_layers import beside_patches, layer


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
        ([("x", 11, 0), ("2", 7, 4), ("+3 = 4", 11, 0)], "x2 +3 = 4"),
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


def test_letters_over_each_other_that_are_a_button_are_no_word() -> None:
    def buttons(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        for y, answer in ((400, "Satisfied"), (387, "Dissatisfied")):
            for letter in "nmlkj":
                canvas.drawString(72, y, letter)
            canvas.drawString(92, y, answer)

    assert layer(pdf(buttons)).text.splitlines()[-2:] == ["Satisfied", "Dissatisfied"]


@pytest.mark.parametrize(
    ("size", "text", "needs_review"), [(0.3, [], False), (1.0, [], True), (1.5, ["may be read"], False)]
)
def test_letters_too_small_to_be_read_are_left_out(*, size: float, text: list[str], needs_review: bool) -> None:
    def tiny(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.setFont("Times-Roman", size)
        canvas.drawString(72, 400, "may be read")

    reading = layer(pdf(tiny))

    assert reading.text.split("\n\n")[1:] == text
    assert reading.needs_review is needs_review


def test_letters_on_a_label_may_be_smaller_than_on_a_page() -> None:
    def label(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 1.0)
        canvas.drawString(10, 60, "Store in a cool and dry place")

    assert layer(pdf(label, size=(120, 80))).text == "Store in a cool and dry place"


def test_a_font_size_below_0_turns_letters_around() -> None:
    def twice_turned(canvas: Canvas) -> None:
        canvas.translate(72, 400)
        canvas.scale(-1, -1)
        canvas.setFont("Times-Roman", -11)
        canvas.drawString(0, 0, "Total 1234 5678")
        canvas.drawString(0, 14, "in 2 parts")

    reading = layer(pdf(both(lines(PROSE), twice_turned)))

    assert (reading.text, reading.confidence) == ("\n".join((*PROSE, "", "Total 1234 5678", "in 2 parts")), 100.0)


def test_a_tiny_font_may_be_drawn_large() -> None:
    def enlarged(canvas: Canvas) -> None:
        canvas.scale(1000, 1000)
        canvas.setFont("Times-Roman", 0.011)
        canvas.drawString(0.072, 0.4, "Total of the invoice 1,230.00")

    reading = layer(pdf(both(lines(PROSE), enlarged)))

    assert (reading.text, reading.confidence) == ("\n".join((*PROSE, "", "Total of the invoice 1,230.00")), 100.0)
