"""PDF pages with images that have more pixels than a page may have."""

import io
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Dictionary, Name
from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import TextLayerRejected, Unreadable
from docserver.ocr.pdf import pdfium
from docserver.ocr.pdf.coordinates import PointsToPixels

MAX_PIXELS = 100_000
SIDE = 100


def page_with(path: Path, *, size: tuple[int, int], bits: int = 8, coding: str = "", uses: int = 1) -> str:
    """A page of 100 x 100 points that is filled by an image, black above and white below."""
    width, height = size
    row = -(-width * bits // 8)
    data = bytes(row * (height // 2)) + b"\xff" * (row * (height - height // 2))
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(SIDE, SIDE))
        if coding:
            target = io.BytesIO()
            Image.frombytes("L", size, data).save(target, coding)
            image = pdf.make_stream(target.getvalue(), Filter=Name("/JPXDecode"))
        else:
            image = pdf.make_stream(data)
        image.stream_dict.update(
            Dictionary(
                Type=Name.XObject,
                Subtype=Name.Image,
                Width=width,
                Height=height,
                ColorSpace=Name.DeviceGray,
                BitsPerComponent=bits,
            )
        )
        pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(I=image))
        pdf.pages[0].obj.Contents = pdf.make_stream(b"q 100 0 0 100 0 0 cm /I Do Q\n" * uses)
        pdf.save(path)
    return str(path)


@pytest.mark.parametrize(("size", "bits"), [((40_000, 8), 8), ((8, 40_000), 8), ((1500, 1500), 1)])
def test_a_page_is_drawn_at_its_own_size_whatever_its_picture_has(
    *, size: tuple[int, int], bits: int, tmp_path: Path
) -> None:
    source = page_with(tmp_path / "a.pdf", size=size, bits=bits)

    image = pdfium.draw(source, page=1, dpi=72, max_pixels=MAX_PIXELS).image

    assert image.size == (SIDE, SIDE)
    assert (image.getpixel((50, 20)), image.getpixel((50, 80))) == (0, 255)


@pytest.mark.parametrize(
    ("size", "bits", "coding", "uses"),
    [((1000, 1000), 8, "", 1), ((1500, 1500), 1, "", 2), ((400, 300), 8, "JPEG2000", 1)],
)
def test_a_picture_that_would_take_more_memory_than_the_largest_page_is_refused(
    *, size: tuple[int, int], bits: int, coding: str, uses: int, tmp_path: Path
) -> None:
    source = page_with(tmp_path / "a.pdf", size=size, bits=bits, coding=coding, uses=uses)

    with pytest.raises(Unreadable) as caught:
        pdfium.draw(source, page=1, dpi=72, max_pixels=MAX_PIXELS)

    assert caught.value.failure.code is DocumentErrorCode.TOO_MANY_PIXELS


def cropped_to_nothing(path: Path) -> str:
    with pikepdf.open(page_with(path.with_suffix(".whole.pdf"), size=(8, 8))) as pdf:
        pdf.pages[0].CropBox = pikepdf.Array([1000, 1000, 1100, 1100])
        pdf.save(path)
    return str(path)


def test_a_page_that_is_cropped_to_nothing_is_drawn_whole(tmp_path: Path) -> None:
    source = cropped_to_nothing(tmp_path / "a.pdf")

    image = pdfium.draw(source, page=1, dpi=72, max_pixels=MAX_PIXELS).image

    assert image.size == (SIDE, SIDE)
    assert (image.getpixel((50, 20)), image.getpixel((50, 80))) == (0, 255)


def test_a_page_that_is_cropped_to_nothing_has_no_place_for_words(tmp_path: Path) -> None:
    with (
        pdfium.opened(cropped_to_nothing(tmp_path / "a.pdf")) as document,
        pytest.raises(TextLayerRejected, match="the page has no area"),
    ):
        PointsToPixels.of_page(document[0], width=SIDE, height=SIDE)
