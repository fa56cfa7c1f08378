"""What hides letters on a page is done away with before it is read, by both ways to call Tesseract."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps, ImageStat

from docserver.model import Reading
from docserver.ocr.limits import LIBRARY, PROGRAM, Limits
from docserver.ocr.recognition.tesseract import Layout
from tests.support.engines import both_bindings
from tests.support.recognition import LINES, TEXT, WORDS, read, sheet, watch, word_box
from tests.support.samples.pictures import saved


def noisy(levels: NDArray[np.float64], *, deviation: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, deviation, levels.shape)
    return Image.fromarray(np.clip(levels + noise, 0, 255).astype(np.uint8))


def around(reading: Reading) -> tuple[int, int, int, int]:
    """The box of all that was read."""
    lefts, tops, rights, bottoms = zip(*(block.box for block in reading.blocks), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def test_blurred_letters_on_a_little_page_are_read(limits: Limits) -> None:
    """Blur makes their strokes as thick as those of larger letters."""
    draw = ImageDraw.Draw(page := Image.new("L", (1000, 600), 245))
    for number, line in enumerate(LINES):
        draw.text((40, 40 + 34 * number), line, fill=25, font=ImageFont.load_default(size=15))

    assert read(page.filter(ImageFilter.GaussianBlur(1)), limits).text.split() == TEXT.split()


def test_light_letters_on_a_dark_page_are_read(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    shades = watch(monkeypatch, of=lambda picture, **_: ImageStat.Stat(picture.convert("L")).median[0])

    assert read(ImageOps.invert(sheet()), limits).text.split() == TEXT.split()
    # Tesseract would read each line twice.
    assert shades == [245]


@pytest.mark.parametrize("paper", [(220, 50, 50), (0, 90, 200), (40, 140, 90)])
def test_light_letters_on_colours_are_read(paper: tuple[int, int, int], limits: Limits) -> None:
    page = Image.new("RGB", (900, 600), paper)
    for number, line in enumerate(LINES[:9]):
        ImageDraw.Draw(page).text((40, 40 + 34 * number), line, fill="white", font=ImageFont.load_default(size=15))

    assert read(page, limits).text.split() == "\n".join(LINES[:9]).split()


@pytest.mark.parametrize(("times", "binding"), [(3, LIBRARY), (4, PROGRAM)])
def test_large_letters_are_made_smaller_for_reading_and_lie_where_they_are(
    times: int, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = watch(monkeypatch)
    large = sheet().resize((1240 * times, 1000 * times), Image.Resampling.BICUBIC)

    reading = read(large, limits)

    ((width, height),) = shown
    assert 1000 < width <= 0.8 * large.width
    assert width / height == pytest.approx(1.24, rel=0.01)
    assert reading.text.split() == TEXT.split()
    assert (reading.width, reading.height) == large.size
    left, top, right, bottom = (side / times for side in around(reading))
    assert left == pytest.approx(120, abs=6)
    assert top == pytest.approx(106, abs=12)
    assert 500 < right < 1240
    assert bottom == pytest.approx(100 + 56 * 13 + 30, abs=12)


def test_a_line_of_huge_letters_is_made_smaller(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = watch(monkeypatch)
    line = Image.new("L", (2200, 180), 250)
    ImageDraw.Draw(line).text((40, 20), "Harbour 2417 evening", fill=20, font=ImageFont.load_default(size=120))

    reading = read(line, limits)

    assert reading.text == "Harbour 2417 evening"
    assert shown[0][1] < 0.5 * 180
    assert around(reading)[3] - around(reading)[1] > 70


def test_letters_beside_thick_bars_are_read(limits: Limits) -> None:
    picture = Image.new("L", (900, 290), 250)
    draw = ImageDraw.Draw(picture)
    for left in range(30, 430, 50):
        draw.rectangle((left, 30, left + 26, 260), fill=20)
    draw.text((480, 200), "evening harbour", fill=20, font=ImageFont.load_default(size=44))

    assert "evening harbour" in read(picture, limits).text


def test_small_letters_below_bold_ones_are_read(limits: Limits) -> None:
    page = Image.new("L", (2480, 3508), 250)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(LINES):
        draw.text((200, 200 + 90 * number), line, fill=20, font=ImageFont.load_default(size=52), stroke_width=2)
    footnote = " ".join(LINES[:2])
    draw.text((200, 3200), footnote, fill=20, font=ImageFont.load_default(size=25))

    assert read(page, limits).text.lower().split() == [*TEXT.split(), *footnote.split()]


def test_a_page_in_uneven_light_is_read(limits: Limits) -> None:
    light = (
        Image.linear_gradient("L").rotate(90).resize(sheet().size).point([60 + value * 3 // 4 for value in range(256)])
    )

    reading = read(ImageChops.multiply(sheet(), light), limits)

    assert reading.text.split() == TEXT.split()


def test_a_few_lines_on_a_page_that_darkens_to_one_side_are_read(limits: Limits) -> None:
    page = Image.new("L", (2480, 3508), 245)
    page.paste(sheet().crop((0, 0, 1240, 205)))
    shaded = noisy(np.asarray(page) * np.linspace(1, 0.85, 2480), deviation=6)

    assert read(shaded, limits).text.split() == "\n".join(LINES[:2]).split()


@both_bindings
def test_a_page_that_is_taken_for_a_picture_is_read_as_a_column(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = watch(monkeypatch, blind_to=Layout.PAGE)

    assert read(sheet(), limits).text.split() == TEXT.split()
    whole, sample, again = shown
    assert whole == again
    assert sample[1] < whole[1] / 2


@both_bindings
def test_letters_that_only_their_colour_shows_are_read(limits: Limits) -> None:
    ink = ImageOps.invert(sheet()).point(lambda value: 255 if value > 110 else 0)
    page = Image.new("RGB", ink.size, (60, 160, 60))
    page.paste((250, 60, 60), mask=ink)
    darkest, lightest = page.convert("L").getextrema()
    assert lightest - darkest < 20  # type: ignore[operator]

    assert len(set(read(page, limits).text.split()) & set(WORDS)) > len(set(WORDS)) // 2


@pytest.mark.parametrize("count", [16, 26])
def test_a_receipt_whose_columns_stand_out_is_read_line_by_line(count: int, limits: Limits) -> None:
    words = (WORDS * 2)[:count]
    rows = [f"{number % 9 + 1} {word:<10} {number}.{number:02}" for number, word in enumerate(words, start=11)]
    image = Image.new("L", (440, 40 * len(rows) + 40), 250)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=26)
    for number, row in enumerate(rows):
        for column, letter in enumerate(row):
            draw.text((40 + 20 * column, 30 + 40 * number), letter, fill=30, font=font, anchor="mt")

    reading = read(image, limits)

    lines = reading.text.split("\n")
    assert len(lines) == len(rows)
    assert sum(row.split()[1] in line for line, row in zip(lines, rows, strict=True)) > len(rows) // 2


def test_one_word_without_a_margin_is_read(limits: Limits) -> None:
    font = ImageFont.load_default(size=30)
    for word in ("letter", "7.50", "No"):
        left, top, right, bottom = (round(side) for side in font.getbbox(word))
        image = Image.new("L", (right - left, bottom - top), 255)
        ImageDraw.Draw(image).text((-left, -top), word, fill=20, font=font)

        assert read(image, limits).text == word


def test_a_form_is_read_row_by_row(limits: Limits) -> None:
    rows = [f"{WORDS[number].capitalize()} {WORDS[-number]} 4{number}.{number}7" for number in range(12)]
    image = Image.new("L", (827, 600), 240)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=12)
    for number, row in enumerate(rows):
        for column, text in enumerate(row.split()):
            left, top = 60 + 235 * column, 60 + 24 * number
            draw.rectangle((left, top, left + 235, top + 24), outline=40)
            draw.text((left + 6, top + 4), text, fill=25, font=font)

    reading = read(image, limits)

    lines = list(filter(None, reading.text.split("\n")))
    assert sum(line == row for line, row in zip(lines, rows, strict=True)) >= len(rows) - 4
    assert 60 < word_box(reading, WORDS[-5])[0] - 235 < 80


def test_white_letters_in_dark_boxes_beside_rules_are_read(limits: Limits) -> None:
    page = Image.new("L", (1240, 1000), 255)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(LINES):
        top = 40 + 50 * number + 60 * (number // 5)
        if number // 5 == 1:
            draw.rectangle((60, top - 8, 1180, top + 50), fill=30)
        else:
            draw.rectangle((60, top - 8, 1180, top + 42), outline=0, width=2)
        draw.text((90, top), line, fill=255 if number // 5 == 1 else 0, font=ImageFont.load_default(size=26))

    assert read(page, limits).text.split() == TEXT.split()


def test_letters_of_nine_pixels_are_read(limits: Limits) -> None:
    small = sheet().resize((413, 333), Image.Resampling.LANCZOS)

    reading = read(small, limits)

    words = zip(reading.text.split(), TEXT.split(), strict=True)
    assert sum(read != word for read, word in words) <= 2
    assert (reading.width, reading.height) == (413, 333)


def test_a_speckled_page_is_read(limits: Limits) -> None:
    levels = np.array(sheet())
    noise = np.random.default_rng(0).random(levels.shape)
    levels[noise < 0.02] = 0
    levels[noise > 0.98] = 255

    assert read(Image.fromarray(levels), limits).text.split() == TEXT.split()


def test_thin_letters_among_specks_are_read(limits: Limits) -> None:
    levels = np.array(sheet().resize((620, 500), Image.Resampling.LANCZOS))
    noise = np.random.default_rng(0).random(levels.shape)
    levels[noise < 0.004] = 0
    levels[noise > 0.996] = 255

    words = read(Image.fromarray(levels), limits).text.split()

    assert [word in WORDS for word in words].count(True) >= 0.95 * len(TEXT.split())


def test_a_few_lines_on_grainy_paper_are_read(limits: Limits) -> None:
    page = Image.new("L", (1654, 2339), 245)
    page.paste(sheet().crop((0, 0, 1240, 205)))

    words = read(noisy(np.asarray(page) * 0.8, deviation=18), limits).text.split()

    assert [word in WORDS for word in words].count(True) >= 11
    assert len(words) == 12


def test_the_words_of_a_fax_lie_where_its_flat_lines_are(limits: Limits) -> None:
    fax = sheet().resize((1240, 500), Image.Resampling.BOX).point(lambda value: 255 if value > 160 else 0)
    file = saved(fax.convert("1"), "TIFF", compression="group4", dpi=(204, 102))

    reading = read(file, limits, content_type="image/tiff")

    assert (reading.width, reading.height) == (1240, 500)
    assert len(set(reading.text.split()) & set(WORDS)) > len(set(WORDS)) - 3
    assert 420 < max(block.box[3] for block in reading.blocks) < 440


def test_a_strip_as_long_as_a_picture_may_be_is_read(limits: Limits) -> None:
    strip = Image.new("L", (32_767, 60), 250)
    ImageDraw.Draw(strip).text((1000, 10), "evening harbour", fill=20, font=ImageFont.load_default(size=30))

    assert "harbour" in read(strip, limits).text


def test_page_numbers_after_leaders_are_on_the_lines_of_their_titles(limits: Limits) -> None:
    draw = ImageDraw.Draw(page := Image.new("L", (1240, 700), 245))
    font = ImageFont.load_default(size=30)
    lines = [f"Chapter {number} {7 * number}" for number in range(1, 9)]
    for number, line in enumerate(lines):
        title, _, last = line.rpartition(" ")
        start, end = 110 + font.getlength(title), 1090 - font.getlength(last)
        draw.text((100, 60 + 60 * number), title, fill=25, font=font)
        for x in np.arange(end - 10, start, -14):
            draw.text((x, 60 + 60 * number), ".", fill=25, font=font)
        draw.text((end, 60 + 60 * number), last, fill=25, font=font)

    assert read(page, limits).text.splitlines() == lines


def test_digits_of_large_print_are_read_at_the_height_at_which_tesseract_tells_them_apart(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = watch(monkeypatch)
    numbers = [f"{7 + row * (column + 3) * 37 % 991}" for row in range(1, 10) for column in range(4)]
    draw, font = ImageDraw.Draw(page := Image.new("L", (2480, 1900), 255)), ImageFont.load_default(size=70)
    for place, number in enumerate(numbers):
        draw.text((150 + place % 4 * 600, 120 + place // 4 * 190), number, font=font, fill=0)
    _, top, _, bottom = draw.textbbox((0, 0), "0", font=font)

    assert read(page, limits).text.split() == numbers
    assert 20 <= (bottom - top) * shown[0][0] / page.width <= 30


def test_small_letters_beside_larger_ones_are_not_made_illegible(limits: Limits) -> None:
    draw = ImageDraw.Draw(page := Image.new("L", (2480, 3000), 245))
    for number, line in enumerate(LINES[:8]):
        draw.text((120, 100 + 150 * number), line, fill=25, font=ImageFont.load_default(size=72))
    for number, line in enumerate(LINES[8:]):
        draw.text((120, 1500 + 40 * number), line, fill=25, font=ImageFont.load_default(size=26))

    assert read(page, limits).text.split() == TEXT.split()
