"""Pages on which nothing is written: what is measured of them, and how often Tesseract is asked to read them."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.preparation import prepare
from docserver.ocr.image.spots import count_pieces
from docserver.ocr.recognition import reader
from docserver.ocr.recognition.evidence import is_nonsense, shows_text
from docserver.ocr.recognition.reader import Attempt, PageReader
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised

WIDTH, HEIGHT = 600, 800


def sheet(paper: int = 250) -> Image.Image:
    return Image.new("L", (WIDTH, HEIGHT), paper)


def in_shadow(image: Image.Image) -> Image.Image:
    """The sheet as a photo that darkens to the right."""
    light = np.linspace(1, 0.5, image.width)
    return Image.fromarray((np.asarray(image) * light).astype(np.uint8))


def noisy(image: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, deviation, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def ruled(*, step: int, shade: int, squared: bool, paper: int = 250) -> Image.Image:
    image = sheet(paper)
    draw = ImageDraw.Draw(image)
    for y in range(2 * step, HEIGHT, step):
        draw.line((0, y, WIDTH, y), fill=shade)
    for x in range(step, WIDTH if squared else 0, step):
        draw.line((x, 0, x, HEIGHT), fill=shade)
    return image


def askew(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=250)


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
        pytest.param(ruled(step=22, shade=150, squared=False), id="lined"),
        pytest.param(ruled(step=40, shade=170, squared=True), id="squared"),
        pytest.param(askew(ruled(step=40, shade=100, squared=True), 2), id="squared and askew"),
        pytest.param(noisy(sheet(235), 12), id="grainy"),
        pytest.param(noisy(sheet(200), 7), id="grey"),
    ],
)
def test_a_sheet_with_one_word_does_not_count_as_blank(image: Image.Image) -> None:
    assert prepare(Picture(written(image.copy()), None))[1] is not None


def test_squared_paper_in_a_shadow_is_left_as_it_is_if_its_lines_cannot_be_removed() -> None:
    squared = Image.new("L", (1300, 900), 245)
    for x in range(16, 1300, 16):
        ImageDraw.Draw(squared).line((x, 0, x, 900), fill=150)
    for y in range(16, 900, 16):
        ImageDraw.Draw(squared).line((0, y, 1300, y), fill=150)
    photo = noisy(in_shadow(squared).filter(ImageFilter.GaussianBlur(0.7)), 5)

    page, analysis = prepare(Picture(photo, None))

    assert page.image is photo
    assert analysis is None


def test_pieces_are_counted_less_the_holes_in_them() -> None:
    image = sheet()
    draw = ImageDraw.Draw(image)
    for left in (10, 40, 70):
        draw.rectangle((left, 10, left + 8, 18), fill=20)
    assert count_pieces(image) == 3
    draw.rectangle((100, 10, 120, 30), outline=20)
    assert count_pieces(image) == 3


def test_a_small_piece_of_lined_paper_is_prepared() -> None:
    paper = Image.new("L", (100, 100), 255)
    for y in range(10, 100, 20):
        ImageDraw.Draw(paper).line((5, y, 95, y), width=2)

    page, analysis = prepare(Picture(paper, dpi=None))

    assert analysis is not None
    assert analysis.is_form
    assert min(page.image.size) > 100


def test_the_dark_lid_of_a_scanner_stays_dark() -> None:
    scan = sheet(12)
    scan.paste(250, (0, 0, 60, HEIGHT))

    page, _ = prepare(Picture(noisy(scan, 7), None))

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
    page, _ = prepare(Picture(image, None))
    ink = np.argwhere(np.asarray(page.image) < lightest)
    top, bottom = page.to_original.on_point(0, ink[:, 0].min())[1], page.to_original.on_point(0, ink[:, 0].max())[1]
    assert ink.size
    assert bottom - top < highest


def read(*words: tuple[str, float]) -> Recognised:
    box = (10, 10, 90, 20)
    line = Line(box, tuple(Word(text, box, confidence) for text, confidence in words))
    confidence = sum(confidence for _, confidence in words) / max(len(words), 1)
    return Recognised(" ".join(text for text, _ in words), (Block(box, (Paragraph(box, (line,)),)),), confidence)


@pytest.mark.parametrize(
    ("recognised", "nonsense"),
    [
        (read(*[("SST", 10.0)] * 100, ("ls", 70.0)), True),
        (read(*[("i", 90.0)] * 30), True),
        (read(*[("SST", 10.0)] * 100, *[("we", 90.0)] * 30), True),
        (read(*[("e_", 90.0)] * 30), True),
        (read(*[("SST", 10.0)] * 12, ("Wig", 90.0)), True),
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


def test_text_shows_in_words_and_not_in_letters() -> None:
    assert shows_text(read(("Total", 90.0)))
    assert not shows_text(read(("T", 90.0), ("Total", 30.0)))
    assert not shows_text(NOTHING)


@dataclass
class FakeTesseract:
    """Reads the same in every picture."""

    answer: Recognised
    pictures: list[tuple[int, int]] = field(default_factory=list)

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages, layout
        self.pictures.append(picture.size)
        return self.answer


def attempt_on(image: Image.Image, tesseract: FakeTesseract) -> Attempt:
    return PageReader(Picture(image, None), tesseract, turning=True).read("eng")


def test_a_blank_sheet_is_read_once() -> None:
    tesseract = FakeTesseract(NOTHING)

    attempt = attempt_on(ruled(step=14, shade=170, squared=True), tesseract)

    assert tesseract.pictures == [(WIDTH, HEIGHT)]
    assert (attempt.recognised, attempt.left_out) == (NOTHING, False)


def test_of_a_pattern_only_samples_are_read_in_the_other_directions() -> None:
    waves = np.add.outer(np.sin(np.arange(HEIGHT) / 9), np.sin(np.arange(WIDTH) / 9))
    tesseract = FakeTesseract(read(*[("SST", 10.0)] * 100))

    attempt = attempt_on(Image.fromarray(np.where(waves > 1.5, 40, 220).astype(np.uint8)), tesseract)

    first, *others = (width * height for width, height in tesseract.pictures)
    assert attempt.recognised == NOTHING
    assert others
    assert max(others) < first / 2


def test_a_sample_without_ink_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "sample_rows", lambda _: (0, 40))
    tesseract = FakeTesseract(NOTHING)

    attempt_on(noisy(lines_of_bars(20), 2), tesseract)

    assert {size[1] / size[0] for size in tesseract.pictures} == {HEIGHT / WIDTH}


def test_a_sample_of_three_letters_is_no_reason_to_turn_a_page() -> None:
    class ReadsSamples(FakeTesseract):
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            super().recognise(picture, dpi=dpi, languages=languages, layout=layout)
            return read(("the", 90.0)) if picture.width * picture.height < WIDTH * HEIGHT / 2 else NOTHING

    tesseract = ReadsSamples(NOTHING)

    attempt_on(lines_of_bars(20), tesseract)

    assert [size for size in tesseract.pictures if size[0] * size[1] >= WIDTH * HEIGHT / 2] == [(WIDTH, HEIGHT)] * 2


def lines_of_bars(shade: int) -> Image.Image:
    image = sheet()
    for top in range(100, 700, 40):
        for left in range(60, 440, 20):
            ImageDraw.Draw(image).rectangle((left, top, left + 9, top + 14), fill=shade)
    return image


@pytest.mark.parametrize("shade", [243, 225, 20])
def test_a_text_that_shows_through_from_the_other_side_is_not_given(shade: int) -> None:
    unsure, sure = read(*[("teh", 40.0)] * 20, ("ox", 90.0)), read(*[("the", 95.0)] * 20)

    attempt = PageReader(Picture(lines_of_bars(shade), None), MirrorReader(unsure, sure), turning=False).read("eng")

    assert (attempt.recognised, attempt.left_out) == (NOTHING, True)


def test_a_page_is_not_read_in_other_directions_if_its_text_shows_through() -> None:
    unsure, sure = read(*[("teh", 40.0)] * 20, ("ox", 90.0)), read(*[("the", 95.0)] * 20)
    tesseract = MirrorReader(unsure, sure)

    attempt = PageReader(Picture(lines_of_bars(225), None), tesseract, turning=True).read("eng")

    first, *others = (width * height for width, height in tesseract.pictures)
    assert (attempt.recognised, attempt.left_out) == (NOTHING, True)
    assert max(others) < first / 2


def test_of_a_page_with_dark_letters_only_those_are_given_if_another_text_shows_through() -> None:
    unsure, sure = read(*[("teh", 40.0)] * 20, ("ox", 90.0)), read(*[("the", 95.0)] * 20)
    image = lines_of_bars(225)
    ImageDraw.Draw(image).text((120, 300), "4711", fill=20, font_size=90)

    attempt = PageReader(Picture(image, None), MirrorReader(unsure, sure), turning=False).read("eng")

    assert (attempt.recognised.text, attempt.left_out) == ("4711", True)


@dataclass
class MirrorReader:
    """Reads the mirror image of `lines_of_bars`, whose left margin is the wider one, better than the page.
    Reads a number where there are a few dark letters and no bars.
    """

    plain: Recognised
    mirrored: Recognised
    pictures: list[tuple[int, int]] = field(default_factory=list)

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages, layout
        self.pictures.append(picture.size)
        levels = np.asarray(picture.convert("L"))
        if (levels < 100).any() and (levels < 250).mean() < 0.05:
            return read(("4711", 95.0))
        columns = np.flatnonzero((levels < 250).any(axis=0))
        if not columns.size:
            return NOTHING
        return self.mirrored if columns[0] > picture.width - columns[-1] else self.plain


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
            del dpi, languages, layout
            return read(("A4", 90.0)) if picture.height > picture.width else read(("vv", 70.0))

    attempt = PageReader(Picture(column_of_dots(), None), Upright(), turning=True).read("eng")

    assert (attempt.recognised.text, attempt.rotation) == ("A4", 0)


def thin_rules() -> Image.Image:
    """A small form with a few thin lines and a short stroke, which would be enlarged to be read."""
    image = ruled(step=80, shade=60, squared=True)
    for top in range(100, 700, 80):
        ImageDraw.Draw(image).line((100, top, 112, top + 24), fill=30, width=2)
    return image


@pytest.mark.parametrize(
    ("answer", "longest_side"),
    [(NOTHING, HEIGHT), (read(*[("receipt", 95.0)] * 9), 3 * HEIGHT)],
    ids=["nothing", "text"],
)
def test_a_small_page_is_enlarged_only_if_it_shows_text(answer: Recognised, longest_side: int) -> None:
    tesseract = FakeTesseract(answer)

    attempt_on(thin_rules(), tesseract)

    assert max(max(size) for size in tesseract.pictures) == longest_side


def test_of_a_pattern_with_ruled_lines_the_original_is_read() -> None:
    @dataclass
    class Sees(FakeTesseract):
        seen: list[bytes] = field(default_factory=list)

        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            self.seen.append(picture.tobytes())
            return super().recognise(picture, dpi=dpi, languages=languages, layout=layout)

    image, tesseract = thin_rules(), Sees(NOTHING)

    attempt_on(image, tesseract)

    whole = [seen for seen, size in zip(tesseract.seen, tesseract.pictures, strict=True) if size == image.size]
    assert whole == [image.tobytes()]
