"""Passwords of encrypted PDFs over HTTP: sent with an upload or a retry, kept while the job runs, and needed again."""

from pathlib import Path
from typing import Any

import pytest

from docserver.encryption import Encryption
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from docserver.web.password_schemas import HEADER
from tests.support.client import Client, MakeClient, completed, get, post, upload
from tests.support.raw_http import UPLOAD
from tests.support.rows import change, value
from tests.support.samples import TEXT, words
from tests.support.samples.pdf import pdf_pages, pdf_text
from tests.support.samples.pdf_passwords import locked
from tests.support.service import form

PASSWORD = "Grüße aus Köln"

PDF = locked(pdf_text(), password=PASSWORD)


async def ended(client: Client, job: dict[str, Any]) -> tuple[str, str | None]:
    """The final status of a job and the code of its error."""
    shown = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)
    return shown["status"], shown["error"] and shown["error"]["code"]


async def text(client: Client, job: dict[str, Any]) -> str:
    async with client.get(f"/v1/jobs/{job['job_id']}/result") as response:
        assert response.status == 200, await response.text()
        return await response.text()


async def retry(client: Client, job: dict[str, Any], **options: str) -> tuple[int, Any]:
    return await post(client, f"/v1/jobs/{job['job_id']}/retry", json=options)


async def password_in_row(resources: Resources) -> bytes | None:
    stored: bytes | None = await value(resources.db, "SELECT password FROM jobs")
    return stored


async def test_an_upload_with_the_password_is_read_and_the_password_is_gone(
    client: Client, resources: Resources, worker: Worker
) -> None:
    job = await upload(client, PDF, password=PASSWORD)

    assert await ended(client, job) == ("completed", None)
    assert words(await text(client, job)) == words(TEXT)
    assert await password_in_row(resources) == b""
    assert "password" not in str(await get(client, f"/v1/jobs/{job['job_id']}"))


@pytest.mark.parametrize(("options", "code"), [({"password": "Grüße"}, "wrong_password"), ({}, "encrypted")])
async def test_a_job_without_the_right_password_fails_and_a_retry_may_have_it(
    client: Client, resources: Resources, worker: Worker, options: dict[str, str], code: str
) -> None:
    job = await upload(client, PDF, **options)
    assert await ended(client, job) == ("failed", code)

    assert (await retry(client, job, password="another"))[0] == 202
    assert await ended(client, job) == ("failed", "wrong_password")
    assert (await retry(client, job, password=PASSWORD))[0] == 202

    assert await ended(client, job) == ("completed", None)
    assert words(await text(client, job)) == words(TEXT)
    assert await password_in_row(resources) == b""


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("sent", [PASSWORD, PASSWORD.encode().decode("latin-1")], ids=["UTF-8", "each byte a letter"])
async def test_an_upload_of_the_body_has_it_in_a_header(client: Client, worker: Worker, method: str, sent: str) -> None:
    async with client.request(method, "/v1/documents", data=PDF, headers={HEADER: sent}) as response:
        job = await response.json()

    assert response.status == 202, job
    assert await ended(client, job) == (("completed", None) if sent == PASSWORD else ("failed", "wrong_password"))


async def test_a_document_that_needs_none_is_read_with_one_and_may_be_retried_with_none(
    client: Client, worker: Worker
) -> None:
    job = await upload(client, pdf_text(), password="needless")
    await completed(client, job["job_id"])

    assert (await retry(client, job))[0] == 422
    assert (await retry(client, job, password=""))[0] == 202
    await completed(client, job["job_id"])


async def test_a_document_that_was_sent_with_a_password_is_read_once_more_with_it_alone(
    client: Client, worker: Worker
) -> None:
    job = await upload(client, PDF, password=PASSWORD)
    await completed(client, job["job_id"])
    again = f"/v1/documents/{job['document_id']}/jobs"

    status, problem = await post(client, again, json={"mode": "force"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/password")
    status, further = await post(client, again, json={"mode": "force", "password": PASSWORD})
    assert status == 202
    await completed(client, further["job_id"])


async def test_a_retry_without_the_password_changes_nothing(client: Client, worker: Worker) -> None:
    job = await upload(client, PDF, password=PASSWORD)
    await completed(client, job["job_id"])

    status, problem = await retry(client, job, mode="force")

    assert (status, problem["errors"][0]["pointer"]) == (422, "/password")
    assert words(await text(client, job)) == words(TEXT)
    assert (await retry(client, job, mode="force", password=PASSWORD))[0] == 202
    await completed(client, job["job_id"])
    assert words(await text(client, job)) == words(TEXT)


@pytest.mark.parametrize("way", ["upload", "body", "retry"])
async def test_the_query_may_not_have_a_password(client: Client, resources: Resources, way: str) -> None:
    job = await upload(client)
    paths = {"upload": UPLOAD, "body": "/v1/documents", "retry": f"/v1/jobs/{job['job_id']}/retry"}
    data = {"upload": form(PDF), "body": PDF, "retry": None}

    status, problem = await post(client, paths[way], params={"password": PASSWORD}, data=data[way])

    assert (status, problem["errors"][0]["parameter"]) == (422, "password")
    assert PASSWORD not in str(problem)


@pytest.mark.parametrize("way", ["upload", "inspect", "batch", "retry", "job"])
@pytest.mark.parametrize("wrong", ["query", "header"])
async def test_a_password_in_the_wrong_place_is_told_the_right_one(client: Client, way: str, wrong: str) -> None:
    job = await upload(client)
    paths = {
        "upload": UPLOAD,
        "inspect": "/v1/documents/inspect",
        "batch": "/v1/batches",
        "retry": f"/v1/jobs/{job['job_id']}/retry",
        "job": f"/v1/documents/{job['document_id']}/jobs",
    }
    takes_json = way in ("retry", "job")
    sent = {"headers": {HEADER: "secret"}} if wrong == "header" else {"params": {"password": "secret"}}

    status, problem = await post(client, paths[way], data=None if takes_json else form(PDF), **sent)

    (error,) = problem["errors"]
    place = "in the field password of " + ("a JSON body." if takes_json else "the form.")
    assert (status, error["detail"].endswith(place), "secret" in str(problem)) == (422, True, False)
    assert {key: value for key, value in error.items() if key != "detail"} == (
        {"header": HEADER} if wrong == "header" else {"parameter": "password"}
    )


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/v1/documents", f"in the header {HEADER}."),
        ("/v1/uploads", "in the field password of a JSON body, with the request that completes the upload."),
    ],
)
async def test_the_query_of_other_uploads_is_told_the_place_too(client: Client, path: str, place: str) -> None:
    _, problem = await post(client, path, params={"password": "secret"}, data=PDF)

    assert problem["errors"][0]["detail"].endswith(f"Send it {place}")


