"""The process killed at each step of accept, claim, save, finish, cancel and delete, and started again."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

import aiohttp
import pytest

from tests.faults.place import Place
from tests.support.fault_launcher import Fault
from tests.support.service import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Point:
    run: Callable[[Place, "Point"], Awaitable[None]]
    fault: Fault
    done: bool = False
    """Whether what the client asked for is done for certain, although nobody has told it; else certainly nothing is."""


async def accepting(place: Place, point: Point) -> None:
    """The second upload kills the API."""
    doomed = await place.start(slots="0", faults=[point.fault])
    await place.must_upload(doomed)
    assert await place.upload(doomed) is None
    assert await doomed.ended() == -signal.SIGKILL

    again = await place.start()
    await place.assert_kept(again, uncertain=int(point.done))
    assert await place.one("SELECT COUNT(*) FROM {}.documents") == 1 + int(point.done)
    await place.assert_clean()


async def reading(place: Place, point: Point) -> None:
    """A worker is killed over a document of one page or the one of two that comes after it."""
    api = await place.start(slots="0")
    await place.must_upload(api)
    await place.must_upload(api, pages=2)
    doomed = await place.start("--worker-only", faults=[point.fault])
    assert await doomed.ended() == -signal.SIGKILL

    await place.start("--worker-only")
    await place.assert_kept(api)
    await place.assert_clean()


async def deleting(place: Place, point: Point) -> None:
    """A deletion kills the API."""
    doomed = await place.start(slots="0", faults=[point.fault])
    await place.must_upload(doomed)
    deleted = await place.must_upload(doomed)
    await _asks_the_doomed(doomed, "DELETE", f"/v1/documents/{deleted.document_id}")

    again = await place.start()
    if point.done:
        place.accepted.remove(deleted)
        async with again.http.get(f"/v1/documents/{deleted.document_id}") as response:
            assert response.status == 410
        async with again.http.get(f"/v1/jobs/{deleted.job_id}") as response:
            assert response.status in (404, 410)
    await place.assert_kept(again)
    await place.assert_clean()
    assert (deleted.document_id in place.originals()) is not point.done


async def cancelling(place: Place, point: Point) -> None:
    """A cancel kills the API."""
    doomed = await place.start(slots="0", faults=[point.fault])
    await place.must_upload(doomed)
    cancelled = await place.must_upload(doomed)
    await _asks_the_doomed(doomed, "POST", f"/v1/jobs/{cancelled.job_id}/cancel")

    again = await place.start()
    if point.done:
        assert (await again.finished(cancelled.job_id))["status"] == "cancelled"
        async with again.http.post(f"/v1/jobs/{cancelled.job_id}/retry") as response:
            assert response.status == 202
    await place.assert_kept(again)
    await place.assert_clean()


async def _asks_the_doomed(doomed: Service, method: str, path: str) -> None:
    with suppress(aiohttp.ClientError):
        await doomed.http.request(method, path)
    assert await doomed.ended() == -signal.SIGKILL


def _accept(place: str, when: str = "after", *, done: bool = False, at_call: int = 2) -> Point:
    return Point(accepting, Fault(f"docserver.{place}", when, at_call), done)


def _read(place: str, when: str = "after", *, at_call: int = 1) -> Point:
    return Point(reading, Fault(f"docserver.{place}", when, at_call))


def _delete(place: str, when: str = "after", *, done: bool = False) -> Point:
    return Point(deleting, Fault(f"docserver.{place}", when), done)


def _cancel(place: str, when: str = "after", *, done: bool = False, at_call: int = 1) -> Point:
    return Point(cancelling, Fault(f"docserver.{place}", when, at_call), done)


POINTS: Mapping[str, Point] = MappingProxyType(
    {
        "accept: before anything is on disk": _accept("storage.local:LocalStorage.receive", "before"),
        "accept: the upload is on disk": _accept("storage.local:LocalStorage.receive"),
        "accept: before the file gets its name": _accept("storage.local:LocalStorage.keep", "before"),
        # The first upload syncs two directories, and so does the second.
        "accept: renamed, not synced": _accept("storage.local:_sync_directory", "before", at_call=4),
        "accept: the file is kept": _accept("storage.local:LocalStorage.keep"),
        "accept: the document is inserted": _accept("database.tables.documents:insert"),
        "accept: the job is inserted": _accept("database.tables.jobs:insert"),
        "accept: committed": _accept("documents.intake:_commit", done=True),
        "accept: shown to readers": _accept("jobs.notify:publish", done=True),
        "accept: before it is announced": _accept("jobs.notify:announce", "before", done=True),
        "accept: announced": _accept("jobs.notify:announce", done=True),
        "accept: before the answer": _accept("documents.queries:final_job", done=True),
        "claim: an announcement is taken": _read("redis.queue:Queue.take"),
        "claim: the right to open is taken": _read("database.tables.claims:take_opening"),
        "claim: the right to open is committed": _read("jobs.leases:Claims._take"),
        "claim: before the document is opened": _read("ocr.server.slot:Slot.open", "before"),
        "claim: the document is opened": _read("ocr.server.slot:Slot.open"),
        "claim: the number of pages is set": _read("database.tables.jobs:opened"),
        "claim: the pages are inserted": _read("database.tables.pages:insert"),
        "claim: the first page is taken": _read("database.tables.claims:take_pages"),
        "claim: the pages are committed": _read("jobs.transitions:open_pages", at_call=2),
        "claim: the second page is taken": _read("jobs.leases:Claims._take_pages"),
        "claim: before the rest is announced": _read("jobs.notify:announce", "before"),
        "claim: the rest is announced": _read("jobs.notify:announce"),
        "save: before the page is read": _read("ocr.server.slot:Slot.read", "before"),
        "save: the page is read": _read("ocr.server.slot:Slot.read"),
        "save: the page is written": _read("database.tables.pages:finish"),
        "save: the page is counted": _read("database.tables.jobs:count_pages"),
        "save: one page of two is committed": _read("jobs.transitions:settle_pages"),
        "finish: before the status": _read("database.tables.jobs:finish", "before"),
        "finish: the status is written": _read("database.tables.jobs:finish"),
        "finish: the end is in the history": _read("database.tables.job_history:add"),
        "finish: the end is read again": _read("jobs.transitions:_end"),
        "finish: the only page is committed": _read("jobs.transitions:open_pages"),
        "finish: the last page is committed": _read("jobs.transitions:settle_pages", at_call=2),
        "finish: before it is shown": _read("jobs.notify:publish", "before", at_call=2),
        "finish: shown to readers": _read("jobs.notify:publish", at_call=2),
        "delete: the row is gone": _delete("database.tables.documents:delete"),
        "delete: it is remembered": _delete("database.tables.deletions:remember"),
        "delete: committed": _delete("documents.deletion:_delete_rows", done=True),
        "delete: the file is gone": _delete("storage.local:LocalStorage.delete", done=True),
        "delete: forgotten by readers": _delete("redis.cache:Cache.forget", done=True),
        "delete: taken out of the list": _delete("redis.queue:Queue.remove", done=True),
        "cancel: the pages are free": _cancel("database.tables.claims:revoke_pages"),
        "cancel: committed": _cancel("jobs.transitions:cancel", done=True),
        "cancel: before it is shown": _cancel("jobs.notify:publish", "before", done=True, at_call=3),
        "cancel: taken out of the list": _cancel("redis.queue:Queue.remove", done=True),
    }
)


@pytest.mark.parametrize("name", POINTS)
async def test_a_kill_loses_nothing_accepted_and_leaves_nothing_half_done(place: Place, name: str) -> None:
    point = POINTS[name]
    await point.run(place, point)
