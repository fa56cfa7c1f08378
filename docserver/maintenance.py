"""What keeps the promise that nothing is lost: leases that ran out, announcements that were lost, orphaned files."""

import asyncio
import logging
import time

from docserver import moves, news
from docserver.errors import DatabaseUnavailable, RedisUnavailable
from docserver.resources import Resources
from docserver.tables import claims, documents, jobs

log = logging.getLogger("docserver.maintenance")

ANNOUNCED_AT_ONCE = 1000
"""Lost announcements repeated in one round: bounds the script that compares them with the list."""

EXPIRED_AT_ONCE = 200
"""Jobs freed in one round; the others are freed in the next."""

FILES_EVERY_S = 300.0
FILES_GRACE_S = 3600.0
"""A file without a row may be one whose commit is under way; after an hour no such commit can be."""

FILES_AT_ONCE = 500


class Maintenance:
    """A round every few seconds; each is harmless to repeat, and to run in several processes at once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._files_at = 0.0
        # Whoever works renews its leases before this process trusts that those which ran out are abandoned.
        self._leases_from = time.monotonic()

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            try:
                await self.round()
            except DatabaseUnavailable:
                self._leases_from = time.monotonic() + self._resources.settings.lease_s
                log.warning("maintenance waits for the database")
            except Exception:
                log.exception("maintenance met an unexpected fault")
            await asyncio.sleep(self._resources.settings.maintenance_s)

    async def round(self) -> None:
        """Free what nobody works on any more, announce what waits, and collect files now and then."""
        if time.monotonic() >= self._leases_from:
            await self._expire_leases()
        await self._announce()
        if time.monotonic() - self._files_at > FILES_EVERY_S:
            self._files_at = time.monotonic()
            await self._collect_files()

    async def _expire_leases(self) -> None:
        async with self._resources.db.session() as cur:
            abandoned = await claims.expired(cur, limit=EXPIRED_AT_ONCE)
        for job_id in abandoned:
            job = await moves.reap(self._resources.db, job_id)
            if job:
                log.warning("leases ran out", extra={"job_id": str(job_id)})
                await news.publish(self._resources, job)

    async def _announce(self) -> None:
        async with self._resources.db.session() as cur:
            waiting = await jobs.runnable(cur, limit=ANNOUNCED_AT_ONCE)
        if not waiting:
            return
        try:
            repeated = await self._resources.queue.announce(*waiting)
        except RedisUnavailable:
            return
        if repeated:
            log.info("announcements repeated", extra={"jobs": repeated})

    async def _collect_files(self) -> None:
        storage = self._resources.storage
        kept = await storage.kept_before(FILES_GRACE_S)
        for start in range(0, len(kept), FILES_AT_ONCE):
            batch = kept[start : start + FILES_AT_ONCE]
            async with self._resources.db.session() as cur:
                existing = await documents.existing(cur, batch)
            for document_id in set(batch) - existing:
                await storage.delete(document_id)
                log.warning("file without a document removed", extra={"document_id": str(document_id)})
        abandoned = await storage.discard_abandoned(FILES_GRACE_S)
        if abandoned:
            log.warning("abandoned uploads removed", extra={"files": abandoned})
