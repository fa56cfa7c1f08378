"""Pictures of pages: boxes of words fit them, whatever draws the page, and whichever part is drawn how large."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import RectangleObject

from docserver.documents.page_images import MAX_HEIGHT, MAX_PIXELS, Wanted, view
from docserver.errors import DocumentErrorCode, Unprocessable
from docserver.layout import Box, pack_blocks, words_of
from docserver.model import Reading, Source
from docserver.ocr.child import tasks
from docserver.ocr.errors import Unreadable
from docserver.ocr.pdf import pdfium, render
from docserver.ocr.pdf.pdfium import NotForPdfium
from docserver.ocr.requests import DrawPage, PageDrawn, ReadPage, View
from docserver.reading_options import Options
from tests.support.limits import LIMITS
from tests.support.pictures import assert_words_in, lightest, opened, scaled
from tests.support.samples import pdf_text
from tests.support.samples.pdf_layers import PROSE, lines, pdf, rewritten

PDF = "application/pdf"

READING = Reading(
    width=2000, height=3000, dpi=300, rotation=0, source=Source.OCR, confidence=90.0, text="", layout=pack_blocks(())
)


def turned(writer: PdfWriter) -> None:
    writer.pages[0].rotate(90)


def cropped(writer: PdfWriter) -> None:
    writer.pages[0].cropbox = RectangleObject((36, 400, 559, 842))


def turned_and_cropped(writer: PdfWriter) -> None:
    cropped(writer)
    writer.pages[0].rotate(270)


PAGE = pdf(lines(PROSE[:20]))
CHANGES: tuple[Callable[[PdfWriter], None], ...] = (turned, cropped, turned_and_cropped)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source.pdf"


def own_text(source: Path) -> Reading:
    """The page's own words, with their places."""
    request = ReadPage(content_type=PDF, page=1, options=Options("eng"))
    return tasks.read_page(request, str(source), replace(LIMITS, scratch=str(source.parent)))


def drawn(
    source: Path, reading: Reading, *, form: str = "PNG", marked: bytes | None = None, **wanted: Any
) -> Image.Image:
    given = {"width": None, "form": "png", "crop": None, "marks_words": False, **wanted}
    request = DrawPage(
        content_type=PDF, page=1, dpi=reading.dpi, view=view(reading, Wanted(**given)), form=form, marked=marked
    )
    limits = replace(LIMITS, scratch=str(source.parent))
    assert tasks.perform(request, str(source), limits) == PageDrawn()
    return opened((source.parent / request.result_file).read_bytes())


def boxes_of(reading: Reading) -> list[Box]:
    return [word.box for word in words_of(reading.blocks)]


