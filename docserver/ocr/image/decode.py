"""Child side: counts the pages of picture files, and decodes them with Pillow into modes that Tesseract accepts."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import permutations
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pi_heif
from PIL import Image, ImageChops, ImageOps, TiffImagePlugin, UnidentifiedImageError

from docserver.errors import DocumentErrorCode
from docserver.layout import Rect
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import exif_orientation, jpeg2000, jpeg_ends, scaling, tiff_samples
from docserver.ocr.image.decoder_errors import errors_as_unreadable
from docserver.ocr.image.modes import MIN_CONTRAST, readable
from docserver.ocr.image.overview import Overview, overview
from docserver.ocr.image.tiff_directories import Directories
from docserver.ocr.image.tiff_layout import Layout

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

JPEG = "image/jpeg"
TIFF = "image/tiff"
JPEG_2000 = "image/jp2"

FEW_PICTURES = 4
"""Most pictures of a TIFF that are compared, to find reduced copies that are not marked: a scan has a copy or two."""

ROUNDING = 2
"""Largest difference, in grey levels, of two pictures that were reduced in the same way."""

T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A page as a viewer shows it, in mode 1, L or RGB."""

    image: Image.Image
    dpi: int | None
    """The vertical resolution that the file claims; None if that is not credible."""
    pixel_height: float = 1.0
    """Height of a pixel divided by its width: 2 on a fax of standard resolution."""

    @cached_property
    def overview(self) -> Overview:
        """The overview of `image`."""
        return overview(self.image)


def count_pages(source: str, content_type: str, *, max_pages: int, max_pixels: int) -> int:
    """Count the pages: a TIFF may have several, any other picture file has one. Raises Unreadable."""
    if content_type != TIFF:
        with _opened(source, content_type) as image:
            check_size(*image.size, max_pixels=max_pixels)
        return 1
    with Path(source).open("rb") as file, errors_as_unreadable():
        directories = Directories(file)
        pages = _pages(directories, source, most=max_pages + 1, max_pixels=max_pixels)
        if len(pages) > max_pages:
            raise Unreadable(DocumentErrorCode.TOO_MANY_PAGES, f"The file has more pages than the limit, {max_pages}.")
        if not pages:
            raise Unreadable(DocumentErrorCode.CORRUPT, "The file contains no picture.")
        if len(pages) == 1:
            layout = _layout(directories, pages[0])
            check_size(layout.width, layout.height, max_pixels=max_pixels)
        return len(pages)


def page_sizes(source: str, content_type: str, *, most: int, max_pixels: int) -> list[tuple[int, int]]:
    """Width and height of the first pages as viewers show them, from their headers alone; `most` pages at most. Raises
    Unreadable.
    """
    if content_type != TIFF:
        with _opened(source, content_type) as image:
            # Pillow would decode a whole PNG to look for an orientation behind its pixels.
            is_told = image.format != "PNG" or "exif" in image.info
            return [exif_orientation.turned(image.size, exif_orientation.orientation_of(image) if is_told else 1)]
    with Path(source).open("rb") as file, errors_as_unreadable():
        directories = Directories(file)
        layouts = [
            _layout(directories, offset) for offset in _pages(directories, source, most=most, max_pixels=max_pixels)
        ]
        if not layouts:
            raise Unreadable(DocumentErrorCode.CORRUPT, "The file contains no picture.")
        return [exif_orientation.turned((layout.width, layout.height), layout.orientation) for layout in layouts]


def decode(source: str, content_type: str, *, page: int, max_pixels: int) -> Picture:
    """Decode page `page` (from 1), turned as its EXIF data says. Raises Unreadable."""
    return _with_page(source, content_type, page=page, max_pixels=max_pixels, use=_decoded)


def decode_part(
    source: str, content_type: str, *, page: int, part: Rect, size: tuple[int, int], max_pixels: int
) -> Image.Image:
    """A part of page `page` (from 1), turned as its EXIF data says, in this size. Raises Unreadable."""
    use = partial(scaling.part_of, part=part, size=size)
    return _with_page(source, content_type, page=page, max_pixels=max_pixels, use=use)


