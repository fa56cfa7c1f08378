"""Jobs that clients follow: the events that a client gets, and pages that are settled at the test's word."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

import orjson

from docserver.database.tables import jobs
from docserver.jobs import notify, transitions
from docserver.resources import Resources
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
