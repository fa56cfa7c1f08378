"""Child side: the directories of a TIFF or BigTIFF: which of them are pages, and their tags. Decodes nothing."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable

NEW_SUBFILE_TYPE = 254
OLD_SUBFILE_TYPE = 255
PHOTOMETRIC = 262
SUB_DIRECTORIES = 330

REDUCED, MASK = 1, 4
"""Bits of NewSubfileType: a reduced copy of another picture, and a transparency mask for one."""

OLD_REDUCED = 2
PHOTOMETRIC_MASK = 4
CAMERA_RAW = frozenset({32803, 34892})
"""Photometric interpretations of unprocessed data of a camera. Such files have a preview, which is read instead."""

MAX_DIRECTORIES = 50_000
"""Most directories that are looked at, copies and masks included: two seconds of work."""

MAX_SUB_DIRECTORIES = 64
"""Most directories below one in the chain. Pyramids have about ten."""

MAX_VALUES = 1_000_000
"""Most values of a tag that are read. A page of 150 megapixels in the smallest tiles has 600,000."""

_TYPES = {1: "B", 3: "H", 4: "I", 5: "II", 13: "I", 16: "Q", 18: "Q"}
"""Codes of the types that are read, as `struct` names them: whole numbers, and fractions as two numbers."""

_PURPOSE = frozenset({NEW_SUBFILE_TYPE, OLD_SUBFILE_TYPE, PHOTOMETRIC, SUB_DIRECTORIES})
"""Tags that say whether a directory is a page."""

Tags = dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Directory:
    reduced: bool = False
    mask: bool = False
    camera_raw: bool = False
    below: tuple[int, ...] = ()

    @property
    def is_page(self) -> bool:
        return not (self.reduced or self.mask or self.camera_raw)


class Directories:
    """The chain of directories in a file. Raises Unreadable if the file ends in its header."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        header = file.read(16)
        self.file = file
        self.byte_order = "<" if header[:2] == b"II" else ">"
        self.big = header[2:4] in (b"+\0", b"\0+")
        self._header = header if self.big else header[:8]
        if len(self._header) < (16 if self.big else 8):
            raise Unreadable(DocumentErrorCode.CORRUPT, "The picture is broken or incomplete.")

    def pages(self, most: int) -> list[int]:
        """Offsets of the directories that are pages, in their order, at most `most`.

        Reduced copies and masks are no pages. If there is nothing else, each directory in the chain is a page.
        A directory that is cut off counts as a page, so that no page is lost in silence.
        """
        pages: list[int] = []
        chain: list[int] = []
        for offset, directory in self._chain():
            if len(chain) < most:
                chain.append(offset)
            if directory.is_page:
                pages.append(offset)
            else:
                # A file may begin with a small copy, and have the picture itself below that.
                pages += [below for below in directory.below if self._is_page(below)]
            if len(pages) >= most:
                return pages[:most]
        return pages or chain

    def tags(self, offset: int) -> Tags | None:
        """The tags of the directory at `offset` that have whole numbers or fractions; None if the file ends before."""
        directory = self._read(offset, None)
        return directory and directory[0]

    def starting_at(self, offset: int, path: str) -> io.BufferedReader:
        """The file as if its first directory were the one at `offset`: decoders always begin with the first one."""
        pointer = struct.pack(self.byte_order + self._offset_format, offset)
        return _WithHeader(path, self._header[: -len(pointer)] + pointer)

    @property
    def _offset_format(self) -> str:
        return "Q" if self.big else "I"

    def _chain(self) -> Iterator[tuple[int, _Directory]]:
        (offset,) = self._unpack(self._offset_format, self._header[8 if self.big else 4 :])
        seen: set[int] = set()
        while offset and offset not in seen:
            seen.add(offset)
            if len(seen) > MAX_DIRECTORIES:
                raise Unreadable(
                    DocumentErrorCode.TOO_MANY_PAGES, f"The file has more than {MAX_DIRECTORIES} pictures."
                )
            tags, next_offset = self._read(offset, _PURPOSE) or ({}, 0)
            yield offset, _directory(tags)
            offset = next_offset

    def _is_page(self, offset: int) -> bool:
        read = self._read(offset, _PURPOSE)
        return read is not None and _directory(read[0]).is_page

    def _read(self, offset: int, wanted: frozenset[int] | None) -> tuple[Tags, int] | None:
        """The wanted tags of the directory at `offset`, or all, and the offset of the next directory; None if the file
        ends before that.
        """
        entry_format = "HHQ" if self.big else "HHI"
        value_bytes = 8 if self.big else 4
        size = struct.calcsize("=" + entry_format) + value_bytes
        try:
            self.file.seek(offset)
            (count,) = self._unpack("Q" if self.big else "H", self.file.read(8 if self.big else 2))
            entries = self.file.read(min(count, 0xFFFF) * size)
            (next_offset,) = self._unpack(self._offset_format, self.file.read(value_bytes))
        # OverflowError and OSError: an offset that no file can have.
        except (struct.error, OverflowError, OSError):
            return None
        tags: Tags = {}
        for start in range(0, len(entries), size):
            value_at = start + size - value_bytes
            tag, kind, length = self._unpack(entry_format, entries[start:value_at])
            if (wanted is None or tag in wanted) and kind in _TYPES:
                tags[tag] = self._values(kind, length, entries[value_at : start + size])
        return tags, next_offset

    def _values(self, kind: int, length: int, inline: bytes) -> tuple[int, ...]:
        """The values of a tag; none if the file ends before them."""
        format_ = _TYPES[kind] if length == 1 else f"{min(length, MAX_VALUES) * len(_TYPES[kind])}{_TYPES[kind][0]}"
        size = struct.calcsize("=" + format_)
        data = inline[:size]
        if size > len(inline):
            try:
                self.file.seek(self._unpack(self._offset_format, inline)[0])
            except (OverflowError, OSError):
                return ()
            data = self.file.read(size)
        return self._unpack(format_, data) if len(data) == size else ()

    def _unpack(self, format_: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self.byte_order + format_, data)


def _directory(tags: Tags) -> _Directory:
    kind, photometric = number(tags, NEW_SUBFILE_TYPE, 0), number(tags, PHOTOMETRIC, 0)
    return _Directory(
        reduced=bool(kind & REDUCED) or number(tags, OLD_SUBFILE_TYPE, 0) == OLD_REDUCED,
        mask=bool(kind & MASK) or photometric == PHOTOMETRIC_MASK,
        camera_raw=photometric in CAMERA_RAW,
        below=tags.get(SUB_DIRECTORIES, ())[:MAX_SUB_DIRECTORIES],
    )


def number(tags: Tags, tag: int, default: int) -> int:
    """The first value of a tag."""
    return (tags.get(tag) or (default,))[0]


class _WithHeader(io.BufferedReader):
    """A file of which the first bytes are replaced."""

    def __init__(self, path: str, header: bytes) -> None:
        super().__init__(io.FileIO(path))
        self._header = header

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        data = super().read(size)
        return self._header[at : at + len(data)] + data[max(0, len(self._header) - at) :]
