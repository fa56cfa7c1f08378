"""What must hold when the faults are over and nobody asks for anything any more."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from docserver.redis.cache import FINAL_FRESH_S
from docserver.redis.queue import JOBS
from tests.soak.clients import COMPLETED, DELETED, Book, Client, Promise
from tests.soak.scene import API, OFTEN, SETTINGS, WORKERS, Scene, Usage, usage

IN_TIME_S = 90.0
"""After the last fault: what waits behind it is some dozens of small documents."""

SETTLED_S = 30.0
ANSWER_S = 5.0
LONG_AGO_S = 7200.0

MORE_DESCRIPTORS = 12
"""Connections of pools that the baseline did not need yet, at most."""

MORE_MEMORY_MB = 60.0
"""Caches of allocators and of libraries that were loaded since; a leak of a document each would be far more."""


@dataclass
class Report:
    """Each check by its name: what was found, and whether that is as it must be."""

    rows: list[tuple[str, str, bool]] = field(default_factory=list)

    def add(self, name: str, found: object, *, holds: bool) -> None:
        self.rows.append((name, str(found), holds))

    @property
    def holds(self) -> bool:
        return all(holds for _, _, holds in self.rows)


class Invariants:
    def __init__(self, scene: Scene, book: Book, client: Client, baseline: dict[str, Usage]) -> None:
        self._scene = scene
        self._book = book
        self._client = client
        self._baseline = baseline
        self.report = Report()

    async def check(self) -> Report:
        await self._nothing_waits()
        await self._promises_are_kept()
        await self._each_attempt_ended_once()
        await self._nobody_else_is_there()
        await self._nothing_is_written_any_more()
        await self._processes_hold_no_more()
        await self._files_match()
        self._logs_tell_no_surprise()
        self.report.add("breaches that clients saw", self._book.breaches[:5] or 0, holds=not self._book.breaches)
        return self.report

    async def _promises_are_kept(self) -> None:
        until = time.monotonic() + FINAL_FRESH_S
        broken = []
        for promise in self._book.promises:
            # Of a change that Redis was not told, as whoever owed it was killed, readers learn after a while.
            while not (fulfilled := await self._is_kept(promise)) and time.monotonic() < until:
                await asyncio.sleep(1)
            if not fulfilled:
                state, text = await self._state(promise)
                broken.append(
                    f"{promise.job_id} {promise.sample} is {state}, not {'/'.join(promise.may_be)}: {text!r:.60}"
                    f" after {await self._history(promise)}"
                )
        self.report.add("promises", len(self._book.promises), holds=True)
        self.report.add("promises that were not kept", broken[:5] or 0, holds=not broken)

    async def _is_kept(self, promise: Promise) -> bool:
        state, text = await self._state(promise)
        return state in promise.may_be and (state != COMPLETED or text == self._book.texts[promise.sample])

    async def _state(self, promise: Promise) -> tuple[str, str]:
        """The job's final state, or whatever it is in, and its text or error."""
        job = await self._client.final(promise.job_id, within_s=ANSWER_S)
        if job is None:
            rows = await self._scene.sql(
                "SELECT status FROM {}.jobs WHERE id = UNHEX(REPLACE(%s, '-', ''))", promise.job_id
            )
            return (f"stuck ({rows[0]['status']})" if rows else DELETED), ""
        if job["status"] != COMPLETED:
            return job["status"], str(job["error"])
        _, text = await self._client.text(promise.job_id)
        return COMPLETED, text

    async def _history(self, promise: Promise) -> object:
        return await self._scene.sql(
            """
            SELECT attempt, step, page, outcome, code FROM {}.job_history
            WHERE job_id = UNHEX(REPLACE(%s, '-', '')) ORDER BY number
            """,
            promise.job_id,
        )

    async def _nothing_waits(self) -> None:
        async def settled() -> bool:
            return not any((await self._left()).values())

        await _until(settled, within_s=IN_TIME_S)
        left = await self._left()
        self.report.add(
            "left when idle", {name: count for name, count in left.items() if count} or 0, holds=not any(left.values())
        )

    async def _left(self) -> dict[str, int]:
        counts = {
            "claims on jobs": "SELECT COUNT(claim) + COUNT(lease_until) AS counted FROM {}.jobs",
            "claims on pages": "SELECT COUNT(claim) + COUNT(lease_until) AS counted FROM {}.pages",
            "unfinished jobs": "SELECT COUNT(*) AS counted FROM {}.jobs WHERE status IN ('pending', 'processing')",
            "deletions not cleared": "SELECT COUNT(*) AS counted FROM {}.deleted_documents WHERE NOT cleared",
        }
        counted = {
            name: int(str((await self._scene.sql(statement))[0]["counted"])) for name, statement in counts.items()
        }
        counted["announcements"] = int(await self._scene.servers.command("HLEN", JOBS))
        scratch = (self._scene.data_dir / "scratch").rglob("*")
        counted["scratch files"] = sum(path.is_file() and path.name != "lock" for path in scratch)
        return counted

    async def _each_attempt_ended_once(self) -> None:
        doubled = []
        ended = await self._scene.sql("SELECT HEX(job_id) AS id, attempt FROM {}.job_history WHERE step = 'job'")
        for row in await self._scene.sql("SELECT HEX(id) AS id, attempt FROM {}.jobs"):
            ends = [step["attempt"] for step in ended if step["id"] == row["id"]]
            if len(ends) != len(set(ends)) or row["attempt"] not in ends:
                doubled.append(f"{row['id']} {ends}")
        self.report.add("attempts that ended twice or never", doubled[:5] or 0, holds=not doubled)
        wrong = await self._scene.sql(
            """
            SELECT HEX(j.id) AS id FROM {}.jobs j
            WHERE j.pages_total IS NOT NULL AND j.pages_total <> (SELECT COUNT(*) FROM {}.pages p WHERE p.job_id = j.id)
               OR j.status = 'completed' AND j.pages_done + j.pages_failed <> j.pages_total
               OR j.pages_done <> (SELECT COUNT(*) FROM {}.pages p WHERE p.job_id = j.id AND p.status = 'done')
               OR j.pages_failed <> (SELECT COUNT(*) FROM {}.pages p WHERE p.job_id = j.id AND p.status = 'failed')
            """
        )
        self.report.add("jobs whose counts are not their pages'", wrong[:5] or 0, holds=not wrong)

    async def _nobody_else_is_there(self) -> None:
        """Documents without a promise are those of uploads whose fate was unknown, and they are whole."""
        promised = {promise.document_id for promise in self._book.promises}
        rows = await self._scene.sql(
            "SELECT HEX(d.id) AS document, j.status FROM {}.documents d LEFT JOIN {}.jobs j ON j.document_id = d.id"
        )
        others = [
            row
            for row in rows
            if str(row["document"]).lower() not in {document_id.replace("-", "") for document_id in promised}
        ]
        half = [row for row in others if row["status"] != COMPLETED]
        self.report.add(
            "documents of unanswered uploads",
            f"{len(others)} of {self._book.uncertain}",
            holds=len(others) <= self._book.uncertain,
        )
        self.report.add("of them not completed", half[:5] or 0, holds=not half)

    async def _nothing_is_written_any_more(self) -> None:
        """Not by those either who were frozen, or took so long that others have done their work."""
        before = await self._everything()
        await asyncio.sleep(2 * float(SETTINGS["lease_s"]))
        same = await self._everything() == before
        self.report.add("written by who had lost his claim", 0 if same else "something", holds=same)

    async def _everything(self) -> list[list[dict[str, object]]]:
        return [
            await self._scene.sql(statement)
            for statement in ("SELECT * FROM {}.jobs ORDER BY id", "SELECT * FROM {}.pages ORDER BY job_id, number")
        ]

    async def _processes_hold_no_more(self) -> None:
        async def back() -> bool:
            return not any(map(self._grown, (API, *WORKERS)))

        await _until(back)
        for name in (API, *WORKERS):
            grown = self._grown(name)
            self.report.add(f"what the {name} holds", grown or usage(self._scene.running[name]), holds=not grown)

    def _grown(self, name: str) -> str:
        now, then = usage(self._scene.running[name]), self._baseline[name]
        grown = (
            now.descriptors.total() > then.descriptors.total() + MORE_DESCRIPTORS
            # Fewer is an OCR process that was killed while idle: it is replaced when it is needed.
            or now.children > then.children
            or now.memory_mb > then.memory_mb + MORE_MEMORY_MB
        )
        return f"{then} became {now}" if grown else ""

    async def _files_match(self) -> None:
        """Of what is older than work under way may be, each file has its row and each row its file."""
        await self._scene.end_all()
        data = self._scene.data_dir
        long_ago = time.time() - LONG_AGO_S
        for path in (*(data / "originals").glob("*/*"), *(data / "incoming").iterdir()):
            os.utime(path, (long_ago, long_ago))
        await self._scene.start(API, faults=(OFTEN,), slots="0")

        async def match() -> bool:
            return not await self._strays()

        await _until(match)
        strays = await self._strays()
        await self._scene.end_all(signal.SIGTERM)
        scratch = [path.name for path in (data / "scratch").iterdir()]
        self.report.add("files without rows, or rows without files", strays or 0, holds=not strays)
        self.report.add("scratch directories without a process", scratch or 0, holds=not scratch)

    async def _strays(self) -> list[str]:
        data = self._scene.data_dir
        files = {path.name.replace("-", "") for path in (data / "originals").glob("*/*")}
        rows = {str(row["id"]).lower() for row in await self._scene.sql("SELECT HEX(id) AS id FROM {}.documents")}
        return [*(files ^ rows), *(path.name for path in (data / "incoming").iterdir())]

    def _logs_tell_no_surprise(self) -> None:
        errors = [line for service in self._scene.services for line in service.lines if line["level"] == "error"]
        self.report.add("errors in logs", errors[:3] or 0, holds=not errors)


async def _until(holds: Callable[[], Awaitable[bool]], *, within_s: float = SETTLED_S) -> None:
    """Wait for a state, for a while: whether it came the caller sees for himself."""
    until = time.monotonic() + within_s
    while time.monotonic() < until and not await holds():
        await asyncio.sleep(0.2)


async def reachable(scene: Scene) -> None:
    """Wait until the API answers again."""
    async with scene.client() as session, asyncio.timeout(SETTLED_S):
        while True:
            try:
                async with session.get("/readyz") as response:
                    if response.status == 200 and (await response.json())["status"] == "ok":
                        return
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.2)
