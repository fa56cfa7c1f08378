"""Whatever is done to a page before it is read, boxes come back to where their words stand on the page as it came."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.ocr.image.analysis import analyse
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.preparation import in_grey
from docserver.ocr.image.ruling import ruled_lines, widened, without_ruled_lines
from docserver.ocr.image.sampling import sample_rows
from docserver.ocr.image.shades import DARKEST_PAPER, EVEN_PAPER, evenly_lit, paper_in_full
from docserver.ocr.image.spots import may_show_letters
from docserver.ocr.image.transform import (
    PageImage,
    cropped,
    framed,
    on_original,
    scaled,
    straightened,
    stretched,
    turned,
)

SIZE = (400, 300)


def page_with(box: Box, mode: str = "L") -> PageImage:
    """White, with one black mark."""
    image = Image.new("L", SIZE, 255)
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=0)
    return PageImage(image.convert(mode), 300, SIZE)


def marked(image: Image.Image) -> Box:
    rows, columns = np.nonzero(np.asarray(image.convert("L")) < 128)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def found_in(page: PageImage) -> Box:
    """Where a reader of the prepared picture would say that the mark stands on the page."""
    box = marked(page.image)
    blocks = (Block(box, (Paragraph(box, (Line(box, (Word("mark", box, 90.0),)),)),)),)
    (block,) = on_original(blocks, page)
    word = block.paragraphs[0].lines[0].words[0]
    assert block.box == block.paragraphs[0].box == block.paragraphs[0].lines[0].box == word.box
    return word.box


@given(
    x=st.integers(5, 300),
    y=st.integers(5, 240),
    degrees=st.sampled_from([0, 90, 180, 270]),
    more=st.sampled_from([0, 90, 180, 270]),
    skew=st.sampled_from([-8.0, -3.0, 0.0, 4.5]),
    factor=st.sampled_from([0.5, 1.0, 1.7]),
    margin=st.sampled_from([0, 40]),
    pixel_height=st.sampled_from([1.0, 2.08]),
)
@settings(max_examples=60, deadline=None)
def test_boxes_come_back_to_the_page_as_it_came(
    x: int, y: int, degrees: int, more: int, skew: float, factor: float, margin: int, pixel_height: float
) -> None:
    box = (x, y, x + 60, y + 20)
    page = framed(stretched(page_with(box), pixel_height), margin)
    page = scaled(straightened(turned(turned(page, degrees), more), skew), factor)

    # Turned by some degrees the box of a box is larger than the mark.
    room = 4 if not skew else 4 + round(60 * abs(np.sin(np.radians(skew))) * 2)
    assert all(abs(a - b) <= room for a, b in zip(found_in(page), box, strict=True))
    assert page.rotation == (degrees + more) % 360


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_pictures_of_every_mode_are_straightened_on_paper_of_their_own_shade(mode: str) -> None:
    page = straightened(page_with((100, 100, 200, 120), mode), 5.0)

    assert page.image.convert("L").getpixel((0, 0)) == 255


@pytest.mark.parametrize(("mode", "shade"), [("1", 255), ("L", 255), ("RGB", (255, 255, 255))])
def test_a_margin_is_of_the_same_paper(mode: str, shade: object) -> None:
    page = framed(page_with((0, 0, 200, 20), mode), 40)

    assert page.image.size == (480, 380)
    assert page.image.getpixel((20, 20)) == shade


def ruled_sheet() -> Image.Image:
    """Ten cells with a stroke in each, one more stroke across a rule, and a bar."""
    image = Image.new("L", (1000, 700), 240)
    draw = ImageDraw.Draw(image)
    for number in range(10):
        top = 50 + 60 * number
        draw.rectangle((100, top, 900, top + 60), outline=30, width=2)
        draw.rectangle((200, top + 20, 204, top + 40), fill=30)
    draw.rectangle((200, 95, 204, 125), fill=30)
    draw.rectangle((300, 660, 900, 690), fill=30)
    return image


def test_ruled_lines_are_removed_and_letters_and_bars_stay() -> None:
    bare = np.asarray(without_ruled_lines(ruled_sheet()))

    assert bare[40:655, 205:].min() > 200
    assert bare[40:655, :200].min() > 200
    for number in range(10):
        assert (bare[50 + 60 * number + 20 : 50 + 60 * number + 40, 202] < 40).all()
    assert (bare[95:125, 202] < 40).all()
    assert (bare[661:689, 301:899] < 40).all()


def test_between_light_letters_in_a_dark_box_there_are_no_rules() -> None:
    page = ruled_sheet()
    boxed = page.copy()
    boxed.paste(ImageOps.invert(lines_of_text()).resize((600, 300)), (200, 200))

    seen = np.asarray(ruled_lines(boxed))

    assert (seen[:200] == np.asarray(ruled_lines(page))[:200]).all()
    assert not seen[230:470, 230:770].any()


def test_letters_on_the_pale_lines_of_writing_paper_keep_what_covers_these() -> None:
    letters, paper = Image.new("L", (1200, 900), 255), Image.new("L", (1200, 900), 255)
    for top in range(60, 860, 60):
        ImageDraw.Draw(paper).line((0, top, 1200, top), fill=200, width=2)
        for left in range(100, 1100, 30):
            # The middle bar of an e, which lies on the line.
            ImageDraw.Draw(letters).rectangle((left, top - 1, left + 12, top + 2), fill=30)
    page = ImageChops.darker(letters, paper)

    bare = np.asarray(without_ruled_lines(page))

    drawn = np.asarray(letters) == 30
    assert (bare[drawn] == 30).all()
    assert np.mean(bare[~drawn] > 240) > 0.99


def test_a_page_without_rules_is_left_as_it_is() -> None:
    blank = Image.new("L", (900, 1200), 250)

    assert without_ruled_lines(blank).tobytes() == blank.tobytes()


def test_a_mask_is_widened_as_by_a_maximum_filter() -> None:
    mask = np.random.default_rng(1).random((31, 47)) < 0.02

    wide = Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(5))

    assert (widened(mask, by=2) == (np.asarray(wide) > 0)).all()


def test_rules_are_seen_and_lines_of_text_are_none() -> None:
    form, text = analyse(ruled_sheet()), analyse(lines_of_text())

    assert form is not None and text is not None
    assert form.rules > 8
    assert text.rules < 0.5


def lines_of_text(skew: float = 0.0, *, paper: int = 255, ink: int = 0) -> Image.Image:
    image = Image.new("L", (1200, 900), paper)
    draw = ImageDraw.Draw(image)
    for top in range(120, 800, 60):
        for left in range(100, 1050, 40):
            draw.rectangle((left, top, left + 28, top + 20), fill=ink)
    return image.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=paper)


@pytest.mark.parametrize("skew", [-7.0, -2.5, 0.0, 1.5, 6.0])
def test_the_skew_of_lines_is_seen(skew: float) -> None:
    analysis = analyse(lines_of_text(skew))

    assert analysis is not None
    assert abs(analysis.skew - skew) <= 0.3
    assert analysis.clarity > 3


def test_specks_are_seen_and_letters_are_none() -> None:
    page = np.array(lines_of_text())
    clean = analyse(Image.fromarray(page))
    page[np.random.default_rng(0).random(page.shape) < 0.02] = 0
    speckled = analyse(Image.fromarray(page))

    assert clean is not None and speckled is not None
    assert clean.specks < 1
    assert speckled.specks > 100


def test_paper_is_hidden_where_it_is_darker_than_the_threshold() -> None:
    full, few = lines_of_text(), Image.new("L", (1200, 900), 255)
    few.paste(lines_of_text().crop((0, 100, 400, 150)), (0, 100))
    light = np.linspace(1, 0.75, 1200)
    shaded = [Image.fromarray((np.asarray(page) * light).astype(np.uint8)) for page in (full, few)]

    analyses = [analyse(page) for page in (full, few, *shaded)]

    assert [analysis is not None and analysis.hidden > 0.1 for analysis in analyses] == [False, False, False, True]


@pytest.mark.parametrize("fades", [False, True])
def test_a_dark_backing_is_told_from_a_shadow(fades: bool) -> None:
    page = np.asarray(lines_of_text(), dtype=np.float64)
    noise = np.random.default_rng(0).normal(45, 4, (page.shape[0] + 400, page.shape[1] + 300))
    on_backing, shaded = noise.astype(np.uint8), page.copy()
    on_backing[200:-200, :-300] = page
    shaded[:, -500:] *= np.linspace(1, 0.2, 500) if fades else 0.4

    backing, shadow = (analyse(Image.fromarray(pixels.astype(np.uint8))) for pixels in (on_backing, shaded))

    assert backing and shadow
    assert (backing.on_backing, shadow.on_backing) == (True, False)
    assert backing.is_unevenly_lit and shadow.is_unevenly_lit


def test_a_page_on_its_side_is_seen() -> None:
    upright, on_its_side = analyse(lines_of_text()), analyse(lines_of_text().transpose(Image.Transpose.ROTATE_90))

    assert upright is not None and on_its_side is not None
    assert upright.upright > 2
    assert on_its_side.upright < 0.5
    assert on_its_side.stroke_px == upright.stroke_px


def test_light_letters_on_a_dark_page_are_seen_alike() -> None:
    dark, light = analyse(ImageOps.invert(lines_of_text(3.0))), analyse(lines_of_text(3.0))

    assert dark is not None and light is not None
    assert (dark.skew, dark.stroke_px) == (light.skew, light.stroke_px)
    assert (dark.light_on_dark, light.light_on_dark) == (True, False)


def test_a_page_on_a_dark_table_has_dark_letters() -> None:
    table = Image.new("L", (2200, 1500), 40)
    table.paste(lines_of_text(), (500, 300))

    analysis = analyse(table)

    assert analysis is not None
    assert not analysis.light_on_dark


def test_a_blank_page_has_no_analysis() -> None:
    assert analyse(Image.new("RGB", (500, 700), (250, 250, 240))) is None


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (3, 2), (300, 1), (1, 300)])
def test_a_picture_of_a_few_pixels_can_be_analysed(size: tuple[int, int]) -> None:
    picture = Image.new("L", size, 255)
    picture.putpixel((0, 0), 0)

    analysis = analyse(picture)

    assert analysis is None or 0 <= analysis.specks <= 1


def test_rows_that_are_cut_out_stay_where_they_are_on_the_page() -> None:
    box = (120, 140, 180, 170)

    assert found_in(cropped(page_with(box), (0, 100, SIZE[0], 200))) == box


def test_a_sample_is_some_whole_lines_and_no_picture() -> None:
    image = Image.new("L", (1000, 1400), 255)
    shades = np.random.default_rng(0).normal(128, 60, (50, 100)).clip(0, 255).astype(np.uint8)
    image.paste(Image.fromarray(shades).resize((900, 450), Image.Resampling.BICUBIC), (50, 50))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=24)
    for number in range(14):
        draw.text((60, 600 + 50 * number), "The quick brown fox jumps over the lazy dog, again and again.", 0, font)

    top, bottom = sample_rows(image, most=image.height)

    assert 570 <= top < bottom <= 1400
    assert bottom - top < 450
    # But for the tips of letters that hang below their line.
    cut_through = (np.asarray(image)[[top, bottom - 1]] < 128).mean(axis=1)
    assert cut_through.max() < 0.02


def test_a_sample_of_a_page_with_a_single_line_has_it_in_the_middle() -> None:
    image = Image.new("L", (1000, 1400), 255)
    ImageDraw.Draw(image).text((400, 1000), "Appendix B", 0, ImageFont.load_default(size=24))

    top, bottom = sample_rows(image, most=350)

    assert bottom - top == 350
    assert top < 850
    assert bottom > 1170


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_page_is_measured_once_for_all_that_look_at_it(mode: str) -> None:
    picture = Picture(Image.new("L", SIZE, 200).convert(mode), 300)

    page = PageImage.of(picture)

    assert page.overview is picture.overview
    assert in_grey(page).overview is picture.overview
    assert turned(page, 90).overview.grey.size == SIZE[::-1]


def test_the_light_of_each_place_is_made_even_by_the_paper_around_it() -> None:
    shade = np.linspace(90, 250, 300)[:, np.newaxis] * np.ones((1, 200))
    page = Image.fromarray(np.where(np.arange(200) % 20 < 2, shade / 3, shade).astype(np.uint8))

    even = evenly_lit(page)

    papers = np.maximum(np.asarray(paper_in_full(page), dtype=np.float32), DARKEST_PAPER)
    expected = np.minimum(np.asarray(page, dtype=np.float32) * (EVEN_PAPER / papers), 255).astype(np.uint8)
    assert np.array_equal(np.asarray(even), expected)


@pytest.mark.parametrize("place", [(140, 140), (20, 260)])
def test_a_letter_is_seen_wherever_it_stands_in_a_dark_edge(place: tuple[int, int]) -> None:
    ink = np.zeros((300, 300), dtype=np.bool_)
    ink[:10] = ink[-10:] = ink[:, :10] = ink[:, -10:] = True
    edge_alone = ink.copy()
    ink[place[1] : place[1] + 12, place[0] : place[0] + 3] = True

    assert may_show_letters(ink, joined=True)
    assert not may_show_letters(edge_alone, joined=True)


def test_where_noise_hides_any_ink_a_page_stays_dark() -> None:
    noise = np.random.default_rng(0).normal(0, 12, (300, 400))
    levels = np.where(np.arange(400) < 200, 20, 230) + noise
    page = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))

    even = np.asarray(evenly_lit(page))

    assert np.array_equal(even[:, :150], np.asarray(page)[:, :150])
    assert even[:, 250:].mean() > 200
