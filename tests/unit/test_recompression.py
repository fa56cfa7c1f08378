"""PDFs with a lower quality: photos and scans take less space and look alike, and nothing ever grows."""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageChops

from docserver.ocr.searchable import from_image, from_pdf
from docserver.ocr.searchable.recompression import recompress
from tests.support.archival import assert_is_archival
from tests.support.pages import failed
from tests.support.samples import jpeg, png, tiff_1bit, tiff_cmyk
from tests.support.samples.pictures import saved

MAX_PIXELS = 10_000_000
TEXT_BYTES = 5_000
"""What an empty text layer, the profile and the metadata take."""


def photo(mode: str = "RGB") -> Image.Image:
    """Shades with some noise, as a camera sees them."""
    noise = np.random.default_rng(1).normal(0, 6, (600, 400, 3))
    across, down = np.meshgrid(np.linspace(0, 1, 400), np.linspace(0, 1, 600))
    shades = np.stack([across, down, (across + down) / 2], axis=2) * 255 + noise
    return Image.fromarray(shades.clip(0, 255).astype(np.uint8)).convert(mode)


def of_image(
    data: bytes, content_type: str, tmp_path: Path, *, quality: int | None = None, archived: bool = False
) -> Path:
    source, target = tmp_path / "source", tmp_path / f"{quality}-{archived}.pdf"
    source.write_bytes(data)
    from_image.write(
        str(source),
        content_type,
        pages=[failed(1)],
        target=target,
        max_pixels=MAX_PIXELS,
        quality=quality,
        archived=archived,
    )
    if archived:
        assert_is_archival(target)
    return target


@dataclass(frozen=True)
class Shown:
    """The only image of a PDF."""

    image: Image.Image
    filters: list[str]
    space: str
    bits: int


def shown(target: Path) -> Shown:
    with pikepdf.open(target) as opened:
        ((name, _),) = opened.pages[0].Resources.XObject.items()
        image: Any = opened.pages[0].Resources.XObject[name]
        stored = pikepdf.PdfImage(image)
        return Shown(stored.as_pil_image(), stored.filters, str(stored.colorspace), stored.bits_per_component)


def psnr(first: Image.Image, second: Image.Image) -> float:
    """How alike two images are, in decibels: differences are hardly seen above 30."""
    difference = np.asarray(ImageChops.difference(first, second), dtype=float)
    error = float((difference**2).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def in_pdf(image: Image.Image, **more: object) -> pikepdf.Pdf:
    """A PDF with an image that is stored without loss."""
    pdf = pikepdf.new()
    pdf.add_blank_page()
    stored = pdf.make_stream(
        image.tobytes(),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=image.width,
        Height=image.height,
        BitsPerComponent=8,
        ColorSpace=Name.DeviceRGB if image.mode == "RGB" else Name.DeviceGray,
    )
    for key, value in more.items():
        stored[f"/{key}"] = value
    pdf.pages[0].Resources = Dictionary(XObject=Dictionary(Photo=stored))
    return pdf


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("archived", [False, True])
def test_a_photo_takes_less_space_and_looks_alike(*, mode: str, archived: bool, tmp_path: Path) -> None:
    image = photo(mode)
    data = saved(image, "JPEG", quality=95)

    target = of_image(data, "image/jpeg", tmp_path, quality=50, archived=archived)

    assert target.stat().st_size < len(data) / 2
    assert psnr(shown(target).image.convert(mode), image) > 30


@pytest.mark.parametrize("archived", [False, True])
def test_a_photo_that_would_grow_keeps_its_bytes(*, archived: bool, tmp_path: Path) -> None:
    data = saved(photo(), "JPEG", quality=30)

    target = of_image(data, "image/jpeg", tmp_path, quality=95, archived=archived)

    assert data in target.read_bytes()
    assert target.stat().st_size <= len(data) + TEXT_BYTES


def test_lower_quality_takes_less_space(tmp_path: Path) -> None:
    data = saved(photo(), "PNG")

    sizes = [of_image(data, "image/png", tmp_path, quality=quality).stat().st_size for quality in (90, 60, 20)]

    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] < len(data)


def test_letters_without_shades_are_stored_without_loss(tmp_path: Path) -> None:
    target = of_image(png(), "image/png", tmp_path, quality=50)

    assert shown(target).filters == ["/FlateDecode"]


