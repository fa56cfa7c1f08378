"""Clients that upload, follow, cancel, retry and delete, and the book of what they were promised."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.service import form

COMPLETED, CANCELLED, DELETED = "completed", "cancelled", "deleted"
FINAL = (COMPLETED, CANCELLED, "failed")
PAUSE_S = (0.1, 1.2)
"""Between two uploads of one client: about what three slots on two cores can read."""

FAULTS = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass(slots=True)
class Promise:
    """A document that got its 202, and the states that it may be in at the end."""

    job_id: str
    document_id: str
    sample: str
    may_be: frozenset[str] = frozenset({COMPLETED})


@dataclass
class Book:
    samples: Mapping[str, tuple[str, bytes]]
    """File name and bytes."""
    texts: dict[str, str] = field(default_factory=dict)
    """What each sample says when nothing is at fault."""
    promises: list[Promise] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    uncertain: int = 0
    """Uploads that may or may not have been accepted: nobody answered, or the commit's fate was unknown."""
    breaches: list[str] = field(default_factory=list)


class Client:
    """One client, whose choices depend on its random numbers alone."""

    def __init__(self, session: aiohttp.ClientSession, book: Book, rng: random.Random) -> None:
        self._session = session
        self._book = book
        self._rng = rng
        self._ways: list[tuple[Callable[[Promise], Awaitable[None]], int]] = [
            (self._follow, 60),
            (self._cancel, 12),
            (self._delete, 12),
            (self._retry, 8),
            (self._leave, 8),
        ]

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self._rng.random() < 0.08:
                await self._break_off()
            promise = await self.upload(self._rng.choice(sorted(self._book.samples)))
            if promise:
                ways, weights = zip(*self._ways, strict=True)
                (way,) = self._rng.choices(ways, weights)
                await way(promise)
            await asyncio.sleep(self._rng.uniform(*PAUSE_S))

    async def upload(self, sample: str) -> Promise | None:
        filename, data = self._book.samples[sample]
        status, body = await self._ask("POST", "/v1/documents/upload-document", data=form(data, filename))
        self._book.answers[f"upload {status}"] += 1
        if status == 202:
            promise = Promise(body["job_id"], body["document_id"], sample)
            self._book.promises.append(promise)
            return promise
        if status in (0, 503):
            self._book.uncertain += 1
        elif status != 507:
            self._book.breaches.append(f"an upload was answered {status} {body.get('code')}")
        return None

    async def final(self, job_id: str, *, within_s: float) -> dict[str, Any] | None:
        """The job when it is final, or None if that does not show in time."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    status, body = await self._ask("GET", f"/v1/jobs/{job_id}?wait=2")
                    if status == 200 and body["status"] in FINAL:
                        return body
                    if status in (404, 410):
                        return None
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return None

    async def text(self, job_id: str) -> tuple[int, str]:
        try:
            async with self._session.get(f"/v1/jobs/{job_id}/result") as response:
                return response.status, await response.text()
        except FAULTS:
            return 0, ""

    async def _follow(self, promise: Promise) -> None:
        job = await self.final(promise.job_id, within_s=self._rng.uniform(1, 8))
        if job and job["status"] == COMPLETED:
            status, text = await self.text(promise.job_id)
            if status == 200 and text != self._book.texts[promise.sample]:
                self._book.breaches.append(f"{promise.job_id} ({promise.sample}) showed another text: {text[:80]!r}")

    async def _cancel(self, promise: Promise) -> None:
        await asyncio.sleep(self._rng.uniform(0, 0.6))
        status, _ = await self._ask("POST", f"/v1/jobs/{promise.job_id}/cancel")
        self._book.answers[f"cancel {status}"] += 1
        if status == 200:
            promise.may_be = frozenset({CANCELLED})
        elif status != 409:
            promise.may_be |= {CANCELLED}

    async def _delete(self, promise: Promise) -> None:
        await asyncio.sleep(self._rng.uniform(0, 0.8))
        status, _ = await self._ask("DELETE", f"/v1/documents/{promise.document_id}")
        self._book.answers[f"delete {status}"] += 1
        if status == 204:
            promise.may_be = frozenset({DELETED})
        else:
            promise.may_be |= {DELETED}

    async def _retry(self, promise: Promise) -> None:
        await self._cancel(promise)
        status, _ = await self._ask("POST", f"/v1/jobs/{promise.job_id}/retry", json={})
        self._book.answers[f"retry {status}"] += 1
        if status == 202:
            promise.may_be = frozenset({COMPLETED})
        elif status != 409:
            promise.may_be |= {COMPLETED}

    async def _leave(self, promise: Promise) -> None:
        """Never ask again."""

    async def _break_off(self) -> None:
        """Hang up in the middle of an upload."""
        _, data = self._book.samples[self._rng.choice(sorted(self._book.samples))]

        async def half() -> Any:
            yield (
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="half"\r\n\r\n' + data[: len(data) // 2]
            )
            raise ConnectionAbortedError

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        try:
            async with self._session.post("/v1/documents/upload-document", data=half(), headers=headers) as response:
                self._book.answers[f"half an upload {response.status}"] += 1
        except FAULTS:
            self._book.answers["half an upload"] += 1

    async def _ask(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """Status and body; 0 if nobody answers."""
        try:
            async with self._session.request(method, path, **more) as response:
                body = await response.json() if response.content_type.endswith("json") else {}
                if response.status == 503 and "Retry-After" not in response.headers:
                    self._book.breaches.append(f"{method} was answered 503 without Retry-After")
                if response.status == 500:
                    self._book.breaches.append(f"{method} {path.partition('?')[0]} was answered 500")
                return response.status, body
        except FAULTS:
            return 0, {}
