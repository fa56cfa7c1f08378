"""Boxes to tick and round buttons: which are found on pictures and PDF pages, which are marked, and what is none."""

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from reportlab.pdfgen.canvas import Canvas

from docserver.elements import SELECTED, UNSELECTED, Elements, SelectionMark, Table, TableCell, pack_elements
from docserver.layout import Block, Box, EngineName, Line, Paragraph, Word, pack_blocks, words_of
from docserver.model import Reading, Source
from docserver.ocr.child import tasks
from docserver.ocr.child.marks_in_text import with_marks
from docserver.ocr.image import mark_places
from docserver.ocr.image import selection_marks as image_marks
from docserver.ocr.image.overview import overview
from docserver.ocr.image.selection_marks import without_marks
from docserver.ocr.requests import ReadOwnTexts
from docserver.reading_options import Options
from tests.support.limits import LIMITS
from tests.support.samples.pdf_layers import PROSE, lines, pdf

SIDE, SIZE = 26, (1240, 1000)
LABELS = ("Yes", "No", "Other", "BOND", "DO", "OBOE 80")

Pen = Callable[[ImageDraw.ImageDraw, Box], None]


def nothing(draw: ImageDraw.ImageDraw, box: Box) -> None:
    pass


def strokes(*points: tuple[float, float]) -> Pen:
    """A mark whose points are given as shares of the box."""

    def draw_mark(draw: ImageDraw.ImageDraw, box: Box) -> None:
        x0, y0, x1, y1 = box
        draw.line([(x0 + x * (x1 - x0), y0 + y * (y1 - y0)) for x, y in points], fill=30, width=4, joint="curve")

    return draw_mark


def cross(draw: ImageDraw.ImageDraw, box: Box) -> None:
    strokes((0.2, 0.2), (0.8, 0.8))(draw, box)
    strokes((0.2, 0.8), (0.8, 0.2))(draw, box)


def filled(draw: ImageDraw.ImageDraw, box: Box) -> None:
    draw.rectangle((box[0] + 6, box[1] + 6, box[2] - 6, box[3] - 6), fill=20)


def dot(draw: ImageDraw.ImageDraw, box: Box) -> None:
    draw.ellipse((box[0] + 7, box[1] + 7, box[2] - 7, box[3] - 7), fill=20)


TICK = strokes((0.2, 0.5), (0.4, 0.8), (0.8, 0.2))
MARKS: dict[str, Pen] = {
    "a tick": TICK,
    "a cross": cross,
    "filled": filled,
    "scribbled": strokes((0.2, 0.3), (0.8, 0.4), (0.2, 0.6), (0.8, 0.7), (0.3, 0.8), (0.5, 0.2)),
    "a tick that reaches beyond": strokes((0.2, 0.5), (0.45, 0.85), (1.2, -0.4)),
}


def selection_marks(picture: Image.Image) -> tuple[SelectionMark, ...]:
    return image_marks.selection_marks(overview(picture))


def may_have_marks(picture: Image.Image) -> bool:
    return mark_places.may_have_marks(overview(picture))


def form(marks: Iterable[Pen], *, is_round: bool = False) -> tuple[Image.Image, list[Box]]:
    """A form with a line for each mark, which has an empty box, its label, and a box with the mark."""
    page = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=24)
    boxes = []
    for number, mark in enumerate(marks):
        for column, pen in enumerate((nothing, mark)):
            x, y = 120 + 400 * column, 100 + 80 * number
            box = (x, y, x + SIDE, y + SIDE)
            (draw.ellipse if is_round else draw.rectangle)(box, outline=20, width=2)
            pen(draw, box)
            draw.text((x + 2 * SIDE, y - 3), LABELS[(number + column) % len(LABELS)], fill=20, font=font)
            boxes.append((box[0], box[1], box[2] + 1, box[3] + 1))
    return page, boxes


def states(marks: Iterable[SelectionMark]) -> list[str]:
    return [mark.state for mark in marks]