@pytest.mark.parametrize("archived", [False, True])
def test_black_and_white_stays_black_and_white(*, archived: bool, tmp_path: Path) -> None:
    target = of_image(tiff_1bit(), "image/tiff", tmp_path, quality=10, archived=archived)

    assert (shown(target).filters, shown(target).bits) == (["/CCITTFaxDecode"], 1)


@pytest.mark.parametrize("content_type", ["image/tiff", "image/jpeg"])
def test_colours_for_printers_become_rgb_in_a_pdfa(content_type: str, tmp_path: Path) -> None:
    cmyk = photo().convert("CMYK")
    data = tiff_cmyk() if content_type == "image/tiff" else saved(cmyk, "JPEG", quality=90)

    target = of_image(data, content_type, tmp_path, archived=True)

    assert shown(target).space == "/DeviceRGB"
    if content_type == "image/jpeg":
        assert psnr(shown(target).image, cmyk.convert("RGB")) > 30


def test_a_jpeg_that_breaks_off_keeps_its_bytes(tmp_path: Path) -> None:
    data = jpeg()[:-400]

    assert data in of_image(data, "image/jpeg", tmp_path, quality=10).read_bytes()


def test_a_photo_in_a_pdf_is_compressed_again(tmp_path: Path) -> None:
    image, source, target = photo(), tmp_path / "source.pdf", tmp_path / "target.pdf"
    in_pdf(image).save(source)

    from_pdf.write(str(source), pages=[failed(1)], target=target, max_pixels=MAX_PIXELS, quality=60)

    assert target.stat().st_size < source.stat().st_size / 5
    assert psnr(shown(target).image, image) > 30


def test_a_jpeg_in_a_pdf_is_compressed_again_only_if_it_shrinks() -> None:
    data = saved(photo(), "JPEG", quality=70)
    pdf = in_pdf(photo())
    stored = pdf.pages[0].Resources.XObject.Photo
    stored.write(data, filter=Name.DCTDecode)

    recompress(pdf, quality=95, max_pixels=MAX_PIXELS)
    assert stored.read_raw_bytes() == data

    recompress(pdf, quality=30, max_pixels=MAX_PIXELS)
    assert len(stored.read_raw_bytes()) < len(data)
    with Image.open(io.BytesIO(stored.read_raw_bytes())) as image:
        assert image.size == photo().size


@pytest.mark.parametrize(
    "more",
    [
        {"Mask": Array([0, 10, 0, 10, 0, 10])},
        {"Decode": Array([1, 0, 1, 0, 1, 0])},
        {"Width": 4000, "Height": 4000},
        {"Height": 601},
        {"BitsPerComponent": 16},
        {"ColorSpace": Array([Name.Indexed, Name.DeviceRGB, 255, b"\0" * 768])},
        {"ColorSpace": Name.DeviceCMYK},
    ],
    ids=["a colour is transparent", "inverted", "too large", "too short", "16 bits", "indexed", "for printers"],
)
def test_an_image_whose_pixels_mean_something_else_stays(more: dict[str, object]) -> None:
    pdf = in_pdf(photo(), **more)
    before = pdf.pages[0].Resources.XObject.Photo.read_raw_bytes()

    recompress(pdf, quality=10, max_pixels=MAX_PIXELS)

    assert pdf.pages[0].Resources.XObject.Photo.read_raw_bytes() == before


def test_soft_masks_stay_and_what_they_mask_shrinks() -> None:
    pdf = in_pdf(photo())
    masked = pdf.pages[0].Resources.XObject.Photo
    with in_pdf(photo("L")) as other:
        masked.SMask = pdf.copy_foreign(other.pages[0].Resources.XObject.Photo)
    before = masked.SMask.read_raw_bytes()

    recompress(pdf, quality=50, max_pixels=MAX_PIXELS)

    assert masked.SMask.read_raw_bytes() == before
    assert masked.Filter == Name.DCTDecode


def test_a_photo_with_a_profile_keeps_it() -> None:
    pdf = in_pdf(photo())
    stored = pdf.pages[0].Resources.XObject.Photo
    stored.ColorSpace = Array([Name.ICCBased, pdf.make_stream(b"profile", N=3)])

    recompress(pdf, quality=50, max_pixels=MAX_PIXELS)

    assert stored.ColorSpace[0] == Name.ICCBased
    assert stored.Filter == Name.DCTDecode
