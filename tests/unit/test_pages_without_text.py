"""Pages on which nothing is written: what is measured of them, and what is given for them."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from docserver.ocr.image.decode import Picture
from docserver.ocr.image.preparation import prepare
from docserver.ocr.recognition.evidence import is_nonsense, shows_text
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised
from tests.support.empty_sheets import (
    HEIGHT,
    WIDTH,
    FakeTesseract,
    MirrorReader,
    askew,
    attempt_on,
    in_shadow,
    lines_of_bars,
    noisy,
    read,
    ruled,
    sheet,
)


def written(image: Image.Image) -> Image.Image:
    """The sheet with a short word in the middle."""
    ImageDraw.Draw(image).text((280, 396), "Room 4", fill=40, font_size=24)
    return image


def boxes() -> Image.Image:
    """A form of empty boxes, whose short sides are no ruled lines."""
    image = sheet()
    for top in range(60, HEIGHT - 60, 60):
        for left in range(40, WIDTH - 120, 130):
            ImageDraw.Draw(image).rectangle((left, top, left + 110, top + 21), outline=30)
    return image


def dotted(step: int) -> Image.Image:
    image = sheet()
    for y in range(step, HEIGHT, step):
        for x in range(step, WIDTH, step):
            ImageDraw.Draw(image).rectangle((x, y, x + 1, y + 1), fill=90)
    return image


def bordered() -> Image.Image:
    """A sheet that was smaller than the lid of the scanner."""
    image = sheet(10)
    image.paste(250, (0, 0, WIDTH - 40, HEIGHT - 60))
    return image


SHEETS = [
    pytest.param(dotted(20), id="dotted"),
    pytest.param(bordered(), id="with a black border"),
    pytest.param(boxes(), id="boxes of a form"),
    pytest.param(ruled(step=22, shade=150, squared=False), id="lined"),
    pytest.param(ruled(step=14, shade=170, squared=True), id="squared"),
    pytest.param(ruled(step=20, shade=60, squared=True), id="squared in dark ink"),
    pytest.param(askew(ruled(step=20, shade=100, squared=True), 2), id="squared and askew"),
    pytest.param(askew(ruled(step=20, shade=100, squared=True), -6), id="squared and far askew"),
    pytest.param(in_shadow(askew(ruled(step=20, shade=100, squared=True), 4)), id="squared, askew and in a shadow"),
    pytest.param(noisy(sheet(235), 12), id="grainy"),
    pytest.param(noisy(sheet(20), 7), id="photographed in the dark"),
    pytest.param(noisy(ruled(step=24, shade=70, squared=False, paper=40), 5), id="lined and dark"),
    pytest.param(noisy(sheet(150), 25).filter(ImageFilter.GaussianBlur(2)), id="blurred grain"),
]


@pytest.mark.parametrize("image", SHEETS)
def test_a_sheet_without_writing_counts_as_blank(image: Image.Image) -> None:
    assert prepare(Picture(image, None))[1] is None


@pytest.mark.parametrize(
    "image",
    [
        sheet(255),
        sheet(0),
        dotted(20),
        ruled(step=22, shade=150, squared=False),
        ruled(step=20, shade=60, squared=True),
        askew(ruled(step=20, shade=100, squared=True), 2),
        noisy(sheet(20), 7),
        noisy(ruled(step=24, shade=70, squared=False, paper=40), 5),
    ],
    ids=["white", "black", "dotted", "lined", "squared", "squared and askew", "grainy and dark", "lined and dark"],
)
def test_a_sheet_without_writing_is_surely_empty(image: Image.Image) -> None:
    assert attempt_on(image, FakeTesseract(NOTHING)).is_blank


@pytest.mark.parametrize("squared", [False, True], ids=["lined", "squared"])
@pytest.mark.parametrize("character", ["7", "i"])
def test_a_sheet_with_a_lone_character_beside_lines_is_not_surely_empty(character: str, *, squared: bool) -> None:
    image = ruled(step=20, shade=150, squared=squared)
    ImageDraw.Draw(image).text((283, 402), character, fill=60, font_size=13)

    assert not attempt_on(image, FakeTesseract(NOTHING)).is_blank


def test_a_drawing_and_a_sheet_with_words_are_not_blank() -> None:
    drawing = sheet()
    ImageDraw.Draw(drawing).ellipse((200, 300, 400, 500), outline=0, width=3)

    assert not attempt_on(drawing, FakeTesseract(NOTHING)).is_blank
    assert not attempt_on(ruled(step=22, shade=150, squared=False), FakeTesseract(read(("Total", 90.0)))).is_blank


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(ruled(step=22, shade=150, squared=False), id="lined"),
        pytest.param(ruled(step=40, shade=170, squared=True), id="squared"),
        pytest.param(askew(ruled(step=40, shade=100, squared=True), 2), id="squared and askew"),
        pytest.param(noisy(sheet(235), 12), id="grainy"),
        pytest.param(noisy(sheet(200), 7), id="grey"),
    ],
)
def test_a_sheet_with_one_word_does_not_count_as_blank(image: Image.Image) -> None:
    assert prepare(Picture(written(image.copy()), None))[1] is not None


def test_a_small_piece_of_lined_paper_is_prepared() -> None:
    paper = Image.new("L", (100, 100), 255)
    for y in range(10, 100, 20):
        ImageDraw.Draw(paper).line((5, y, 95, y), width=2)

    page, analysis, _ = prepare(Picture(paper, dpi=None))

    assert analysis is not None
    assert analysis.is_form
    assert min(page.image.size) > 100


def test_the_dark_lid_of_a_scanner_stays_dark() -> None:
    scan = sheet(12)
    scan.paste(250, (0, 0, 60, HEIGHT))

    page, *_ = prepare(Picture(noisy(scan, 7), None))

    lid = np.asarray(page.image)[:, page.image.width // 2 :]
    assert np.percentile(lid, 99) < 100


@pytest.mark.parametrize("image", [dotted(20), bordered()], ids=["dotted", "with a black border"])
def test_one_letter_on_a_sheet_counts_as_writing(image: Image.Image) -> None:
    ImageDraw.Draw(image).text((280, 395), "7", fill=40, font_size=14)
    assert prepare(Picture(image, None))[1] is not None


def test_faint_letters_in_grain_count_as_writing() -> None:
    image = sheet()
    for y in range(60, 740, 36):
        ImageDraw.Draw(image).text((60, y), "The parcel came on Tuesday", fill=235, font_size=24)
    assert prepare(Picture(noisy(image, 5), None))[1] is not None


def squared_with_dark_crossings_and_two_lines() -> Image.Image:
    image = ruled(step=30, shade=180, squared=True)
    for x in range(30, WIDTH, 30):
        for y in range(60, HEIGHT, 30):
            image.putpixel((x, y), 120)
    for y in (380, 440):
        ImageDraw.Draw(image).text((20, y), "PARCELS MMM WW", fill=20, font_size=64)
    return image


@pytest.mark.parametrize(
    ("image", "lightest", "highest"),
    [
        pytest.param(askew(written(ruled(step=40, shade=100, squared=True)), 4), 130, 60, id="askew"),
        pytest.param(squared_with_dark_crossings_and_two_lines(), 205, 120, id="dark crossings"),
    ],
)
def test_words_on_squared_paper_are_made_level_and_keep_none_of_the_squares(
    image: Image.Image, lightest: int, highest: int
) -> None:
    page, *_ = prepare(Picture(image, None))
    ink = np.argwhere(np.asarray(page.image) < lightest)
    top, bottom = page.to_original.on_point(0, ink[:, 0].min())[1], page.to_original.on_point(0, ink[:, 0].max())[1]
    assert ink.size
    assert bottom - top < highest


@pytest.mark.parametrize(
    ("recognised", "nonsense"),
    [
        (read(*[("SST", 10.0)] * 100, ("ls", 70.0)), True),
        (read(*[("i", 90.0)] * 30), True),
        (read(*[("SST", 10.0)] * 100, *[("we", 90.0)] * 30), True),
        (read(*[("e_", 90.0)] * 30), True),
        (read(*[("SST", 10.0)] * 12, ("Wig", 90.0)), True),
        (read(*[("EB", 10.0)] * 50, *[("ES", 75.0)] * 14, *[("SEA", 75.0)] * 3), True),
        (read(*[("SST", 10.0)] * 100, *[("SEE", 75.0)] * 15), True),
        (read(*[("12", 90.0)] * 30), False),
        (read(*[("receipt", 30.0)] * 9, ("Total", 75.0)), False),
        (read(*[("本", 90.0)] * 30), False),
        (read(("12", 20.0), ("x", 10.0)), False),
        (NOTHING, False),
    ],
)
def test_a_text_of_which_nothing_is_sure_is_nonsense(recognised: Recognised, nonsense: bool) -> None:
    assert is_nonsense(recognised) is nonsense


@pytest.mark.parametrize("digits", [False, True])
def test_a_large_squared_sheet_is_bare_only_if_no_cell_has_a_small_digit(digits: bool) -> None:
    sheet = Image.new("L", (5300, 6600), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=26)
    for x in range(150, 5200, 42):
        draw.line((x, 150, x, 6450), fill=0, width=2)
    for y in range(150, 6500, 42):
        draw.line((150, y, 5200, y), fill=0, width=2)
        if digits:
            for x in range(150, 5200, 42):
                draw.text((x + 21, y + 21), "8203"[x % 4], fill=0, font=font, anchor="mm")

    assert prepare(Picture(sheet, None)).is_bare is not digits


def test_many_different_letters_that_are_sure_are_the_cells_of_a_table() -> None:
    cells = [(digit, 90.0) for digit in "0123456789" * 3]

    assert shows_text(read(*cells))
    assert not shows_text(read(*cells, *[("SST", 10.0)] * 30))


def test_text_shows_in_words_and_not_in_letters() -> None:
    assert shows_text(read(("Total", 90.0)))
    assert not shows_text(read(("T", 90.0), ("Total", 30.0)))
    assert not shows_text(read(*[("i", 90.0)] * 30))
    assert not shows_text(NOTHING)


@pytest.mark.parametrize("shade", [243, 225, 20])
def test_a_text_that_shows_through_from_the_other_side_is_not_given(shade: int) -> None:
    unsure, sure = read(*[("teh", 40.0)] * 20, ("ox", 90.0)), read(*[("the", 95.0)] * 20)

    attempt = PageReader(Picture(lines_of_bars(shade), None), MirrorReader(unsure, sure), turning=False).read("eng")

    assert (attempt.recognised, attempt.left_out) == (NOTHING, True)


def test_of_a_page_with_dark_letters_only_those_are_given_if_another_text_shows_through() -> None:
    unsure, sure = read(*[("teh", 40.0)] * 20, ("ox", 90.0)), read(*[("the", 95.0)] * 20)
    image = lines_of_bars(225)
    ImageDraw.Draw(image).text((120, 300), "4711", fill=20, font_size=90)

    attempt = PageReader(Picture(image, None), MirrorReader(unsure, sure), turning=False).read("eng")

    assert (attempt.recognised.text, attempt.left_out) == ("4711", True)


def test_a_page_is_not_turned_for_three_letters() -> None:
    image = Image.new("L", (63, 29), 255)
    ImageDraw.Draw(image).text((6, 6), "-12.5", fill=0, font_size=16)

    class Turned:
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            del dpi, languages, layout
            return read(("an", 37.0), ("N", 37.0)) if picture.height > picture.width else read(("-12.5", 10.0))

    attempt = PageReader(Picture(image, None), Turned(), turning=True).read("eng")

    assert (attempt.recognised.text, attempt.rotation) == ("-12.5", 0)


def column_of_dots() -> Image.Image:
    """A column that looks like a line of text on its side."""
    image = sheet()
    for top in range(140, 440, 50):
        ImageDraw.Draw(image).ellipse((100, top, 118, top + 18), fill=0)
    return image


@pytest.mark.parametrize(
    "answer", [pytest.param(NOTHING, id="nothing"), pytest.param(read(("......", 90.0)), id="dots")]
)
def test_a_page_without_letters_is_not_turned(answer: Recognised) -> None:
    tesseract = FakeTesseract(answer)

    attempt = attempt_on(column_of_dots(), tesseract)

    assert (attempt.recognised.text, attempt.rotation) == (answer.text, 0)
    width, height = tesseract.pictures[0]
    assert width > height


def test_a_page_that_looks_turned_is_read_as_it_lies_if_that_gives_more() -> None:
    class Upright:
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            del dpi, languages
            if layout is Layout.LETTER:
                return NOTHING
            return read(("A4", 90.0)) if picture.height > picture.width else read(("vv", 70.0))

    attempt = PageReader(Picture(column_of_dots(), None), Upright(), turning=True).read("eng")

    assert (attempt.recognised.text, attempt.rotation) == ("A4", 0)
