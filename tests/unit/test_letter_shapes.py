"""Letters and short words that a page draws as shapes: which shapes look like letters, and what becomes of them."""

import re
from dataclasses import replace

import pytest
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Block, Box, Line, Paragraph, Rect, Word
from docserver.model import Reading, Source
from docserver.ocr.child import mixed
from docserver.ocr.pdf.glyphs import letter_shapes
from docserver.ocr.pdf.words.own_words import TextLayer
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.tesseract import NOTHING, Recognised
from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, outlines, pdf
from tests.support.samples.pictures import picture
from tests.support.text_layers import DPI, whole_layer


def recognised(text: str, *, box: Box = (10, 10, 20, 24), confidence: float = 95.0) -> Attempt:
    """A reading of a shape, or of a page with this word."""
    word = Word(text, box, confidence)
    line = Line(word.box, (word,))
    return Attempt(Recognised(text, (Block(word.box, (Paragraph(word.box, (line,)),)),), confidence), 0, "eng")


def joined(layer: TextLayer, *read: Attempt, whole: Attempt | None = None) -> Reading:
    return mixed.join(layer, whole, dict(zip(layer.shapes, read, strict=True)), review_below=80)


def shape(text: str, *, x: float = 300, y: float = 400) -> Draw:
    """The text in letters of eight points, as one shape."""
    scale = 8 / 34
    return outlines([text], x=x - 62 * scale, y=y - 60 * scale, width=picture(text).width * scale)


def size(rect: Rect) -> tuple[float, float]:
    return rect[2] - rect[0], rect[3] - rect[1]


@pytest.mark.parametrize("text", ["7", "No", "Tax"])
@pytest.mark.parametrize("degrees", [0, 90])
def test_short_words_drawn_as_shapes_have_to_be_read(text: str, degrees: int) -> None:
    def turned(canvas: Canvas) -> None:
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        shape(text, x=0, y=0)(canvas)

    layer = whole_layer(pdf(both(lines(PROSE), turned)))

    (place,) = layer.shapes
    assert max(size(place)) < 50
    assert not layer.is_exact


def test_letters_that_are_drawn_one_by_one_are_put_together() -> None:
    letters = (shape(letter, x=300 + 6 * number) for number, letter in enumerate("Tax"))

    assert len(whole_layer(pdf(both(lines(PROSE), *letters))).shapes) == 1


def test_narrow_digits_with_gaps_are_put_together() -> None:
    letters = (shape(letter, x=300 + 6 * number) for number, letter in enumerate("171"))

    assert len(whole_layer(pdf(both(lines(PROSE), *letters))).shapes) == 1


def test_the_point_of_an_amount_in_shapes_belongs_to_it() -> None:
    amount = both(shape("7"), lambda canvas: canvas.rect(306, 400, 1, 1, stroke=0, fill=1), shape("50", x=309))

    assert len(whole_layer(pdf(both(lines(PROSE), amount))).shapes) == 1


def rectangles(text: str, *, size: float) -> Draw:
    """The text in letters of so many points, as single rectangles, one for each run of dark pixels."""
    shown = picture(text, size=16).point(lambda level: 255 * (level < 128))
    scale = size / 16

    def draw(canvas: Canvas) -> None:
        for row in range(shown.height):
            dark = shown.crop((0, row, shown.width, row + 1)).tobytes()
            for run in re.finditer(rb"\xff+", dark):
                x, y = 300 + run.start() * scale, 400 - row * scale
                canvas.rect(x, y, len(run[0]) * scale, scale, stroke=0, fill=1)

    return draw


@pytest.mark.parametrize("text", ["5", "A", "No"])
def test_letters_of_single_rectangles_have_to_be_read(text: str) -> None:
    assert len(whole_layer(pdf(both(lines(PROSE), rectangles(text, size=12)))).shapes) == 1


