"""Pictures of pages over HTTP: they fit the words of the result, are drawn once, and go with the document."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from docserver.jobs import transitions
from docserver.jobs.worker import Worker
from docserver.layout import Box
from docserver.ocr.server import on_demand
from docserver.ocr.server.on_demand import OnDemandSlot
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.web.app import make_app
from tests.support.client import Client, MakeClient, completed, get, upload
from tests.support.hostile.pdf import PDFS
from tests.support.originals import original
from tests.support.pictures import assert_words_in, lightest, opened, scaled
from tests.support.rows import TIMEOUT, change, claim_pages, make_job, put_original
from tests.support.samples import PAGES, jpeg_turned, pdf_pages, pdf_scanned, png, tiff_1bit, tiff_pages
from tests.support.tenants import key_of
from tests.support.waiting import until


async def read(client: Client, data: bytes | None = None, filename: str = "note.png") -> str:
    """Upload a document and wait for it; returns where its first page is."""
    job = await upload(client, data, filename)
    await completed(client, job["job_id"])
    return f"/v1/jobs/{job['job_id']}/pages/1"


async def fetch(client: Client, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    async with client.get(path, headers=headers) as response:
        return response.status, response.headers, await response.read()


async def boxes_of(client: Client, path: str) -> tuple[int, list[Box]]:
    """The width of a page, and the boxes of its words."""
    page = await get(client, path)
    lines = [line for block in page["blocks"] for line in block["lines"]]
    return page["width"], [tuple(word["box"]) for line in lines for word in line["words"]]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, nothing can be drawn."""
    return lambda: monkeypatch.setattr(OnDemandSlot, "draw", None)


@pytest.mark.parametrize(
    "make", [png, jpeg_turned, tiff_1bit, lambda: tiff_pages(PAGES), lambda: pdf_pages(1), lambda: pdf_scanned(PAGES)]
)
async def test_the_words_of_a_result_stand_where_their_boxes_say(
    client: Client, worker: Worker, make: Callable[[], bytes]
) -> None:
    path = await read(client, make(), "document")
    width, boxes = await boxes_of(client, path)

    status, headers, body = await fetch(client, f"{path}/image?format=png&width=900")

    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/png", "private, no-cache")
    picture = opened(body)
    assert picture.width == 900
    assert_words_in(picture, scaled(boxes, width=width, shown=900))


async def test_webp_is_the_usual_format_and_words_are_marked_in_it(client: Client, worker: Worker) -> None:
    path = await read(client)
    width, boxes = await boxes_of(client, path)

    _, headers, plain = await fetch(client, f"{path}/image")
    _, _, marked = await fetch(client, f"{path}/image?highlight=words")

    assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == ("image/webp", "nosniff")
    picture = opened(marked)
    assert (opened(plain).format, picture.format) == ("WEBP", "WEBP")
    for x0, y0, x1, y1 in scaled(boxes, width=width, shown=picture.width):
        # A yellow marker: nothing is blue there.
        blue = picture.convert("RGB").crop((x0 + 2, y0 + 2, x1 - 2, y1 - 2)).getchannel("B")
        assert lightest(blue) < 200


async def test_a_crop_is_that_part_of_the_page_in_its_own_pixels(client: Client, worker: Worker) -> None:
    path = await read(client)
    width, (first, *_) = await boxes_of(client, path)
    crop = ",".join(map(str, first))

    _, _, whole = await fetch(client, f"{path}/image?format=png")
    _, _, part = await fetch(client, f"{path}/image?format=png&crop={crop}")

    assert opened(whole).width == width
    assert opened(part).tobytes() == opened(whole).crop(first).tobytes()


async def test_a_picture_is_drawn_once_and_an_unchanged_one_is_not_sent_again(
    client: Client, worker: Worker, resources: Resources, undrawn: Callable[[], None]
) -> None:
    path = f"{await read(client)}/image"
    _, headers, first = await fetch(client, path)
    await resources.redis.command("FLUSHALL")
    _, again, drawn_again = await fetch(client, path)
    undrawn()

    _, cached, body = await fetch(client, path)
    status, unchanged, nothing = await fetch(client, path, **{"If-None-Match": headers["ETag"]})

    assert (first, headers["ETag"]) == (drawn_again, again["ETag"]) == (body, cached["ETag"])
    assert (status, nothing, unchanged["ETag"]) == (304, b"", headers["ETag"])


