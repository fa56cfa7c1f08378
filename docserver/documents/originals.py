"""Compares originals with documents: originals that no document knows, and documents whose originals are missing.

An original that no document knows is never deleted at once: the database may be older than the originals, or the wrong
one. It goes into the quarantine, comes back if its document appears, and is deleted after days.
"""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from docserver.database.tables import deletions, documents
from docserver.resources import Resources
from docserver.storage.quarantine import StoredFile

log = logging.getLogger("docserver.maintenance")

COMMIT_S = 60.0
"""A younger original may belong to an upload whose commit has not ended. Commits take less than a second."""

GRACE_S = 3600.0
"""Only originals that are older than this go into the quarantine. No commit takes an hour."""

FILES_AT_ONCE = 500
"""Most originals that one statement looks up in the database."""

DOCUMENTS_AT_ONCE = 2000
"""Most documents whose originals are looked for in one check; the next check goes on from there."""

AFTER_LAST = UUID(int=(1 << 128) - 1)
"""An id that is higher than that of any document."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The originals that no document knows."""

    stored: dict[UUID, StoredFile]
    """Those among the originals."""
    quarantined: dict[UUID, StoredFile]
    """Those in the quarantine."""
    known: int
    """The number of originals that documents know."""

    def __len__(self) -> int:
        return len(self.stored) + len(self.quarantined)

    @property
    def are_most(self) -> bool:
        """True if most originals are unknown. Then the database is probably not the right one."""
        return len(self) > self.known


async def find_unknown(resources: Resources) -> Unknown:
    """Find all originals that no document knows, except new ones, whose uploads may still be under way.

    Originals in the quarantine whose documents exist again are put back. Those of deleted documents are removed.
    """
    storage = resources.storage
    quarantined: dict[UUID, StoredFile] = {}
    stored: dict[UUID, StoredFile] = {}
    known = 0
    files = await storage.quarantine.files()
    for part in _parts(files):
        documented, unknown = await _split(resources, part)
        await storage.quarantine.put_back(documented)
        quarantined.update((each, files[each]) for each in unknown)
    async for files in storage.older_than(COMMIT_S):
        for part in _parts(files):
            documented, unknown = await _split(resources, part)
            known += len(documented)
            stored.update((each, files[each]) for each in unknown)
    return Unknown(stored=stored, quarantined=quarantined, known=known)


class OriginalsCheck:
    """Compares all originals with the documents, again and again. Remembers the previous check."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._old_unknown: set[UUID] = set()
        """Originals older than GRACE_S that no document knew at the previous check."""
        self._reported = 0
        self._position = AFTER_LAST

    async def run(self) -> None:
        """Quarantine old originals that no document knows, empty the quarantine in time, and report what is missing."""
        unknown = await find_unknown(self._resources)
        self._report(unknown)
        await self._quarantine(unknown)
        await self._delete(unknown)
        await self._look_for_missing()

    async def _quarantine(self, unknown: Unknown) -> None:
        """Put old originals into the quarantine if no document knew them at the previous check either.

        If a clock is wrong, the file of a commit that has not ended may seem old. By the next check, it has ended.
        """
        old = {each for each, file in unknown.stored.items() if file.age_s > GRACE_S}
        moving = old & self._old_unknown
        for part in _parts(moving):
            await self._resources.storage.quarantine.put(part)
        self._old_unknown = old - moving
        if moving:
            log.warning("originals without a document put into the quarantine", extra={"files": len(moving)})

    async def _delete(self, unknown: Unknown) -> None:
        limit_s = self._resources.settings.quarantine_s
        expired = [each for each, file in unknown.quarantined.items() if file.age_s > limit_s]
        if not expired:
            return
        if unknown.are_most:
            log.error(
                "most originals have no document, so the quarantine is not emptied: restore the right database, or run "
                "`docserver quarantine restore --all`, or delete the files in the data directory's quarantine/ by hand",
                extra={"files": len(unknown), "known": unknown.known},
            )
            return
        for part in _parts(expired):
            await self._resources.storage.quarantine.delete(part)
        log.warning("originals deleted after their time in the quarantine", extra={"files": len(expired)})

    def _report(self, unknown: Unknown) -> None:
        if len(unknown) not in (0, self._reported):
            log.warning(
                "originals without a document are kept for a while: `docserver quarantine list` shows them, "
                "`docserver quarantine restore --all` makes documents of them",
                extra={"files": len(unknown), "known": unknown.known},
            )
        self._reported = len(unknown)

    async def _look_for_missing(self) -> None:
        """Look for the originals of some documents, from the newest to the oldest, check after check."""
        resources = self._resources
        async with resources.maintenance_db.session() as cur:
            part = await documents.newest_before(cur, self._position, limit=DOCUMENTS_AT_ONCE)
        self._position = part[-1] if len(part) == DOCUMENTS_AT_ONCE else AFTER_LAST
        missing = await resources.storage.missing(part)
        if not missing:
            return
        async with resources.maintenance_db.session() as cur:
            # Some may have been deleted since.
            existing = await documents.existing(cur, missing)
        if existing:
            log.warning(
                "documents without their original keep their results: restore the data directory's originals/ from the "
                "latest backup, or upload the same files again",
                extra={"documents": len(existing), "checked": len(part)},
            )


async def _split(resources: Resources, document_ids: list[UUID]) -> tuple[set[UUID], set[UUID]]:
    """The ids of documents that exist, and those that are unknown. Removes the originals of deleted documents."""
    async with resources.maintenance_db.session() as cur:
        existing = await documents.existing(cur, document_ids)
        others = [each for each in document_ids if each not in existing]
        deleted = await deletions.deleted_among(cur, others) if others else set()
    removed = 0
    for document_id in deleted:
        try:
            await resources.storage.delete(document_id)
            removed += 1
        except OSError as error:
            facts = {"document_id": str(document_id), "number": error.errno}
            log.warning("original of a deleted document cannot be deleted", extra=facts)
    if removed:
        log.info("originals of deleted documents removed", extra={"files": removed})
    return existing, set(others) - deleted


def _parts(document_ids: Collection[UUID]) -> Iterator[list[UUID]]:
    iterator = iter(document_ids)
    while part := list(islice(iterator, FILES_AT_ONCE)):
        yield part