def test_a_letter_of_36_points_has_to_be_read() -> None:
    large = outlines(["5"], x=300, y=400, width=picture("5").width * 36 / 48)

    assert len(whole_layer(pdf(both(lines(PROSE), large))).shapes) == 1


def small_rectangles(width: float, height: float, *, step: tuple[float, float]) -> Draw:
    def draw(canvas: Canvas) -> None:
        for number in range(30):
            canvas.rect(300 + step[0] * number, 400 + step[1] * number, width, height, stroke=0, fill=1)

    return draw


@pytest.mark.parametrize("points", [100, 200])
def test_a_few_large_letters_have_to_be_read(points: float) -> None:
    large = outlines(["7"], x=150, y=300, width=picture("7").width * points / 34)

    (place,) = whole_layer(pdf(both(lines(PROSE), large))).shapes

    assert max(size(place)) > 60 * DPI / 72


def test_many_large_outlines_are_a_drawing() -> None:
    large = (outlines(["7"], x=20 + 60 * column, y=300, width=picture("7").width * 3) for column in range(9))

    assert whole_layer(pdf(both(lines(PROSE), *large))).shapes == ()


def test_equal_words_are_no_markers() -> None:
    words = (shape("EUR", y=400 - 20 * number) for number in range(4))

    assert len(whole_layer(pdf(both(lines(PROSE), *words))).shapes) == 4


def arrow(canvas: Canvas) -> None:
    path = canvas.beginPath()
    path.moveTo(300, 380)
    for point in ((312, 380), (312, 376), (320, 383), (312, 390)):
        path.lineTo(*point)
    path.close()
    canvas.drawPath(path, fill=1)


SYMBOLS: dict[str, Draw] = {
    "a bullet": lambda canvas: canvas.circle(65, 700, 2, fill=1),
    "a box": lambda canvas: canvas.rect(300, 500, 9, 9),
    "rounded boxes": lambda canvas: canvas.roundRect(300, 500, 50, 20, 4, fill=1),
    "a box around a word": both(
        lambda canvas: canvas.setLineWidth(2), lambda canvas: canvas.roundRect(70, 766, 40, 14, 3), lines(["in"])
    ),
    "a line for a signature": lambda canvas: canvas.line(300, 500, 450, 500),
    "an arrow": arrow,
    "a shade of stripes": small_rectangles(1, 12, step=(1, 0)),
    "a row of squares": small_rectangles(2, 2, step=(5, 0)),
    "white on white": both(lambda canvas: canvas.setFillGray(1), shape("No"), lambda c: c.setFillGray(0)),
}


@pytest.mark.parametrize("draw", SYMBOLS.values(), ids=SYMBOLS)
def test_symbols_are_no_letters(draw: Draw) -> None:
    assert whole_layer(pdf(both(lines(PROSE), draw))).is_exact


def column(text: str) -> TextLayer:
    """A page with the same letter four times below each other, as a shape."""
    layer = whole_layer(pdf(both(lines(PROSE), *(shape(text, y=400 - 20 * number) for number in range(4)))))
    assert (layer.shapes, len(layer.markers)) == ((), 4)
    return layer


def test_markers_of_one_size_are_read_by_a_sample() -> None:
    layer = column("7")

    assert [len(places) for places in mixed.alike(layer.markers)] == [4]


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (recognised("7"), True),
        (recognised("7", confidence=66), True),
        (recognised("*"), False),
        (recognised("Vv", confidence=44), False),
        (Attempt(NOTHING, 0, "eng"), False),
    ],
)
def test_a_marker_that_is_read_as_a_letter_may_be_one(read: Attempt, *, expected: bool) -> None:
    place = column("7").markers[0]

    assert mixed.may_be_letter(place, read) is expected


def test_equal_digits_in_a_column_come_to_their_places() -> None:
    layer = column("7")

    reading = mixed.join(layer, None, dict.fromkeys(layer.markers, recognised("7")), review_below=80)

    assert reading.text.split()[-4:] == ["7"] * 4
    assert (reading.confidence, reading.needs_review) == (99.0, True)