def _with_page(source: str, content_type: str, *, page: int, max_pixels: int, use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of a page that has been opened."""
    if content_type == TIFF:
        with Path(source).open("rb") as file, errors_as_unreadable():
            directories = Directories(file)
            pages = _pages(directories, source, most=page, max_pixels=max_pixels)
            if page > len(pages):
                raise _no_page(page)
            return _with_directory(directories, pages[page - 1], source, max_pixels=max_pixels, use=use)
    if page > 1:
        raise _no_page(page)
    with _opened(source, content_type) as image:
        check_size(*image.size, max_pixels=max_pixels)
        if content_type == JPEG_2000:
            with Path(source).open("rb") as file:
                if (colours := jpeg2000.misread(file, image.size)) is not None:
                    colours.info["dpi"] = image.info.get("dpi")
                    return use(colours)
        try:
            return use(image)
        except OSError as error:
            if content_type != JPEG or "truncated" not in str(error) or not (whole := jpeg_ends.completed(source)):
                raise
            with Image.open(whole, formats=PILLOW_FORMATS[JPEG]) as completed:
                return use(completed)


def _with_directory(
    directories: Directories, offset: int, source: str, *, max_pixels: int, use: Callable[[Image.Image], T]
) -> T:
    layout = _layout(directories, offset)
    check_size(layout.width, layout.height, max_pixels=max_pixels)
    # Pillow does not know BigTIFFs whose highest byte comes first.
    if layout.is_for_pillow and not (directories.big and layout.byte_order == ">"):
        # Pillow reads uncompressed pages without libtiff otherwise, and does not know subsampled ones.
        TiffImagePlugin.READ_LIBTIFF = layout.is_subsampled
        with directories.starting_at(offset, source) as at_page:
            try:
                opened = Image.open(at_page, formats=PILLOW_FORMATS[TIFF])
            except UnidentifiedImageError as error:
                raise layout.unsupported() from error
            with opened:
                check_size(*opened.size, max_pixels=max_pixels)
                return use(opened)
    image = tiff_samples.decode(directories.file, layout, max_pixels=max_pixels)
    image.info["dpi"] = layout.dpi
    image.getexif()[exif_orientation.TAG] = layout.orientation
    return use(image)


def _pages(directories: Directories, source: str, *, most: int, max_pixels: int) -> list[int]:
    """Offsets of the directories that are pages, at most `most`, without reduced copies that are not marked as such."""
    offsets = directories.pages(max(most, FEW_PICTURES + 1))
    if not 2 <= len(offsets) <= FEW_PICTURES:
        return offsets[:most]
    copies = set()
    for small, large in permutations(offsets, 2):
        with suppress(Unreadable), errors_as_unreadable():
            if _layout(directories, small).may_be_a_copy_of(_layout(directories, large)):
                reduced, full = (
                    _with_directory(directories, offset, source, max_pixels=max_pixels, use=_decoded).image.convert("L")
                    for offset in (small, large)
                )
                if _is_reduction(reduced, full):
                    copies.add(small)
    return [offset for offset in offsets if offset not in copies][:most]


def _is_reduction(reduced: Image.Image, full: Image.Image) -> bool:
    """True if the first is the second reduced, and not just similar: no page with writing on it may be lost."""
    levels: Any = reduced.getextrema()
    if levels[1] - levels[0] < MIN_CONTRAST:
        return False
    for method in Image.Resampling:
        difference: Any = ImageChops.difference(full.resize(reduced.size, method), reduced).getextrema()
        if difference[1] <= ROUNDING:
            return True
    return False


def _layout(directories: Directories, offset: int) -> Layout:
    tags = directories.tags(offset)
    if tags is None:
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken or incomplete.")
    return Layout.of(tags, directories.byte_order)


def _decoded(image: Image.Image) -> Picture:
    dpi = _dpi(image)
    image.load()
    shown = image if exif_orientation.orientation_of(image) == 1 else ImageOps.exif_transpose(image)
    # Pillow closes the file, but keeps the pixels that were loaded.
    return Picture(readable(shown), dpi, _pixel_height(image) if shown is image else 1.0)


def _no_page(page: int) -> Unreadable:
    return Unreadable(DocumentErrorCode.PAGE_OUT_OF_RANGE, f"The file has no page {page}.")


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
    # Pass a file and not a path: Pillow maps a path into memory, and then misreads turned TIFFs (seen in 13.0.0).
    with (
        Path(source).open("rb") as file,
        errors_as_unreadable(file, content_type),
        Image.open(file, formats=formats) as image,
    ):
        yield image


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
