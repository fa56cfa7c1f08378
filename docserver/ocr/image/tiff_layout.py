"""Child side: how the samples of a TIFF page are stored, and whether Pillow can decode them. Decodes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.tiff_directories import Tags, number

UNCOMPRESSED = 1
BYTE_CODECS = frozenset({UNCOMPRESSED, 5, 8, 32773, 32946, 34925, 50000})
"""Compressions that know nothing of samples: none, LZW, Deflate, PackBits, Deflate once more, LZMA, Zstandard."""

PICTURE_CODECS: Mapping[int, str] = MappingProxyType({34712: "JPEG2000", 34933: "PNG", 50001: "WEBP"})
"""Compressions that make a whole picture of each strip or tile, and Pillow's name for its format."""

CHANNELS: Mapping[int, int] = MappingProxyType({0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 8: 3})
"""Photometric interpretation → number of channels: white is zero, black is zero, RGB, palette, CMYK, CIELAB."""

COMPRESSION_NAMES: Mapping[int, str] = MappingProxyType(
    {
        1: "no compression",
        5: "LZW",
        6: "JPEG of an old form",
        7: "JPEG",
        8: "Deflate",
        32773: "PackBits",
        32946: "Deflate",
        33003: "JPEG 2000",
        33005: "JPEG 2000",
        34661: "JBIG",
        34712: "JPEG 2000",
        34887: "LERC",
        34892: "lossy JPEG",
        34925: "LZMA",
        34933: "PNG",
        34934: "JPEG XR",
        22610: "JPEG XR",
        50000: "Zstandard",
        50001: "WebP",
        50002: "JPEG XL",
        52546: "JPEG XL",
    }
)
PHOTOMETRIC_NAMES: Mapping[int, str] = MappingProxyType(
    {
        0: "grey",
        1: "grey",
        2: "RGB",
        3: "palette",
        5: "CMYK",
        6: "YCbCr",
        8: "Lab",
        32803: "camera raw",
        34892: "camera raw",
    }
)

MAX_EIGHT_BITS = 255
"""Largest number of 8 bits. Some programs write the colours of a palette with 8 bits instead of 16."""

