"""The process killed at each step of accept, claim, save, finish, cancel, delete and heal, and started again."""

import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest

from tests.faults.place import Accepted, Place
from tests.support.fault_launcher import Fault
from tests.support.service import Service
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process is killed: before or after a call of this function of docserver."""

    name: str
    function: str
    when: str = "after"
    at_call: int = 1
    """Counted from 1, from the request that is to kill the process."""
    done: bool = False
    """True if what the client asked for is certainly done, although nobody has told it; else it is certainly not."""


class Doomed:
    """A service that is killed at one point after the other, each time by a process that has started after the last."""

    def __init__(self, place: Place, *args: str, **settings: Any) -> None:
        self._place = place
        self._args = args
        self._settings = settings
        self._armed = place.data_dir.with_name("armed")
        self.service: Service

    async def start(self, point: Point | None) -> None:
        """Start the process that will be killed at this point, once it is armed."""
        faults = (
            [Fault(f"docserver.{point.function}", point.when, point.at_call, while_there=str(self._armed))]
            if point
            else []
        )
        self.service = await self._place.start(*self._args, faults=faults, **self._settings)

    def arm(self) -> None:
        """From now on, calls of the point's function count."""
        self._armed.touch()

    async def killed(self) -> None:
        """Wait for its end."""
        assert await self.service.ended() == -signal.SIGKILL
        self._armed.unlink()


ACCEPT = (
    Point("before anything is on disk", "storage.local:LocalStorage.receive", "before"),
    Point("the upload is on disk", "storage.local:LocalStorage.receive"),
    Point("before the file gets its name", "storage.local:LocalStorage.keep", "before"),
    # An upload syncs two directories.
    Point("renamed, not synced", "storage.local:sync", "before", at_call=2),
    Point("the file is kept", "storage.local:LocalStorage.keep"),
    Point("the document is inserted", "database.tables.documents:insert"),
    Point("the job is inserted", "database.tables.jobs:insert"),
    Point("committed", "documents.intake:_commit", done=True),
    Point("shown to readers", "jobs.notify:publish", done=True),
    Point("before it is announced", "jobs.notify:announce", "before", done=True),
    Point("announced", "jobs.notify:announce", done=True),
    Point("before the answer", "documents.queries:accepted", done=True),
)

CLAIM = (
    Point("an announcement is taken", "redis.queue:Queue.take"),
    Point("the right to open is taken", "database.tables.claims:take_opening"),
    Point("the right to open is committed", "jobs.leases:Claims._take"),
    Point("before the document is opened", "ocr.server.slot:Slot.open", "before"),
    Point("the document is opened", "ocr.server.slot:Slot.open"),
    Point("the number of pages is set", "database.tables.jobs:opened"),
    Point("the pages are inserted", "database.tables.pages:insert"),
    Point("the first page is taken", "database.tables.claims:take_pages"),
    Point("the pages are committed", "jobs.transitions:open_pages", at_call=2),
    Point("the second page is taken", "jobs.leases:Claims._take_pages"),
    Point("before the rest is announced", "jobs.notify:announce", "before"),
    Point("the rest is announced", "jobs.notify:announce"),
)

SAVE = (
    Point("before the page is read", "ocr.server.slot:Slot.read", "before"),
    Point("the page is read", "ocr.server.slot:Slot.read"),
    Point("the page is written", "database.tables.pages:finish"),
    Point("the page is counted", "database.tables.jobs:count_pages"),
    Point("one page of two is committed", "jobs.transitions:settle_pages"),
)

CHUNK = (
    Point("two pages are read", "ocr.server.slot:Slot.read", at_call=2),
    Point("before pages are saved together", "jobs.saving:Saver.pages", "before"),
    Point("pages are saved together", "jobs.transitions:settle_pages"),
)

FINISH = (
    Point("before the status", "database.tables.jobs:finish", "before"),
    Point("the status is written", "database.tables.jobs:finish"),
    Point("the end is in the history", "database.tables.job_history:add"),
    Point("the end is read again", "jobs.transitions:end"),
    Point("the only page is committed", "jobs.transitions:open_pages"),
    Point("the last page is committed", "jobs.transitions:settle_pages", at_call=2),
    Point("before it is shown", "jobs.notify:publish", "before", at_call=2),
    Point("shown to readers", "jobs.notify:publish", at_call=2),
)

DELETE = (
    Point("the row is gone", "database.tables.documents:delete"),
    Point("it is remembered", "database.tables.deletions:remember"),
    Point("committed", "documents.deletion:_delete_rows", done=True),
    Point("the file is gone", "storage.local:LocalStorage.delete", done=True),
    Point("the deletion is recorded", "storage.deleted:DeletedFiles.remember", done=True),
    Point("forgotten by readers", "redis.cache:Cache.forget", done=True),
    Point("taken out of the list", "redis.queue:Queue.remove", done=True),
)

CANCEL = (
    Point("the pages are free", "database.tables.claims:revoke_pages"),
    Point("committed", "jobs.transitions:cancel", done=True),
    Point("before it is shown", "jobs.notify:publish", "before", done=True),
    Point("taken out of the list", "redis.queue:Queue.remove", done=True),
)

