"""What the API says to an upload."""

import re
from datetime import datetime, timedelta

import aiohttp
import pytest

from docserver import resources as opened_by
from docserver.database.tables import documents
from docserver.errors import DatabaseUnavailable
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from tests.support.client import Client, MakeClient, get, kept_files, upload
from tests.support.samples import png
from tests.support.service import form

UPLOAD = "/v1/documents/upload-document"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def test_an_upload_is_answered_with_its_job_and_where_to_follow_it(client: Client) -> None:
    async with client.post(UPLOAD, data=form(png(), "scan 1.png")) as response:
        job = await response.json()

    assert response.status == 202
    assert response.headers["Location"] == f"/v1/jobs/{job['job_id']}" == job["links"]["self"]
    assert int(response.headers["Retry-After"]) > 0
    assert job["status"] == "pending"
    assert job["queue_position"] == 0
    assert UUID7.fullmatch(job["job_id"])
    assert UUID7.fullmatch(job["document_id"])


async def test_an_upload_that_prefers_to_wait_is_answered_with_the_finished_job(client: Client, worker: Worker) -> None:
    async with client.post(UPLOAD, data=form(png()), headers={"Prefer": "wait=30"}) as response:
        job = await response.json()

    assert response.status == 200
    assert job["status"] == "completed"


async def test_options_may_stand_before_or_behind_the_file_or_in_the_query(client: Client) -> None:
    before = aiohttp.FormData()
    before.add_field("pages", "1")
    before.add_field("file", png(), filename="a.png")

    for query, data in (("", before), ("", form(png(), pages="1")), ("?pages=1", form(png()))):
        async with client.post(UPLOAD + query, data=data) as response:
            assert (await response.json())["options"]["pages"] == "1"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"colour": "yes"}, "/colour"),
        ({"languages": "klingon"}, "/languages"),
        ({"languages": "eng;rm -rf"}, "/languages"),
        ({"languages": "../../etc/passwd"}, "/languages"),
        ({"mode": "fast"}, "/mode"),
        ({"rotate": "left"}, "/rotate"),
        ({"engine": "best"}, "/engine"),
        ({"engine": "ppocr", "languages": "eng+rus"}, "/engine"),
        ({"pages": "3-1"}, "/pages"),
        ({"pages": "x"}, "/pages"),
        ({"expires_in": "0"}, "/expires_in"),
        ({"expires_in": "-5"}, "/expires_in"),
        ({"expires_in": "1.5"}, "/expires_in"),
        ({"expires_in": "99999999999999"}, "/expires_in"),
        ({"expires_in": "soon"}, "/expires_in"),
    ],
)
async def test_an_option_that_cannot_be_is_refused_and_leaves_no_file(
    client: Client, resources: Resources, fields: dict[str, str], pointer: str
) -> None:
    async with client.post(UPLOAD, data=form(png(), **fields)) as response:
        problem = await response.json()

    assert response.status == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert kept_files(resources) == []


async def test_a_missing_language_is_refused_with_the_list_of_installed_ones(client: Client) -> None:
    async with client.post(UPLOAD, data=form(png(), languages="xyz")) as response:
        assert re.search(r"Not installed: xyz. Installed languages: .*\beng\b", (await response.json())["detail"])


@pytest.fixture
def no_second_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_by, "second_engine", lambda: None)


async def test_an_engine_that_is_not_installed_is_refused(no_second_engine: None, client: Client) -> None:
    async with client.post(UPLOAD, data=form(png(), engine="ppocr")) as response:
        assert response.status == 422
        assert "PP-OCR is not installed" in (await response.json())["detail"]


async def test_an_upload_without_a_file_is_refused(client: Client) -> None:
    data = aiohttp.FormData()
    data.add_field("pages", "1", content_type="text/plain")
    data.add_field("fille", b"x", filename="x")

    async with client.post(UPLOAD, data=data) as response:
        assert response.status == 422
        assert (await response.json())["errors"][0]["pointer"] == "/file"


async def test_a_second_file_is_refused_and_neither_is_kept(client: Client, resources: Resources) -> None:
    data = form(png())
    data.add_field("file", png(), filename="b.png")

    async with client.post(UPLOAD, data=data) as response:
        assert response.status == 422
    assert kept_files(resources) == []


@pytest.mark.parametrize("declared", [True, False])
async def test_an_upload_over_the_limit_is_refused_and_leaves_no_file(
    make_client: MakeClient, resources: Resources, declared: bool
) -> None:
    client = await make_client(max_upload_mb=0.1, rate_limit=False)
    data = form(png() + bytes(200_000 if not declared else 2_000_000))

    async with client.post(UPLOAD, data=data) as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (413, "too_large")
    assert "0.1 MB" in problem["detail"]
    assert kept_files(resources) == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"no boundary in here", "multipart/form-data; boundary=xyz", 400),
        (b"x", "multipart/form-data", 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\ncut off',
            "multipart/form-data; boundary=b",
            400,
        ),
    ],
)
async def test_a_body_that_is_no_upload_is_refused(client: Client, body: bytes, content_type: str, status: int) -> None:
    async with client.post(UPLOAD, data=body, headers={"Content-Type": content_type}) as response:
        problem = await response.json()

    assert response.status == status, problem
    assert response.headers["Content-Type"] == "application/problem+json"


async def test_a_compressed_body_is_refused(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Encoding": "gzip"}

    async with client.post(UPLOAD, data=b"\x1f\x8b", headers=headers) as response:
        assert response.status in (400, 415)


async def test_a_file_name_is_shown_without_its_path_and_what_cannot_be_seen(client: Client) -> None:
    job = await upload(client, filename="../../etc/pass\u202ewd.png")

    document = await get(client, f"/v1/documents/{job['document_id']}")

    assert document["filename"] == "passwd.png"


async def test_an_upload_that_cannot_be_announced_is_accepted_all_the_same(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> int:
        from docserver.errors import RedisUnavailable

        raise RedisUnavailable("forced")

    monkeypatch.setattr(resources.queue, "announce", fail)

    job = await upload(client)

    assert (await get(client, f"/v1/jobs/{job['job_id']}"))["status"] == "pending"


async def test_an_upload_that_cannot_be_committed_is_refused_and_leaves_no_file(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("forced", headers={"Retry-After": "5"})

    monkeypatch.setattr(documents, "insert", fail)

    async with client.post(UPLOAD, data=form(png())) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"
    assert kept_files(resources, "originals") == []


async def test_how_long_a_document_is_kept_is_said_by_the_upload_or_else_by_the_setting(
    make_client: MakeClient,
) -> None:
    client = await make_client(rate_limit=False, retention_s=100)

    for job, kept_s in ((await upload(client), 100), (await upload(client, expires_in="7200"), 7200)):
        document = await get(client, f"/v1/documents/{job['document_id']}")
        created, expires = (datetime.fromisoformat(document[name]) for name in ("created_at", "expires_at"))
        assert expires - created == timedelta(seconds=kept_s)


async def test_a_document_is_kept_for_good_where_nobody_says_otherwise(client: Client) -> None:
    job = await upload(client)

    assert (await get(client, f"/v1/documents/{job['document_id']}"))["expires_at"] is None
