"""Searchable PDFs made of pictures: the picture as it came, upright, as large as its paper, with the words over it."""

import io
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from PIL import ExifTags, Image, ImageChops

from docserver.model import Page
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode
from docserver.ocr.searchable import from_image
from docserver.ocr.searchable.jpeg import read_header
from tests.support.pages import failed, page, paragraph, read
from tests.support.poppler import assert_words_lie_where_they_were_read, run, seen
from tests.support.samples import KINDS, PAGES, picture, tiff_1bit, tiff_pages
from tests.support.samples.pictures import saved

DPI = 100

SAME = 6.0
"""Levels of grey: what poppler changes where pixels do not meet exactly; a letter in another place changes over 20."""


def made(data: bytes, content_type: str, pages: list[Page], tmp_path: Path) -> Path:
    source, target = tmp_path / "source", tmp_path / "target.pdf"
    source.write_bytes(data)
    from_image.write(str(source), content_type, pages=pages, target=target, max_pixels=10_000_000)
    with pikepdf.open(target) as pdf:
        assert pdf.check_pdf_syntax() == []
    return target


def of_size(width: int, height: int, *, dpi: int | None = DPI) -> Page:
    """A page of a picture of this size, with a word in it."""
    given = read([paragraph("word", top=20)])
    assert given.reading
    return replace(given, reading=replace(given.reading, width=width, height=height, dpi=dpi))


def drawn(target: Path, tmp_path: Path, *, dpi: int = DPI) -> Image.Image:
    run("pdftoppm", "-png", "-r", str(dpi), "-f", "1", "-l", "1", target, tmp_path / "drawn")
    (path,) = tmp_path.glob("drawn*.png")
    with Image.open(path) as image:
        image.load()
    return image


def difference(first: Image.Image, second: Image.Image) -> float:
    """The mean difference of two pictures in levels of grey."""
    # Poppler rounds up what is a hair more than whole pixels.
    assert first.size == pytest.approx(second.size, abs=1)
    cut = first.convert("L").crop((0, 0, *second.size))
    histogram = ImageChops.difference(cut, second.convert("L")).histogram()
    return sum(level * count for level, count in enumerate(histogram)) / sum(histogram)


def shown(data: bytes, content_type: str, tmp_path: Path) -> Image.Image:
    """The picture as it was read."""
    (tmp_path / "shown").write_bytes(data)
    return decode.decode(str(tmp_path / "shown"), content_type, page=1, max_pixels=10_000_000).image


PICTURES = [name for name, sample in KINDS.items() if sample.content_type.startswith("image/")]


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_of_any_kind_is_shown_as_it_is(kind: str, tmp_path: Path) -> None:
    sample = KINDS[kind]
    image = shown(sample.data(), sample.content_type, tmp_path)

    target = made(sample.data(), sample.content_type, [of_size(*image.size)], tmp_path)

    assert difference(drawn(target, tmp_path), image) < SAME
    assert "word" in run("pdftotext", target, "-")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_however_the_camera_was_held_and_its_bytes_stay(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = saved(picture("Up").convert("RGB"), "JPEG", quality=95, exif=exif)
    image = shown(data, "image/jpeg", tmp_path)

    target = made(data, "image/jpeg", [of_size(*image.size)], tmp_path)

    assert difference(drawn(target, tmp_path), image) < SAME
    assert data in target.read_bytes()


def test_four_colours_come_out_as_they_were_meant(tmp_path: Path) -> None:
    data = saved(picture("Ink").convert("CMYK"), "JPEG", quality=95)
    image = shown(data, "image/jpeg", tmp_path)

    target = made(data, "image/jpeg", [of_size(*image.size)], tmp_path)

    assert data in target.read_bytes()
    assert difference(drawn(target, tmp_path), image) < SAME


def test_black_and_white_is_compressed_as_by_fax_machines(tmp_path: Path) -> None:
    target = made(tiff_1bit(), "image/tiff", [of_size(*picture().size)], tmp_path)

    with pikepdf.open(target) as pdf:
        scan = pdf.pages[0].Resources.XObject.Scan
        assert scan.Filter == pikepdf.Name.CCITTFaxDecode
        assert int(scan.BitsPerComponent) == 1
        assert len(scan.read_raw_bytes()) < 3000


@pytest.mark.parametrize(("dpi", "expected"), [(100, 100), (300, 300), (None, 300)])
def test_a_page_is_as_large_as_its_paper(dpi: int | None, expected: int, tmp_path: Path) -> None:
    data = saved(Image.new("L", (600, 300), 255), "PNG")

    target = made(data, "image/png", [of_size(600, 300, dpi=dpi)], tmp_path)

    with pikepdf.open(target) as pdf:
        assert [float(side) for side in pdf.pages[0].mediabox] == [0, 0, 600 * 72 / expected, 300 * 72 / expected]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (21_000, 3)])