@pytest.fixture(params=["pdfium", "poppler"])
def drawing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are drawn by either of the two."""
    if request.param == "poppler":

        def refuse(*_: object, **__: object) -> None:
            raise NotForPdfium("refused by a test")

        monkeypatch.setattr(pdfium, "draw_view", refuse)


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_words_stand_in_their_boxes_on_turned_and_cropped_pages(
    source: Path, drawing: None, change: Callable[[PdfWriter], None] | None
) -> None:
    source.write_bytes(rewritten(PAGE, change) if change else PAGE)
    reading = own_text(source)

    picture = drawn(source, reading, width=1200)

    assert picture.width == 1200
    assert_words_in(picture, scaled(boxes_of(reading), width=reading.width, shown=1200))


def test_a_part_shows_what_is_there_as_large_as_it_is_wanted(source: Path, drawing: None) -> None:
    source.write_bytes(PAGE)
    reading = own_text(source)
    box = boxes_of(reading)[5]
    around = (box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1)

    picture = drawn(source, reading, crop=around, width=600)

    scale = 600 / (around[2] - around[0])
    assert picture.size == (600, round(scale * (around[3] - around[1])))
    edge = round(2 * scale)
    assert_words_in(picture, [(0, 0, *picture.size)])
    ink = picture.convert("L").point(lambda level: 255 * (level < 128)).getbbox()
    assert ink
    # The ink of a word reaches to the edges of its box.
    assert ink[0] <= edge
    assert ink[2] >= picture.width - edge


def test_a_single_pixel_can_be_drawn_as_large_as_anything(source: Path, drawing: None) -> None:
    source.write_bytes(PAGE)

    picture = drawn(source, own_text(source), crop=(10, 10, 11, 11), width=3000)

    assert (picture.size, picture.getextrema()) == ((3000, 3000), ((255, 255),) * 3)


def test_words_are_marked_in_their_boxes_and_nowhere_else(source: Path) -> None:
    source.write_bytes(PAGE)
    reading = own_text(source)

    plain, marked = (drawn(source, reading, width=1000, marked=layout) for layout in (None, reading.layout))

    for x0, y0, x1, y1 in scaled(boxes_of(reading), width=reading.width, shown=1000):
        red, _, blue = marked.crop((x0 + 1, y0 + 1, x1 - 1, y1 - 1)).split()
        # A yellow marker: nothing is blue there.
        assert lightest(blue) < 120 < lightest(red)
        marked.paste(plain.crop((x0 - 3, y0 - 3, x1 + 3, y1 + 3)), (x0 - 3, y0 - 3))
    assert marked.tobytes() == plain.tobytes()


def test_colours_are_shown_and_what_a_picture_says_of_its_place_is_not(source: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.new("RGB", (400, 300), (200, 30, 30)).save(tmp_path / "photo.jpeg", exif=exif)
    request = DrawPage(
        content_type="image/jpeg",
        page=1,
        dpi=None,
        view=View((400, 300), (0, 0, 400, 300), (200, 150)),
        form="WEBP",
        marked=None,
    )

    tasks.perform(request, str(tmp_path / "photo.jpeg"), replace(LIMITS, scratch=str(tmp_path)))

    data = (tmp_path / request.result_file).read_bytes()
    red, green, _ = opened(data).getpixel((100, 75))  # type: ignore[misc]
    assert (red > 180, green < 60, b"a camera" in data) == (True, True, False)


def test_a_page_whose_picture_is_too_large_to_open_is_not_drawn(source: Path) -> None:
    source.write_bytes(pdf_text())

    with pytest.raises(Unreadable) as caught:
        render.draw_view(
            str(source),
            page=2,
            view=View((10, 10), (0, 0, 10, 10), (10, 10)),
            dpi=72,
            max_pixels=1_000_000,
            scratch=source.parent,
        )

    assert caught.value.failure.code is DocumentErrorCode.PAGE_OUT_OF_RANGE


def size_of(*, width: int = 2000, height: int = 3000, **wanted: Any) -> tuple[int, int]:
    given = {"width": None, "form": "png", "crop": None, "marks_words": False, **wanted}
    return view(replace(READING, width=width, height=height), Wanted(**given)).size


def test_a_picture_is_as_wide_as_asked_for_and_otherwise_no_larger_than_the_page() -> None:
    assert size_of() == (1000, 1500)
    assert size_of(width=800, height=90) == (800, 90)
    assert size_of(crop=(0, 0, 300, 100)) == (300, 100)
    assert view(READING, Wanted(3000, "png", None, marks_words=False)).size == (3000, 4500)


@pytest.mark.parametrize("height", [3000, 30_000, 300_000])
def test_no_picture_has_more_pixels_than_are_allowed(height: int) -> None:
    across, down = size_of(width=1000, height=height)

    assert across * down <= MAX_PIXELS
    assert down <= MAX_HEIGHT
    with pytest.raises(Unprocessable, match="pixels wide at most"):
        view(replace(READING, width=1000, height=9000), Wanted(3000, "png", None, marks_words=False))


@pytest.mark.parametrize("crop", [(0, 0, 0, 10), (5, 5, 4, 10), (0, 0, 2001, 10), (0, 10, 10, 10), (0, 0, 10, 3001)])
def test_a_crop_must_be_a_part_of_the_page(crop: Box) -> None:
    with pytest.raises(Unprocessable, match="2000 x 3000") as caught:
        size_of(crop=crop)

    assert caught.value.errors[0]["parameter"] == "crop"
