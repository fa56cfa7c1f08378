"""The identities in the data directory: its own, and that of the database it belongs to. A file for each.

Each file is created whole and never overwritten, so processes that start at the same time agree. Only `adopt` replaces
the database's.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

from docserver.model import parse_id
from docserver.storage.directories import link_new, sync

LONGEST = 1000
"""Number of bytes that are read of a file. An identity has 37."""


class IdentityError(Exception):
    """The data directory and the database do not belong together; the message is one sentence for the operator."""


class Identities(Protocol):
    """The identities that a storage has. All methods block, and raise IdentityError."""

    place: str
    """Names the storage in messages for the operator."""

    def directory(self) -> UUID | None:
        """The storage's own identity; None before its first start."""

    def database(self) -> UUID | None:
        """The identity of the database that the storage belongs to, or None."""

    def claim_directory(self) -> UUID:
        """The storage's own identity, which is made if it has none."""

    def claim_database(self, identity: UUID) -> UUID:
        """The identity of the storage's database, which is set to this one if the storage has none."""

    def replace_database(self, identity: UUID) -> None:
        """Let the storage belong to this database, whatever it belonged to before."""


class IdentityFiles:
    """The files `directory` and `database` in the data directory's `identity/`. All methods block."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "identity"
        self.place = f"data directory {data_dir}"

    def directory(self) -> UUID | None:
        return _read(self._path / "directory")

    def database(self) -> UUID | None:
        return _read(self._path / "database")

    def claim_directory(self) -> UUID:
        return self._claim("directory", uuid4())

    def claim_database(self, identity: UUID) -> UUID:
        return self._claim("database", identity)

    def replace_database(self, identity: UUID) -> None:
        self._write("database", identity, Path.rename)

    def _claim(self, name: str, identity: UUID) -> UUID:
        present = _read(self._path / name)
        if present:
            return present
        self._write(name, identity, link_new)
        written = _read(self._path / name)
        if written is None:
            raise IdentityError(f"the file {self._path / name} vanishes as soon as it is written")
        return written

    def _write(self, name: str, identity: UUID, put: Callable[[Path, Path], object]) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path / f"{name}.{uuid4()}"
        try:
            with new.open("xb") as file:
                file.write(f"{identity}\n".encode())
                file.flush()
                os.fsync(file.fileno())
            put(new, self._path / name)
        finally:
            new.unlink(missing_ok=True)
        for directory in (self._path, self._path.parent):
            sync(directory)


def public_mark(identity: UUID) -> str:
    """What tells deployments apart and may be shown to everybody: no identity can be found by it."""
    return sha256(identity.bytes).hexdigest()[:16]


def _read(path: Path) -> UUID | None:
    try:
        text = _content(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IdentityError(
            f"the file {path} cannot be read ({error.strerror}): correct DOCSERVER_DATA_DIR, or restore it from a "
            "backup"
        ) from error
    identity = parse_id(text.decode(errors="replace").strip())
    if identity is None:
        raise IdentityError(
            f"the file {path} is damaged: restore it from a backup, or delete it and run `docserver adopt`"
        )
    return identity


def _content(path: Path) -> bytes:
    """Read a file whose name may have become that of something else: never waits, and never reads without end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, LONGEST)
    finally:
        os.close(descriptor)
