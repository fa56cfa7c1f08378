"""Child side: decodes TIFF pages that Pillow does not know or gets wrong: other numbers of bits, separate planes, more
channels. Bytes are decompressed by Pillow; what follows is done with numpy.

Formats: TIFF 6.0 (Adobe, 1992), and its Technical Notes 1 and 3 for predictors.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import jpeg2000
from docserver.ocr.image.modes import to_eight_bits
from docserver.ocr.image.tiff_layout import (
    ASSOCIATED_ALPHA,
    CHANNELS,
    CIELAB,
    CMYK,
    FLOAT,
    FLOATING_POINT,
    HORIZONTAL,
    NO_PREDICTOR,
    PALETTE,
    PICTURE_CODECS,
    SIGNED,
    UNASSOCIATED_ALPHA,
    UNCOMPRESSED,
    UNSIGNED,
    WHITE_IS_ZERO,
    Layout,
)

Array = npt.NDArray[Any]

MAX_CHANNELS = 16
"""Most channels of a pixel. Pictures of satellites have hundreds, and no text."""

MIN_SEGMENT_LIMIT = 1 << 20
"""A strip or tile may have this many pixels even if a page may not: the last tiles of a picture exceed its size."""

BLOCK_BITS = 1 << 24
"""Bits that are unpacked at a time, since each takes a byte of memory then."""


def decode(file: BinaryIO, layout: Layout, *, max_pixels: int) -> Image.Image:
    """The page in mode L, RGB, RGBA, CMYK or LAB, with 8 bits a channel. Raises Unreadable."""
    _check(layout, max_pixels=max_pixels)
    samples = np.zeros((layout.height, layout.width, layout.channels), layout.dtype.newbyteorder("="))
    for (top, left, channel), segment in _segments(file, layout):
        part = segment[: layout.height - top, : layout.width - left]
        rows, columns = slice(top, top + part.shape[0]), slice(left, left + part.shape[1])
        if layout.planar:
            samples[rows, columns, channel] = part[..., 0]
        else:
            samples[rows, columns] = part
    if layout.photometric == PALETTE:
        return _coloured(samples[..., 0], layout.colours)
    return _picture(to_eight_bits(samples, bits=layout.bits), layout)


def _check(layout: Layout, *, max_pixels: int) -> None:
    """Raise Unreadable unless the samples can be unpacked, in memory that is bounded by `max_pixels`."""
    fits = layout.segment_width * layout.segment_height <= max(max_pixels, MIN_SEGMENT_LIMIT)
    if not (fits and _is_known(layout)):
        raise layout.unsupported()
    if layout.segment_width < 1 or layout.segment_height < 1:
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken: its tiles have no area.")


def _is_known(layout: Layout) -> bool:
    whole_bytes = layout.bits in (8, 16, 32, 64)
    samples = {
        UNSIGNED: layout.bits <= 32 or layout.bits == 64,
        SIGNED: whole_bytes,
        FLOAT: whole_bytes and layout.bits > 8,
    }
    predictors = {NO_PREDICTOR: True, HORIZONTAL: whole_bytes, FLOATING_POINT: layout.sample_format == FLOAT}
    return (
        layout.has_plain_samples
        and samples.get(layout.sample_format, False)
        and predictors.get(layout.predictor, False)
        and CHANNELS[layout.photometric] <= layout.channels <= MAX_CHANNELS
        and (
            layout.compression not in PICTURE_CODECS
            or (layout.sample_format == UNSIGNED and whole_bytes and not layout.planar)
        )
    )


def _segments(file: BinaryIO, layout: Layout) -> Iterator[tuple[tuple[int, int, int], Array]]:
    """Each strip or tile: its top, its left and its channel, and its samples as rows x columns x channels."""
    down, across = -(-layout.height // layout.segment_height), -(-layout.width // layout.segment_width)
    count = down * across * (layout.channels if layout.planar else 1)
    sizes = layout.sizes
    if not sizes and layout.compression == UNCOMPRESSED:
        sizes = (_row_bytes(layout) * layout.segment_height,) * len(layout.offsets)
    if min(len(layout.offsets), len(sizes)) < count:
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is incomplete: it lacks strips or tiles.")
    file_size = file.seek(0, io.SEEK_END)
    places = (
        (top, left, channel)
        for channel in range(layout.channels if layout.planar else 1)
        for top in range(0, layout.height, layout.segment_height)
        for left in range(0, layout.width, layout.segment_width)
    )
    for place, offset, size in zip(places, layout.offsets, sizes, strict=False):
        if size == 0:
            # Programs leave out a tile that is empty.
            continue
        # The last strip ends with the picture, but tiles are always whole.
        rows = layout.segment_height
        if layout.segment_width == layout.width:
            rows = min(rows, layout.height - place[0])
        file.seek(offset)
        data = file.read(min(size, file_size))
        if layout.compression in PICTURE_CODECS:
            yield place, _from_picture(data, layout)
        else:
            yield place, _samples(_raw(data, layout, rows=rows), layout)


def _row_bytes(layout: Layout) -> int:
    return -(-layout.segment_width * layout.channels_together * layout.bits // 8)


def _from_picture(data: bytes, layout: Layout) -> Array:
    with Image.open(io.BytesIO(data), formats=[PICTURE_CODECS[layout.compression]]) as image:
        if image.width > layout.segment_width or image.height > layout.segment_height:
            raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken: a tile is larger than stated.")
        colours = jpeg2000.misread(io.BytesIO(data), image.size) if image.format == "JPEG2000" else None
        samples = np.asarray(colours or image)
    samples = samples.reshape(*samples.shape[:2], -1)
    if samples.shape[2] < layout.channels:
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken: a tile has too few channels.")
    # WebP stores grey as RGB.
    return samples[..., : layout.channels]


def _raw(data: bytes, layout: Layout, *, rows: int) -> npt.NDArray[np.uint8]:
    """The decompressed bytes of a strip or tile, as rows x bytes."""
    width = _row_bytes(layout)
    if layout.compression == UNCOMPRESSED:
        if len(data) < rows * width:
            raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken or incomplete.")
        raw = np.frombuffer(data, np.uint8, rows * width).reshape(rows, width)
        return np.packbits(np.unpackbits(raw), bitorder="little").reshape(raw.shape) if layout.bits_reversed else raw
    # As far as a decompressor is concerned, these bytes may be the pixels of a grey picture.
    entries = {
        256: width,
        257: rows,
        258: 8,
        259: layout.compression,
        262: 1,
        266: 2 if layout.bits_reversed else 1,
        273: 8 + 2 + 12 * 10 + 4,
        277: 1,
        278: rows,
        279: len(data),
    }
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    tiff = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + data
    with Image.open(io.BytesIO(tiff), formats=["TIFF"]) as image:
        return np.asarray(image)


def _samples(raw: npt.NDArray[np.uint8], layout: Layout) -> Array:
    """The samples in the bytes of a strip or tile, as rows x columns x channels."""
    shape = (raw.shape[0], layout.segment_width, layout.channels_together)
    if layout.predictor == FLOATING_POINT:
        size = layout.bits // 8
        summed = np.cumsum(raw.reshape(raw.shape[0], -1, shape[2]), axis=1, dtype=np.uint8)
        # The highest byte of each number in the row comes first, then the second of each, and so on.
        together = summed.reshape(raw.shape[0], size, -1).swapaxes(1, 2)
        return np.ascontiguousarray(together).view(f">f{size}").reshape(shape)
    if layout.bits not in (8, 16, 32, 64):
        return _unpacked(raw, layout).reshape(shape)
    samples = np.ascontiguousarray(raw).view(layout.dtype).reshape(shape)
    if layout.predictor == HORIZONTAL:
        samples = np.cumsum(samples, axis=1, dtype=samples.dtype.newbyteorder("="))
    return samples


def _unpacked(raw: npt.NDArray[np.uint8], layout: Layout) -> Array:
    """Samples that do not fill bytes: the highest bit first, each row begins with a byte."""
    rows, count = raw.shape[0], layout.segment_width * layout.channels_together
    samples = np.zeros((rows, count), layout.dtype)
    step = max(1, BLOCK_BITS // (count * layout.bits))
    for top in range(0, rows, step):
        bits = np.unpackbits(raw[top : top + step], axis=1, count=count * layout.bits)
        bits = bits.reshape(-1, count, layout.bits)
        if layout.bits % 8 == 0 and layout.byte_order == "<":
            bits = bits.reshape(-1, count, layout.bits // 8, 8)[:, :, ::-1].reshape(bits.shape)
        for index in range(layout.bits):
            samples[top : top + step] <<= 1
            samples[top : top + step] |= bits[..., index]
    return samples


def _coloured(indices: Array, colours: tuple[int, ...]) -> Image.Image:
    """A picture of numbers of colours, as in `Layout.colours`."""
    palette = np.array(colours, np.uint32).reshape(3, -1) if colours and len(colours) % 3 == 0 else None
    if palette is None or int(indices.max()) >= palette.shape[1]:
        raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken: it lacks colours.")
    # Some programs write colours of 8 bits where the standard has 16.
    eight = (palette >> 8 if palette.max() > 255 else palette).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(eight.T[indices]))


def _picture(samples: npt.NDArray[np.uint8], layout: Layout) -> Image.Image:
    channels = CHANNELS[layout.photometric]
    bands = [Image.fromarray(np.ascontiguousarray(samples[..., channel])) for channel in range(channels)]
    if layout.photometric == WHITE_IS_ZERO:
        bands = [band.point(lambda value: 255 - value) for band in bands]
    if layout.photometric == CMYK:
        return Image.merge("CMYK", bands)
    if layout.photometric == CIELAB:
        # The file has a and b with signs; Pillow's LAB has the middle at 128.
        return Image.merge("LAB", [bands[0], *(band.point(lambda value: value ^ 128) for band in bands[1:])])
    alpha = next((kind for kind in layout.extra if kind in (ASSOCIATED_ALPHA, UNASSOCIATED_ALPHA)), None)
    if alpha is not None and layout.channels > channels:
        index = channels + layout.extra.index(alpha)
        mask = Image.fromarray(np.ascontiguousarray(samples[..., min(index, layout.channels - 1)]))
        coloured = bands if channels == 3 else bands * 3
        if alpha == ASSOCIATED_ALPHA:
            return Image.merge("RGBa", [*coloured, mask]).convert("RGBA")
        return Image.merge("RGBA", [*coloured, mask])
    return bands[0] if channels == 1 else Image.merge("RGB", bands)
