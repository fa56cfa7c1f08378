"""Checks that the database and the data directory belong together, and lets an operator join two that did not.

Both sides store both identities. The first start makes them in three steps, each of which only one process can win:
the directory's file, the database's row, the directory's file about its database. A start that finds a part of them
goes on from there.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from docserver.database.connection import Database
from docserver.database.retries import until_answered
from docserver.database.tables import deployment, documents
from docserver.model import Identity
from docserver.settings import Settings, variable
from docserver.storage import Storage
from docserver.storage.identity import Identities, IdentityError
from docserver.storage.opening import open_identities, open_storage

log = logging.getLogger("docserver.identity")

COMPARED_DOCUMENTS = 100
"""Number of the oldest and of the newest documents whose originals are looked for, where a side has no identity yet."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two sides of a deployment."""

    db: Database
    files: Identities
    storage: Storage
    embedded: bool
    setting: str
    """The variable that names the storage."""

    def refusal(self, found: str, *, remedy: str, goal: str) -> IdentityError:
        command = "docserver adopt --embedded" if self.embedded else "docserver adopt"
        return IdentityError(f"{found}: {remedy}; or, {goal}, run `{command}`")

    def mismatch(self) -> IdentityError:
        return self.refusal(
            f"the {self.files.place} and the database do not belong together",
            remedy=f"correct {self.setting} or DOCSERVER_MYSQL_URL, mount what is missing, or restore both from "
            "backups of the same service",
            goal="to use them together from now on",
        )


async def identify(settings: Settings) -> None:
    """Make sure that the database and the data directory belong together. The first start joins them.

    The database needs its tables. Raises IdentityError with one sentence that says what to do, and DatabaseUnavailable.
    """
    sides = _sides(settings)
    try:
        await until_answered(partial(_agree, sides))
    finally:
        await sides.db.close()


async def adopt(settings: Settings) -> None:
    """Join the database and the data directory, whatever they belonged to before. The database needs its tables.

    Raises DatabaseUnavailable, and IdentityError if the directory's own identity is damaged.
    """
    sides = _sides(settings)
    try:
        directory = await asyncio.to_thread(sides.files.claim_directory)
        identity = Identity(directory, uuid4())
        async with sides.db.session() as cur:
            await deployment.replace(cur, identity)
        await asyncio.to_thread(sides.files.replace_database, identity.database)
    finally:
        await sides.db.close()


async def check(settings: Settings) -> bool:
    """Check as `identify` does, but change nothing. False if the next start will join the two. The database needs its
    tables.

    Raises IdentityError with one sentence that says what to do, and DatabaseUnavailable.
    """
    sides = _sides(settings)
    try:
        directory, database, identity, sample = await _both(sides)
        if identity is None:
            await _require_match(sides, sample, is_first_start=database is None)
        elif (identity.directory, identity.database) != (directory, database or identity.database):
            raise sides.mismatch()
        return identity is not None
    finally:
        await sides.db.close()


async def still_agree(db: Database, identities: Identities) -> bool:
    """True if the database and the storage still belong together: neither was replaced, restored or unmounted.

    Raises DatabaseUnavailable, StorageUnavailable, and IdentityError if a file is damaged.
    """
    directory, database = await asyncio.to_thread(_stored, identities)
    async with db.session() as cur:
        identity = await deployment.find(cur)
    return identity is not None and (identity.directory, identity.database) == (directory, database)


async def require_embedded_database(settings: Settings) -> None:
    """Raise IdentityError if the private database's directory is gone although the data directory was in use.

    Otherwise an empty database would be created in its place.
    """
    sides = _sides(settings)
    if (settings.data_dir / "mysql").exists():
        return
    _, database = await asyncio.to_thread(_stored, sides.files)
    if database or not await sides.storage.is_empty():
        raise sides.refusal(
            f"the {sides.files.place} is in use, but its database {settings.data_dir / 'mysql'} is gone",
            remedy="restore it from a backup",
            goal="to begin with an empty database",
        )


def _sides(settings: Settings) -> _Sides:
    db = Database(settings.mysql_url, size=2, timeout_s=settings.mysql_timeout_s)
    setting = variable("storage_url" if settings.storage_url else "data_dir")
    return _Sides(db, open_identities(settings), open_storage(settings), settings.embedded, setting)


def _stored(files: Identities) -> tuple[UUID | None, UUID | None]:
    return files.directory(), files.database()


async def _both(sides: _Sides) -> tuple[UUID | None, UUID | None, Identity | None, list[UUID]]:
    """What the directory says of itself and of its database; what the database says; some documents."""
    directory, database = await asyncio.to_thread(_stored, sides.files)
    async with sides.db.session() as cur:
        return (
            directory,
            database,
            await deployment.find(cur),
            list(await documents.oldest_and_newest(cur, limit=COMPARED_DOCUMENTS)),
        )


async def _agree(sides: _Sides) -> None:
    directory, database, identity, sample = await _both(sides)
    if identity is None:
        await _require_match(sides, sample, is_first_start=database is None)
        directory = await asyncio.to_thread(sides.files.claim_directory)
        async with sides.db.session() as cur:
            await deployment.insert_if_missing(cur, Identity(directory, database or uuid4()))
            identity = await deployment.find(cur)
    elif directory is None:
        # Another process, which starts for the first time too, may have made both meanwhile.
        directory = await asyncio.to_thread(sides.files.directory)
    if identity is None or identity.directory != directory or not await _is_theirs(sides, identity):
        raise sides.mismatch()


async def _is_theirs(sides: _Sides, identity: Identity) -> bool:
    """True if the directory belongs to this database. A directory that belongs to none belongs to it from now on."""
    return await asyncio.to_thread(sides.files.claim_database, identity.database) == identity.database


async def _require_match(sides: _Sides, sample: Sequence[UUID], *, is_first_start: bool) -> None:
    """Raise IdentityError if a database without identity is not that of the data directory.

    It is if both are empty at the first start. After an upgrade, or if an older backup was restored, it is if the
    directory has the originals of some of its documents.
    """
    if sample:
        if not await sides.storage.has_any(sample):
            raise sides.refusal(
                f"the database has documents, but the {sides.files.place} has the original of none",
                remedy=f"correct {sides.setting}, mount what is missing, or restore it from a backup",
                goal="to go on without the originals",
            )
    elif not (is_first_start and await sides.storage.is_empty()):
        raise sides.refusal(
            f"the {sides.files.place} is in use, but the database is empty",
            remedy="restore the database from a backup, or correct DOCSERVER_MYSQL_URL",
            goal="to go on with the empty database",
        )
