"""Pages with text of their own and parts that have to be read: what is joined, where, and how sure the result is."""

import itertools
from dataclasses import replace

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Block, Line, Paragraph, Word, around, words_of
from docserver.model import Reading, Source
from docserver.ocr.child import mixed
from docserver.ocr.pdf.words.own_words import TextLayer
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.tesseract import Recognised
from tests.support.samples.pdf_layers import (
    PROSE,
    Draw,
    both,
    cmap,
    image,
    in_unmapped_font,
    lines,
    outlines,
    pdf,
    scan,
    with_mapping,
    without_mapping,
)
from tests.support.samples.pictures import picture
from tests.support.text_layers import DPI, whole_layer

PX = DPI / 72


def recognised(text: str, *, x: float, top: float, confidence: float = 95.0) -> Line:
    """A line of 11-point letters at these points of an A4 page."""
    words = []
    for word in text.split():
        box = round(x * PX), round((842 - top - 8) * PX), round((x + 6 * len(word)) * PX), round((842 - top) * PX)
        words.append(Word(word, box, confidence))
        x += 6 * len(word) + 3
    return Line(words[0].box, tuple(words))


def attempt(*read: Line, rotation: int = 0) -> Attempt:
    blocks = tuple(Block(line.box, (Paragraph(line.box, (line,)),)) for line in read)
    return Attempt(Recognised("", blocks, 0.0), rotation, "eng")


def joined(layer: TextLayer, *read: Line, rotation: int = 0) -> Reading:
    assert layer.patches is not None
    return mixed.join(layer, attempt(*read, rotation=rotation), {}, review_below=80)


def prices(*texts: str) -> Draw:
    return both(lines(PROSE), lines(["Oak table", "Chairs"], top=600), in_unmapped_font(texts, x=300, top=600))


def test_letters_without_a_mapping_come_from_the_picture_to_their_place() -> None:
    layer = whole_layer(without_mapping(pdf(prices("320.00", "196.50"))))

    reading = joined(layer, recognised("320.00", x=300, top=600), recognised("196.50", x=300, top=586))

    assert reading.text.endswith("forget.\n\nOak table 320.00\nChairs 196.50")
    assert (reading.source, reading.languages, reading.needs_review) == (Source.MIXED, "eng", False)
    assert 99 < reading.confidence < 100
    assert {word.text: word.confidence for word in words_of(reading.blocks)}["196.50"] == 95.0
    assert [reading.source_of(block) for block in reading.blocks] == [Source.TEXT_LAYER, Source.OCR]


def test_recognised_words_are_never_as_sure_as_exact_ones() -> None:
    layer = whole_layer(without_mapping(pdf(prices("320.00", "196.50"))))

    reading = joined(layer, recognised("320.00", x=300, top=600, confidence=100.0), recognised("5", x=300, top=586))

    assert {word.text: word.confidence for word in words_of(reading.blocks)}["320.00"] == 99.0


def test_a_page_with_a_single_recognised_letter_is_not_exact() -> None:
    full = both(*(lines(PROSE, top=770 - 90 * number) for number in range(6)))
    layer = whole_layer(without_mapping(pdf(both(full, in_unmapped_font(["5"], x=500, top=100)))))

    assert joined(layer, recognised("5", x=500, top=100, confidence=99.0)).confidence == 99.99


def test_a_page_with_a_word_that_was_not_read_is_not_sure() -> None:
    layer = whole_layer(without_mapping(pdf(prices("320.00", "196.50"))))

    reading = joined(layer, recognised("320.00", x=300, top=600))

    assert "Chairs" in reading.text
    assert reading.confidence <= 99
    assert reading.needs_review


@pytest.mark.parametrize("left_out", [False, True])
def test_a_page_is_not_sure_if_something_beside_the_words_taken_was_left_out(*, left_out: bool) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), scan(["Agypten"], x=300, y=400, width=55))))
    read = replace(attempt(recognised("Agypten", x=300, top=412)), left_out=left_out)

    reading = mixed.join(layer, read, {}, review_below=80)

    assert reading.text.split()[-1] == "Agypten"
    assert reading.needs_review is left_out


