"""TIFFs of every kind: which pictures are pages, and that each decodes rightly or is refused with a reason."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode
from tests.support.samples.tiffs import HEIGHT, WIDTH, Array, Tags, TiffFile, grey, packed, rgb

LZW, PACKBITS, DEFLATE, WEBP, LERC, JPEG_XL = 5, 32773, 8, 50001, 34887, 50002


def decoded(source: Path, page: int = 1) -> Image.Image:
    return decode.decode(str(source), "image/tiff", page=page, max_pixels=10_000).image


def pages(source: Path, most: int = 9) -> int:
    return decode.count_pages(str(source), "image/tiff", max_pages=most, max_pixels=10_000)


def failure(source: Path, page: int = 1) -> tuple[DocumentErrorCode, str]:
    with pytest.raises(Unreadable) as caught:
        pages(source)
        decoded(source, page)
    return caught.value.failure.code, caught.value.failure.message


def assert_shows(image: Image.Image, expected: Array, *, off_by: int = 2) -> None:
    wanted = Image.fromarray((expected * 255).round().astype(np.uint8))
    difference: Any = ImageChops.difference(image.convert(wanted.mode), wanted).convert("L").getextrema()
    assert image.size == wanted.size
    assert difference[1] <= off_by


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16, 32])
@pytest.mark.parametrize("kind", ["grey", "white is zero", "rgb", "planes"])
def test_every_number_of_bits_is_decoded(*, kind: str, bits: int, big: bool, order: str, tmp_path: Path) -> None:
    exact = (grey() if kind in ("grey", "white is zero") else rgb()) * (2**bits - 1)
    numbers = np.floor(exact).astype(np.uint64)
    expected = numbers / (2**bits - 1)
    if kind == "white is zero":
        numbers = 2**bits - 1 - numbers
    planes = [numbers[..., channel] for channel in range(3)] if kind == "planes" else [numbers]
    channels = 1 if numbers.ndim == 2 else 3
    file = TiffFile(order, big=big)
    # Two strips for each plane, of which the second is shorter.
    strips = [packed(rows, bits=bits, order=order) for plane in planes for rows in (plane[:16], plane[16:])]
    offsets, sizes = file.segments(strips)
    photometric = {"grey": 1, "white is zero": 0}.get(kind, 2)
    layout: Tags = {258: [bits] * channels, 259: 1, 262: photometric, 277: channels, 284: 2 if len(planes) > 1 else 1}
    file.directory({256: WIDTH, 257: HEIGHT, 273: offsets, 278: 16, 279: sizes, **layout})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), expected)


@pytest.mark.parametrize("compression", [LZW, PACKBITS, DEFLATE])
def test_twelve_bits_in_tiles_are_decoded_with_each_compression(compression: int, tmp_path: Path) -> None:
    numbers = np.pad((rgb() * 4095).astype(np.uint64), ((0, 8), (0, 8), (0, 0)), mode="edge")
    tiles = [numbers[top : top + 16, left : left + 16] for top in (0, 16) for left in (0, 16, 32)]
    file = TiffFile()
    parts = [compressed(packed(tile, bits=12, order="<"), compression, rows=16) for tile in tiles]
    offsets, sizes = file.segments(parts)
    size: Tags = {256: WIDTH, 257: HEIGHT, 322: 16, 323: 16, 324: offsets, 325: sizes}
    file.directory({**size, 258: [12] * 3, 259: compression, 262: 2, 277: 3})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), rgb())


def compressed(data: bytes, compression: int, *, rows: int) -> bytes:
    """Bytes as a strip of a TIFF has them. Pillow makes the strip, as if they were pixels."""
    if compression == DEFLATE:
        return zlib.compress(data)
    name = {LZW: "tiff_lzw", PACKBITS: "packbits"}[compression]
    target = io.BytesIO()
    Image.frombytes("L", (len(data) // rows, rows), data).save(target, "TIFF", compression=name, tiffinfo={278: rows})
    with Image.open(target) as image:
        tags: Any = getattr(image, "tag_v2", {})
        return target.getvalue()[tags[273][0] :][: tags[279][0]]


def one_strip(data: bytes, tags: Tags) -> TiffFile:
    file = TiffFile()
    offsets, sizes = file.segments([data])
    file.directory({256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1, 273: offsets, 277: 1, 279: sizes, **tags})
    return file


def test_differences_to_the_left_neighbour_are_summed(tmp_path: Path) -> None:
    numbers = (rgb() * 65535).astype(np.uint16)
    differences = np.diff(numbers, axis=1, prepend=np.zeros((HEIGHT, 1, 3), np.uint16))
    planes = np.moveaxis(differences, -1, 0).astype("<u2")
    file = TiffFile()
    offsets, sizes = file.segments([zlib.compress(plane.tobytes()) for plane in planes])
    size: Tags = {256: WIDTH, 257: HEIGHT, 258: [16] * 3, 273: offsets, 279: sizes}
    file.directory({**size, 259: DEFLATE, 262: 2, 277: 3, 284: 2, 317: 2})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), rgb())


@pytest.mark.parametrize("size", [2, 4, 8])
def test_numbers_with_a_fraction_are_decoded_from_their_differences(size: int, tmp_path: Path) -> None:
    numbers = grey().astype(f">f{size}")
    # The highest bytes of a row come first, and then each byte is the difference to the one before.
    together = numbers.view(np.uint8).reshape(HEIGHT, WIDTH, size).swapaxes(1, 2).reshape(HEIGHT, -1)
    data = np.diff(together, axis=1, prepend=np.zeros((HEIGHT, 1), np.uint8)).tobytes()
    file = one_strip(zlib.compress(data), {258: 8 * size, 259: DEFLATE, 317: 3, 339: 3})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), grey())


@pytest.mark.parametrize(("bits", "scale"), [(8, 127), (16, 32767)])
def test_signed_numbers_are_decoded(bits: int, scale: int, tmp_path: Path) -> None:
    data = (grey() * scale).astype(f"<i{bits // 8}").tobytes()

    assert_shows(decoded(one_strip(data, {258: bits, 339: 2}).save(tmp_path / "a.tif")), grey(), off_by=3)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_ink_and_transparency_are_decoded(*, bits: int, planar: bool, tmp_path: Path) -> None:
    opaque = np.ones((HEIGHT, WIDTH, 1))
    ink = np.concatenate([1 - rgb(), 0 * opaque], axis=-1)
    for samples, tags in (
        (ink, {262: 5}),
        (np.concatenate([ink, opaque], axis=-1), {262: 5, 338: 2}),
        (np.concatenate([rgb(), opaque], axis=-1), {262: 2, 338: 1}),
        (np.concatenate([rgb(), opaque], axis=-1), {262: 2, 338: 2}),
        (np.concatenate([rgb(), 0 * opaque], axis=-1), {262: 2, 338: 0}),
    ):
        numbers = (samples * (2**bits - 1)).astype(np.uint64)
        parts = np.moveaxis(numbers, -1, 0) if planar else [numbers]
        file = TiffFile()
        offsets, sizes = file.segments([packed(part, bits=bits, order="<") for part in parts])
        size: Tags = {256: WIDTH, 257: HEIGHT, 258: [bits] * samples.shape[2], 273: offsets, 279: sizes}
        file.directory({**size, 259: 1, 277: samples.shape[2], 284: 2 if planar else 1, **tags})

        assert_shows(decoded(file.save(tmp_path / "a.tif")), rgb())


def test_bits_in_reverse_order_are_decoded(tmp_path: Path) -> None:
    data = packed((grey() * 4095).astype(np.uint64), bits=12, order="<")
    reversed_bits = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)

    assert_shows(decoded(one_strip(reversed_bits, {258: 12, 266: 2}).save(tmp_path / "a.tif")), grey())


def test_a_palette_of_sixteen_bits_is_decoded(tmp_path: Path) -> None:
    indices = (grey() > 0.5).astype("<u2")
    colours = [0, 65535, 0, 65535, 0, 0]
    file = one_strip(indices.tobytes(), {258: 16, 262: 3, 320: colours})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), np.stack([indices, indices, 0 * indices], axis=-1))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_colours_of_eight_bits_in_a_palette_are_decoded(bits: int, tmp_path: Path) -> None:
    indices = (grey() > 0.5).astype(np.uint64)
    unused = [0] * (2**bits - 2)
    colours = [0, 255, *unused, 0, 255, *unused, 0, 0, *unused]
    file = one_strip(packed(indices, bits=bits, order="<"), {258: bits, 262: 3, 320: colours})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), np.stack([indices, indices, 0 * indices], axis=-1))


def webp(pixels: Array) -> bytes:
    strip = io.BytesIO()
    Image.fromarray((pixels * 255).astype(np.uint8)).save(strip, "WEBP", lossless=True)
    return strip.getvalue()


def test_webp_in_strips_is_decoded(tmp_path: Path) -> None:
    file = one_strip(webp(rgb()), {258: [8] * 3, 259: WEBP, 262: 2, 277: 3})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), rgb())


@pytest.mark.parametrize(
    ("across", "down", "tags"),
    [
        *((across, down, {530: [across, down]}) for across, down in [(1, 1), (2, 1), (2, 2), (4, 2), (1, 2), (4, 4)]),
        # What holds where the tag is left out, though some programs leave it out where no pixels share colours.
        (2, 2, {}),
        (1, 1, {}),
    ],
)
def test_colours_that_several_uncompressed_pixels_share_are_decoded(
    across: int, down: int, tags: Tags, tmp_path: Path
) -> None:
    pixels = np.ones((HEIGHT, WIDTH, 3))
    pixels[8:16, 8:16] = (1, 0, 0)
    picture = Image.fromarray((pixels * 255).astype(np.uint8)).convert("YCbCr")
    blocks = np.asarray(picture).reshape(HEIGHT // down, down, WIDTH // across, across, 3).swapaxes(1, 2)
    blocks = blocks.reshape(-1, down * across, 3)
    data = np.concatenate([blocks[..., 0], blocks[:, 0, 1:]], axis=1).tobytes()
    image = decoded(one_strip(data, {258: [8] * 3, 262: 6, 277: 3, **tags}).save(tmp_path / "x.tif"))
    assert_shows(image, pixels, off_by=3)


def test_colours_in_uncompressed_planes_are_decoded(tmp_path: Path) -> None:
    picture = Image.fromarray((rgb() * 255).astype(np.uint8)).convert("YCbCr")
    file = TiffFile()
    offsets, sizes = file.segments([band.tobytes() for band in picture.split()])
    tags: Tags = {258: [8] * 3, 259: 1, 262: 6, 273: offsets, 277: 3, 279: sizes, 284: 2, 530: [1, 1]}
    file.directory({256: WIDTH, 257: HEIGHT, **tags})
    assert_shows(decoded(file.save(tmp_path / "x.tif")), rgb(), off_by=3)


def test_twelve_bits_are_turned_as_the_file_says_and_keep_their_resolution(tmp_path: Path) -> None:
    data = packed((np.rot90(grey()) * 4095).astype(np.uint64), bits=12, order="<")
    file = one_strip(data, {256: HEIGHT, 257: WIDTH, 258: 12, 274: 6, 296: 2})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), grey())


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({259: LERC}, "LERC"),
        ({259: JPEG_XL}, "JPEG XL"),
        ({259: 12345}, "compression 12345"),
        ({258: 40}, "40 bits"),
        ({258: 12, 317: 2}, "12 bits"),
        ({258: 16, 339: 5}, "16 bits"),
        ({258: 16, 262: 9}, "colours of kind 9"),
        ({258: [8, 16, 8], 262: 2, 277: 3}, "unequal"),
        ({277: 17}, "17 x 8"),
    ],
)
def test_a_sound_tiff_of_another_kind_is_refused_with_the_reason(tags: Tags, reason: str, tmp_path: Path) -> None:
    source = one_strip(bytes(WIDTH * HEIGHT * 4), tags).save(tmp_path / "a.tif")

    code, message = failure(source)

    assert code is DocumentErrorCode.UNSUPPORTED
    assert reason in message


def test_a_large_tiff_that_pillow_cannot_open_is_refused_with_its_compression(tmp_path: Path) -> None:
    file = TiffFile(">", big=True)
    file.picture(grey() * 255, {259: 7})
    assert failure(file.save(tmp_path / "x.tif")) == (
        DocumentErrorCode.UNSUPPORTED,
        "TIFFs of this kind cannot be read: grey, 1 x 8 bits, JPEG.",
    )


@pytest.mark.parametrize(
    "tags",
    [
        {256: 0},
        {273: []},
        {258: 12, 279: 100},
        {258: 12, 278: 4},
        {258: 12, 273: 1 << 31},
        {258: 12, 259: DEFLATE},
        {258: 16, 262: 3},
        {258: 12, 322: 0, 323: 0, 324: 8, 325: 8},
    ],
)
def test_a_tiff_that_contradicts_itself_is_corrupt(tags: Tags, tmp_path: Path) -> None:
    source = one_strip(b"\1" * (WIDTH * HEIGHT * 2), tags).save(tmp_path / "a.tif")

    assert failure(source)[0] is DocumentErrorCode.CORRUPT


@pytest.mark.parametrize(
    ("pixels", "channels", "reason"),
    [(np.tile(rgb(), (2, 1, 1)), 3, "larger than stated"), (rgb(), 4, "too few channels")],
)
def test_a_strip_that_is_not_what_the_tiff_says_is_corrupt(
    pixels: Array, channels: int, reason: str, tmp_path: Path
) -> None:
    file = one_strip(webp(pixels), {258: [8] * channels, 259: WEBP, 262: 2, 277: channels})

    code, message = failure(file.save(tmp_path / "a.tif"))

    assert code is DocumentErrorCode.CORRUPT
    assert reason in message


def test_samples_of_strips_whose_sizes_are_not_given_are_decoded(tmp_path: Path) -> None:
    data = packed((grey() * 4095).astype(np.uint64), bits=12, order="<")

    file = TiffFile()
    offsets, _ = file.segments([data])
    file.directory({256: WIDTH, 257: HEIGHT, 258: 12, 259: 1, 262: 1, 273: offsets, 277: 1})

    assert_shows(decoded(file.save(tmp_path / "a.tif")), grey())


def test_an_empty_tile_is_black(tmp_path: Path) -> None:
    data = packed((grey()[:, :16] * 4095).astype(np.uint64), bits=12, order="<")
    file = TiffFile()
    (offset,), (size,) = file.segments([data + bytes(12 * 16)])
    tiles: Tags = {322: 16, 323: 32, 324: [offset, 0, 0], 325: [size, 0, 0]}
    file.directory({256: WIDTH, 257: HEIGHT, 258: 12, 259: 1, 262: 1, 277: 1, **tiles})

    expected = np.where(np.arange(WIDTH) < 16, grey(), 0)
    assert_shows(decoded(file.save(tmp_path / "a.tif")), expected)


def test_values_beyond_every_file_are_none(tmp_path: Path) -> None:
    file = TiffFile(big=True)
    entry = struct.pack("<HHQQ", 273, 16, 5, (1 << 64) - 1)
    file.data = file.data[: file.link] + struct.pack("<QQ", file.link + 8, 1) + entry + bytes(8)
    (tmp_path / "a.tif").write_bytes(file.data)

    assert failure(tmp_path / "a.tif")[0] is DocumentErrorCode.CORRUPT


@pytest.mark.parametrize("length", [4, 6, 8, 9, 30])
def test_a_tiff_that_ends_in_its_header_or_directory_is_corrupt(length: int, tmp_path: Path) -> None:
    file = TiffFile()
    file.directory({256: 1, 257: 1})
    (tmp_path / "a.tif").write_bytes(file.data[:length])

    assert failure(tmp_path / "a.tif")[0] is DocumentErrorCode.CORRUPT


def small(shade: int) -> Array:
    return np.full((4, 6), shade)


@pytest.mark.parametrize("tags", [{254: 1}, {254: 4}, {254: 5}, {255: 2}, {262: 4}])
def test_copies_and_masks_are_no_pages_wherever_they_stand(tags: Tags, tmp_path: Path) -> None:
    file = TiffFile()
    file.picture(small(0), tags)
    file.picture(grey() * 255)
    file.picture(small(0), tags)
    file.picture(rgb() * 255, {254: 2})
    file.picture(small(0), tags)
    source = file.save(tmp_path / "a.tif")

    assert pages(source) == pages(source, most=2) == 2
    assert_shows(decoded(source, 1), grey())
    assert_shows(decoded(source, 2), rgb())
    assert failure(source, 3)[0] is DocumentErrorCode.PAGE_OUT_OF_RANGE


def test_a_copy_that_is_not_marked_is_known_by_what_it_shows(tmp_path: Path) -> None:
    full = Image.fromarray((grey() * 255).astype(np.uint8))
    half = np.asarray(full.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.LANCZOS))
    written_on = half.copy()
    written_on[6:8, 10:12] = 128
    file = TiffFile()
    for picture in (half, np.asarray(full), written_on, np.full_like(half, 255)):
        file.picture(picture)
    source = file.save(tmp_path / "a.tif")

    assert pages(source) == 3
    assert_shows(decoded(source, 1), grey())
    assert_shows(decoded(source, 2), written_on / 255)


def test_a_picture_below_its_copy_is_the_page(tmp_path: Path) -> None:
    file = TiffFile()
    picture = file.picture(grey() * 255, linked=False)
    lesser = file.picture(small(0), {254: 1}, linked=False)
    file.picture(small(0), {254: 1, 330: picture})
    file.picture(rgb() * 255, {330: lesser})
    source = file.save(tmp_path / "a.tif")

    assert pages(source) == 2
    assert_shows(decoded(source, 1), grey())
    assert_shows(decoded(source, 2), rgb())


def test_the_preview_of_a_camera_raw_file_is_read_in_its_place(tmp_path: Path) -> None:
    file = TiffFile()
    raw = file.picture(small(0), {262: 32803}, linked=False)
    file.picture(grey() * 255, {254: 1, 330: raw})
    source = file.save(tmp_path / "a.tif")

    assert pages(source) == 1
    assert_shows(decoded(source), grey())


def test_a_page_that_cannot_be_read_costs_no_other_page(tmp_path: Path) -> None:
    file = TiffFile()
    file.picture(grey() * 255, {259: LERC})
    file.picture(rgb() * 255)
    file.data = file.data[: file.link] + struct.pack("<I", 1 << 30) + file.data[file.link + 4 :]
    source = file.save(tmp_path / "a.tif")

    assert pages(source) == 3
    assert failure(source, 1)[0] is DocumentErrorCode.UNSUPPORTED
    assert_shows(decoded(source, 2), rgb())
    assert failure(source, 3)[0] is DocumentErrorCode.CORRUPT


def test_a_chain_of_more_pictures_than_are_looked_at_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docserver.ocr.image.tiff_directories.MAX_DIRECTORIES", 3)
    file = TiffFile()
    for _ in range(4):
        file.picture(small(0), {254: 1})

    assert failure(file.save(tmp_path / "a.tif"))[0] is DocumentErrorCode.TOO_MANY_PAGES
