"""Following a job to its result."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from PIL import Image
from pytest_aiohttp import AiohttpClient

from docserver.formats import FORMATS, PDF
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.ocr.server.sandbox_probe import Sandbox
from docserver.resources import Resources
from docserver.web.app import make_app
from tests.support.client import Client, MakeClient, completed, get, upload
from tests.support.results import make_completed
from tests.support.samples import PAGES, TEXT, page_text, pdf_pages, pdf_scanned, words
from tests.support.samples.pictures import picture, saved
from tests.support.waiting import in_time


async def test_a_job_goes_from_pending_to_completed_with_its_times_pages_and_engine(
    client: Client, worker: Worker
) -> None:
    job = await upload(client)

    final = await completed(client, job["job_id"])

    assert final["pages"] == {"total": 1, "done": 1, "failed": 0}
    assert (final["progress"], final["attempt"], final["error"], final["queue_position"]) == (1.0, 1, None, None)
    assert final["created_at"] <= final["started_at"] <= final["finished_at"]
    assert final["engine"]["name"] == "tesseract"
    assert final["engine"]["models"]["eng"].startswith("sha256:")
    assert final["options"] == {
        "languages": "eng",
        "mode": "auto",
        "pages": None,
        "rotate": "auto",
        "barcodes": True,
        "engine": "auto",
    }


async def test_waiting_for_a_job_ends_as_soon_as_it_is_final(client: Client, worker: Worker) -> None:
    job = await upload(client)

    waited = await asyncio.gather(*(get(client, f"/v1/jobs/{job['job_id']}", wait=30) for _ in range(5)))

    assert {state["status"] for state in waited} == {"completed"}


async def test_waiting_ends_with_the_state_there_is_when_time_is_up(client: Client) -> None:
    job = await upload(client)
    began = time.monotonic()

    async with in_time():
        state = await get(client, f"/v1/jobs/{job['job_id']}", wait=0.2)

    assert state["status"] == "pending"
    assert time.monotonic() - began >= 0.2


async def test_a_job_that_waits_tells_its_place_in_the_queue(client: Client) -> None:
    jobs = [await upload(client) for _ in range(3)]

    assert [(await get(client, f"/v1/jobs/{job['job_id']}"))["queue_position"] for job in jobs] == [0, 1, 2]


async def test_an_unchanged_job_is_not_sent_again(client: Client, worker: Worker) -> None:
    job = await upload(client)
    await completed(client, job["job_id"])

    async with client.get(f"/v1/jobs/{job['job_id']}") as response:
        etag = response.headers["ETag"]
    async with client.get(f"/v1/jobs/{job['job_id']}", headers={"If-None-Match": etag}) as response:
        assert (response.status, await response.read()) == (304, b"")
    assert etag.startswith('W/"')


async def test_the_text_is_given_as_plain_text_by_default(client: Client, worker: Worker) -> None:
    job = await upload(client)
    await completed(client, job["job_id"])

    async with client.get(f"/v1/jobs/{job['job_id']}/result") as response:
        text = await response.text()

    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert words(text) == words(TEXT)


async def test_the_words_are_given_as_json_with_boxes_and_confidences(client: Client, worker: Worker) -> None:
    job = await upload(client)
    await completed(client, job["job_id"])

    result = await get(client, f"/v1/jobs/{job['job_id']}/result", format="json")

    (page,) = result["pages"]
    assert words(page["text"]) == words(TEXT)
    assert (page["number"], page["source"], page["rotation"]) == (1, "ocr", 0)
    page_words = [word for block in page["blocks"] for line in block["lines"] for word in line["words"]]
    assert [word["text"] for word in page_words] == words(TEXT)
    for word in page_words:
        x0, y0, x1, y1 = word["box"]
        assert 0 <= x0 < x1 <= page["width"]
        assert 0 <= y0 < y1 <= page["height"]
        assert 50 < word["confidence"] <= 100


async def test_each_format_is_given_by_name_and_by_media_type(client: Client, worker: Worker) -> None:
    job = await upload(client)
    await completed(client, job["job_id"])
    path = f"/v1/jobs/{job['job_id']}/result"

    # These are asked for by their names alone: they have the media types of the searchable PDF and of hOCR.
    for form in [form for name, form in FORMATS.items() if name not in {"pdfa", "html"}]:
        async with client.get(path, params={"format": form.name}) as by_name:
            first = await by_name.read()
        async with client.get(path, headers={"Accept": form.media_type}) as by_type:
            second = await by_type.read()

        assert first == second
        assert by_name.headers["ETag"] == by_type.headers["ETag"]
        assert by_type.headers["Content-Type"].partition(";")[0] == form.media_type
        assert by_type.headers["Vary"] == "Accept, Accept-Encoding"
        kind = "attachment" if form is PDF else "inline"
        assert by_type.headers["Content-Disposition"] == f'{kind}; filename="{job["job_id"]}.{form.extension}"'
        assert by_type.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in by_type.headers["Content-Security-Policy"]
        # A PDF's words are compressed, and there are no tables.
        assert form.name in {"pdf", "csv"} or all(word.encode() in first for word in words(TEXT))


async def test_pages_are_separated_by_a_form_feed_and_can_be_chosen(client: Client, worker: Worker) -> None:
    job = await upload(client, pdf_scanned(PAGES))
    await completed(client, job["job_id"])
    path = f"/v1/jobs/{job['job_id']}/result"

    async def pages(query: str) -> list[list[str]]:
        async with client.get(path + query) as response:
            return [words(page) for page in (await response.text()).split("\f")]

    assert await pages("") == [words(text) for text in PAGES]
    assert await pages("?pages=1,3") == [words(PAGES[0]), words(PAGES[2])]
    async with client.get(f"{path}?pages=9") as response:
        assert (response.status, (await response.json())["errors"][0]["parameter"]) == (422, "pages")


async def test_only_the_pages_that_an_upload_asks_for_are_read(client: Client, worker: Worker) -> None:
    job = await upload(client, pdf_scanned(PAGES), pages="2-3")

    final = await completed(client, job["job_id"])
    result = await get(client, f"/v1/jobs/{job['job_id']}/result", format="json")

    assert final["pages"]["total"] == 2
    assert [page["number"] for page in result["pages"]] == [2, 3]


async def test_pages_that_the_document_does_not_have_fail_the_job(client: Client, worker: Worker) -> None:
    job = await upload(client, pdf_pages(2), pages="7-9")

    state = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)

    assert state["error"]["code"] == "page_out_of_range"
    assert state["error"]["message"] == "Pages 7-9 were asked for, but the document has 2."


async def test_a_failed_job_has_no_result_and_says_why(client: Client, worker: Worker) -> None:
    job = await upload(client, pdf_pages(1)[:200])
    await get(client, f"/v1/jobs/{job['job_id']}", wait=30)

    async with client.get(f"/v1/jobs/{job['job_id']}/result") as response:
        problem = await response.json()

    assert (response.status, problem["code"], problem["job_error"]["code"]) == (409, "job_failed", "corrupt")


async def test_a_result_has_a_strong_etag_and_is_the_same_from_cache_and_from_the_database(
    client: Client, resources: Resources, worker: Worker
) -> None:
    job = await upload(client)
    await completed(client, job["job_id"])
    path = f"/v1/jobs/{job['job_id']}/result"

    async def fetch() -> tuple[str, bytes]:
        async with client.get(path) as response:
            return response.headers["ETag"], await response.read()

    rendered, cached = await fetch(), await fetch()
    await resources.redis.command("FLUSHALL")
    rendered_again = await fetch()

    assert rendered == cached == rendered_again
    assert not rendered[0].startswith("W/")
    async with client.get(path, headers={"If-None-Match": rendered[0]}) as response:
        assert response.status == 304


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [("?format=docx", {}, 422, "invalid"), ("", {"Accept": "image/png"}, 406, "not_acceptable")],
)
async def test_a_format_that_is_not_offered_is_refused(
    client: Client, resources: Resources, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    job_id = await make_completed(resources, "words")

    async with client.get(f"/v1/jobs/{job_id}/result{query}", headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (status, code)


async def test_without_redis_documents_are_uploaded_read_and_fetched(without_redis: Resources, tmp_path: Path) -> None:
    running = Worker(Pipeline(without_redis, scratch=tmp_path / "scratch"), without_redis.queue, slots=1)
    running.start()
    server = TestServer(make_app(without_redis))
    await server.start_server()
    async with aiohttp.ClientSession(server.make_url("/")) as session:
        job = await upload(session)
        state = await get(session, f"/v1/jobs/{job['job_id']}", wait=30)
        async with session.get(f"/v1/jobs/{job['job_id']}/result") as response:
            text = await response.text()
            limit = response.headers["RateLimit"]
        ready = await get(session, "/readyz")
    await server.close()
    await running.stop(grace_s=5)

    assert state["status"] == "completed"
    assert words(text) == words(TEXT)
    assert limit.startswith('"reads";r=')
    assert (ready["status"], ready["checks"]["redis"]["status"]) == ("degraded", "unavailable")


async def test_without_a_sandbox_it_is_ready_but_says_so(resources: Resources, aiohttp_client: AiohttpClient) -> None:
    lesser = replace(resources, sandbox=Sandbox("unavailable", "no Landlock, seccomp"))

    ready = await get(await aiohttp_client(make_app(lesser)), "/readyz")

    assert ready["status"] == "degraded"
    assert ready["checks"]["sandbox"] == {"status": "unavailable", "detail": "no Landlock, seccomp"}


async def test_a_page_is_not_turned_where_that_is_switched_off(client: Client, worker: Worker) -> None:
    upside_down = saved(picture(TEXT).transpose(Image.Transpose.ROTATE_180), "PNG")
    job = await upload(client, upside_down, rotate="off")
    path = f"/v1/jobs/{job['job_id']}"
    assert (await completed(client, job["job_id"]))["options"]["rotate"] == "off"
    (lying,) = (await get(client, f"{path}/result", format="json"))["pages"]

    async with client.post(f"{path}/retry", json={"rotate": "auto"}) as response:
        assert response.status == 202
    assert (await completed(client, job["job_id"]))["options"]["rotate"] == "auto"
    (turned,) = (await get(client, f"{path}/result", format="json"))["pages"]

    assert (lying["rotation"], turned["rotation"]) == (0, 180)
    assert words(turned["text"]) == words(TEXT) != words(lying["text"])


async def test_a_page_tells_whether_its_own_text_was_taken(client: Client, worker: Worker) -> None:
    sources = {}
    for mode in ("auto", "force"):
        job = await upload(client, pdf_pages(1), "a.pdf", mode=mode)
        assert (await completed(client, job["job_id"]))["options"]["mode"] == mode
        (page,) = (await get(client, f"/v1/jobs/{job['job_id']}/result", format="json"))["pages"]
        sources[mode] = page["source"]
        assert words(page["text"]) == words(page_text(1))

    assert sources == {"auto": "text_layer", "force": "ocr"}


async def test_a_request_over_the_limit_is_told_when_to_come_back(
    make_client: MakeClient, resources: Resources
) -> None:
    from docserver.setting_types import Rate

    client = await make_client(rate_limit=True, rate_limit_reads=Rate(2, 60))

    async def look() -> aiohttp.ClientResponse:
        async with client.get("/v1/documents/list-document") as response:
            await response.read()
            return response

    first, second, third = await look(), await look(), await look()

    assert [response.status for response in (first, second, third)] == [200, 200, 429]
    assert first.headers["RateLimit-Policy"] == '"reads";q=2;w=60'
    assert first.headers["RateLimit"].startswith('"reads";r=1;t=')
    assert 1 <= int(third.headers["Retry-After"]) <= 30
    assert int(third.headers["Retry-After"]) >= int(third.headers["RateLimit"].rpartition("t=")[2])
    async with client.get("/livez") as response:
        assert response.status == 200
        assert "RateLimit" not in response.headers
