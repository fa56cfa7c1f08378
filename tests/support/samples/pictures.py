"""Pictures with a known text in every kind that is read, and two that harm; no file and no network."""

import io
import struct
import zlib
from base64 import b64decode
from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import ExifTags, Image, ImageDraw, ImageFont

from tests.support.samples.heic import HEIC

TEXT = "The quick brown fox jumps\nover the lazy dog"

DPI = 300
LETTERS_PX = 48
"""A size of 11.5 points at 300 dpi: what engines read best."""

MARGIN_PX = 60
"""Without white around it, Tesseract drops the first or last word now and then."""


def picture(text: str = TEXT, *, size: int = LETTERS_PX) -> Image.Image:
    """A grey picture, black on white, just large enough for the text; `size` is the height of the letters in pixels."""
    font = ImageFont.load_default(size=size)
    spacing = size // 2
    box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font, spacing=spacing)
    drawn = Image.new("L", (int(box[2]) + 2 * MARGIN_PX, int(box[3]) + 2 * MARGIN_PX), 255)
    ImageDraw.Draw(drawn).multiline_text((MARGIN_PX, MARGIN_PX), text, fill=0, font=font, spacing=spacing)
    return drawn


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Write the picture in one of Pillow's formats."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def png(text: str = TEXT) -> bytes:
    return saved(picture(text), "PNG", dpi=(DPI, DPI))


def jpeg(text: str = TEXT) -> bytes:
    return saved(picture(text).convert("RGB"), "JPEG", quality=90, dpi=(DPI, DPI))


def jpeg_turned(text: str = TEXT) -> bytes:
    """As phones store upright shots: pixels turned left, and an EXIF orientation that says to turn them right (6)."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return saved(picture(text).transpose(Image.Transpose.ROTATE_90).convert("RGB"), "JPEG", quality=90, exif=exif)


def tiff(text: str = TEXT) -> bytes:
    return saved(picture(text), "TIFF", compression="tiff_lzw", dpi=(DPI, DPI))


def tiff_pages(texts: Sequence[str]) -> bytes:
    """A TIFF with one page per text."""
    first, *rest = map(picture, texts)
    return saved(first, "TIFF", compression="tiff_lzw", dpi=(DPI, DPI), save_all=True, append_images=rest)


def tiff_1bit(text: str = TEXT) -> bytes:
    """Black and white in CCITT group 4, as fax machines and office scanners write it."""
    return saved(picture(text).convert("1"), "TIFF", compression="group4", dpi=(DPI, DPI))


def tiff_16bit(text: str = TEXT) -> bytes:
    grey = picture(text)
    # Twice the same byte is value * 257: all of 0 to 65535 is used, in either byte order.
    deep = Image.frombytes("I;16", grey.size, Image.merge("LA", (grey, grey)).tobytes())
    return saved(deep, "TIFF", dpi=(DPI, DPI))


def tiff_cmyk(text: str = TEXT) -> bytes:
    return saved(picture(text).convert("CMYK"), "TIFF", compression="tiff_lzw", dpi=(DPI, DPI))


def tiff_lab(text: str = TEXT) -> bytes:
    """CIE L*a*b*, grey: both colour channels stand at their middle."""
    grey = picture(text)
    middle = Image.new("L", grey.size, 128)
    return saved(Image.merge("LAB", (grey, middle, middle)), "TIFF", dpi=(DPI, DPI))


def webp(text: str = TEXT) -> bytes:
    return saved(picture(text), "WEBP", lossless=True)


def bmp(text: str = TEXT) -> bytes:
    return saved(picture(text), "BMP", dpi=(DPI, DPI))


def gif(text: str = TEXT) -> bytes:
    return saved(picture(text), "GIF")


def jpeg2000(text: str = TEXT) -> bytes:
    return saved(picture(text), "JPEG2000")


def avif(text: str = TEXT) -> bytes:
    # The slowest setting by far is the default; letters this large survive the fastest.
    return saved(picture(text).convert("RGB"), "AVIF", quality=80, speed=10, max_threads=1)


def heic() -> bytes:
    """Made beforehand and kept in base64, because no encoder of HEIC is free enough to depend on; says HEIC_TEXT."""
    return b64decode(HEIC)


def png_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A valid black 1-bit PNG, about a thousandth of its decoded size, which is an eighth of a byte per pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    # Every row is a filter byte and its pixels, all zero.
    pixels = zeros_compressed(height * (1 + (width + 7) // 8))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zeros_compressed(count: int) -> bytes:
    """A zlib stream (RFC 1950) of so many zero bytes, without ever holding them."""
    block_bytes = 1 << 20
    blocks, rest = divmod(count, block_bytes)
    packer = zlib.compressobj(9, wbits=-15)
    # A full flush forgets all before it, so the same compressed block may stand any number of times.
    block = packer.compress(bytes(block_bytes)) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(bytes(rest)) + packer.flush()
    # Adler-32 of n zero bytes: the low half stays 1, the high half sums n ones.
    return b"\x78\xda" + block * blocks + tail + struct.pack(">HH", count % 65_521, 1)


def tiff_looping_pages(text: str = TEXT) -> bytes:
    """A TIFF of two pages, of which the second names the first as its next."""
    data = bytearray(tiff_pages([text, text]))
    first = next_at = struct.unpack_from("<I", data, 4)[0]
    while True:
        # TIFF 6.0, section 2: a count, that many entries of 12 bytes, and the place of the next directory.
        next_at += 2 + 12 * struct.unpack_from("<H", data, next_at)[0]
        following = struct.unpack_from("<I", data, next_at)[0]
        if not following:
            struct.pack_into("<I", data, next_at, first)
            return bytes(data)
        next_at = following
