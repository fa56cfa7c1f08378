"""Jobs that clients follow: the events that a client gets, and pages that are settled at the test's word."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

import aiohttp
import orjson

from docserver.database.tables import jobs
from docserver.jobs import notify, transitions
from docserver.resources import Resources
from tests.support.client import Client
from tests.support.rows import ENGINE, READING, TIMEOUT, claim_pages
from tests.support.waiting import in_time


@dataclass(frozen=True)
class Event:
    """A server-sent event; a comment has the kind `comment`."""

    kind: str
    id: str | None
    data: Any

    @property
    def number(self) -> int:
        """The number of the page."""
        return int(self.data["number"])


class Lines(Protocol):
    """What sends lines: the content of a client's response, or a socket's reader."""

    async def readline(self) -> bytes: ...


async def events(lines: Lines) -> AsyncIterator[Event]:
    """The events of a stream until it ends, parsed as WHATWG HTML 9.2.6 says."""
    fields: dict[str, str] = {}
    while True:
        async with in_time():
            line = (await lines.readline()).decode()
        if not line:
            return
        name, _, value = line.rstrip("\r\n").partition(":")
        if line.strip():
            fields[name or "comment"] = value.removeprefix(" ")
        elif fields:
            kind = fields.get("event") or next(iter(fields))
            yield Event(kind, fields.get("id"), orjson.loads(fields["data"]) if "data" in fields else None)
            fields = {}


@asynccontextmanager
async def stream(
    client: Client | aiohttp.ClientSession, job_id: UUID | str, last: str = "", **query: str
) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of a job after the last one that the client has got, without the first field, `retry`."""
    headers = {"Last-Event-ID": last} if last else {}
    async with client.get(f"/v1/jobs/{job_id}/events", params=query, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream"), await response.text()
        received = events(response.content)
        assert (await anext(received)).kind == "retry"
        yield received


async def all_of(
    client: Client | aiohttp.ClientSession, job_id: UUID | str, last: str = "", **query: str
) -> list[Event]:
    """All events until the stream ends."""
    async with stream(client, job_id, last, **query) as received:
        return [event async for event in received]


async def kind(received: AsyncIterator[Event], wanted: str) -> Event:
    """The next event of this kind."""
    async for event in received:
        if event.kind == wanted:
            return event
    raise AssertionError("the stream has ended")


def pages_of(received: list[Event]) -> list[int]:
    """The numbers of the pages in these events."""
    return [event.number for event in received if event.kind == "page"]


async def refused(client: Client, job_id: UUID | str, **more: Any) -> tuple[int, str]:
    """Status and code of the answer to a client that may not follow a job."""
    async with client.get(f"/v1/jobs/{job_id}/events", **more) as response:
        return response.status, (await response.json())["code"]


async def settle(resources: Resources, job_id: UUID, *, pages: int = 1, told: bool = True, fails: bool = False) -> None:
    """Read the next pages of a job, in one transaction, or let them fail; their texts are their numbers.

    The job is published as a worker does, if it is `told`.
    """
    async with resources.db.session() as cur:
        await jobs.begin(cur, job_id=job_id, engine=ENGINE)
    claim_id, numbers = await claim_pages(resources.db, job_id, limit=pages)
    results = {number: TIMEOUT if fails else replace(READING, text=f"page {number}") for number in numbers}
    job = await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim_id, results=results)
    assert job
    if told:
        await notify.publish(resources, job)