@pytest.mark.parametrize(("rest", "is_sure"), [("1,25", True), ("1,35", False)])
def test_the_layer_confirms_what_is_read_of_a_word_that_is_partly_hidden(rest: str, *, is_sure: bool) -> None:
    def cut(canvas: Canvas) -> None:
        canvas.drawString(300, 600, "1,250.00")
        canvas.setFillGray(1)
        canvas.rect(319, 590, 100, 30, stroke=0, fill=1)

    reading = joined(whole_layer(pdf(both(lines(PROSE), cut))), recognised(rest, x=300, top=600))

    assert reading.text.split()[-1] == rest
    assert reading.confidence < 100
    assert reading.needs_review is not is_sure


@pytest.mark.parametrize(("read", "is_sure"), [("36", True), ("86", False), ("37", False)])
def test_a_word_with_wrongly_mapped_letters_has_to_be_read_as_its_glyphs_look(read: str, *, is_sure: bool) -> None:
    def in_courier(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        canvas.drawString(300, 600, "36")

    # The font says that its 3 is an 8, and the reverse.
    mapping = cmap({code: code for code in range(32, 127)} | {ord("3"): ord("8"), ord("8"): ord("3")})
    layer = whole_layer(with_mapping(pdf(both(lines(PROSE), in_courier)), mapping, base_font="Courier"))

    assert joined(layer, recognised(read, x=300, top=600)).needs_review is not is_sure


@pytest.mark.parametrize(("read", "x", "is_sure"), [("-438", 333, True), ("438", 340, False)])
def test_what_a_font_calls_a_space_though_it_draws_something_has_to_be_read(
    read: str, x: float, *, is_sure: bool
) -> None:
    def in_courier(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        canvas.drawString(300, 600, "Owed -438")

    mapping = cmap({code: code for code in range(32, 127)} | {ord("-"): ord(" ")})
    layer = whole_layer(with_mapping(pdf(both(lines(PROSE), in_courier)), mapping, base_font="Courier"))

    assert joined(layer, recognised(read, x=x, top=600)).needs_review is not is_sure


def test_a_page_with_a_tiny_picture_of_a_word_that_was_not_read_is_not_sure() -> None:
    layer = whole_layer(pdf(both(lines(PROSE), scan(["1,250.00"], x=300, y=400, width=55))))

    reading = joined(layer)

    assert (reading.confidence, reading.needs_review) == (99.0, True)


def test_words_of_low_confidence_are_left_out_and_the_page_is_not_sure() -> None:
    layer = whole_layer(pdf(both(lines(PROSE), outlines(["wavy lines"], x=72, y=500, width=100))))

    reading = joined(layer, recognised("~SESS SEK", x=92, top=524, confidence=50.0))

    assert reading.text == "\n".join(PROSE)
    assert (reading.source, reading.languages, reading.confidence) == (Source.TEXT_LAYER, None, 99.0)
    assert reading.needs_review


def test_a_page_with_a_recognised_word_of_low_confidence_is_not_sure() -> None:
    layer = whole_layer(without_mapping(pdf(prices("320.00", "196.50"))))
    first = recognised("320.00", x=300, top=600)
    unclear = recognised("S40.0", x=336, top=600, confidence=55)

    reading = joined(layer, Line(first.box, (*first.words, *unclear.words)), recognised("196.50", x=300, top=586))

    assert "320.00 S40.0" in reading.text
    assert (reading.confidence, reading.needs_review) == (99.0, True)


@pytest.mark.parametrize(
    ("text", "is_sure"), [("4", False), ("AX", False), ("9 M", False), ("Oak", True), ("合 计", True)]
)
def test_a_page_with_a_line_of_short_words_in_a_picture_is_not_sure(text: str, *, is_sure: bool) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), outlines(["Oak table"], x=300, y=590, width=60))))
    line = recognised("Oak table", x=310, top=602)
    words = tuple(replace(word, text=part) for word, part in zip(line.words, text.split(), strict=False))
    wide = replace(words[-1], box=(*words[-1].box[:2], *line.box[2:]))

    reading = joined(layer, Line(line.box, (*words[:-1], wide)))

    assert reading.text.endswith(text)
    assert reading.needs_review is not is_sure


