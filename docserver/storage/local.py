"""Stores originals as files in the data directory, named by document id. A client's file name never becomes part of a
path.
"""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from uuid import UUID, uuid4

from docserver.model import parse_id
from docserver.room import FULL, UNLIMITED, Room
from docserver.storage import Received
from docserver.storage.comparing import Comparison, examine
from docserver.storage.deleted import DeletedFiles
from docserver.storage.directories import sync
from docserver.storage.disk import full, on_disk, unavailable
from docserver.storage.quarantine import QuarantineDirectory, StoredFile
from docserver.storage.receiving import make_again, write
from docserver.storage.result_files import ResultDirectory
from docserver.storage.results import Results

SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN)
"""Errors of opening or reading a file that say nothing about the file: this machine lacks something, or the server of
a network file system is away."""

log = logging.getLogger("docserver.storage")


class LocalStorage:
    """A `Storage` in a directory that all processes of the service share."""

    links = None

    def __init__(self, data_dir: Path, room: Room = UNLIMITED, *, max_result_bytes: int = 0) -> None:
        """Uploads are refused when `room` has too little for them. Large results take `max_result_bytes` at most."""
        self._room = room
        self._originals = data_dir / "originals"
        self._incoming = data_dir / "incoming"
        self._comparison = Comparison()
        self._kept: set[Path] = set()
        """Where uploads were that are originals now, until they are discarded."""
        place = ResultDirectory(data_dir / "results", incoming=self._incoming, room=room)
        self.results = Results(place, max_bytes=max_result_bytes)
        self.deleted = DeletedFiles(data_dir / "deleted")
        self.quarantine = QuarantineDirectory(data_dir / "quarantine", original=self._place)

    async def prepare(self) -> None:
        await asyncio.to_thread(self._prepare)

    async def receive(self, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Received:
        path = self._incoming / f"{uuid4()}.part"
        try:
            return await write(path, chunks, max_bytes=max_bytes, room=self._room)
        except BaseException:
            await asyncio.shield(_remove(path))
            raise

    async def keep(self, received: Received, document_id: UUID) -> Received:
        place = self._place(document_id)
        await on_disk(_move, received.path, place)
        self._kept.add(received.path)
        return replace(received, path=place)

    @asynccontextmanager
    async def intact(self, document_id: UUID, *, size: int, sha256: bytes) -> AsyncIterator[Path | None]:
        yield await self._intact(document_id, size=size, sha256=sha256)

    async def _intact(self, document_id: UUID, *, size: int, sha256: bytes) -> Path | None:
        try:
            path = await self._path(document_id)
            if await self._comparison.equal(path, size=size, sha256=sha256):
                return path
        except OSError as error:
            # Where the data directory is not mounted, nothing is missing.
            if error.errno in SHORTAGES or not await asyncio.to_thread(self._originals.is_dir):
                raise unavailable() from error
            log.warning("original not readable", extra={"document_id": str(document_id), "number": error.errno})
            return None
        log.warning("original damaged", extra={"document_id": str(document_id)})
        return None

    async def discard(self, received: Received) -> None:
        if received.path in self._kept:
            # Nothing is there, and a thread that finds that out would take as long as one that removes a file.
            self._kept.remove(received.path)
        else:
            await _remove(received.path)

    @asynccontextmanager
    async def file(self, document_id: UUID) -> AsyncIterator[Path]:
        yield await self._path(document_id)

    async def _path(self, document_id: UUID) -> Path:
        path = self._place(document_id)
        if not await asyncio.to_thread(path.is_file):
            # While its document was unknown, as after a restore of an older database, it may have been quarantined.
            await self.quarantine.put_back([document_id])
            if not await asyncio.to_thread(path.is_file):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return path

    async def remote(self, document_id: UUID) -> None:  # noqa: ARG002 - all originals are here
        return None

    async def examine(self, document_id: UUID) -> Received:
        return await examine(await self._path(document_id))

    async def delete(self, document_id: UUID) -> None:
        await asyncio.to_thread(_unlink, self._place(document_id))
        await self.quarantine.delete([document_id])
        await self.results.delete(document_id)

    async def is_empty(self) -> bool:
        return await asyncio.to_thread(self._is_empty)

    async def has_any(self, document_ids: Sequence[UUID]) -> bool:
        return len(await self.missing(document_ids)) < len(document_ids)

    async def missing(self, document_ids: Sequence[UUID]) -> list[UUID]:
        return await asyncio.to_thread(lambda: [each for each in document_ids if not self._place(each).is_file()])

    async def older_than(self, age_s: float) -> AsyncIterator[Mapping[UUID, StoredFile]]:
        now = await asyncio.to_thread(self._now)
        for directory in await asyncio.to_thread(lambda: list(self._originals.iterdir())):
            yield await asyncio.to_thread(_originals_older_than, directory, age_s, now)

    async def discard_abandoned(self, age_s: float) -> int:
        return await asyncio.to_thread(self._discard_abandoned, age_s)

    async def check(self) -> None:
        try:
            await asyncio.to_thread(self._check)
        except OSError as error:
            if error.errno in FULL:
                raise full() from error
            raise

    def _prepare(self) -> None:
        for directory in (self._originals, self._incoming):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.deleted.prepare()
        self.quarantine.prepare()

    def _is_empty(self) -> bool:
        files = chain(self._originals.glob("*/*"), self._originals.parent.glob("quarantine/*"))
        return not any(parse_id(path.name) for path in files)

    def _place(self, document_id: UUID) -> Path:
        name = str(document_id)
        # The last characters of a UUIDv7 are random, so the directories fill evenly.
        return self._originals / name[-2:] / name

    def _discard_abandoned(self, age_s: float) -> int:
        moment = self._now() - age_s
        abandoned = [path for path in self._incoming.iterdir() if _is_older(path, moment)]
        return sum(_discard(path) for path in abandoned)

    def _check(self) -> None:
        make_again(self._incoming)
        self._room.require()
        probe = self._incoming / f"{uuid4()}.probe"
        try:
            probe.write_bytes(b"ready")
        finally:
            probe.unlink(missing_ok=True)

    def _now(self) -> float:
        """The time by the file system's clock, which may differ from this machine's. Works on a full disk too."""
        make_again(self._incoming)
        os.utime(self._incoming)
        return self._incoming.stat().st_mtime


async def _remove(path: Path) -> None:
    """Remove an upload; if that fails, maintenance removes it later."""
    try:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    except OSError as error:
        log.warning("upload not removed", extra={"number": error.errno})


def _move(source: Path, target: Path) -> None:
    with suppress(FileExistsError):
        target.parent.mkdir(mode=0o700)
        sync(target.parent.parent)
    try:
        source.rename(target)
    except IsADirectoryError:
        _set_aside(target)
        source.rename(target)
    sync(target.parent)


def _unlink(original: Path) -> None:
    try:
        original.unlink(missing_ok=True)
    except IsADirectoryError:
        _set_aside(original)


def _set_aside(directory: Path) -> None:
    """Give a directory in the place of an original another name. It is not ours, so it is not deleted."""
    directory.rename(directory.with_name(f"{directory.name}.{uuid4()}"))
    log.warning("directory in the place of an original renamed", extra={"document_id": directory.name})


def _discard(upload: Path) -> bool:
    try:
        upload.unlink()
    except OSError as error:
        # It may be gone, or a directory that others put here, such as lost+found.
        log.debug("abandoned upload not removed", extra={"number": error.errno})
        return False
    return True


def _originals_older_than(directory: Path, age_s: float, now: float) -> dict[UUID, StoredFile]:
    """The originals in this directory that are older."""
    files = {}
    for path in directory.glob("*"):
        if document_id := parse_id(path.name):
            file = StoredFile.of(path, now=now)
            if file and file.age_s > age_s:
                files[document_id] = file
    return files


def _is_older(path: Path, moment: float) -> bool:
    try:
        return path.lstat().st_mtime < moment
    except OSError:
        return False
