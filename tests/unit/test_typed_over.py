"""Words over which others are drawn: a letter that is patched is read, and letters over each other are not believed."""

from collections.abc import Callable

import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Block, Line, Paragraph, Word
from docserver.model import Reading, Source
from docserver.ocr.child import mixed
from docserver.ocr.pdf.words.own_words import TextLayer
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.tesseract import Recognised
from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, pdf
from tests.support.text_layers import whole_layer

FACE, SIZE = "Courier", 14
WIDTH = 0.6 * SIZE
"""Of each letter."""


def white_box(canvas: Canvas, x: float) -> None:
    canvas.setFillGray(1)
    canvas.rect(x, -3, WIDTH, SIZE, stroke=0, fill=1)
    canvas.setFillGray(0)


def white_picture(canvas: Canvas, x: float) -> None:
    canvas.drawImage(ImageReader(Image.new("L", (4, 4), 255)), x, -3, WIDTH, SIZE)


def nothing(_canvas: Canvas, _x: float) -> None:
    pass


def patched(
    text: str, place: int, new: str, *, cover: Callable[[Canvas, float], None] = white_box, turn: int = 0
) -> TextLayer:
    """A page with this text, in which something covers the letter in this place, and a new one is drawn over that."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(FACE, SIZE)
        canvas.translate(300, 400)
        canvas.rotate(turn)
        canvas.drawString(0, 0, text)
        cover(canvas, place * WIDTH)
        canvas.drawString(place * WIDTH, 0, new)

    return whole_layer(pdf(both(lines(PROSE), draw)))


def joined(layer: TextLayer, read: str) -> Reading:
    """The reading of the page if this is read of its marked words."""
    word = Line((0, 0, 20, 10), (Word(read, (0, 0, 20, 10), 95.0),))
    attempt = Attempt(Recognised(read, (Block(word.box, (Paragraph(word.box, (word,)),)),), 0.0), 0, "eng")
    return mixed.join(layer, None, {}, [(words, attempt) for words in layer.marked], review_below=80)


@pytest.mark.parametrize("cover", [white_box, white_picture])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("text", "place", "new", "seen"),
    [("36", 1, "9", "39"), ("1250", 1, "7", "1750"), ("B713", 0, "C", "C713"), ("1.25", 1, ",", "1,25")],
)
def test_a_patched_letter_is_read(
    cover: Callable[[Canvas, float], None], turn: int, text: str, place: int, new: str, seen: str
) -> None:
    layer = patched(text, place, new, cover=cover, turn=turn)

    reading = joined(layer, seen)

    assert reading.text.endswith(f"\n\n{seen}")
    assert (reading.source, reading.needs_review) == (Source.MIXED, False)


@pytest.mark.parametrize("read", ["36", "369", "3", "89", ""])
def test_a_page_is_not_sure_if_anything_else_is_read_than_the_patched_word(read: str) -> None:
    reading = joined(patched("36", 1, "9"), read)

    assert (reading.source, reading.needs_review) == (Source.TEXT_LAYER, True)


@pytest.mark.parametrize(("text", "place", "new"), [("36", 1, "9"), ("1250", 2, "8"), ("alpha", 0, "omega")])
def test_a_page_is_not_sure_if_letters_are_drawn_over_letters_that_one_still_sees(
    text: str, place: int, new: str
) -> None:
    layer = patched(text, place, new, cover=nothing)

    assert layer.marked == ()
    assert (layer.reading().confidence, layer.reading().needs_review) == (99.0, True)


@pytest.mark.parametrize("text", ["12.50", "1,250", "20-30"])
def test_a_word_of_which_a_sign_is_covered_is_seen_in_part(text: str) -> None:
    place = next(place for place, letter in enumerate(text) if not letter.isdigit())
    layer = patched(text, place, " ")

    assert [word.pdf_word.text for word in layer.partly_seen] == [text]


BESIDE: dict[str, Draw] = {
    "an underscore below a name": lines(["____Berg____", ""], top=400),
    "a name on a line of underscores": both(lines(["__________"], top=400), lines(["Berg"], x=80, top=401)),
    "the same letters twice": both(lines(["1250"], top=400), lines(["1250"], x=72.4, top=400)),
    "an exponent": both(lines(["10"], top=400), lines(["2"], x=83, top=404)),
    "a word that is struck out": both(lines(["1250"], top=400), lambda canvas: canvas.line(70, 403, 95, 403)),
    "a hyphen that is struck out": both(lines(["20-30"], top=400), lambda canvas: canvas.line(70, 402.5, 100, 402.5)),
}


@pytest.mark.parametrize("draw", BESIDE.values(), ids=BESIDE)
def test_what_is_beside_or_through_a_word_is_not_over_its_letters(draw: Draw) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), draw)))

    assert layer.is_exact
    assert layer.is_sure