def test_a_short_word_without_a_mapping_is_no_drawing() -> None:
    layer = whole_layer(without_mapping(pdf(prices("5"))))

    assert not joined(layer, recognised("5", x=300, top=600)).needs_review


@pytest.mark.parametrize(("height", "is_sure"), [(8, True), (16, False)])
def test_a_page_with_a_short_word_in_larger_letters_than_its_line_is_not_sure(height: int, *, is_sure: bool) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), outlines(["No Oak table"], x=300, y=590, width=80))))
    name = recognised("Oak table", x=320, top=602)
    left, _, right, bottom = recognised("9", x=305, top=602).box
    logo = Word("9", (left, bottom - round(height * PX), right, bottom), 95.0)

    reading = joined(layer, Line(name.box, (logo, *name.words)))

    assert reading.text.endswith("9 Oak table")
    assert reading.needs_review is not is_sure


def test_signs_alone_in_a_line_are_left_out_and_the_page_is_not_sure() -> None:
    layer = whole_layer(pdf(both(lines(PROSE), outlines(["Oak table"], x=300, y=590, width=60))))

    reading = joined(layer, recognised(") |", x=310, top=602))

    assert reading.text == "\n".join(PROSE)
    assert (reading.confidence, reading.needs_review) == (99.0, True)


def test_a_sign_that_recognition_is_not_sure_of_costs_no_word_beside_it() -> None:
    layer = whole_layer(without_mapping(pdf(prices("320.00"))))
    price, dash = recognised("320.00", x=300, top=600, confidence=75), recognised("-", x=340, top=600, confidence=24)

    reading = joined(layer, Line(price.box, (*price.words, *dash.words)))

    assert reading.text.endswith("Oak table 320.00\nChairs")
    assert not reading.needs_review


@pytest.mark.parametrize(
    ("read", "confirmed"),
    [
        pytest.param({"Exhibit": 1, "12,": 1, "page": 1, "3": 1}, True, id="read as it is"),
        pytest.param({"Exhibit12,": 2, "page": 1, "3.": 1}, True, id="parted in another way"),
        pytest.param({"Exhibit": 1, "17,": 1, "page": 1, "3": 1}, False, id="another digit"),
        pytest.param({"Exhibit": 1, "12,": 1, "page": 1}, False, id="a lost digit"),
        pytest.param({}, False, id="a lost line"),
    ],
)
def test_ocr_of_a_scan_confirms_the_stamp_in_its_layer_if_it_reads_the_same(
    read: dict[str, int], *, confirmed: bool
) -> None:
    layer = whole_layer(pdf(both(scan(PROSE), lines(["Exhibit 12, page 3"], top=30))))
    elsewhere, places = recognised("Exhibit 12, page 3", x=72, top=600), iter(layer.words)
    words = []
    for text, count in read.items():
        left, top, right, bottom = around(word.rect for word in itertools.islice(places, count))
        words.append(Word(text, (round(left), round(top), round(right), round(bottom)), 95.0))

    assert mixed.confirms(layer, attempt(elsewhere, *[Line(word.box, (word,)) for word in words])) is confirmed


def test_ocr_that_reads_no_more_than_the_layer_of_a_page_with_more_text_does_not_confirm_it() -> None:
    layer = whole_layer(pdf(both(scan(PROSE), lines(["Exhibit 12, page 3"], top=30))))
    words = []
    for own in layer.words:
        left, top, right, bottom = map(round, own.rect)
        words.append(Word(own.pdf_word.text, (left, top, right, bottom), 95.0))

    assert not mixed.confirms(layer, attempt(*[Line(word.box, (word,)) for word in words]))


def test_exact_words_are_not_read_a_second_time() -> None:
    layer = whole_layer(without_mapping(pdf(prices("320.00", "196.50"))))
    last_line = recognised("and told hirn tbe story", x=72, top=700)
    first, second = recognised("Oak tab1e", x=72, top=600), recognised("Chairz", x=72, top=586)

    reading = joined(
        layer,
        last_line,
        Line(first.box, (*first.words, *recognised("320.00", x=300, top=600).words)),
        Line(second.box, (*second.words, *recognised("196.50", x=300, top=586).words)),
    )

    assert reading.text == "\n".join(PROSE) + "\n\nOak table 320.00\nChairs 196.50"