HEAL = (
    Point("the name is added", "database.tables.documents:add_filename"),
    Point("it belongs to both uploads", "storage.local:LocalStorage._intact", "before"),
    Point("before the file is replaced", "storage.local:LocalStorage.keep", "before"),
    Point("the file is replaced", "storage.local:LocalStorage.keep"),
    Point("before the answer", "documents.queries:accepted"),
)

READING: Mapping[str, Sequence[Point]] = MappingProxyType({"claim": CLAIM, "save": SAVE, "finish": FINISH})


async def test_an_api_that_is_killed_while_it_accepts_an_upload_keeps_what_it_has_accepted(place: Place) -> None:
    doomed = Doomed(place, slots="0")
    await doomed.start(ACCEPT[0])
    await place.start("--worker-only")
    await place.must_upload(doomed.service)
    kept_without_answer = 0
    for point, following in zip(ACCEPT, (*ACCEPT[1:], None), strict=True):
        doomed.arm()
        assert await place.upload(doomed.service) is None, point
        await doomed.killed()
        kept_without_answer += point.done

        await doomed.start(following)
        await place.assert_kept(doomed.service, uncertain=kept_without_answer, latest=1)
        assert await place.one("SELECT COUNT(*) FROM {}.documents") == 1 + kept_without_answer, point
    await place.assert_clean()


@pytest.mark.parametrize("step", READING)
async def test_pages_of_a_worker_that_is_killed_are_read_by_the_next_one(place: Place, step: str) -> None:
    points = READING[step]
    api = await place.start(slots="0")
    doomed = Doomed(place, "--worker-only")
    await doomed.start(points[0])
    for _, following in zip(points, (*points[1:], None), strict=True):
        doomed.arm()
        await place.must_upload(api)
        await place.must_upload(api, pages=2)
        await doomed.killed()

        await doomed.start(following)
        await place.assert_kept(api, latest=2)
    await place.assert_clean()


async def test_pages_of_a_worker_that_is_killed_with_several_of_them_are_read_by_the_next_one(place: Place) -> None:
    api = await place.start(slots="0")
    doomed = Doomed(place, "--worker-only", chunk_pages="4")
    await doomed.start(CHUNK[0])
    for _, following in zip(CHUNK, (*CHUNK[1:], None), strict=True):
        doomed.arm()
        await place.must_upload(api, pages=4)
        await doomed.killed()

        await doomed.start(following)
        await place.assert_kept(api, latest=1)
    await place.assert_clean()


async def test_an_api_that_is_killed_while_it_deletes_has_deleted_everything_or_nothing(place: Place) -> None:
    doomed = Doomed(place, slots="0")
    await doomed.start(DELETE[0])
    for point, following in zip(DELETE, (*DELETE[1:], None), strict=True):
        await place.must_upload(doomed.service)
        deleted = await place.must_upload(doomed.service)
        await _ask(doomed, "DELETE", f"/v1/documents/{deleted.document_id}")

        await doomed.start(following)
        async with doomed.service.http.get(f"/v1/documents/{deleted.document_id}") as response:
            assert response.status == (410 if point.done else 200), point
        if point.done:
            place.accepted.remove(deleted)
            # The process died before it told the cache and the storage; maintenance does it.
            await until(partial(_is_gone, place, doomed.service, deleted))
    await place.start("--worker-only")
    await place.assert_kept(doomed.service)
    await place.assert_clean()


async def test_an_api_that_is_killed_while_it_cancels_has_cancelled_the_whole_job_or_nothing(place: Place) -> None:
    doomed = Doomed(place, slots="0")
    await doomed.start(CANCEL[0])
    for point, following in zip(CANCEL, (*CANCEL[1:], None), strict=True):
        await place.must_upload(doomed.service)
        cancelled = await place.must_upload(doomed.service)
        await _ask(doomed, "POST", f"/v1/jobs/{cancelled.job_id}/cancel")

        await doomed.start(following)
        if point.done:
            assert (await doomed.service.finished(cancelled.job_id))["status"] == "cancelled", point
            async with doomed.service.http.post(f"/v1/jobs/{cancelled.job_id}/retry") as response:
                assert response.status == 202, point
    await place.start("--worker-only")
    await place.assert_kept(doomed.service)
    await place.assert_clean()


async def test_an_api_that_is_killed_while_an_upload_replaces_a_missing_original_does_it_the_next_time(
    place: Place,
) -> None:
    doomed = Doomed(place, slots="0", deduplicate="on")
    await doomed.start(HEAL[0])
    for _, following in zip(HEAL, (*HEAL[1:], None), strict=True):
        document = await place.must_upload(doomed.service)
        (place.data_dir / "originals" / document.document_id[-2:] / document.document_id).unlink()
        doomed.arm()
        assert await place.upload_texts(doomed.service, document.texts) is None
        await doomed.killed()

        await doomed.start(following)
        again = await place.upload_texts(doomed.service, document.texts)
        assert again == document
        place.accepted.remove(document)
    await place.start("--worker-only")
    await place.assert_kept(doomed.service)
    await place.assert_clean()


async def _is_gone(place: Place, service: Service, deleted: Accepted) -> bool:
    async with service.http.get(f"/v1/jobs/{deleted.job_id}") as response:
        return response.status in (404, 410) and deleted.document_id not in place.originals()


async def _ask(doomed: Doomed, method: str, path: str) -> None:
    """Send the request that kills the service."""
    doomed.arm()
    with suppress(aiohttp.ClientError):
        await doomed.service.http.request(method, path)
    await doomed.killed()
