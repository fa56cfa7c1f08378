"""TIFFs that are written tag by tag, and the pictures in them."""

import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Tags = Mapping[int, int | list[int]]

WIDTH, HEIGHT = 40, 24


def grey() -> Array:
    """White as 1.0, with a black square at the top left and a grey one at the bottom right."""
    picture = np.ones((HEIGHT, WIDTH))
    picture[:8, :8] = 0
    picture[16:, 30:] = 0.4
    return picture


def rgb() -> Array:
    """Three different channels, of which no two may be exchanged."""
    return np.stack([grey(), np.roll(grey(), 10, axis=1), np.roll(grey(), 5, axis=0)], axis=-1)


def packed(numbers: Array, *, bits: int, order: str) -> bytes:
    """Rows of samples as a TIFF stores them."""
    if bits in (8, 16, 32):
        return numbers.astype(f"{order}u{bits // 8}").tobytes()
    rows = []
    for row in numbers.reshape(numbers.shape[0], -1):
        digits = "".join(f"{int(value):0{bits}b}" for value in row)
        digits += "0" * (-len(digits) % 8)
        rows.append(int(digits, 2).to_bytes(len(digits) // 8))
    return b"".join(rows)


class TiffFile:
    """A TIFF that is written picture by picture."""

    def __init__(self, order: str = "<", *, big: bool = False) -> None:
        self.order, self.big = order, big
        magic = {("<", False): b"II*\0", (">", False): b"MM\0*", ("<", True): b"II+\0", (">", True): b"MM\0+"}
        self.data = magic[order, big] + (struct.pack(order + "HH", 8, 0) if big else b"")
        self.link = len(self.data)
        self.data += bytes(8 if big else 4)

    def segments(self, parts: list[bytes]) -> tuple[list[int], list[int]]:
        offsets = []
        for part in parts:
            offsets.append(len(self.data))
            self.data += part + b"\0" * (len(part) % 2)
        return offsets, [len(part) for part in parts]

    def directory(self, tags: Tags, *, linked: bool = True) -> int:
        """Add a directory, in the chain or only below another, and return its offset."""
        word, kind, size = ("Q", 16, 8) if self.big else ("I", 4, 4)
        lists = {tag: value if isinstance(value, list) else [value] for tag, value in sorted(tags.items())}
        entries = b""
        for tag, values in lists.items():
            entries += struct.pack(f"{self.order}HH{word}", tag, kind, len(values))
            value = struct.pack(f"{self.order}{len(values)}{word}", *values)
            if len(values) > 1:
                (at,), _ = self.segments([value])
                value = struct.pack(self.order + word, at)
            entries += value
        offset = len(self.data)
        self.data += struct.pack(self.order + ("Q" if self.big else "H"), len(lists)) + entries
        link = len(self.data)
        self.data += bytes(size)
        if linked:
            self.data = self.data[: self.link] + struct.pack(self.order + word, offset) + self.data[self.link + size :]
            self.link = link
        return offset

    def picture(self, numbers: Array, tags: Tags = MappingProxyType({}), *, linked: bool = True) -> int:
        """Add a grey or RGB picture of one strip, uncompressed."""
        offsets, sizes = self.segments([packed(numbers, bits=8, order=self.order)])
        channels = numbers.shape[2] if numbers.ndim == 3 else 1
        return self.directory(
            {
                256: numbers.shape[1],
                257: numbers.shape[0],
                258: [8] * channels,
                259: 1,
                262: 2 if channels == 3 else 1,
                273: offsets,
                277: channels,
                279: sizes,
                **tags,
            },
            linked=linked,
        )

    def save(self, path: Path) -> Path:
        path.write_bytes(self.data)
        return path