@pytest.mark.parametrize("password", ["a" * 128, "a\0b"])
async def test_an_impossible_password_is_refused_and_not_repeated(client: Client, password: str) -> None:
    status, problem = await post(client, UPLOAD, data=form(PDF, password=password))

    assert (status, problem["errors"][0]["pointer"]) == (422, "/password")
    assert password not in str(problem)


@pytest.mark.parametrize("end", ["cancel", "delete"])
async def test_a_job_that_is_stopped_forgets_its_password(client: Client, resources: Resources, end: str) -> None:
    job = await upload(client, PDF, password=PASSWORD)
    stored = await password_in_row(resources)
    assert stored
    assert resources.encryption.decrypt(stored) == PASSWORD

    if end == "cancel":
        assert (await post(client, f"/v1/jobs/{job['job_id']}/cancel"))[0] == 200
        assert await password_in_row(resources) == b""
    else:
        async with client.delete(f"/v1/documents/{job['document_id']}") as response:
            assert response.status == 204
        assert await value(resources.db, "SELECT COUNT(*) FROM jobs") == 0


async def test_a_document_of_pages_is_read_by_ocr_with_the_password(client: Client, worker: Worker) -> None:
    job = await upload(client, locked(pdf_pages(3), password=PASSWORD), password=PASSWORD, mode="force", pages="2-3")

    shown = await completed(client, job["job_id"])

    assert shown["pages"] == {"total": 2, "done": 2, "failed": 0}


async def test_a_password_that_cannot_be_decrypted_any_more_may_be_sent_again(
    client: Client, resources: Resources, tmp_path: Path
) -> None:
    job = await upload(client, PDF, password=PASSWORD)
    other = Encryption(["another key of the service, 32 chars"]).encrypt(PASSWORD)
    await change(resources.db, "UPDATE jobs SET password = %s", other)

    worker = Worker(Pipeline(resources, scratch=tmp_path / "scratch"), resources.queue, slots=1)
    worker.start()
    try:
        assert await ended(client, job) == ("failed", "encrypted")
        assert (await retry(client, job, password=PASSWORD))[0] == 202
        assert await ended(client, job) == ("completed", None)
    finally:
        await worker.stop(grace_s=10)


async def test_a_searchable_pdf_needs_the_password_and_says_so(client: Client, worker: Worker) -> None:
    job = await upload(client, PDF, password=PASSWORD)
    await completed(client, job["job_id"])

    async with client.get(f"/v1/jobs/{job['job_id']}/result", params={"format": "pdf"}) as response:
        problem = await response.json()

    assert (response.status, problem["code"], problem["job_error"]["code"]) == (422, "not_renderable", "encrypted")
    assert "not kept" in problem["detail"]


async def test_only_uploads_without_a_password_lead_to_an_earlier_job_and_only_to_one_without(
    make_client: MakeClient, worker: Worker
) -> None:
    client = await make_client(rate_limit=False, deduplicate=True)
    first = await upload(client, PDF, password=PASSWORD)
    await completed(client, first["job_id"])

    without = await upload(client, PDF)
    wrong = await upload(client, PDF, password="other")
    right = await upload(client, PDF, password=PASSWORD)

    assert len({job["document_id"] for job in (first, without, wrong, right)}) == 4
    assert await ended(client, without) == ("failed", "encrypted")
    assert await ended(client, wrong) == ("failed", "wrong_password")
    assert await ended(client, right) == ("completed", None)
    needless = await upload(client, pdf_text())
    assert (await upload(client, pdf_text()))["deduplicated"]
    assert (await upload(client, pdf_text(), password="needless"))["job_id"] != needless["job_id"]


async def test_a_repeated_upload_has_the_same_password(client: Client, resources: Resources) -> None:
    async def send(password: str) -> tuple[int, Any]:
        headers = {"Idempotency-Key": "a-key"}
        return await post(client, UPLOAD, data=form(PDF, password=password), headers=headers)

    status, job = await send(PASSWORD)

    assert status == 202
    assert (await send(PASSWORD))[1]["job_id"] == job["job_id"]
    assert (await send("other"))[1]["code"] == "key_reused"


async def test_scripts_of_web_pages_may_send_the_header(make_client: MakeClient) -> None:
    client = await make_client(rate_limit=False, cors_origins=("https://app.example.org",))
    headers = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "PUT"}

    async with client.options("/v1/documents", headers=headers) as response:
        assert HEADER in response.headers["Access-Control-Allow-Headers"]