async def test_requests_of_the_same_picture_at_the_same_time_share_one(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{await read(client)}/image"
    drawn: list[int] = []
    draw = OnDemandSlot.draw

    async def counted(self: OnDemandSlot, source: Path, request: Any, *, client: str) -> Any:
        drawn.append(request.page)
        return await draw(self, source, request, client=client)

    monkeypatch.setattr(OnDemandSlot, "draw", counted)
    answers = await asyncio.gather(*(fetch(client, path) for _ in range(5)))

    assert len({body for _, _, body in answers}) == 1
    assert drawn == [1]


async def test_one_that_is_too_large_for_redis_is_sent_as_a_file(
    client: Client, worker: Worker, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docserver.documents.page_images.LARGE_RESULT_BYTES", 100)
    path = f"{await read(client)}/image?format=png"

    status, headers, body = await fetch(client, path)

    assert (status, int(headers["Content-Length"])) == (200, len(body))
    assert opened(body).format == "PNG"
    assert await cached(resources) == []


async def cached(resources: Resources) -> Any:
    """The keys of all cached results."""
    return await resources.redis.command("KEYS", "docserver:result:*")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"width": "0"}, "width"),
        ({"width": "3001"}, "width"),
        ({"width": "wide"}, "width"),
        ({"format": "jpeg"}, "format"),
        ({"highlight": "lines"}, "highlight"),
        ({"crop": "0,0,10"}, "crop"),
        ({"crop": "0,0,ten,10"}, "crop"),
        ({"crop": "-1,0,10,10"}, "crop"),
        ({"crop": "0,0,100000,10"}, "crop"),
        ({"crop": "10,10,10,20"}, "crop"),
        ({"crop": "0,0,1,40", "width": "3000"}, "width"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_drawn_is_refused_by_its_name(
    client: Client, resources: Resources, query: dict[str, str], named: str, worker: Worker
) -> None:
    path = await read(client)

    async with client.get(f"{path}/image", params=query) as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (422, "invalid")
    assert [error["parameter"] for error in problem["errors"]] == [named]


async def test_a_page_that_is_not_read_yet_or_could_not_be_read_has_no_picture(
    client: Client, resources: Resources
) -> None:
    document_id, job_id = await make_job(resources.db, total=1)
    put_original(resources, document_id)
    path = f"/v1/jobs/{job_id}/pages"

    async with client.get(f"{path}/1/image") as response:
        assert (response.status, (await response.json())["code"]) == (409, "not_ready")
        assert int(response.headers["Retry-After"]) > 0
    for number in ("2", "0", "99999999"):
        async with client.get(f"{path}/{number}/image") as response:
            assert response.status == 404
    claim_id, _ = await claim_pages(resources.db, job_id)
    await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim_id, results={1: TIMEOUT})
    async with client.get(f"{path}/1/image") as response:
        assert (response.status, (await response.json())["code"]) == (409, "page_failed")


async def test_another_tenant_finds_no_picture(make_client: MakeClient, resources: Resources, worker: Worker) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS)
    acme, other = await key_of(resources, "acme"), await key_of(resources, "other")
    client.session.headers.update(acme)
    path = f"{await read(client)}/image"
    assert (await fetch(client, path))[0] == 200

    client.session.headers.update(other)

    assert (await fetch(client, path))[0] == 404


async def test_nothing_of_a_picture_is_left_when_its_document_is_deleted(
    client: Client, worker: Worker, resources: Resources
) -> None:
    path = await read(client)
    job = await job_of(client, path)
    _, headers, _ = await fetch(client, f"{path}/image")
    assert await cached(resources) != []

    async with client.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 204

    assert (await fetch(client, f"{path}/image", **{"If-None-Match": headers["ETag"]}))[0] == 404
    assert await cached(resources) == []
    slot = resources.on_demand._slot
    assert slot._child is not None
    assert list(Path(f"/proc/{slot._child.pid}/root{slot._scratch}").iterdir()) == []


