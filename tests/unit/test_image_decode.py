"""Pictures of every kind become plain ones as a viewer shows them; hostile ones are refused before decoding."""

import base64
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode, exif_orientation
from tests.support.samples.tiffs import TiffFile

SIZE = (60, 40)

TEN_BITS = base64.b64decode(
    "/0//UQAvAAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAADCQEBCQEBCQEB/1IADAAAAAEBAAQEAAH/XAAEQFD/ZAAl"
    "AAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAACHAAH/k9+zoIxFA0rYqe/MG/aAAAADCQl8htFAAAAB"
    "hIS7r1gAYSEvBJsAAMJCXgC0AAGEhLwBaAADCQl4AtAABhIS8AWgAAwkJeALQAAYSEvAFoAAMJCXgC0AAGEhLwBaAADCQl4AtAAB"
    "hIS8AWgAAwkJeALQAAYSEv9/gID/2Q=="
)
"""A JPEG 2000 codestream of 16 x 16 pixels in RGB with 10 bits, white above and black below. Pillow cannot write it."""

TEN_BITS_AND_TRANSPARENCY = base64.b64decode(
    "/0//UQAsAAAAAAAEAAAABAAAAAAAAAAAAAAABAAAAAQAAAAAAAAAAAACCQEBCQEB/1IADAAAAAEAAAQEAAH/XAAEQFD/ZAAlAAFD"
    "cmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAAAcAAH/k8/MEBQAXK/PzBAUAFyv/9k="
)
"""The same in grey with transparency, of 4 x 4 opaque white pixels."""


def picture(mode: str = "L") -> Image.Image:
    """White, with a black square at the top left."""
    image = Image.new("L", SIZE, 255)
    ImageDraw.Draw(image).rectangle((0, 0, 19, 19), fill=0)
    return image.convert(mode)


def decoded(
    source: Path, content_type: str, *, page: int = 1, max_pixels: int = 10_000
) -> tuple[decode.Picture, Image.Image]:
    picture = decode.decode(str(source), content_type, page=page, max_pixels=max_pixels)
    return picture, picture.image


def is_black_at(image: Image.Image, *, x: int, y: int) -> bool:
    value = image.convert("L").getpixel((x, y))
    assert isinstance(value, int)
    return value < 64


def assert_upright(image: Image.Image) -> None:
    assert image.size == SIZE
    assert is_black_at(image, x=5, y=5)
    assert not is_black_at(image, x=50, y=5)
    assert not is_black_at(image, x=5, y=30)


