"""Own words beside which a character is drawn as a line or a shape: what is found, and what the words say with it."""

from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Block, Line, Paragraph, Word, words_of
from docserver.model import Source
from docserver.ocr.child import mixed
from docserver.ocr.child.marked_words import are_as_read, cut_out, words_with_marks
from docserver.ocr.image.decode import Picture
from docserver.ocr.pdf import render
from docserver.ocr.pdf.words.own_words import TextLayer
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.tesseract import Recognised
from tests.support.samples.pdf_layers import PROSE, Draw, both, lines, pdf
from tests.support.text_layers import DPI, MAX_PIXELS, whole_layer

WHOLE = 11.0
"""Size of the letters."""


def texts(*placed: tuple[float, str]) -> Draw:
    """Words of one line, each at a place from its left edge."""

    def draw(canvas: Canvas) -> None:
        for x, text in placed:
            canvas.drawString(200 + x, 600, text)

    return draw


def bar(x: float, y: float, width: float, height: float) -> Draw:
    return lambda canvas: canvas.rect(200 + x, 600 + y, width, height, stroke=0, fill=1)


def line(x0: float, y0: float, x1: float, y1: float) -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.setLineWidth(0.9)
        canvas.line(200 + x0, 600 + y0, 200 + x1, 600 + y1)

    return draw


def circle(x: float, y: float, radius: float) -> Draw:
    return lambda canvas: canvas.circle(200 + x, 600 + y, radius, stroke=0, fill=1)


def moved(change: Callable[[Canvas], object], draw: Draw) -> Draw:
    def moved_draw(canvas: Canvas) -> None:
        canvas.saveState()
        change(canvas)
        draw(canvas)
        canvas.restoreState()

    return moved_draw


def table(draw: Draw, *, left: float, right: float) -> Draw:
    """A tight table of one column, with the second of its rows around this."""
    return both(
        draw, *(line(x, -15, x, 23) for x in (left, right)), *(line(left, y, right, y) for y in (-15, -2.5, 10.5, 23))
    )


def large(draw: Draw) -> Draw:
    """The same five times as large."""
    return moved(lambda canvas: (canvas.translate(-900, -2700), canvas.scale(5, 5)), draw)


def slanted(draw: Draw) -> Draw:
    """The same turned by 25 degrees."""
    return moved(lambda canvas: (canvas.translate(250, -200), canvas.rotate(25)), draw)


def form(draw: Draw) -> Draw:
    def form_draw(canvas: Canvas) -> None:
        canvas.beginForm("inner")
        canvas.setFont("Times-Roman", WHOLE)
        draw(canvas)
        canvas.endForm()
        canvas.doForm("inner")

    return form_draw


def higher(y: float, draw: Draw) -> Draw:
    return moved(lambda canvas: canvas.translate(0, y), draw)


def light_on_dark(canvas: Canvas) -> None:
    canvas.setFillGray(0.2)
    canvas.rect(180, 590, 90, 25, stroke=0, fill=1)
    canvas.setFillGray(1)


def marked(draw: Draw) -> TextLayer:
    return whole_layer(pdf(both(lines(PROSE), draw)))


MINUS, POINT = (
    both(line(-6, 3, -2, 3), texts((0, "45.00"))),
    both(texts((0, "12"), (14.2, "50")), bar(11.8, 0, 1.3, 1.3)),
)

MARKED: dict[str, tuple[Draw, str, str]] = {
    "a minus": (MINUS, "-45.00", "-45.00"),
    "a minus far from the number": (both(line(-10, 3, -5, 3), texts((0, "45.00"))), "\u201445.00", "-45.00"),
    "a minus as a bar": (both(bar(-6, 2.6, 4, 0.8), texts((0, "45.00"))), "~45.00", "-45.00"),
    "a minus behind the number": (both(texts((0, "45.00")), line(26, 3, 30, 3)), "45.00-", "45.00-"),
    "a decimal point": (POINT, "12.50", "12.50"),
    "a round decimal point": (both(texts((0, "12"), (14.2, "50")), circle(12.4, 0.7, 0.7)), "12.50", "12.50"),
    "a one": (both(texts((0, "7"), (11.4, "3")), bar(7.6, 0, 1, 7.4)), "713", "713"),
    "a plus": (both(line(-6, 3, -1, 3), line(-3.5, 0.5, -3.5, 5.5), texts((0, "4.5"))), "+4.5", "+4.5"),
    "an underscore": (both(texts((0, "file"), (21.5, "name")), bar(16.4, -1, 4.4, 0.6)), "file_name", "file_name"),
    "in a form": (form(MINUS), "-45.00", "-45.00"),
    "upwards": (moved(lambda canvas: (canvas.translate(700, 100), canvas.rotate(90)), MINUS), "-45.00", "-45.00"),
    "on its head": (moved(lambda canvas: (canvas.translate(500, 900), canvas.rotate(180)), POINT), "12.50", "12.50"),
    "a minus between the rules of a table": (table(MINUS, left=-7, right=27), "-45.00", "-45.00"),
    "a minus at a rule of a table": (table(MINUS, left=-6.3, right=27), "-45.00", "-45.00"),
    "a point in a tight table": (table(POINT, left=-1, right=26), "12.50", "12.50"),
    "a slanted minus": (slanted(MINUS), "-45.00", "-45.00"),
    "a slanted point": (slanted(POINT), "12.50", "12.50"),
    "a large minus": (large(MINUS), "-45.00", "-45.00"),
    "a large point": (large(POINT), "12.50", "12.50"),
    "light on dark": (moved(light_on_dark, POINT), "12.50", "12.50"),
}  # fmt: skip


