"""Large results that the storage keeps: a directory or a bucket, whose readers need no second making of them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from aiohttp import ClientSession
from pytest_aiohttp import AiohttpClient

from docserver.documents import deletion, kept_results
from docserver.formats import result_writer
from docserver.formats.result_writer import ResultWriter
from docserver.model import StoredResult, new_id
from docserver.resources import Resources
from docserver.storage import results
from docserver.storage.objects import ObjectStorage
from docserver.storage.results import Results
from docserver.web.app import make_app
from tests.support.client import Client
from tests.support.results import make_completed
from tests.support.rows import found
from tests.support.s3_server import FaultyBucket

TEXTS = tuple(f"page {number} " * 50 for number in range(3))
WHOLE = "\f".join(TEXTS).encode()


@pytest.fixture(params=["directory", "bucket"])
def stored(request: pytest.FixtureRequest) -> Resources:
    """Everything opened, with either kind of storage."""
    fixture = "in_bucket" if request.param == "bucket" else "resources"
    opened: Resources = request.getfixturevalue(fixture)
    return opened


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_writer, "SMALL_WORK", -1)


@pytest.fixture
async def processes(aiohttp_client: AiohttpClient) -> AsyncIterator["Processes"]:
    started = Processes(aiohttp_client)
    yield started
    for writer in started.writers:
        await writer.aclose()


class Processes:
    """APIs that know nothing of what others of them have made."""

    def __init__(self, aiohttp_client: AiohttpClient) -> None:
        self._aiohttp_client = aiohttp_client
        self.writers: list[ResultWriter] = []

    async def start(self, resources: Resources, *, redirects: bool = False) -> Client:
        scratch = resources.settings.data_dir / "scratch"
        self.writers.append(ResultWriter(scratch=scratch, room=resources.results_room, max_bytes=100))
        settings = replace(resources.settings, rate_limit=False, storage_redirects=redirects)
        return await self._aiohttp_client(
            make_app(replace(resources, settings=settings, result_writer=self.writers[-1]))
        )


async def fetch(
    client: Client, job_id: UUID, query: str = "", *, of: str = "result", **headers: str
) -> tuple[int, bytes, Mapping[str, str]]:
    path = f"/v1/jobs/{job_id}/{of}?{query}"
    async with client.get(path, headers=headers, allow_redirects=False) as response:
        return response.status, await response.read(), response.headers


async def names(storage: Results) -> list[StoredResult]:
    """What is kept, in the order in which it was written."""
    listed = [each async for part in storage._place.parts() for each in part]
    return [each.result for each in sorted(listed, key=lambda each: each.written)]


async def test_a_large_result_is_made_once_for_the_readers_of_all_processes(
    stored: Resources, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await make_completed(stored, *TEXTS)
    first, second = await processes.start(stored), await processes.start(stored)
    page = {"of": "pages/2", "query": "format=txt"}
    made = await fetch(first, job_id), await fetch(first, job_id, "pages=2-3"), await fetch(first, job_id, **page)
    monkeypatch.setattr(ResultWriter, "write_large", None)

    again = await fetch(second, job_id), await fetch(second, job_id, "pages=2-3"), await fetch(second, job_id, **page)
    etag = again[0][2]["ETag"]
    part = await fetch(second, job_id, Range="bytes=5-9", **{"If-Range": etag})
    other = await fetch(second, job_id, Range="bytes=5-9", **{"If-Range": '"another"'})
    beyond = await fetch(second, job_id, Range="bytes=99999-")
    known = await fetch(second, job_id, **{"If-None-Match": etag})

    assert [(status, body, headers["ETag"]) for status, body, headers in again] == [
        (200, WHOLE, made[0][2]["ETag"]),
        (200, "\f".join(TEXTS[1:]).encode(), made[1][2]["ETag"]),
        (200, TEXTS[1].encode(), made[2][2]["ETag"]),
    ]
    assert (part[0], part[1], part[2]["Content-Range"]) == (206, WHOLE[5:10], f"bytes 5-9/{len(WHOLE)}")
    assert (other[0], other[1]) == (200, WHOLE)
    assert (beyond[0], known[0]) == (416, 304)
    assert again[0][2]["Content-Type"] == "text/plain; charset=utf-8"


async def test_a_result_is_deleted_with_its_document_and_those_of_unknown_documents_are_removed(
    stored: Resources, processes: Processes
) -> None:
    job_id = await make_completed(stored, *TEXTS)
    await fetch(await processes.start(stored), job_id)
    kept = stored.storage.results
    (result,) = await names(kept)
    stray = replace(result, document_id=new_id())
    assert await kept.put(stray, pieces(result.size))

    await kept_results.clean(stored)
    assert await names(kept) == [result]
    await deletion.delete(stored, result.document_id, tenant="default", actor="a test")
    assert await names(kept) == []


async def test_the_marker_of_a_folder_between_results_is_passed_over(in_bucket: Resources) -> None:
    assert isinstance(in_bucket.storage, ObjectStorage)
    urls = in_bucket.storage._bucket.signed_urls
    assert urls
    async with ClientSession() as http, http.put(urls.public("PUT", "results/", expires_s=60, size=0)) as response:
        assert response.status == 200

    await kept_results.clean(in_bucket)

    assert await names(in_bucket.storage.results) == []


async def pieces(size: int) -> AsyncIterator[bytes]:
    yield bytes(size)


async def test_the_oldest_results_make_room_for_others_and_one_that_is_too_large_is_not_kept(
    stored: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = stored.storage.results
    monkeypatch.setattr(kept, "_max_bytes", 25)
    given = [StoredResult(new_id(), f"{number:032x}", '"0f"', "ab", 10) for number in range(4)]

    async def all_exist(document_ids: Sequence[UUID]) -> Sequence[UUID]:
        return document_ids

    for each in given:
        assert await kept.put(each, pieces(10))
    await kept.clean(all_exist)

    assert not await kept.put(replace(given[0], size=26), pieces(26))
    assert {each.key for each in await names(kept)} <= {each.key for each in given}
    assert sum(each.size for each in await names(kept)) == 20


async def test_a_job_that_is_read_again_has_another_result(stored: Resources) -> None:
    job = await found(stored.db, await make_completed(stored, *TEXTS))

    keys = [
        kept_results.key_of(each, form, pages)
        for each, form, pages in (
            (job, "txt", ""),
            (job, "txt", "1"),
            (job, "tsv", ""),
            (replace(job, version=job.version + 1), "txt", ""),
            (replace(job, finished_at=job.created_at), "txt", ""),
        )
    ]

    assert len(set(keys)) == len(keys)


async def test_whole_results_are_redirected_to_the_bucket_and_parts_are_sent(
    in_bucket: Resources, processes: Processes
) -> None:
    job_id = await make_completed(in_bucket, *TEXTS)
    client = await processes.start(in_bucket, redirects=True)

    status, _, headers = await fetch(client, job_id, "format=hocr")
    async with ClientSession() as http, http.get(headers["Location"]) as answer:
        linked, shown = await answer.read(), answer.headers
    part = await fetch(client, job_id, "format=hocr", Range="bytes=0-")
    etag = part[2]["ETag"]

    assert (status, headers["Cache-Control"], headers["Vary"]) == (307, "no-store", "Accept")
    assert linked.startswith(b"<!DOCTYPE html>")
    assert (shown["Content-Type"], shown["Content-Disposition"]) == (
        "text/html; charset=utf-8",
        f'attachment; filename="{job_id}.hocr.html"',
    )
    assert (part[0], part[1]) == (206, linked)
    assert (await fetch(client, job_id, "format=hocr", **{"If-None-Match": etag}))[0] == 304


async def test_while_the_bucket_fails_results_are_made_and_served_but_not_kept(
    in_bucket: Resources, processes: Processes, faulty: FaultyBucket
) -> None:
    job_id = await make_completed(in_bucket, *TEXTS)
    faulty.answer(403, "AccessDenied", only=("PUT",))

    not_kept = await fetch(await processes.start(in_bucket, redirects=True), job_id)
    faulty.answer(503, "SlowDown")
    asked = len(faulty.requests)
    paused = await fetch(await processes.start(in_bucket, redirects=True), job_id)

    assert (not_kept[0], not_kept[1]) == (paused[0], paused[1]) == (200, WHOLE)
    assert len(faulty.requests) == asked
    faulty.heal()
    assert await names(in_bucket.storage.results) == []


WAYS: dict[str, Callable[[FaultyBucket], None]] = {
    "a wrong bit": lambda faulty: faulty.damage(lambda data: b"x" + data[1:], place="/results/"),
    "too short": lambda faulty: faulty.damage(lambda data: data[:-1], place="/results/"),
    "too long": lambda faulty: faulty.damage(lambda data: data + b"x", place="/results/"),
    "a page of a proxy": lambda faulty: faulty.answer(200, "", only=("GET",), query="/results/", body="<html></html>"),
    "removed": lambda faulty: faulty.answer(404, "NoSuchKey", only=("GET",), query="/results/"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_result_that_comes_damaged_or_not_at_all_is_made_and_served(
    in_bucket: Resources, processes: Processes, faulty: FaultyBucket, way: str
) -> None:
    job_id = await make_completed(in_bucket, *TEXTS)
    await fetch(await processes.start(in_bucket), job_id)
    WAYS[way](faulty)

    status, body, _ = await fetch(await processes.start(in_bucket), job_id)

    assert (status, body) == (200, WHOLE)


async def test_a_part_of_a_result_that_comes_damaged_is_refused_once_where_wholes_are_redirected(
    in_bucket: Resources, processes: Processes, faulty: FaultyBucket
) -> None:
    job_id = await make_completed(in_bucket, *TEXTS)
    await fetch(await processes.start(in_bucket), job_id)
    WAYS["a wrong bit"](faulty)
    client = await processes.start(in_bucket, redirects=True)

    refused = await fetch(client, job_id, Range="bytes=0-4")
    made = await fetch(client, job_id, Range="bytes=0-4")

    assert (refused[0], made[0], made[1]) == (503, 206, WHOLE[:5])


async def test_a_bucket_that_does_not_answer_delays_a_result_a_little_and_the_next_ones_not_at_all(
    in_bucket: Resources, processes: Processes, faulty: FaultyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FIND_S", 0.1)
    assert isinstance(in_bucket.storage, ObjectStorage)
    job_id = await make_completed(in_bucket, *TEXTS)
    client = await processes.start(in_bucket)
    faulty.stall()

    answers = [await fetch(client, job_id, query) for query in ("", "pages=1-3")]

    assert [(status, body) for status, body, _ in answers] == [(200, WHOLE)] * 2
    assert faulty.requests == ["GET"]
