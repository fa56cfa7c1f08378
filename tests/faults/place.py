"""A place of its own for each test: database, Redis database, data directory, services; and what was promised there."""

import itertools
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp

from docserver.maintenance import Maintenance
from docserver.redis.client import Key
from docserver.redis.queue import JOBS
from docserver.resources import checked_engine, opened
from docserver.settings import Settings
from tests.support.engines import engine_of
from tests.support.fault_launcher import MODULE, Fault, arguments
from tests.support.fragile_servers import Servers, running
from tests.support.hosts import Host
from tests.support.samples import pdf_scanned, png, words
from tests.support.service import Service, environment_of, form
from tests.support.waiting import until

LONG_AGO_S = 7200.0
"""Older than what maintenance takes for work that may still be under way."""

OFTEN = Fault("docserver.maintenance:FILES_EVERY_S", sets=0.1)

SHORT_WAITS = {
    "slots": "1",
    "mysql_timeout_s": "1",
    "redis_timeout_s": "0.3",
    "lease_s": "1.5",
    "maintenance_s": "0.2",
    "grace_s": "5",
    "rate_limit": "off",
}

THINGS = ("apples", "bread", "candles", "doors", "engines", "flowers", "gardens", "houses", "islands", "jackets")
OWNERS = ("king", "queen", "prince", "baker", "farmer", "sailor", "doctor", "miller")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A document that got its 202."""

    job_id: str
    document_id: str
    texts: tuple[str, ...]


@dataclass
class Place:
    servers: Servers
    number: int
    data_dir: Path
    services: list[Service] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    texts: Any = field(default_factory=lambda: map(" of the ".join, itertools.product(THINGS, OWNERS)))

    @property
    def database(self) -> str:
        return f"docserver{self.number}"

    async def start(
        self, *args: str, faults: Sequence[Fault] = (), version: str = "", on: Host | None = None, **settings: Any
    ) -> Service:
        """Start a service here, of the `version` in a directory and `on` a host if they are given; `settings` are those
        that differ from short waits on one slot.
        """
        given = {
            "mysql_url": self.servers.mysql_url(self.database),
            "redis_url": self.servers.redis_url(self.number),
            "data_dir": self.data_dir,
            **SHORT_WAITS,
            **settings,
        }
        environment = environment_of(**given)
        if faults:
            service = Service(environment, arguments=(arguments(*faults), *args), module=MODULE)
        else:
            service = Service(environment, arguments=args, version=version, on=on)
        self.services.append(service)
        # A process that is to be killed may not live until a slot is free.
        own_redis = str(given["redis_url"]).endswith(f"/{self.number}")
        waits = not faults and own_redis and running(self.servers.store) and int(given["slots"]) > 0
        earlier = await self._redis_clients() if waits else {}
        await service.start()
        if waits:
            await until(lambda: self._waits_for_work(earlier))
        return service

    async def _waits_for_work(self, earlier: Mapping[int, bool]) -> bool:
        """True if a new service waits for work, for which all its slots share a connection: an OCR process is ready.

        Earlier connections do not count: a service that is cut off from Redis may have stopped waiting since.
        """
        clients = await self._redis_clients()
        return any(waits for client, waits in clients.items() if client not in earlier)

    async def _redis_clients(self) -> dict[int, bool]:
        """The connections to this place's Redis database by number, and whether each waits for a job."""
        clients = (await self.servers.admin("CLIENT", "LIST")).decode().splitlines()
        # Each line is `id=7 addr=… db=3 … cmd=blmove …`.
        facts = [dict(fact.partition("=")[::2] for fact in client.split()) for client in clients]
        return {int(fact["id"]): fact["cmd"] == "blmove" for fact in facts if fact["db"] == str(self.number)}

    async def kill(self, service: Service) -> None:
        await service.stop(signal.SIGKILL)

    async def upload(self, service: Service, *, pages: int = 1) -> Accepted | None:
        """Upload a document like no other; None if it was refused or nobody answered."""
        return await self.upload_texts(service, tuple(itertools.islice(self.texts, pages)))

    async def upload_texts(self, service: Service, texts: tuple[str, ...]) -> Accepted | None:
        """Upload a document of these pages; None if it was refused or nobody answered."""
        data = png(texts[0]) if len(texts) == 1 else pdf_scanned(texts)
        try:
            async with service.http.post("/v1/documents/upload-document", data=form(data, "scan")) as response:
                body = await response.json()
                status = response.status
        except (aiohttp.ClientError, OSError):
            return None
        if status != 202:
            assert status in (503, 507), body
            assert status == 507 or "Retry-After" in response.headers
            return None
        made = Accepted(body["job_id"], body["document_id"], texts)
        self.accepted.append(made)
        return made

    async def must_upload(self, service: Service, *, pages: int = 1) -> Accepted:
        made = await self.upload(service, pages=pages)
        assert made is not None, "the upload was refused"
        return made

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.servers.sql(statement.replace("{}", self.database), *arguments)

    async def one(self, statement: str, *arguments: Any) -> Any:
        """The one value that a statement gives."""
        (row,) = await self.sql(statement, *arguments)
        (value,) = row.values()
        return value

    async def redis(self, *words: Key | str | float) -> Any:
        return await self.servers.command(*words, number=self.number)

    async def claimed(self) -> None:
        """Wait until somebody works on something."""
        await until(self._has_claim)

    async def _has_claim(self) -> bool:
        return bool(
            await self.one(
                "SELECT (SELECT COUNT(*) FROM {}.pages WHERE claim IS NOT NULL)"
                " + (SELECT COUNT(*) FROM {}.jobs WHERE claim IS NOT NULL)"
            )
        )

    async def handed_over(self) -> None:
        """Wait until an OCR process has a document before it."""
        await until(self._has_scratch)

    async def _has_scratch(self) -> bool:
        return bool(self.scratch())

    async def assert_kept(
        self, service: Service, *, uncertain: int = 0, scratch: int = 0, latest: int | None = None
    ) -> None:
        """All that was accepted is completed, right, there once, and nothing else is there but up to `uncertain`.

        Uncertain are uploads whose clients heard neither yes nor no: they may be there, but then whole. `scratch` are
        the documents before OCR processes of workers that are frozen. With `latest`, only so many of the last uploads
        are read: the others have been read before.
        """
        for accepted in self.accepted[-latest if latest else None :]:
            final = await service.finished(accepted.job_id)
            assert final["status"] == "completed", final["error"]
            assert final["pages"] == {"total": len(accepted.texts), "done": len(accepted.texts), "failed": 0}
            text = await service.text(accepted.job_id)
            assert [words(page) for page in text.split("\f")] == [words(page) for page in accepted.texts]
        await until(lambda: self._is_idle(scratch))
        stored = {row["id"].hex() for row in await self.sql("SELECT id FROM {}.documents")}
        promised = {upload.document_id.replace("-", "") for upload in self.accepted}
        assert promised <= stored
        assert len(stored - promised) <= uncertain
        assert await self.one("SELECT COUNT(*) FROM {}.jobs") == len(stored)
        assert await self.one("SELECT COUNT(*) FROM {}.jobs WHERE status <> 'completed'") == 0

    async def _is_idle(self, scratch: int) -> bool:
        unfinished = await self.one("SELECT COUNT(*) FROM {}.jobs WHERE status IN ('pending', 'processing')")
        waiting = unfinished or await self._has_claim() or await self.redis("HLEN", JOBS)
        return not waiting and len(self.scratch()) == scratch

    def originals(self) -> set[str]:
        return {path.name for path in (self.data_dir / "originals").glob("*/*")}

    def incoming(self) -> list[Path]:
        return list((self.data_dir / "incoming").iterdir())

    def scratch(self) -> list[Path]:
        """What lies in scratch directories."""
        # Unlike rglob, os.walk goes on if a directory is removed meanwhile.
        tree = os.walk(self.data_dir / "scratch")
        return [Path(directory, name) for directory, _, names in tree for name in names if name != "lock"]

    async def assert_clean(self) -> None:
        """Files and rows match, once maintenance has seen what is older than work under way may be."""
        for service in self.services:
            await service.stop()
        long_ago = time.time() - LONG_AGO_S
        for path in (*(self.data_dir / "originals").glob("*/*"), *self.incoming()):
            os.utime(path, (long_ago, long_ago))
        settings = replace(
            Settings(),
            mysql_url=self.servers.mysql_url(self.database),
            redis_url=self.servers.redis_url(self.number),
            data_dir=self.data_dir,
            slots=0,
        )
        # In this process: a service started for this alone would double the time of many tests.
        with (
            patch("docserver.maintenance.FILES_EVERY_S", 0),
            patch("docserver.resources.describe_engine", engine_of),
        ):
            async with opened(settings, await checked_engine(settings)) as resources:
                maintenance = Maintenance(resources)

                async def collected() -> bool:
                    await maintenance.round()
                    await maintenance.check_files()
                    return await self._files_match()

                await until(collected)
        left = [path.name for path in (self.data_dir / "scratch").iterdir()]
        assert left == [], "no process is left, so no scratch directory is"

    async def _files_match(self) -> bool:
        rows = await self.sql("SELECT id FROM {}.documents")
        return self.incoming() == [] and {name.replace("-", "") for name in self.originals()} == {
            row["id"].hex() for row in rows
        }

    async def close(self) -> None:
        for service in self.services:
            await service.stop(signal.SIGKILL)
