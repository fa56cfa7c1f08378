"""Parts of picture files are shown as if all of the file were decoded, however small the decoder makes it itself."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from docserver.layout import Box
from docserver.ocr.image import decode, exif_orientation, jpeg2000, scaling
from tests.support.samples.pictures import saved

SIZE = (805, 601)
"""No multiple of 2 and more."""

ALL: Box = (0, 0, *SIZE)
PARTS: list[tuple[Box, tuple[int, int]]] = [
    (ALL, (200, 149)),
    (ALL, (402, 300)),
    ((101, 203, 805, 601), (100, 57)),
    ((3, 5, 403, 405), (100, 100)),
    ((301, 99, 341, 119), (400, 200)),
]
"""Parts, and the sizes in which they are shown: at a quarter or more, at less than a half, at an edge, and larger."""

STORED: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored that an orientation turns back."""


@cache
def shapes(mode: str = "RGB") -> Image.Image:
    """Something different in each corner, with soft edges, which every way to halve a picture keeps."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 50, 300, 120), fill="black")
    draw.ellipse((500, 40, 760, 220), fill="red")
    draw.rectangle((40, 400, 140, 570), fill="blue")
    draw.line((420, 560, 770, 380), fill="darkgreen", width=30)
    return image.filter(ImageFilter.GaussianBlur(6)).convert(mode)


def assert_as_if_all_were_decoded(source: Path, content_type: str, part: Box, size: tuple[int, int]) -> None:
    whole = decode.decode(str(source), content_type, page=1, max_pixels=10**6).image
    shown = decode.decode_part(str(source), content_type, page=1, part=part, size=size, max_pixels=10**6)

    assert (whole.size, shown.size) == (SIZE, size)
    difference = ImageStat.Stat(ImageChops.difference(shown, scaling.resized(whole, part, size)))
    # If it stood half a pixel of the file beside its place, it would differ by 0.6 on the average, and by 12 somewhere.
    assert max(difference.mean) < 0.3
    assert max(high for _, high in difference.extrema) < 9


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_of_any_orientation_is_shown_as_if_all_were_decoded(tmp_path: Path, orientation: int) -> None:
    image, exif = shapes(), Image.Exif()
    exif[exif_orientation.TAG] = orientation
    stored = image.transpose(STORED[orientation]) if orientation in STORED else image
    (tmp_path / "a.jpg").write_bytes(saved(stored, "JPEG", quality=95, exif=exif))

    for part, size in PARTS:
        assert_as_if_all_were_decoded(tmp_path / "a.jpg", "image/jpeg", part, size)


@pytest.mark.parametrize(
    ("kind", "content_type", "mode", "options"),
    [
        ("JPEG", "image/jpeg", "L", {}),
        ("JPEG", "image/jpeg", "CMYK", {"progressive": True}),
        ("JPEG2000", "image/jp2", "L", {}),
        ("JPEG2000", "image/jp2", "RGB", {"irreversible": True}),
        ("JPEG2000", "image/jp2", "RGB", {"tile_size": (256, 256)}),
        ("JPEG2000", "image/jp2", "RGB", {"num_resolutions": 2}),
        ("JPEG2000", "image/jp2", "RGB", {"num_resolutions": 1}),
        ("JPEG2000", "image/jp2", "RGBA", {}),
        ("PNG", "image/png", "1", {}),
        ("PNG", "image/png", "P", {}),
        ("TIFF", "image/tiff", "RGB", {"compression": "jpeg"}),
        ("WEBP", "image/webp", "RGB", {}),
    ],
)
def test_every_kind_of_picture_is_shown_as_if_all_were_decoded(
    tmp_path: Path, kind: str, content_type: str, mode: str, options: dict[str, Any]
) -> None:
    (tmp_path / "a").write_bytes(saved(shapes(mode), kind, **options))

    for part, size in PARTS:
        assert_as_if_all_were_decoded(tmp_path / "a", content_type, part, size)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_turned_tiff_is_shown_as_if_all_were_decoded(tmp_path: Path, orientation: int) -> None:
    image, exif = shapes(), Image.Exif()
    exif[exif_orientation.TAG] = orientation
    stored = image.transpose(STORED[orientation]) if orientation in STORED else image
    (tmp_path / "a.tif").write_bytes(saved(stored, "TIFF", exif=exif))

    for part, size in PARTS:
        assert_as_if_all_were_decoded(tmp_path / "a.tif", "image/tiff", part, size)


@pytest.mark.parametrize(
    ("part", "size", "decoded"),
    [
        (ALL, (100, 75), (101, 76)),
        (ALL, (200, 149), (202, 151)),
        (ALL, (300, 224), (403, 301)),
        (ALL, (403, 301), SIZE),
        ((400, 300, 600, 450), (100, 75), (403, 301)),
        ((400, 300, 600, 450), (200, 150), SIZE),
    ],
)
def test_no_more_of_a_jpeg_is_decoded_than_is_shown(part: Box, size: tuple[int, int], decoded: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(saved(shapes(), "JPEG"))) as image:
        scaling.part_of(image, part, size)

    assert image.size == decoded


@pytest.mark.parametrize(
    ("shown", "options", "decoded"),
    [
        (100, {}, (403, 301)),
        (300, {}, (403, 301)),
        (403, {}, SIZE),
        (100, {"num_resolutions": 1}, SIZE),
    ],
)
def test_no_more_of_a_jpeg_2000_is_decoded_than_is_shown_and_can_be_left_out(
    shown: int, options: dict[str, Any], decoded: tuple[int, int]
) -> None:
    with Image.open(io.BytesIO(saved(shapes("L"), "JPEG2000", **options))) as image:
        scaling.part_of(image, ALL, (shown, round(shown * SIZE[1] / SIZE[0])))

    assert image.size == decoded


@pytest.mark.parametrize("width", [1, 2, 9, 200])
def test_a_part_may_be_as_small_as_a_pixel(tmp_path: Path, width: int) -> None:
    for kind, content_type in (("JPEG", "image/jpeg"), ("JPEG2000", "image/jp2")):
        (tmp_path / "a").write_bytes(saved(Image.new("L", (width, 9), 90), kind))

        shown = decode.decode_part(
            str(tmp_path / "a"), content_type, page=1, part=(0, 0, width, 9), size=(1, 1), max_pixels=10**6
        )

        assert (shown.size, shown.getextrema()) == ((1, 1), (90, 90))


def test_a_jpeg_2000_that_is_broken_or_unusual_is_not_halved() -> None:
    data = saved(shapes("L"), "JPEG2000", no_jp2=True)
    before_tiles = data[: data.index(jpeg2000.FIRST_TILE)]

    assert jpeg2000.halvings(io.BytesIO(data), (64, 64), most=3) == 3
    moved = bytearray(data)
    moved[jpeg2000.ORIGIN_AT + 3] = 1
    for unusual in (b"", data[:30], before_tiles, moved, data.replace(jpeg2000.CODING, jpeg2000.CODING_OF_CHANNEL)):
        assert jpeg2000.halvings(io.BytesIO(unusual), (64, 64), most=3) == 0