WHITE_IS_ZERO, PALETTE, CMYK, YCBCR, CIELAB = 0, 3, 5, 6, 8
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
ASSOCIATED_ALPHA, UNASSOCIATED_ALPHA = 1, 2
NO_PREDICTOR, HORIZONTAL, FLOATING_POINT = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a page are stored. Raises Unreadable from `of` if the file does not say it."""

    width: int
    height: int
    channels: int
    bits: int
    sample_format: int
    planar: bool
    compression: int
    photometric: int
    predictor: int
    bits_reversed: bool
    extra: tuple[int, ...]
    byte_order: str
    segment_width: int
    segment_height: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    orientation: int
    resolution: tuple[tuple[int, ...], tuple[int, ...]]
    resolution_unit: int
    colours: tuple[int, ...]
    """All reds of a palette, then all greens, then all blues, with 16 bits each."""

    @classmethod
    def of(cls, tags: Tags, byte_order: str) -> "Layout":
        width, height, channels = number(tags, 256, 0), number(tags, 257, 0), number(tags, 277, 1)
        bits = tags.get(258) or (1,)
        formats = tags.get(339) or (UNSIGNED,)
        tiled = 324 in tags
        offsets = tags.get(324 if tiled else 273, ())
        if width < 1 or height < 1 or channels < 1 or not offsets:
            raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken: it lacks its size or place.")
        if len(set(bits)) > 1 or len(set(formats)) > 1:
            raise Unreadable(DocumentErrorCode.UNSUPPORTED, "TIFFs whose channels have unequal bits cannot be read.")
        return cls(
            width=width,
            height=height,
            channels=channels,
            bits=bits[0],
            sample_format=UNSIGNED if formats[0] == 4 else formats[0],
            planar=number(tags, 284, 1) == 2 and channels > 1,
            compression=number(tags, 259, UNCOMPRESSED),
            photometric=number(tags, 262, WHITE_IS_ZERO),
            predictor=number(tags, 317, NO_PREDICTOR),
            bits_reversed=number(tags, 266, 1) == 2,
            extra=tags.get(338, ()),
            byte_order=byte_order,
            segment_width=number(tags, 322, 0) if tiled else width,
            segment_height=number(tags, 323, 0) if tiled else min(number(tags, 278, height) or height, height),
            offsets=offsets,
            sizes=tags.get(325 if tiled else 279, ()),
            orientation=number(tags, 274, 1),
            resolution=(tags.get(282, ()), tags.get(283, ())),
            resolution_unit=number(tags, 296, 2),
            colours=tags.get(320, ()),
        )

    def unsupported(self) -> Unreadable:
        return Unreadable(DocumentErrorCode.UNSUPPORTED, f"TIFFs of this kind cannot be read: {self}.")

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Across and down, in dots per inch; None if the file does not say it."""
        per_unit = {2: 1.0, 3: 2.54}.get(self.resolution_unit)
        across, down = self.resolution
        if per_unit is None or len(across) < 2 or len(down) < 2 or not across[1] or not down[1]:
            return None
        return per_unit * across[0] / across[1], per_unit * down[0] / down[1]

    def may_be_a_copy_of(self, other: "Layout") -> bool:
        """True if this has the proportions of the other, and is smaller by half at least."""
        unequal = abs(self.width * other.height - self.height * other.width)
        return self.width * 2 <= other.width and unequal <= max(other.width, other.height)

    def __str__(self) -> str:
        form = {SIGNED: "signed ", FLOAT: "floating-point "}.get(self.sample_format, "")
        name = COMPRESSION_NAMES.get(self.compression, f"compression {self.compression}")
        kind = PHOTOMETRIC_NAMES.get(self.photometric, f"colours of kind {self.photometric}")
        return f"{kind}, {self.channels} x {self.bits} {form}bits, {name}"

    @property
    def is_for_pillow(self) -> bool:
        """True if Pillow decodes this correctly, or if it has to report that nothing here can."""
        ordinary = self.bits == 8 if self.channels > 1 else self.bits in (1, 2, 4, 8)
        if ordinary and self.compression not in PICTURE_CODECS:
            simple = self.sample_format == UNSIGNED and not self.planar and len(self.extra) == 0
            # Pillow takes colours of 8 bits for black.
            simple &= self.photometric != PALETTE or max(self.colours, default=0) > MAX_EIGHT_BITS
            if simple and self.channels == CHANNELS.get(self.photometric, self.channels):
                return True
        return not self.has_plain_samples

    @property
    def has_plain_samples(self) -> bool:
        """True if its colours and its compression are of those that `tiff_samples` knows."""
        return self.photometric in CHANNELS and self.compression in {*BYTE_CODECS, *PICTURE_CODECS}

    @property
    def is_subsampled(self) -> bool:
        """True if an uncompressed page in YCbCr has fewer samples of colour than of brightness, or has them in planes.

        The size of the data says it, since files leave out or misstate the tag for it.
        """
        whole = self.segment_width * self.segment_height * self.channels
        return self.photometric == YCBCR and self.compression == UNCOMPRESSED and max(self.sizes, default=0) < whole

    @property
    def channels_together(self) -> int:
        """Number of channels that each strip or tile has."""
        return 1 if self.planar else self.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of samples that fill whole bytes, as they are stored; of others, as they are unpacked."""
        if self.bits in (8, 16, 32, 64):
            return np.dtype(f"{self.byte_order}{'uif'[self.sample_format - 1]}{self.bits // 8}")
        return np.dtype(np.uint8 if self.bits < 8 else np.uint16 if self.bits < 16 else np.uint32)