def attempt(text: str, *, confidence: float = 95.0) -> Attempt:
    words = tuple(Word(word, (0, 0, 20, 10), confidence) for word in text.split())
    line_of_words = Line((0, 0, 20, 10), words)
    return Attempt(
        Recognised(text, (Block(line_of_words.box, (Paragraph(line_of_words.box, (line_of_words,)),)),), 0.0), 0, "eng"
    )


@pytest.mark.parametrize(("draw", "read", "said"), MARKED.values(), ids=MARKED)
def test_a_character_that_is_drawn_beside_words_is_read_with_them(draw: Draw, read: str, said: str) -> None:
    layer = marked(draw)

    (found,) = layer.marked
    reading = mixed.join(layer, None, {}, [(found, attempt(read))], review_below=80)

    assert said in reading.text.split()
    assert (reading.source, reading.needs_review, reading.languages) == (Source.MIXED, False, "eng")
    assert {word.text: word.confidence for word in words_of(reading.blocks)}[said] == 95.0


@pytest.mark.parametrize("read", ["45.00", "-46.00", "", "-45.00 x"])
def test_a_page_is_not_sure_if_the_own_words_are_read_without_the_mark_or_as_something_else(read: str) -> None:
    layer = marked(MINUS)

    reading = mixed.join(layer, None, {}, [(layer.marked[0], attempt(read))], review_below=80)

    assert reading.text.endswith("\n\n45.00")
    assert (reading.source, reading.needs_review) == (Source.TEXT_LAYER, True)


def test_nothing_is_taken_that_is_read_with_little_confidence() -> None:
    layer = marked(MINUS)

    assert words_with_marks(layer.marked[0], attempt("-45.00", confidence=60.0), size=(1000, 1000)) is None


def test_words_on_both_sides_of_a_mark_stay_exact_if_there_are_spaces() -> None:
    layer = marked(both(texts((0, "10"), (24, "20")), line(15, 3, 20, 3)))

    reading = mixed.join(layer, None, {}, [(layer.marked[0], attempt("10 - 20"))], review_below=80)

    assert reading.text.endswith("\n\n10 - 20")
    assert [word.confidence for word in words_of(reading.blocks)][-3:] == [100.0, 95.0, 100.0]


def test_ones_below_each_other_are_no_broken_line() -> None:
    rows = (higher(y, both(bar(-3, 0, 0.9, 7.5), texts((0, "45")))) for y in (0, 12, 24))

    assert len(marked(both(*rows)).marked) == 3


@pytest.mark.parametrize("read", ["4 15", "415"])
def test_a_space_beside_a_mark_is_not_sure_if_it_may_be_none(read: str) -> None:
    layer = marked(both(texts((0, "4"), (11.5, "5")), bar(8.8, 0, 1, 7.5)))

    found = words_with_marks(layer.marked[0], attempt(read), size=(1000, 1000))

    assert [word.text for word in found or ()] == (["415"] if read == "415" else [])


def picture_of(draw: Draw) -> Picture:
    with NamedTemporaryFile() as file:
        file.write(pdf(both(lines(PROSE), draw)))
        file.flush()
        with TemporaryDirectory() as scratch:
            return render.draw(file.name, page=1, dpi=DPI, max_pixels=MAX_PIXELS, scratch=Path(scratch))


def plus(canvas: Canvas) -> None:
    both(line(-6, 3, -1, 3), line(-3.5, 0.5, -3.5, 5.5), texts((0, "45")))(canvas)


@pytest.mark.parametrize("turn", [lambda draw: draw, slanted, large])
@pytest.mark.parametrize(("read", "is_like_it"), [("+45", True), ("$45", False), ("&45", False), ("t46", False)])
def test_a_mark_is_what_was_read_if_it_looks_like_that(
    turn: Callable[[Draw], Draw], read: str, is_like_it: bool
) -> None:
    draw = turn(plus)

    assert are_as_read(picture_of(draw), marked(draw).marked[0], attempt(read)) is is_like_it


