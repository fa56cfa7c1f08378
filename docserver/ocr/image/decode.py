"""Child side: counts the pages of picture files, and decodes them with Pillow into modes that Tesseract accepts."""

import errno
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import pi_heif
from PIL import Image, ImageChops, ImageCms, ImageOps, UnidentifiedImageError

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable

Image.MAX_IMAGE_PIXELS = None
"""Pillow's own limit is off: it only warns, and not for every frame. `check_size` checks each frame instead."""

PILLOW_FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "image/png": ("PNG",),
        "image/jpeg": ("JPEG",),
        "image/tiff": ("TIFF",),
        "image/webp": ("WEBP",),
        "image/bmp": ("BMP",),
        "image/gif": ("GIF",),
        "image/jp2": ("JPEG2000",),
        "image/heic": ("HEIF",),
        "image/heif": ("HEIF",),
        "image/avif": ("AVIF",),
    }
)
"""The only decoder that Pillow may try for each media type. Without this, Pillow would choose by content, and might for
example start Ghostscript for an EPS file that is named .png."""

MAX_SIDE = 32767
"""Longest side of a picture, in pixels. Tesseract stores coordinates in 16 signed bits and rejects longer sides."""

CREDIBLE_DPI = range(70, 2401)
"""Resolutions that Tesseract accepts. If a file claims any other one, Tesseract estimates the resolution."""

FAX_PIXEL_HEIGHT = (1.5, 2.5)
"""Range for the height of a fax's pixels divided by their width: 2.08 at 204 by 98 dots per inch, 2 at 200 by 100."""

ORIENTATION_TAG = 0x0112
PHOTOMETRIC_TAG = 262

MIN_CONTRAST = 24
"""Smallest contrast, in grey levels, after a transparent picture was painted on a background. Text with less contrast
cannot be read, so another background is tried."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as a viewer shows it, in mode 1, L or RGB."""

    image: Image.Image
    dpi: int | None
    """The vertical resolution that the file claims; None if that is not credible."""
    pixel_height: float = 1.0
    """Height of a pixel divided by its width: 2 on a fax of standard resolution."""


def count_pages(source: str, content_type: str, *, max_pages: int, max_pixels: int) -> int:
    """Count the pages: each image of a TIFF is one, and any other picture file has one page. Raises Unreadable."""
    with _opened(source, content_type) as image:
        if content_type != "image/tiff":
            check_size(*image.size, max_pixels=max_pixels)
            return 1
        pages = 1
        # Do not use n_frames: if a file has millions of images, it would read through all of them.
        while _seek(image, pages):
            pages += 1
            if pages > max_pages:
                raise Unreadable(
                    DocumentErrorCode.TOO_MANY_PAGES, f"The file has more than {max_pages} pages, which is the limit."
                )
        if pages == 1:
            image.seek(0)
            check_size(*image.size, max_pixels=max_pixels)
        return pages


def decode(source: str, content_type: str, *, page: int, max_pixels: int) -> Picture:
    """Decode page `page` (from 1), turned as its EXIF data says. Raises Unreadable."""
    with _opened(source, content_type) as image:
        if page > 1 and (content_type != "image/tiff" or not _seek(image, page - 1)):
            raise Unreadable(DocumentErrorCode.PAGE_OUT_OF_RANGE, f"The file has no page {page}.")
        check_size(*image.size, max_pixels=max_pixels)
        dpi = _dpi(image)
        image.load()
        shown = image if _orientation(image) == 1 else ImageOps.exif_transpose(image)
        # Return a copy, because Pillow closes the opened image at the end of this block.
        return Picture(_readable(shown).copy(), dpi, _pixel_height(image) if shown is image else 1.0)


def check_size(width: int, height: int, *, max_pixels: int) -> None:
    """Raise Unreadable if a page of this size must not be decoded."""
    if width < 1 or height < 1:
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture has no area.")
    if width * height > max_pixels:
        raise Unreadable(
            DocumentErrorCode.TOO_MANY_PIXELS,
            f"The page has {width} x {height} pixels ({_megapixels(width * height)} megapixels); "
            f"the limit is {_megapixels(max_pixels)} megapixels.",
        )
    if max(width, height) > MAX_SIDE:
        raise Unreadable(
            DocumentErrorCode.TOO_MANY_PIXELS,
            f"The page has {width} x {height} pixels; no side may be longer than {MAX_SIDE}.",
        )


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1_000_000:.1f}".removesuffix(".0")


@contextmanager
def _opened(source: str, content_type: str) -> Iterator[Image.Image]:
    """Open a picture with the decoder for its type. An error of the decoder, also in the block, becomes Unreadable."""
    formats = PILLOW_FORMATS[content_type]
    if "HEIF" in formats:
        pi_heif.register_heif_opener()
    try:
        # Pass a file and not a path: Pillow maps a path into memory, and then misreads turned TIFFs (seen in 13.0.0).
        with Path(source).open("rb") as file, Image.open(file, formats=formats) as image:
            yield image
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture cannot be opened: its header is broken.") from error
    # For a broken file, decoders may raise almost any exception.
    except Exception as error:
        # Only errors of the operating system have an errno, such as that of a full disk. They are not the document's
        # fault, except EINVAL: it means that the document contains an impossible file offset.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        if "broken data stream" in str(error) or "truncated" in str(error).lower():
            raise Unreadable(
                DocumentErrorCode.CORRUPT, "The picture is broken or incomplete.", detail=repr(error)
            ) from error
        raise Unreadable(
            DocumentErrorCode.CORRUPT, "The picture is broken and cannot be decoded.", detail=repr(error)
        ) from error


