"""A ZIP of documents: its bounds are checked before anything is inflated, and each file is inflated as a stream."""

import asyncio
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from docserver.errors import TooLarge, Unprocessable, UnsupportedMedia

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
"""How an archive begins: with a file, or, if it has none, with its end."""

MAX_ENTRIES = 10_000
"""Most entries of an archive. `zipfile` reads all their names into memory: about 10 MB."""

MAX_DIRECTORY_BYTES = MAX_ENTRIES * 1000
"""Largest central directory: twice what the longest usual names take."""

READ_BYTES = 1 << 18
LOCAL_HEADER_BYTES = 30
IS_ENCRYPTED, IS_UTF_8 = 0x1, 0x800
"""Bits of an entry's flags (APPNOTE.TXT 6.3.10, 4.4.4)."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The methods in use. Others, which are rare, may take much memory."""

IGNORED = ("__MACOSX/",)
IGNORED_NAMES = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What systems add of themselves."""

_END = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_ZIP64_SIGNATURE = b"PK\x06\x06"
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive."""

    archive: ZipFile
    info: ZipInfo
    max_bytes: int

    @property
    def name(self) -> str:
        """Its path, as it was meant: programs on Linux and macOS write UTF-8 without saying so."""
        name = self.info.orig_filename
        if self.info.flag_bits & IS_UTF_8:
            return name
        try:
            return name.encode("cp437").decode()
        except UnicodeError:
            return name

    async def content(self) -> AsyncIterator[bytes]:
        """The bytes of the file; raises Unprocessable, TooLarge, UnsupportedMedia."""
        self._check()
        try:
            file = await asyncio.to_thread(self.archive.open, self.info)
            with file:
                while chunk := await asyncio.to_thread(file.read, READ_BYTES):
                    yield chunk
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise Unprocessable("The file is damaged in the ZIP.") from error

    def _check(self) -> None:
        if self.info.flag_bits & IS_ENCRYPTED:
            raise Unprocessable("The file is encrypted in the ZIP; send a ZIP without a password.")
        if self.info.compress_type not in METHODS:
            raise UnsupportedMedia("The file is compressed in the ZIP in another way than by Deflate.")
        if self.info.file_size > self.max_bytes:
            raise TooLarge(f"The file is larger than the {self.max_bytes / 1_000_000:g} MB that are accepted.")


def destination(head: bytes) -> str:
    """Where a file that begins like this is to be sent if it is an archive, as one sentence more. Documents of office
    programs are archives too, but have none of the files that are read.
    """
    if not head.startswith(SIGNATURES):
        return ""
    return " A ZIP of such files is for POST /v1/batches, as the only file of its batch; a ZIP in a ZIP is not opened."


def entries(file: BinaryIO, *, max_bytes: int, max_total_bytes: int) -> Sequence[Entry]:
    """The files of an archive, in its order. Blocks. Raises Unprocessable and TooLarge.

    `max_bytes` is for each file, `max_total_bytes` for all together, both inflated.
    """
    try:
        size = _check_directory(file)
        archive = ZipFile(file)
        _check_places(archive.infolist(), size=size)
    except (BadZipFile, struct.error, EOFError, NotImplementedError, ValueError) as error:
        raise Unprocessable("The ZIP is damaged or incomplete.") from error
    infos = archive.infolist()
    files = [Entry(archive, info, max_bytes) for info in infos if not _is_ignored(info)]
    if not files:
        raise Unprocessable("The ZIP has no file.")
    if sum(info.file_size for info in infos) > max_total_bytes:
        raise TooLarge(f"The files in the ZIP have more than {max_total_bytes / 1_000_000:g} MB.")
    return files


def _check_directory(file: BinaryIO) -> int:
    """Raise Unprocessable if the archive has too many entries, before all of them are read; raises BadZipFile.

    Returns the size of the file.
    """
    size = file.seek(0, 2)
    tail_at = max(0, size - _END.size - 0xFFFF)
    tail = _read_at(file, tail_at, size - tail_at)
    place = tail.rfind(SIGNATURES[1])
    if place < 0:
        raise BadZipFile
    _, _, _, _, count, directory_bytes, directory_at, comment_bytes = _END.unpack_from(tail, place)
    end_at = tail_at + place
    locator = _read_at(file, end_at - _ZIP64_LOCATOR.size, _ZIP64_LOCATOR.size)
    if locator.startswith(b"PK\x06\x07"):
        end_at -= _ZIP64_LOCATOR.size + _ZIP64_END.size
        _, _, named_at, _ = _ZIP64_LOCATOR.unpack(locator)
        end = _read_at(file, end_at, _ZIP64_END.size)
        # Programs look for it in either place. What they find must not differ.
        if not end.startswith(_ZIP64_SIGNATURE) or named_at != end_at:
            raise BadZipFile
        *_, count, directory_bytes, directory_at = _ZIP64_END.unpack(end)
    # The end of an archive that lies within the file, whose own end is missing, is followed by more, or counts places
    # from its own beginning.
    if place + _END.size + comment_bytes != len(tail) or directory_at + directory_bytes != end_at:
        raise BadZipFile
    if count > MAX_ENTRIES or directory_bytes > MAX_DIRECTORY_BYTES:
        raise _too_many()
    # The number may be a lie, and `zipfile` takes its time for each entry.
    directory = _read_at(file, directory_at, directory_bytes)
    if directory.count(b"PK\x01\x02") > MAX_ENTRIES:
        raise _too_many()
    return size


def _read_at(file: BinaryIO, place: int, size: int) -> bytes:
    """Up to so many bytes from this place on; none before the beginning of the file."""
    if place < 0:
        return b""
    file.seek(place)
    return file.read(size)


def _too_many() -> Unprocessable:
    return Unprocessable(f"The ZIP has more than {MAX_ENTRIES} entries.")


def _check_places(infos: Sequence[ZipInfo], *, size: int) -> None:
    """Raise BadZipFile if entries lie outside of the archive, or the first one is not where the file begins, and
    Unprocessable if they overlap: a small archive could have the same bytes as very many files.
    """
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Unprocessable("Entries of the ZIP overlap.")
        if not end and info.header_offset:
            raise BadZipFile
        end = info.header_offset + LOCAL_HEADER_BYTES + info.compress_size
    if end > size:
        raise BadZipFile


def _is_ignored(info: ZipInfo) -> bool:
    name = info.filename
    return name.endswith("/") or name.startswith(IGNORED) or name.rsplit("/", 1)[-1] in IGNORED_NAMES
