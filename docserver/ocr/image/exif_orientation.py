"""Child side: how a picture file says that its picture is turned or mirrored, and where its pixels are shown then."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import BinaryIO

from PIL import Image

from docserver.layout import Rect

TAG = 0x0112

SIDEWAYS = range(5, 9)
"""Orientations that swap width and height."""

_METHODS: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
"""What shows a picture of an orientation upright."""

_FROM_RIGHT, _FROM_BELOW = (2, 3, 7, 8), (3, 4, 6, 7)
"""Orientations in which the columns, or the rows, of the file are in the opposite order."""


def orientation_of(image: Image.Image) -> int:
    """1 to 8; other numbers mean nothing."""
    value = image.getexif().get(TAG, 1)
    return value if isinstance(value, int) else 1


def stored_orientation(file: BinaryIO) -> int:
    """The orientation of a JPEG, 1 to 8; 1 if there is none or it is invalid."""
    with Image.open(file, formats=["JPEG"]) as image:
        orientation = orientation_of(image)
    return orientation if orientation in range(1, 9) else 1


def turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """The size of a shown picture from that of the stored one, or the other way round."""
    return size[::-1] if orientation in SIDEWAYS else size


def stored_part(part: Rect, orientation: int, *, size: tuple[int, int]) -> Rect:
    """Where a part of a shown picture is in the stored one, which has this size."""
    x0, y0, x1, y1 = part
    if orientation in SIDEWAYS:
        x0, y0, x1, y1 = y0, x0, y1, x1
    if orientation in _FROM_RIGHT:
        x0, x1 = size[0] - x1, size[0] - x0
    if orientation in _FROM_BELOW:
        y0, y1 = size[1] - y1, size[1] - y0
    return x0, y0, x1, y1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """A stored picture as viewers show it."""
    method = _METHODS.get(orientation)
    return image if method is None else image.transpose(method)