def are_at(marks: Iterable[SelectionMark], boxes: Iterable[Box]) -> bool:
    """True if each mark is at its box, within some pixels."""
    return all(
        max(abs(side - other) for side, other in zip(mark.box, box, strict=True)) <= 4
        for mark, box in zip(marks, boxes, strict=True)
    )


def noisy(page: Image.Image) -> Image.Image:
    """The page as a scanner sees it."""
    blurred = np.asarray(page.filter(ImageFilter.GaussianBlur(0.8)), dtype=float) * 0.85 + 20
    noise = np.random.default_rng(1).normal(0, 6, (page.height, page.width))
    return Image.fromarray(np.clip(blurred + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("change", [lambda page: page, noisy, lambda page: page.resize((2480, 2000))])
@pytest.mark.parametrize("mark", MARKS)
def test_boxes_are_found_marked_or_empty(mark: str, change: Callable[[Image.Image], Image.Image]) -> None:
    page, boxes = form([MARKS[mark]] * 3)
    page = change(page)
    times = page.width // SIZE[0]

    found = selection_marks(page)

    assert states(found) == [UNSELECTED, SELECTED] * 3
    assert are_at(found, [(x0 * times, y0 * times, x1 * times, y1 * times) for x0, y0, x1, y1 in boxes])
    assert all(50 <= mark.confidence < 100 for mark in found)


@pytest.mark.parametrize("mark", [dot, TICK])
def test_round_buttons_are_found_marked_or_empty(mark: Pen) -> None:
    page, boxes = form([mark] * 3, is_round=True)

    found = selection_marks(page)

    assert states(found) == [UNSELECTED, SELECTED] * 3
    assert are_at(found, boxes)


def test_boxes_on_a_page_that_is_askew_are_found() -> None:
    page, _ = form([TICK] * 4)

    found = selection_marks(page.rotate(1, Image.Resampling.BICUBIC, fillcolor=255))

    assert states(sorted(found, key=lambda mark: mark.box[0])) == [UNSELECTED] * 4 + [SELECTED] * 4


def text_page(texts: Iterable[str]) -> Image.Image:
    page = Image.new("L", SIZE, 255)
    for number, text in enumerate(texts):
        ImageDraw.Draw(page).text((100, 100 + 60 * number), text, fill=20, font=ImageFont.load_default(size=32))
    return page


def test_letters_are_no_boxes() -> None:
    assert (
        selection_marks(text_page(["BOND OBOE DODO 8080 B8 OO", "O B 8 D 0 Q", "B. O. D. @ G", "DO BE DO"] * 3)) == ()
    )
    assert selection_marks(noisy(text_page(["BOOK BOX 8 O'CLOCK", "O", "B", "8"] * 3))) == ()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_letters_on_a_turned_page_are_no_boxes(degrees: int) -> None:
    page = text_page(["HARBOUR BOND OBOE DODO 8080", "MORNING LETTER OF BRIDGE"] * 6)

    assert selection_marks(page.rotate(degrees, expand=True)) == ()


def test_the_cells_of_a_table_and_places_for_letters_are_no_boxes() -> None:
    page = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(page)
    for x in range(100, 500, 30):
        for y in range(100, 220, 30):
            draw.rectangle((x, y, x + 30, y + 30), outline=20, width=2)
    for x in range(100, 400, 34):
        draw.rectangle((x, 400, x + 28, 428), outline=20, width=2)

    assert selection_marks(page) == ()


def test_a_pattern_of_thousands_of_boxes_has_none() -> None:
    page = Image.new("L", (2200, 2200), 255)
    draw = ImageDraw.Draw(page)
    for x in range(20, 2160, 36):
        for y in range(20, 2160, 36):
            draw.rectangle((x, y, x + 22, y + 22), outline=20, width=2)

    assert selection_marks(page) == ()


def test_bullets_are_no_boxes() -> None:
    page = text_page(["a harbour", "a market", "a garden"])
    for number in range(3):
        y = 110 + 60 * number
        ImageDraw.Draw(page).rectangle((60, y, 78, y + 18), fill=20)

    assert selection_marks(page) == ()


def test_a_page_without_contrast_or_size_has_no_boxes() -> None:
    assert selection_marks(Image.new("L", SIZE, 128)) == selection_marks(Image.new("L", (40, 40), 255)) == ()


def test_paper_takes_the_place_of_boxes_that_ocr_would_read() -> None:
    page, _ = form([TICK])
    found = selection_marks(page)

    cleaned = without_marks(page, found)

    assert [cleaned.crop(mark.box).getextrema() for mark in found] == [(255, 255)] * 2
    assert without_marks(page, ()) is page


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("is_round", [False, True])
def test_a_page_is_searched_if_it_has_a_box_or_two_rings(times: int, is_round: bool) -> None:
    page, _ = form([nothing], is_round=is_round)
    larger = page.resize((times * page.width, times * page.height), Image.Resampling.BICUBIC)

    assert may_have_marks(larger)
    assert may_have_marks(noisy(larger))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_page_of_prose_is_not_searched(times: int) -> None:
    page = text_page(["The harbour of the old town lies in the morning sun."] * 14)
    larger = page.resize((times * page.width, times * page.height), Image.Resampling.BICUBIC)

    assert not may_have_marks(larger)
    assert not may_have_marks(noisy(larger))
    assert not may_have_marks(Image.new("L", larger.size, 255))


def reading(*rows: tuple[tuple[str, Box], ...], rotation: int = 0, source: Source = Source.OCR) -> Reading:
    parts = [Line((0, 0, 1, 1), tuple(Word(text, box, 90.0) for text, box in row)) for row in rows]
    blocks = [Block(line.words[0].box, (Paragraph(line.words[0].box, (line,)),)) for line in parts]
    return Reading(1000, 800, None, rotation, source, 90.0, "", pack_blocks(blocks), "eng")


def mark(box: Box, state: str = SELECTED) -> SelectionMark:
    return SelectionMark(state, box, 95.0)


def test_marks_stand_before_and_between_the_words_of_their_line() -> None:
    row = (("Yes", (140, 100, 190, 120)), ("No", (300, 100, 340, 120)))

    made = with_marks(reading(row), [mark((100, 98, 124, 122)), mark((260, 97, 284, 121), UNSELECTED)])

    assert made.text == "☒ Yes ☐ No"
    assert made.confidence == pytest.approx(91.43)


def test_a_page_with_unread_letters_is_no_surer_with_a_mark() -> None:
    given = replace(reading((("Yes", (140, 100, 190, 120)),)), confidence=45.0)

    assert with_marks(given, [mark((100, 98, 124, 122))]).confidence == pytest.approx(0.5 * (3 * 90 + 95) / 4, abs=0.01)


def test_words_of_the_second_engine_stay_its_words_behind_a_mark() -> None:
    given = replace(reading((("Yes", (140, 100, 190, 120)), ("No", (300, 100, 340, 120)))), second_engine=b"\x02")

    made = with_marks(given, [mark((100, 98, 124, 122))])

    assert [(word.text, word.engine) for word in words_of(made.blocks)] == [
        ("☒", EngineName.TESSERACT),
        ("Yes", EngineName.TESSERACT),
        ("No", EngineName.PPOCR),
    ]


def test_a_mark_without_a_line_beside_it_stands_in_a_line_of_its_own() -> None:
    above, below = (("Above", (100, 100, 200, 120)),), (("Below", (100, 500, 200, 520)),)

    assert with_marks(reading(above, below), [mark((100, 300, 124, 324))]).text == "Above\n\n☒\n\nBelow"
    assert with_marks(reading(), [mark((100, 300, 124, 324))]).text == "☒"
    assert with_marks(reading(above), [mark((900, 98, 924, 122))]).text == "Above\n\n☒"


def test_a_box_that_the_page_itself_writes_is_not_written_twice() -> None:
    row = (("X", (104, 100, 120, 120)), ("Yes", (140, 100, 190, 120)))
    given = reading(row, source=Source.TEXT_LAYER)

    assert with_marks(given, [mark((100, 98, 124, 122))]) is given


def test_the_cells_of_tables_name_the_same_words_as_before_and_the_marks_in_them() -> None:
    row = (("Yes", (140, 100, 190, 120)), ("No", (300, 100, 340, 120)))
    cells = (
        TableCell(0, 0, 1, 1, (90, 90, 250, 130), "Yes", header=False, words=(0,)),
        TableCell(0, 1, 1, 1, (250, 90, 400, 130), "No", header=False, words=(1,)),
    )
    table = Table((90, 90, 400, 130), 1, 2, cells)
    given = replace(reading(row), packed_elements=pack_elements(Elements(tables=(table,))))

    (made,) = with_marks(given, [mark((100, 98, 124, 122))]).elements.tables or ()

    assert [(cell.text, cell.words) for cell in made.cells] == [("☒ Yes", (0, 1)), ("No", (2,))]


@pytest.mark.parametrize(
    ("rotation", "word", "box"),
    [
        (90, (100, 500, 120, 560), (98, 580, 122, 604)),
        (180, (500, 300, 560, 320), (580, 298, 604, 322)),
        (270, (100, 540, 120, 600), (98, 500, 122, 524)),
    ],
)
def test_marks_stand_before_their_labels_on_turned_pages(rotation: int, word: Box, box: Box) -> None:
    assert with_marks(reading((("Yes", word),), rotation=rotation), [mark(box)]).text == "☒ Yes"


def own_reading(data: bytes, path: Path) -> Reading:
    path.write_bytes(data)
    request = ReadOwnTexts(content_type="application/pdf", pages=[1], options=Options("eng"))
    (own,) = tasks.own_texts(request, str(path), replace(LIMITS, pdf_dpi=300, max_page_pixels=50_000_000))
    return own


def with_fields() -> bytes:
    """A page with two check boxes and a label beside each."""
    file = io.BytesIO()
    canvas = Canvas(file, invariant=True)
    lines(PROSE)(canvas)
    for number, (label, is_checked) in enumerate((("Coffee", True), ("Tea", False))):
        canvas.acroForm.checkbox(x=100, y=500 - 40 * number, size=14, checked=is_checked, name=label)
        canvas.drawString(124, 503 - 40 * number, label)
    canvas.save()
    return file.getvalue()


def test_the_fields_of_a_form_tell_their_states_and_stand_in_the_text(tmp_path: Path) -> None:
    own = own_reading(with_fields(), tmp_path / "form.pdf")

    marks = own.elements.selection_marks or ()
    assert [(mark.state, mark.confidence) for mark in marks] == [(SELECTED, 100.0), (UNSELECTED, 100.0)]
    assert [round(side * 72 / 300) for side in marks[0].box] == [100, 842 - 514, 114, 842 - 500]
    assert own.text.endswith("\n\n☒ Coffee\n\n☐ Tea")


def test_boxes_that_are_drawn_beside_a_pages_own_text_are_found(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        for number, label in enumerate(("Coffee", "Tea", "Water")):
            canvas.rect(100, 500 - 40 * number, 12, 12)
            canvas.drawString(124, 502 - 40 * number, label)
        canvas.line(102, 506, 105, 502)
        canvas.line(105, 502, 110, 510)

    own = own_reading(pdf(draw), tmp_path / "form.pdf")

    assert states(own.elements.selection_marks or ()) == [SELECTED, UNSELECTED, UNSELECTED]
    assert [line for line in own.text.split("\n") if line][-3:] == ["☒ Coffee", "☐ Tea", "☐ Water"]


def test_a_page_of_nothing_but_text_is_not_drawn_to_find_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docserver.ocr.pdf.form_marks.selection_marks", None)

    assert own_reading(pdf(lines(PROSE)), tmp_path / "page.pdf").elements.selection_marks == ()