def test_a_page_with_a_column_of_digits_of_which_one_was_not_read_is_not_sure() -> None:
    layer = column("7")
    read = dict.fromkeys(layer.markers, recognised("7")) | {layer.markers[2]: recognised("7", confidence=66)}

    reading = mixed.join(layer, None, read, review_below=80)

    assert reading.text.split()[-4:].count("7") == 3
    assert (reading.confidence, reading.needs_review) == (99.0, True)


def test_drawings_are_not_searched_for_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_shapes, "MAX_PATHS", 2)
    letters = (shape(letter, x=300 + 30 * number) for number, letter in enumerate("Tax"))

    assert whole_layer(pdf(both(lines(PROSE), *letters))).shapes == ()


def test_what_is_read_of_shapes_comes_to_their_place() -> None:
    row = both(lines(["Chairs"], top=600), shape("7", y=600))
    layer = whole_layer(pdf(both(lines(PROSE), row)))

    reading = joined(layer, recognised("7"))

    assert reading.text.endswith("\n\nChairs 7")
    assert (reading.source, reading.languages) == (Source.MIXED, "eng")


def test_a_page_with_a_shape_that_is_read_as_a_short_word_is_not_sure() -> None:
    layer = whole_layer(pdf(both(lines(PROSE), shape("7", y=600))))

    reading = joined(layer, recognised("7"))

    assert (reading.confidence, reading.needs_review) == (99.0, True)


@pytest.mark.parametrize(("sign", "is_sure"), [("%", False), ("©", False), ("*", True), (">", True)])
def test_a_shape_that_is_read_as_a_sign_is_left_out_and_the_page_is_not_sure_if_the_sign_is_a_word(
    sign: str, *, is_sure: bool
) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), shape("7", y=600))))

    reading = joined(layer, recognised(sign))

    assert reading.text == "\n".join(PROSE)
    assert reading.needs_review is not is_sure


@pytest.mark.parametrize("read", [Attempt(NOTHING, 0, "eng"), recognised("Vv", confidence=44), recognised("=")])
@pytest.mark.parametrize(("text", "is_sure"), [("7", True), ("No", False)])
def test_a_single_shape_that_is_no_letter_is_a_symbol_but_several_may_be_a_word(
    text: str, read: Attempt, *, is_sure: bool
) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), shape(text))))

    reading = joined(layer, read)

    assert reading.text == "\n".join(PROSE)
    assert reading.source is Source.TEXT_LAYER
    assert (reading.confidence, reading.needs_review) == ((100.0, False) if is_sure else (99.0, True))


def beside_long_outlines(text: str) -> TextLayer:
    """A page with a word in shapes that looks like text, and these shapes after it."""
    word = outlines(["Temperature"], x=200, y=385, width=90)
    return whole_layer(pdf(both(lines(PROSE), word, shape(text, x=285))))


def test_shapes_that_are_read_as_a_part_of_a_longer_word_are_not_read_twice() -> None:
    layer = beside_long_outlines("7")
    (place,) = layer.shapes
    left, top, right, bottom = map(int, place)

    reading = joined(layer, recognised("7"), whole=recognised("Length7", box=(left - 130, top, right + 2, bottom)))

    assert reading.text.split().count("Length7") == 1
    assert "7" not in reading.text.split()


def test_a_single_shape_beside_recognised_words_may_be_a_letter() -> None:
    layer = beside_long_outlines("7")
    (place,) = layer.shapes
    left, top, _, bottom = map(int, place)
    whole = recognised("Length", box=(left - 130, top, left - 8, bottom))

    assert not joined(layer, recognised("7"), whole=whole).needs_review
    assert joined(layer, replace(recognised("7"), left_out=True), whole=whole).needs_review
    assert joined(layer, Attempt(NOTHING, 0, "eng"), whole=whole).needs_review
