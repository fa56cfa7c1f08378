"""Pictures that are made to harm whoever opens them: bombs, loops, lies in headers; all small, none from outside."""

import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from tests.support import samples
from tests.support.samples.pictures import png_bomb, saved, zeros_compressed

PNG = b"\x89PNG\r\n\x1a\n"

TIFF_LONG = 4

Entry = tuple[int, int, int, int]
"""Tag, type, count, value or place."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes, width: int = 100, height: int = 100, depth: int = 8, interlaced: bool = False) -> bytes:
    """A white PNG with more chunks in front of its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, int(interlaced))
    rows = (b"\0" + b"\xff" * width) * height
    return PNG + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_pixels(count: int) -> bytes:
    """A PNG of ten by ten whose pixels unpack to so many bytes."""
    header = struct.pack(">IIBBBBB", 10, 10, 8, 0, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zeros_compressed(count)) + chunk(b"IEND", b"")


def apng(frames: int) -> bytes:
    control = chunk(b"acTL", struct.pack(">II", frames, 0))
    frame = struct.pack(">IIIIIHHBB", 0, 100, 100, 0, 0, 1, 100, 0, 0)
    return png_with(control, *(chunk(b"fcTL", frame) for _ in range(frames)))


def tiff_of(directories: Iterable[tuple[list[Entry], int]], *, data: bytes = b"") -> bytes:
    """A TIFF of directories, each with its entries and the number of the next (-1 for none), and data at place 8."""
    made = list(directories)
    place = 8 + len(data) + len(data) % 2
    places = []
    for entries, _ in made:
        places.append(place)
        place += 2 + 12 * len(entries) + 4
    file = struct.pack("<2sHI", b"II", 42, places[0]) + data + b"\0" * (len(data) % 2)
    for entries, following in made:
        file += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        file += struct.pack("<I", places[following] if following >= 0 else 0)
    return file


def tiff_entries(*, width: int = 10, height: int = 10, length: int = 100, **changed: int) -> list[Entry]:
    """A grey picture of one strip at place 8."""
    values = {
        "width": (256, width),
        "height": (257, height),
        "bits": (258, 8),
        "compression": (259, 1),
        "photometric": (262, 1),
        "offset": (273, 8),
        "samples": (277, 1),
        "rows": (278, height),
        "length": (279, length),
    }
    entries = {tag: changed.get(name, value) for name, (tag, value) in values.items()}
    return [(tag, TIFF_LONG, 1, value) for tag, value in entries.items()]


def tiff_pages_of(count: int) -> bytes:
    pages = ((tiff_entries(), number + 1 if number + 1 < count else -1) for number in range(count))
    return tiff_of(pages, data=b"\xff" * 100)


def tiff_strip(compressed: bytes, *, compression: int, side: int) -> bytes:
    entries = tiff_entries(width=side, height=side, length=len(compressed), compression=compression)
    return tiff_of([(entries, -1)], data=compressed)


def tiff_count(tag: int, count: int) -> bytes:
    """One entry says that it has so many values."""
    entries = [(number, TIFF_LONG, count if number == tag else 1, value) for number, _, _, value in tiff_entries()]
    return tiff_of([(entries, -1)], data=b"\xff" * 100)


def tiff_with(tag: int, value: int) -> bytes:
    """One entry more, that points somewhere."""
    entries = sorted([*tiff_entries(), (tag, TIFF_LONG, 1, value)])
    return tiff_of([(entries, -1)], data=b"\xff" * 100)


def bigtiff(place: int) -> bytes:
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, place) + b"\0" * 100


def jpeg_sized(width: int, height: int) -> bytes:
    """A JPEG that says it is of another size."""
    data = bytearray(samples.jpeg())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def jpeg_many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: each costs a pass over all pixels."""
    from PIL import Image

    data = saved(Image.new("L", (4000, 4000), 200), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def jpeg_with(marker: int, body: bytes, *, times: int = 1) -> bytes:
    """A JPEG with more segments behind its beginning."""
    data = samples.jpeg()
    return data[:2] + (b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body) * times + data[2:]


def exif_looping() -> bytes:
    """EXIF whose directory names itself as the EXIF directory, the GPS directory and the next."""
    entries = struct.pack("<HHII", 0x8769, TIFF_LONG, 1, 8) + struct.pack("<HHII", 0x8825, TIFF_LONG, 1, 8)
    return b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entries + struct.pack("<I", 8)


def gif_of(width: int, height: int, *, frames: int = 1) -> bytes:
    """A GIF with a large canvas and small frames, each painted alone."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\x08\0\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\0"
    return head + frame * frames + b";"