def test_a_page_is_never_of_a_size_that_viewers_refuse(size: tuple[int, int], tmp_path: Path) -> None:
    target = made(saved(Image.new("L", size), "PNG"), "image/png", [of_size(*size, dpi=72)], tmp_path)

    with pikepdf.open(target) as pdf:
        sides = [float(side) for side in pdf.pages[0].mediabox][2:]
    assert max(sides) <= 14_400
    assert size == (21_000, 3) or min(sides) >= 3


def test_words_lie_over_the_picture_where_they_were_read(tmp_path: Path) -> None:
    given = page("The quick brown fox", "jumps over")
    assert given.reading
    data = saved(Image.new("1", (given.reading.width, given.reading.height), 1), "PNG")

    target = made(data, "image/png", [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given, scale=72 / 300)


def test_a_picture_that_lies_on_its_side_is_shown_upright(tmp_path: Path) -> None:
    lying = saved(picture("Up").rotate(90, expand=True), "PNG")
    given = of_size(*picture("Up").size[::-1])
    assert given.reading

    target = made(lying, "image/png", [replace(given, reading=replace(given.reading, rotation=90))], tmp_path)

    assert difference(drawn(target, tmp_path), picture("Up")) < SAME


def test_the_difference_shows_a_turned_picture() -> None:
    assert difference(picture("Up").rotate(180), picture("Up")) > SAME


def test_each_page_of_a_tiff_becomes_a_page_and_a_failed_one_an_empty_sheet(tmp_path: Path) -> None:
    pages = [page(PAGES[0]), page(PAGES[2], number=3), failed(9)]

    target = made(tiff_pages(PAGES), "image/tiff", pages, tmp_path)

    with pikepdf.open(target) as pdf:
        assert [len(page.Resources.get("/XObject", {})) for page in pdf.pages] == [1, 1, 0]
    assert [text.split() for text in run("pdftotext", target, "-").split("\f")[:2]] == [
        PAGES[0].split(),
        PAGES[2].split(),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xff\xff",
        b"\xff\xd8\xff\xe0\x00\x01",
        b"\xff\xd8\xff\xc3\x00\x11\x08\x00\x10\x00\x10\x03" + bytes(9),
        b"\xff\xd8\xff\xc0\x00\x11\x0c\x00\x10\x00\x10\x03" + bytes(9),
        b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x10\x03" + bytes(9),
        b"\xff\xd8\xff\xc0\x00\x04\x08\x00",
        b"\xff\xd8\xff\xda\x00\x02",
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 6000,
    ],
)
def test_a_jpeg_that_pdf_viewers_cannot_show_is_not_embedded(data: bytes) -> None:
    assert read_header(io.BytesIO(data)) is None


def test_a_page_that_was_not_read_shows_its_picture_without_text(tmp_path: Path) -> None:
    target = made(saved(picture(), "PNG"), "image/png", [failed()], tmp_path)

    with pikepdf.open(target) as pdf:
        assert list(pdf.pages[0].Resources.XObject) == ["/Scan"]
    assert run("pdftotext", target, "-").strip() == ""


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png"])
def test_a_picture_that_cannot_be_decoded_is_an_empty_page_if_it_was_not_read(
    content_type: str, tmp_path: Path
) -> None:
    target = made(b"no picture", content_type, [failed()], tmp_path)

    with pikepdf.open(target) as pdf:
        assert len(pdf.pages) == 1
        assert "/XObject" not in pdf.pages[0].Resources
    with pytest.raises(Unreadable):
        made(b"no picture", content_type, [page("words")], tmp_path)