def test_a_mark_is_no_capital_if_it_is_as_low_as_a_small_letter() -> None:
    def outlined(canvas: Canvas) -> None:
        path = canvas.beginPath()
        path.moveTo(194, 605)
        for x, y in ((196, 605), (197, 602), (198, 605), (200, 605), (197.8, 600), (196.2, 600)):
            path.lineTo(x, y)
        canvas.drawPath(path, stroke=0, fill=1)
        canvas.drawString(201, 600, "45")

    picture, layer = picture_of(outlined), marked(outlined)

    assert [are_as_read(picture, layer.marked[0], attempt(read)) for read in ("v45", "V45")] == [True, False]


def test_large_letters_are_read_in_their_usual_size() -> None:
    draw = large(MINUS)

    assert cut_out(picture_of(draw), marked(draw).marked[0]).image.height == 3 * 64


def test_the_rules_of_a_table_are_not_read() -> None:
    draw = table(MINUS, left=-6.8, right=26)

    image = cut_out(picture_of(draw), marked(draw).marked[0]).image

    assert not (np.asarray(image) < 128).mean(axis=0).max() > 0.3


UNMARKED: dict[str, Draw] = {
    "an underline": both(texts((0, "45")), line(0, -1.5, 11, -1.5)),
    "a line through the number": both(texts((0, "45")), line(-1, 3.5, 12, 3.5)),
    "a dotted line below": both(texts((0, "45")), *(bar(x, -3, 0.8, 0.8) for x in range(-6, 18, 3))),
    "a fraction": both(texts((10, "x")), lines(["4", "7"], x=202, top=605, pitch=11), line(1, 2.6, 9, 2.6)),
    "dots before a page number": both(texts((60, "45")), *(bar(x, 0, 0.9, 0.9) for x in range(20, 59, 3))),
    "a round bullet": both(circle(-6, 3, 1.6), texts((0, "45"))),
    "a check box": both(lambda canvas: canvas.rect(188, 599, 8, 8), texts((0, "45"))),
    "a cell of a table": both(
        texts((0, "45")), *(line(x, -3, x, 9) for x in (-3, 14)), *(line(-3, y, 14, y) for y in (-3, 9))
    ),
    "cells for single digits": both(
        texts(*((10 * place + 2, digit) for place, digit in enumerate("1945"))),
        line(0, -2, 40, -2), *(line(10 * place, -2, 10 * place, 4) for place in range(5)),
    ),
    "ticks of an axis": both(texts((0, "45")), line(14, 3, 18, 3), line(18, -40, 18, 40)),
    "ticks that end at an axis": both(
        *(higher(y, both(texts((0, "45")), bar(14, 3, 3.6, 0.6)))
          for y in (0, 30, 60)),
        bar(17.6, -40, 1, 140),
    ),
    "pieces of the borders of cells": both(
        texts((0, "45")),
        *(bar(x, y, 0.5, 13) for x in (-2.2, 14) for y in (-16.5, -3, 10.5)),
        *(bar(x, y, 0.5, 0.5) for x in (-2.2, 14) for y in (-3.5, 10)),
        *(bar(x, y, 15.7, 0.5) for x in (-1.7,) for y in (-3.5, 10)),
    ),
    "a slanted underline": slanted(both(texts((0, "45")), line(0, -1.5, 11, -1.5))),
    "a large check box": large(both(lambda canvas: canvas.rect(188, 599, 8, 8), texts((0, "45")))),
    "a line between words": both(texts((0, "555"), (30, "556")), line(22, -2.5, 22, 9.5)),
    "a broken line": both(texts((0, "45")), *(line(x, 3, x + 4, 3) for x in (15, 22, 29, 36))),
    "a bracket far away": both(texts((0, "45")), line(-25, 0, -25, 7)),
    "a bullet before a word": both(bar(-3, 2, 2, 2), texts((0, "Oak"))),
}  # fmt: skip


@pytest.mark.parametrize("draw", UNMARKED.values(), ids=UNMARKED)
def test_lines_and_signs_of_the_page_are_no_characters(draw: Draw) -> None:
    assert marked(draw).is_exact


def test_the_end_of_a_tinted_box_is_no_character() -> None:
    def tint(canvas: Canvas) -> None:
        canvas.setFillGray(0.8)
        canvas.roundRect(197, 596, 60, 14, 5, stroke=0, fill=1)
        canvas.setFillGray(0)

    assert marked(both(tint, texts((0, "a sum of 45")))).is_exact


def test_letters_whose_contours_are_drawn_too_are_no_marks() -> None:
    def bold(canvas: Canvas) -> None:
        canvas.setFillGray(0.6)
        canvas.drawString(200, 600, "45")
        canvas.setStrokeGray(0.6)
        canvas.line(200.4, 602, 204, 606)

    assert marked(bold).is_exact