def test_a_drawing_that_cannot_be_read_leaves_the_exact_words_and_makes_the_page_unsure() -> None:
    layer = whole_layer(pdf(both(lines(PROSE), outlines(["contour " * 6] * 8, x=72, y=300, width=430))))

    reading = joined(layer, recognised("SESS SEK", x=72, top=400, confidence=80.0))

    assert reading.text == "\n".join(PROSE)
    assert (reading.confidence, reading.needs_review) == (99.0, True)


def test_numbers_in_a_picture_with_other_text_are_read_too() -> None:
    shown = Image.new("L", (800, 600), 255)
    shown.paste(picture("Oak tables"), (300, 400))
    layer = whole_layer(pdf(both(lines(PROSE), image(shown, x=300, y=300, width=200, height=150))))
    name, number = recognised("Oak tables", x=390, top=385), recognised("250", x=310, top=440)

    reading = joined(layer, name, number)

    assert layer.patches is not None
    assert layer.patches.bands(Image.new("L", (1240, 1755), 0)).getpixel((700, round((842 - 440) * PX))) == 0
    assert "250" in reading.text.split()
    assert "250" not in joined(layer, name, recognised("250", x=310, top=200)).text.split()


@pytest.mark.parametrize("sign", ["(", "I", "g", "5"])
def test_a_single_letter_without_a_mapping_has_to_be_read(sign: str) -> None:
    layer = whole_layer(without_mapping(pdf(prices(sign))))

    assert layer.patches is not None


def test_bullets_without_a_mapping_need_not_be_read() -> None:
    def bullets(canvas: Canvas) -> None:
        canvas.setFont("ZapfDingbats", 8)
        lines("lnlnln", x=60)(canvas)
        canvas.setFont("Times-Roman", 11)
        lines(PROSE)(canvas)

    private = {code: 0xE000 + code for code in range(33, 127)}
    layer = whole_layer(with_mapping(pdf(bullets), cmap(private), base_font="ZapfDingbats"))

    assert layer.patches is None
    assert layer.reading().text == "\n".join(PROSE)


@pytest.mark.parametrize("offset", [0.0, 2.5, 5.0, 7.5])
def test_a_single_amount_drawn_as_a_shape_has_to_be_read(offset: float) -> None:
    amount = outlines(["1,250.00"], x=300 + offset, y=600 + offset, width=36)
    layer = whole_layer(pdf(both(lines(PROSE), amount)))

    assert layer.patches is not None
    ((left, top, right, bottom),) = layer.patches.unread
    word = Word("1,250.00", (round(left), round(top), round(right), round(bottom)), 95.0)
    unread = joined(layer)
    read = joined(layer, Line(word.box, (word,)))

    assert (unread.confidence, unread.needs_review) == (99.0, True)
    assert read.text.split()[-1] == "1,250.00"
    assert read.source is Source.MIXED
    assert not read.needs_review


def test_buttons_markers_and_rules_are_no_short_words() -> None:
    def draw(canvas: Canvas) -> None:
        for number in range(6):
            x = 72 + 61 * number
            canvas.circle(x, 500, 6)
            canvas.rect(x, 450, 14, 10)
            canvas.ellipse(x, 400, x + 30, 430, fill=1)
            canvas.line(x, 380, x + 30, 380)

    assert whole_layer(pdf(both(lines(PROSE), draw))).patches is None


@pytest.mark.parametrize("is_downwards", [True, False])
def test_lines_of_a_picture_that_run_down_or_up_follow_each_other_in_their_order(*, is_downwards: bool) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), scan(["letters"] * 9, x=300, y=300, width=60))))

    def sideways(text: str, *, x: int) -> Line:
        tops = [810, 900, 970] if is_downwards else [970, 900, 810]
        words = tuple(
            Word(word, (x, top, x + 20, top + 12 * len(word)), 95.0)
            for word, top in zip(text.split(), tops, strict=True)
        )
        return Line(around(word.box for word in words), words)

    first, second = (695, 655) if is_downwards else (655, 695)

    reading = joined(layer, sideways("by the clerk", x=second), sideways("paid 14 March", x=first))

    assert reading.text.endswith("\n\npaid 14 March\nby the clerk")