@pytest.mark.parametrize(
    ("mode", "name", "content_type", "result"),
    [
        ("1", "a.png", "image/png", "1"),
        ("L", "a.png", "image/png", "L"),
        ("RGB", "a.png", "image/png", "RGB"),
        ("P", "a.png", "image/png", "L"),
        ("RGB", "a.jpg", "image/jpeg", "RGB"),
        ("CMYK", "a.jpg", "image/jpeg", "RGB"),
        ("CMYK", "a.tif", "image/tiff", "RGB"),
        ("LAB", "a.tif", "image/tiff", "RGB"),
        ("YCbCr", "a.tif", "image/tiff", "RGB"),
        ("F", "a.tif", "image/tiff", "L"),
        ("I", "a.tif", "image/tiff", "L"),
        ("1", "a.tif", "image/tiff", "1"),
        ("RGB", "a.webp", "image/webp", "RGB"),
        ("P", "a.gif", "image/gif", "L"),
        ("1", "a.bmp", "image/bmp", "1"),
        ("L", "a.jp2", "image/jp2", "L"),
        ("RGB", "a.avif", "image/avif", "RGB"),
    ],
)
def test_every_kind_of_picture_becomes_plain(
    mode: str, name: str, content_type: str, result: str, tmp_path: Path
) -> None:
    source = tmp_path / name
    # Pillow does not convert straight to LAB from grey; neutral LAB is L with both colour axes in the middle.
    image = Image.merge("LAB", (picture(), *(Image.new("L", SIZE, 128),) * 2)) if mode == "LAB" else picture(mode)
    image.save(source)

    _, plain = decoded(source, content_type)

    assert plain.mode == result
    assert_upright(plain)


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_sixteen_bit_grey_is_scaled_by_the_bits_it_uses(depth: int, tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    factor = (2**depth - 1) / 255
    picture("F").point(lambda value: value * factor + 0).convert("I").convert("I;16").save(source)

    _, plain = decoded(source, "image/tiff")

    assert plain.histogram()[0] and plain.histogram()[255]
    assert_upright(plain)


def test_a_transparent_page_is_laid_on_white(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    ink = picture().point(lambda value: 255 - value)
    Image.merge("LA", (Image.new("L", SIZE, 0), ink)).save(source)

    _, plain = decoded(source, "image/png")

    assert_upright(plain)


def test_white_text_on_nothing_is_laid_on_black(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    ink = picture().point(lambda value: 255 - value)
    Image.merge("LA", (Image.new("L", SIZE, 255), ink)).save(source)

    _, plain = decoded(source, "image/png")

    assert plain.histogram()[0] and plain.histogram()[255]
    assert not is_black_at(plain, x=5, y=5)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_a_picture_that_is_transparent_all_over_shows_its_colours(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "a"
    transparent = picture("RGB").convert("RGBA")
    transparent.putalpha(0)
    transparent.save(source, kind)

    _, plain = decoded(source, f"image/{kind}")

    assert_upright(plain)


def test_a_palette_with_a_transparent_colour_loses_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.gif"
    picture("P").save(source, transparency=255)

    _, plain = decoded(source, "image/gif")

    assert_upright(plain)


@pytest.mark.parametrize(
    ("orientation", "method"),
    [
        (3, Image.Transpose.ROTATE_180),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
    ],
)
@pytest.mark.parametrize(
    ("name", "content_type"), [("a.jpg", "image/jpeg"), ("a.png", "image/png"), ("a.tif", "image/tiff")]
)
def test_a_turned_picture_is_set_upright(
    *, orientation: int, method: Image.Transpose, name: str, content_type: str, tmp_path: Path
) -> None:
    source = tmp_path / name
    exif = Image.Exif()
    exif[exif_orientation.TAG] = orientation
    picture().transpose(method).save(source, exif=exif)

    _, plain = decoded(source, content_type)

    assert_upright(plain)


def test_the_resolution_is_the_files_own_if_credible(tmp_path: Path) -> None:
    for name, content_type in (("a.png", "image/png"), ("a.jpg", "image/jpeg"), ("a.tif", "image/tiff")):
        picture().save(tmp_path / name, dpi=(200, 200))
        assert decoded(tmp_path / name, content_type)[0].dpi == 200
        picture().save(tmp_path / name, dpi=(1, 1))
        assert decoded(tmp_path / name, content_type)[0].dpi is None
        picture().save(tmp_path / name)
        assert decoded(tmp_path / name, content_type)[0].dpi is None


def test_every_image_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    picture().save(source, save_all=True, append_images=[picture().transpose(Image.Transpose.ROTATE_180)])

    assert decode.count_pages(str(source), "image/tiff", max_pages=2, max_pixels=10_000) == 2
    assert_upright(decoded(source, "image/tiff")[1])
    assert is_black_at(decoded(source, "image/tiff", page=2)[1], x=55, y=35)


@pytest.mark.parametrize(
    ("name", "content_type"), [("a.gif", "image/gif"), ("a.png", "image/png"), ("a.webp", "image/webp")]
)
def test_an_animation_is_one_page(name: str, content_type: str, tmp_path: Path) -> None:
    source = tmp_path / name
    picture().save(source, save_all=True, append_images=[picture().transpose(Image.Transpose.ROTATE_180)])

    assert decode.count_pages(str(source), content_type, max_pages=9, max_pixels=10_000) == 1
    assert_upright(decoded(source, content_type)[1])


def refused(source: Path, content_type: str, *, page: int = 1, max_pages: int = 3) -> DocumentErrorCode:
    with pytest.raises(Unreadable) as caught:
        decode.count_pages(str(source), content_type, max_pages=max_pages, max_pixels=10_000)
        decoded(source, content_type, page=page)
    assert str(source) not in caught.value.failure.message
    return caught.value.failure.code


def test_a_tiff_with_more_pages_than_allowed_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    picture().save(source, save_all=True, append_images=[picture()] * 3)

    assert refused(source, "image/tiff") is DocumentErrorCode.TOO_MANY_PAGES


def test_a_tiff_whose_page_chain_loops_comes_to_an_end(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    picture().save(source)
    data = bytearray(source.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    source.write_bytes(data)

    assert decode.count_pages(str(source), "image/tiff", max_pages=3, max_pixels=10_000) == 1


def test_a_page_that_a_file_does_not_have_is_out_of_range(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.tif")
    picture().save(tmp_path / "a.png")

    assert refused(tmp_path / "a.tif", "image/tiff", page=2) is DocumentErrorCode.PAGE_OUT_OF_RANGE
    assert refused(tmp_path / "a.png", "image/png", page=2) is DocumentErrorCode.PAGE_OUT_OF_RANGE


def test_too_many_pixels_are_refused_with_the_numbers(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("L", (200, 100)).save(source)

    with pytest.raises(Unreadable) as caught:
        decode.count_pages(str(source), "image/png", max_pages=1, max_pixels=10_000)

    assert caught.value.failure.code is DocumentErrorCode.TOO_MANY_PIXELS
    assert "200 x 100" in caught.value.failure.message


def test_the_size_of_a_later_page_is_checked_too(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    picture().save(source, save_all=True, append_images=[Image.new("L", (200, 100))])

    assert refused(source, "image/tiff", page=2) is DocumentErrorCode.TOO_MANY_PIXELS


def test_a_side_longer_than_tesseract_can_count_is_refused() -> None:
    with pytest.raises(Unreadable) as caught:
        decode.check_size(decode.MAX_SIDE + 1, 1, max_pixels=10**9)

    assert caught.value.failure.code is DocumentErrorCode.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.tif", "image/tiff"),
        ("a.webp", "image/webp"),
        ("a.gif", "image/gif"),
    ],
)
@pytest.mark.parametrize("kept", [0.1, 0.6])
def test_a_picture_cut_short_is_corrupt(name: str, content_type: str, kept: float, tmp_path: Path) -> None:
    source = tmp_path / name
    Image.effect_noise(SIZE, 80).save(source)
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * kept)])

    assert refused(source, content_type) is DocumentErrorCode.CORRUPT


def test_a_file_is_opened_by_the_decoder_of_its_type_alone(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")

    assert refused(source, "image/png") is DocumentErrorCode.CORRUPT


@pytest.mark.parametrize(
    ("mode", "dpi", "height"),
    [("1", (204, 98), 2.08), ("1", (200, 200), 1.0), ("1", (300, 30), 1.0), ("L", (204, 98), 1.0)],
)
def test_the_pixels_of_a_fax_are_higher_than_wide(
    mode: str, dpi: tuple[int, int], height: float, tmp_path: Path
) -> None:
    picture(mode).save(tmp_path / "a.tif", dpi=dpi)

    found, _ = decoded(tmp_path / "a.tif", "image/tiff")

    assert found.pixel_height == pytest.approx(height, abs=0.01)


def test_a_fax_that_would_be_too_long_keeps_its_pixels(tmp_path: Path) -> None:
    Image.new("1", (10, 20_000), 1).save(tmp_path / "a.tif", dpi=(204, 98))

    found, _ = decoded(tmp_path / "a.tif", "image/tiff", max_pixels=1_000_000)

    assert found.pixel_height == 1.0


def floating(*values: float) -> Image.Image:
    """A row of these brightnesses."""
    image = Image.new("F", (len(values), 1))
    image.putdata(values)
    return image


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_brightness_that_is_no_number_is_not_supported(value: float, tmp_path: Path) -> None:
    floating(0.0, value, 1.0).save(tmp_path / "a.tif")

    with pytest.raises(Unreadable) as caught:
        decoded(tmp_path / "a.tif", "image/tiff")

    assert caught.value.failure.code is DocumentErrorCode.UNSUPPORTED


@pytest.mark.parametrize("values", [(0.0, 1.0), (-5.0, 5.0), (0.0, 255.0)])
def test_brightness_of_any_range_becomes_black_and_white(values: tuple[float, float], tmp_path: Path) -> None:
    floating(*values).save(tmp_path / "a.tif")

    _, image = decoded(tmp_path / "a.tif", "image/tiff")

    assert image.getextrema() == (0, 255)


def test_a_resolution_that_is_no_number_is_unknown(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        opened.info["dpi"] = (float("inf"), float("inf"))
        assert decode._dpi(opened) is None


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_a_picture_without_area_is_corrupt(size: tuple[int, int]) -> None:
    with pytest.raises(Unreadable) as caught:
        decode.check_size(*size, max_pixels=100)

    assert caught.value.failure.code is DocumentErrorCode.CORRUPT


def test_white_in_a_colour_jpeg_2000_picture_of_ten_bits_stays_white(tmp_path: Path) -> None:
    source = tmp_path / "a.jp2"
    source.write_bytes(TEN_BITS)

    _, plain = decoded(source, "image/jp2")

    assert (plain.getpixel((0, 0)), plain.getpixel((0, 15))) == ((255, 255, 255), (0, 0, 0))


def test_white_in_a_colour_jpeg_2000_picture_of_ten_bits_in_a_tiff_stays_white(tmp_path: Path) -> None:
    file = TiffFile()
    offsets, sizes = file.segments([TEN_BITS])
    file.directory({256: 16, 257: 16, 258: [16] * 3, 259: 34712, 262: 2, 273: offsets, 277: 3, 279: sizes})

    _, plain = decoded(file.save(tmp_path / "a.tif"), "image/tiff")

    assert (plain.getpixel((0, 0)), plain.getpixel((0, 15))) == ((255, 255, 255), (0, 0, 0))


def test_a_jpeg_2000_picture_of_ten_bits_with_transparency_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.jp2"
    source.write_bytes(TEN_BITS_AND_TRANSPARENCY)

    with pytest.raises(Unreadable) as caught:
        decoded(source, "image/jp2")

    assert caught.value.failure.code is DocumentErrorCode.UNSUPPORTED
    assert "2 channels with 10 bits" in caught.value.failure.message


def test_of_transparent_pictures_an_invisible_one_is_white_and_a_coloured_one_keeps_its_colours(tmp_path: Path) -> None:
    invisible, coloured = tmp_path / "invisible.png", tmp_path / "coloured.png"
    Image.new("RGBA", SIZE, (0, 0, 0, 0)).save(invisible)
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 20))
    image.save(coloured)

    _, white = decoded(invisible, "image/png")
    _, red = decoded(coloured, "image/png")

    assert white.getcolors() == [(SIZE[0] * SIZE[1], 255)]
    assert red.getpixel((5, 5)) == (255, 0, 0)
    assert red.getpixel((50, 30)) == (255, 255, 255)
