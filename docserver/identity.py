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
from docserver.database.tables import claims, deployment, documents, leader
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
    has_url: bool
    """True if the settings have a URL of the storage."""

    def refusal(self, found: str, *, remedy: str, goal: str, option: str = "") -> IdentityError:
        command = f"docserver adopt{' --embedded' if self.embedded else ''}{option}"
        return IdentityError(f"{found}: {remedy}; {goal}, see `{command}` in docs/backup.md")

    def mismatch(self) -> IdentityError:
        return self.refusal(
            f"the {self.files.place} and the database do not belong together",
            remedy=f"{', '.join(self.likely)} or {variable('mysql_url')} is probably not the service's; correct it, "
            "mount what is missing, or restore both from backups of the same service",
            goal="to use them together all the same",
        )

    def without_originals(self) -> IdentityError:
        return self.refusal(
            f"the database has documents, but the {self.files.place} has the original of none",
            remedy=f"{' or '.join(self.likely)} is probably not the service's; correct it, mount what is missing, or "
            "restore it from a backup",
            goal="to go on without the originals",
            option=" --without-originals",
        )

    @property
    def likely(self) -> tuple[str, ...]:
        """The settings that are wrong most likely if this is not the service's storage."""
        url = variable("storage_url")
        return (url,) if self.has_url else (variable("data_dir"), f"{url} (not set here)")


async def identify(settings: Settings) -> None:
    """Make sure that the database and the data directory belong together. The first start joins them.

    The database needs its tables. Raises IdentityError with one sentence that says what to do, and DatabaseUnavailable.
    """
    sides = _sides(settings)
    try:
        await until_answered(partial(_agree, sides))
    finally:
        await sides.db.close()


async def adopt(settings: Settings, *, without_originals: bool = False) -> None:
    """Join the database and the data directory, whatever they belonged to before. Two that belong together stay as they
    are. The database needs its tables.

    Raises DatabaseUnavailable, StorageUnavailable, and IdentityError if the directory's own identity is damaged, if the
    service is at work, or, unless `without_originals`, if the directory has no original of the database's documents.
    """
    sides = _sides(settings)
    try:
        directory, database, present, sample = await _both(sides)
        if present and (present.directory, present.database) == (directory, database):
            return
        await _require_rest(sides.db)
        if sample and not without_originals and not await sides.storage.has_any(sample):
            raise sides.without_originals()
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
    return _Sides(db, open_identities(settings), open_storage(settings), settings.embedded, bool(settings.storage_url))


async def _require_rest(db: Database) -> None:
    """Raise IdentityError while a process works with this database: it would lose its storage."""
    async with db.session() as cur:
        if await leader.is_led(cur) or await claims.are_held(cur):
            raise IdentityError(
                "docserver is at work with this database: stop all its processes, on all machines, before you adopt "
                "anything; those that were killed count for half a minute"
            )


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
            raise sides.without_originals()
    elif not (is_first_start and await sides.storage.is_empty()):
        raise sides.refusal(
            f"the {sides.files.place} is in use, but the database is empty",
            remedy=f"{variable('mysql_url')} is probably not the service's; correct it, or restore the database from a "
            "backup",
            goal="to go on with the empty database",
        )