async def job_of(client: Client, path: str) -> Any:
    """The job of a page."""
    return await get(client, "/".join(path.split("/")[:4]))


async def put(resources: Resources, client: Client, path: str, data: bytes) -> None:
    """Put other bytes in the place of a page's document, as if they had been uploaded."""
    document_id = UUID((await job_of(client, path))["document_id"])
    (await original(resources.storage, document_id)).write_bytes(data)
    digest = sha256(data).digest()
    sql = "UPDATE documents SET size = %s, sha256 = %s WHERE id = %s"
    await change(resources.db, sql, len(data), digest, document_id.bytes)


async def test_a_document_that_cannot_be_drawn_any_more_is_a_clean_refusal(
    client: Client, worker: Worker, resources: Resources
) -> None:
    path = await read(client, pdf_pages(1), "report.pdf")
    await put(resources, client, path, b"%PDF-1.7\nno more")

    status, _, broken = await fetch(client, f"{path}/image")
    (await original(resources.storage, UUID((await job_of(client, path))["document_id"]))).unlink()
    missing_status, _, missing = await fetch(client, f"{path}/image?width=99")

    assert (status, missing_status) == (422, 422)
    assert b'"code":"not_renderable"' in broken
    assert b'"code":"corrupt"' in broken
    assert b'"code":"storage_missing"' in missing


async def test_a_page_that_takes_any_time_to_draw_ends_with_its_process_and_the_next_is_drawn(
    client: Client, worker: Worker, resources: Resources
) -> None:
    path, another = await read(client, pdf_pages(1), "report.pdf"), await read(client)
    await put(resources, client, path, PDFS["content_of_ten_million_saves"]())
    resources.on_demand._timeout_s = 1.0

    status, _, body = await fetch(client, f"{path}/image")
    resources.on_demand._timeout_s = 20.0
    then, _, _ = await fetch(client, f"{another}/image")

    assert status == 422
    assert b'"code":"not_renderable"' in body
    assert then == 200


async def test_who_finds_too_many_before_it_is_told_when_to_come_again(
    client: Client, worker: Worker, resources: Resources
) -> None:
    path = await read(client)
    resources.on_demand._timeout_s = 0.1

    async with resources.on_demand._turns.turn("another client", within_s=1, refusal=""):
        status, headers, body = await fetch(client, f"{path}/image")

    assert (status, b'"code":"unavailable"' in body) == (503, True)
    assert int(headers["Retry-After"]) > 0


async def test_the_process_that_draws_ends_when_nobody_asks_and_another_starts(
    client: Client, worker: Worker, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "IDLE_S", 0.0)
    path = await read(client)

    statuses = []
    for width in (100, 101):
        statuses.append((await fetch(client, f"{path}/image?width={width}"))[0])
        await until(lambda: resources.on_demand._slot._child is None)

    assert statuses == [200, 200]


async def test_on_a_full_disk_no_page_is_drawn(
    client: Client, worker: Worker, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await read(client)
    monkeypatch.setattr(type(resources.results_room), "is_short", lambda _: True)

    assert (await fetch(client, f"{path}/image"))[0] == 503


async def test_an_api_that_was_restarted_draws_the_same_picture(
    client: Client, worker: Worker, resources: Resources, tmp_path: Path, aiohttp_client: Any
) -> None:
    path = f"{await read(client)}/image"
    _, headers, first = await fetch(client, path)
    await resources.redis.command("FLUSHALL")
    slot = OnDemandSlot(resources.settings, resources.engine, scratch=tmp_path / "restarted")
    settings = replace(resources.settings, rate_limit=False, slots=0)
    restarted = await aiohttp_client(make_app(replace(resources, settings=settings, on_demand=slot)))

    status, again, second = await fetch(restarted, path)
    await slot.aclose()

    assert (status, again["ETag"], second) == (200, headers["ETag"], first)
    assert list((tmp_path / "restarted").iterdir()) == []