def webp_canvas(width: int, height: int, *, frames: int = 0) -> bytes:
    """A WebP that says its canvas is of this size, and that it is animated if it has frames."""
    simple = samples.webp()
    picture = simple[12:]
    flags = 2 if frames else 0
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0])
    extended += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = extended + picture
    if frames:
        from PIL import Image

        small = saved(Image.new("RGB", (2, 2)), "WEBP", lossless=True)[12:]
        payload = bytes(6) + (1).to_bytes(3, "little") * 2 + bytes(4) + small
        frame = b"ANMF" + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
        body = extended + b"ANIM" + struct.pack("<IIH", 6, 0, 0) + frame * frames
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def patched(data: bytes, mark: bytes, offset: int, replacement: bytes) -> bytes:
    """The data with some bytes exchanged at a distance from the first mark."""
    place = data.index(mark) + offset
    return data[:place] + replacement + data[place + len(replacement) :]


def iso_sized(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC that says it is of another size (ispe, ISO/IEC 23008-12)."""
    return patched(data, b"ispe", 8, struct.pack(">II", width, height))


def jpeg2000_sized(width: int, height: int, *, tile: int = 0) -> bytes:
    """A codestream that says it is of another size, or that it has tiles of this side (SIZ, ISO/IEC 15444-1)."""
    data = samples.jpeg2000()
    codestream = data[data.index(b"\xff\x4f\xff\x51") :]
    size = struct.pack(">IIII", width, height, 0, 0) + struct.pack(">II", tile or width, tile or height)
    return patched(codestream, b"\xff\x51", 6, size)


def bmp_sized(width: int, height: int, *, compression: int = 0, data: bytes = b"") -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 14 + 40 + 1024 + len(data), 0, 0, 14 + 40 + 1024) + header + bytes(1024) + data


PICTURES: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "png_pixels_just_allowed": lambda: png_bomb(4_470, 4_470),
        "png_pixels_too_many": lambda: png_bomb(60_000, 60_000),
        "png_too_long": lambda: png_bomb(1, 40_000),
        "png_sides_of_2_31": lambda: png_with(width=1).replace(b"\0\0\0\x01\0\0\0\x64", b"\x7f\xff\xff\xff" * 2, 1),
        "png_without_area": lambda: png_with(width=0, height=0),
        "png_unpacks_to_a_gigabyte": lambda: png_pixels(1 << 30),
        "png_text_unpacks_to_a_gigabyte": lambda: png_with(chunk(b"zTXt", b"a\0\0" + zeros_compressed(1 << 30))),
        "png_texts_unpack_to_megabytes_each": lambda: png_with(
            *[chunk(b"zTXt", b"a\0\0" + zeros_compressed(1 << 20))] * 500
        ),
        "png_has_a_hundred_thousand_texts": lambda: png_with(*[chunk(b"tEXt", b"a\0b")] * 100_000),
        "png_profile_unpacks_to_a_gigabyte": lambda: png_with(chunk(b"iCCP", b"a\0\0" + zeros_compressed(1 << 30))),
        "png_chunk_longer_than_the_file": lambda: png_with().replace(b"\0\0\0\x0dIHDR", b"\x7f\xff\xff\xffIHDR"),
        "png_with_wrong_checksums": lambda: png_with().replace(b"IEND", b"IENE"),
        "png_interlaced_without_its_data": lambda: png_with(width=4000, height=4000, interlaced=True)[:200],
        "apng_of_fifty_thousand_frames": lambda: apng(50_000),
        "jpeg_of_65500": lambda: jpeg_sized(65_500, 65_500),
        "jpeg_larger_than_its_data": lambda: jpeg_sized(1_500, 1_500),
        "jpeg_without_height": lambda: jpeg_sized(400, 0),
        "jpeg_of_a_thousand_scans": lambda: jpeg_many_scans(1_000),
        "jpeg_of_ten_thousand_comments": lambda: jpeg_with(0xFE, b"x" * 100, times=10_000),
        "jpeg_with_exif_in_a_loop": lambda: jpeg_with(0xE1, exif_looping()),
        "jpeg_with_a_profile_in_254_parts": lambda: jpeg_with(
            0xE2, b"ICC_PROFILE\0\x01\xfe" + bytes(60_000), times=254
        ),
        "jpeg_with_a_page_index_of_rubbish": lambda: jpeg_with(0xE2, b"MPF\0II*\0" + b"\xff" * 60),
        "gif_canvas_of_65535": lambda: gif_of(65_535, 65_535),
        "gif_of_fifty_thousand_frames": lambda: gif_of(4_000, 4_000, frames=50_000),
        "tiff_next_is_itself": lambda: tiff_of([(tiff_entries(), 0)], data=b"\xff" * 100),
        "tiff_next_is_the_one_before": lambda: tiff_of([(tiff_entries(), 1), (tiff_entries(), 0)], data=b"\xff" * 100),
        "tiff_of_five_thousand_pages": lambda: tiff_pages_of(5_000),
        "tiff_sides_of_2_31": lambda: tiff_of([(tiff_entries(width=2**31 - 1, height=2**31 - 1), -1)], data=bytes(100)),
        "tiff_second_page_too_large": lambda: tiff_of(
            [(tiff_entries(), 1), (tiff_entries(width=2**31 - 1, height=2**31 - 1), -1)], data=b"\xff" * 100
        ),
        "tiff_strip_unpacks_to_a_gigabyte": lambda: tiff_strip(zeros_compressed(1 << 30), compression=8, side=10),
        "tiff_strip_is_missing": lambda: tiff_of([(tiff_entries(offset=2**31), -1)]),
        "tiff_strip_is_all_of_the_file": lambda: tiff_of([(tiff_entries(offset=0, length=2**31), -1)]),
        "tiff_of_2_30_strips": lambda: tiff_count(273, 1 << 30),
        "tiff_of_2_30_strip_lengths": lambda: tiff_count(279, 1 << 30),
        "tiff_of_2_31_widths": lambda: tiff_count(256, (1 << 31) - 1),
        "tiff_of_65535_samples": lambda: tiff_of([(tiff_entries(samples=65_535), -1)], data=b"\xff" * 100),
        "tiff_of_64_bits": lambda: tiff_of([(tiff_entries(bits=64), -1)], data=b"\xff" * 100),
        "tiff_unknown_compression": lambda: tiff_strip(b"\xff" * 100, compression=65_000, side=10),
        "tiff_jpeg_that_is_none": lambda: tiff_strip(b"\xff" * 100, compression=7, side=100),
        "tiff_fax_of_rubbish": lambda: tiff_strip(bytes(range(256)) * 50, compression=4, side=4_000),
        "tiff_lzw_of_rubbish": lambda: tiff_strip(bytes(range(256)) * 50, compression=5, side=4_000),
        "tiff_exif_is_itself": lambda: tiff_with(0x8769, 108),
        "tiff_subdirectory_is_itself": lambda: tiff_with(330, 108),
        "tiff_has_no_directory": lambda: b"II*\0\x08\0\0\0\0\0\0\0\0\0",
        "tiff_directory_beyond_the_end": lambda: b"II*\0\xff\xff\xff\x7f",
        "bigtiff_directory_beyond_all": lambda: bigtiff(2**63 - 1),
        "webp_canvas_larger_than_its_picture": lambda: webp_canvas(16_383, 16_383),
        "webp_of_a_huge_canvas": lambda: webp_canvas(1 << 24, 255),
        "webp_of_twenty_thousand_frames": lambda: webp_canvas(4_000, 4_000, frames=20_000),
        "avif_of_65535": lambda: iso_sized(samples.avif(), 65_535, 65_535),
        "avif_larger_than_its_data": lambda: iso_sized(samples.avif(), 1_500, 1_500),
        "heic_of_65535": lambda: iso_sized(samples.heic(), 65_535, 65_535),
        "heic_without_area": lambda: iso_sized(samples.heic(), 0, 0),
        "jpeg2000_of_2_31": lambda: jpeg2000_sized(2**31 - 1, 2**31 - 1),
        "jpeg2000_larger_than_its_data": lambda: jpeg2000_sized(1_500, 1_500),
        "jpeg2000_of_tiles_of_one_pixel": lambda: jpeg2000_sized(4_400, 4_400, tile=1),
        "bmp_of_2_31": lambda: bmp_sized(2**31 - 1, 2**31 - 1),
        "bmp_upside_down_without_data": lambda: bmp_sized(4_000, -4_000),
        "bmp_of_negative_width": lambda: bmp_sized(-4_000, 4_000),
        "bmp_runs_beyond_its_area": lambda: bmp_sized(4_000, 4_000, compression=1, data=b"\xff\x01" * 50_000),
    }
)
"""Name → how it is made. Each is told by `sniff` to be a picture."""