def _seek(image: Image.Image, frame: int) -> bool:
    try:
        image.seek(frame)
    except EOFError:
        return False
    return True


def _dpi(image: Image.Image) -> int | None:
    """The vertical resolution that the file claims; None if that is not credible.

    For a JPEG, only the JFIF density counts. Cameras write a meaningless 72 into EXIF, which Tesseract ignores too.
    """
    if "jfif" in image.info:
        per_unit = {1: 1.0, 2: 2.54}.get(image.info.get("jfif_unit", 0), 0.0)
        value = image.info["jfif_density"][1] * per_unit
    elif image.format in ("JPEG", "MPO"):
        return None
    else:
        claimed: Any = image.info.get("dpi")
        value = claimed[1] if isinstance(claimed, tuple) and len(claimed) == 2 else 0
    number = float(value)
    if not math.isfinite(number):
        return None
    return round(number) if round(number) in CREDIBLE_DPI else None


def _pixel_height(image: Image.Image) -> float:
    """Height of a pixel divided by its width. It is 1 except for faxes: other files that claim unequal sides are mostly
    wrong.
    """
    claimed: Any = image.info.get("dpi")
    if image.mode != "1" or not isinstance(claimed, tuple) or len(claimed) != 2:
        return 1.0
    across, down = float(claimed[0]), float(claimed[1])
    ratio = across / down if down > 0 else 1.0
    return ratio if FAX_PIXEL_HEIGHT[0] < ratio < FAX_PIXEL_HEIGHT[1] and image.height * ratio <= MAX_SIDE else 1.0


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ORIENTATION_TAG, 1)
    return value if isinstance(value, int) else 1


def stored_orientation(file: BinaryIO) -> int:
    """The EXIF orientation of a JPEG, 1 to 8; 1 if there is none or it is invalid."""
    with Image.open(file, formats=["JPEG"]) as image:
        orientation = _orientation(image)
    return orientation if orientation in range(1, 9) else 1


def _readable(image: Image.Image) -> Image.Image:
    """The picture in mode 1, L or RGB, without transparency."""
    if image.has_transparency_data:
        return _on_background(image.convert("RGBA"))
    if image.mode in ("1", "L", "RGB"):
        return image
    if image.mode == "P":
        return _from_palette(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _to_eight_bits(image)
    if image.mode == "LAB":
        return _from_lab(image)
    # CMYK, YCbCr, HSV and RGBX
    return image.convert("RGB")


def _on_background(image: Image.Image) -> Image.Image:
    """Paint on white, as every viewer does. If nothing is visible then, for example white text, paint on black."""
    for colour in ("white", "black"):
        painted = Image.new("RGBA", image.size, colour)
        painted.alpha_composite(image)
        levels: Any = painted.convert("L").getextrema()
        if levels[1] - levels[0] >= MIN_CONTRAST:
            break
    else:
        painted = Image.new("RGBA", image.size, "white")
    return _grey_if_grey(painted.convert("RGB"))


def _grey_if_grey(image: Image.Image) -> Image.Image:
    """The picture in one channel if all three are the same, so that Tesseract has to read only a third of the bytes."""
    red, green, blue = image.split()
    if ImageChops.difference(red, green).getbbox() or ImageChops.difference(green, blue).getbbox():
        return image
    return red


def _from_palette(image: Image.Image) -> Image.Image:
    palette = image.getpalette("RGB") or []
    colours: Any = image.getcolors(256) or []
    used = [palette[3 * index : 3 * index + 3] for _, index in colours]
    return image.convert("L" if all(len(set(colour)) == 1 for colour in used) else "RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert grey with more than 8 bits to 8 bits. The highest number shows the range: 8, 10, 12 or 16 bits, or 0.0
    to 1.0.
    """
    numbers = image.convert("F") if image.mode != "F" else image
    bounds: Any = numbers.getextrema()
    low, high = float(bounds[0]), float(bounds[1])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture contains values that are not numbers.")
    if low < 0:
        black, white = low, high
    elif high <= 1:
        black, white = 0.0, 1.0
    else:
        black, white = 0.0, float(2 ** max(8, math.ceil(math.log2(high + 1))) - 1)
    scale = 255 / ((white - black) or 1)
    eight = numbers.point(lambda value: value * scale - black * scale).convert("L")
    # Pillow inverts pictures with the TIFF property "white is zero" only up to 8 bits.
    inverted = getattr(image, "tag_v2", {}).get(PHOTOMETRIC_TAG) == 0
    return ImageOps.invert(eight) if inverted else eight


def _from_lab(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), inMode="LAB", outMode="RGB"
    )
    converted: Image.Image | None = ImageCms.applyTransform(image, transform)
    # None is only for a transform in place.
    assert converted is not None
    return converted
