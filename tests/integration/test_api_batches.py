"""Batches: many files in one request, as parts of a form or in one ZIP, and how they stand."""

from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.documents import intake
from docserver.errors import DatabaseUnavailable
from docserver.jobs.worker import Worker
from docserver.maintenance import Maintenance
from docserver.resources import Resources
from docserver.setting_types import Auth, Rate
from docserver.web.app import make_app
from tests.support.client import Client, MakeClient, get, kept_files, post
from tests.support.rows import change, value
from tests.support.s3_server import FaultyBucket
from tests.support.samples import TEXT, png, words
from tests.support.samples.pdf import pdf_text
from tests.support.tenants import key_of
from tests.support.uploaded_batches import PATH, File, accepted, form, send, zipped


def outcomes(batch: Any) -> list[tuple[str, str | None]]:
    """Each file's name, and its status or the code of its problem."""
    return [(item["filename"], item["status"] or (item["problem"] or {}).get("code")) for item in batch["items"]]


@pytest.mark.parametrize("is_zip", [False, True])
async def test_each_file_becomes_a_document_or_is_refused_for_itself(
    client: Client, resources: Resources, worker: Worker, is_zip: bool
) -> None:
    files = [("a.pdf", pdf_text()), ("notes.txt", b"plain text"), ("empty.png", b""), ("dir/b.png", png())]
    async with client.post(PATH, data=form([("all.zip", zipped(files))] if is_zip else files)) as response:
        batch = await response.json()

    assert (response.status, response.headers["Location"]) == (202, f"{PATH}/{batch['batch_id']}")
    assert batch["files"] == {"total": 4, "refused": 2}
    assert [item["number"] for item in batch["items"]] == [1, 2, 3, 4]
    assert [item["filename"] for item in batch["items"]] == ["a.pdf", "notes.txt", "empty.png", "b.png"]
    refused = [item["problem"] and item["problem"]["code"] for item in batch["items"]]
    assert refused == [None, "unsupported_media_type", "invalid", None]
    final = await get(client, f"{PATH}/{batch['batch_id']}", wait=30)
    assert (final["status"], final["jobs"]["completed"]) == ("completed", 2)
    assert final["pages"] == {"total": 2, "done": 2, "failed": 0}
    assert outcomes(final)[0] == ("a.pdf", "completed")
    async with client.get(f"/v1/jobs/{batch['items'][0]['job_id']}/result") as response:
        assert words(await response.text()) == words(TEXT)
    assert len(kept_files(resources)) == 2


async def test_the_files_are_listed_by_a_cursor(client: Client) -> None:
    batch = await accepted(client, [(f"{number}.png", png(str(number))) for number in range(5)])
    path = f"{PATH}/{batch['batch_id']}"
    part = await get(client, path, limit=2)
    shown = part["items"]

    while part["next_cursor"]:
        part = await get(client, path, limit=2, cursor=part["next_cursor"])
        shown += part["items"]

    assert shown == batch["items"]
    assert len(shown) == 5
    assert batch["status"] == "processing"


async def test_a_batch_that_has_not_changed_is_not_sent_again_and_costs_no_tokens(make_client: MakeClient) -> None:
    client = await make_client(rate_limit_reads=Rate(10, 86_400))
    batch = await accepted(client, [("a.png", png()), ("b.png", png("b"))])
    path = f"{PATH}/{batch['batch_id']}"
    async with client.get(path) as first:
        etag, left = first.headers["ETag"], first.headers["RateLimit"]
        assert (first.headers["Cache-Control"], first.headers["Retry-After"]) == ("no-cache", "1")

    for _ in range(3):
        async with client.get(path, headers={"If-None-Match": etag}) as again:
            assert (again.status, again.headers["ETag"], await again.read()) == (304, etag, b"")
            assert again.headers["RateLimit"] == left
    for params in ({"limit": "1"}, {"cursor": "1"}):
        async with client.get(path, headers={"If-None-Match": etag}, params=params) as part:
            assert part.status == 200
    for item in batch["items"]:
        await post(client, f"/v1/jobs/{item['job_id']}/cancel")
    async with client.get(path, headers={"If-None-Match": etag}) as changed:
        assert (changed.status, (await changed.json())["status"]) == (200, "completed")
        assert "Retry-After" not in changed.headers


async def test_the_options_are_for_all_files_and_may_come_anywhere(client: Client) -> None:
    batch = await accepted(client, [("a.png", png()), ("b.png", png("b"))], mode="force", pages="1")

    for item in batch["items"]:
        job = await get(client, f"/v1/jobs/{item['job_id']}")
        assert (job["options"]["mode"], job["options"]["pages"]) == ("force", "1")


async def test_equal_files_lead_to_one_document(make_client: MakeClient) -> None:
    client = await make_client(rate_limit=False, deduplicate=True)

    batch = await accepted(client, [("a.zip", zipped([("a.png", png()), ("again.png", png())]))])

    first, second = batch["items"]
    assert first["job_id"] == second["job_id"]
    assert (first["deduplicated"], second["deduplicated"]) == (False, True)
    assert batch["files"]["total"] == 2


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ([], 415),
        ([("a.png", png()), ("b.zip", zipped([("b.png", png())]))], 202),
        ([("a.zip", zipped([("b.png", png())])), ("a.png", png())], 422),
        ([("a.zip", zipped([]))], 422),
        ([("a.zip", zipped([("a.png", png())])[:-30])], 422),
        ([("a.zip", b"PK\x03\x04 and no more")], 422),
        ([("a.zip", zipped([("directory/", b""), ("__MACOSX/._a.png", b"x"), (".DS_Store", b"x")]))], 422),
    ],
)
async def test_what_is_no_batch_is_refused_whole(
    client: Client, resources: Resources, files: list[File], status: int
) -> None:
    answered, body = await send(client, files, languages="eng")

    assert answered == status, body
    if status != 202:
        assert kept_files(resources) == []
        assert await value(resources.db, "SELECT COUNT(*) FROM batches") == 0


async def test_a_zip_in_another_place_is_told_where_it_belongs(client: Client) -> None:
    archive = zipped([("a.png", png())])
    beside = await accepted(client, [("a.png", png()), ("b.zip", archive)])
    within = await accepted(client, [("all.zip", zipped([("a.png", png()), ("b.zip", archive)]))])
    uploads = ("/v1/documents/upload-document", "/v1/documents/inspect")
    problems = [batch["items"][1]["problem"] for batch in (beside, within)]
    problems += [(await post(client, path, data=form([("a.zip", archive)])))[1] for path in uploads]

    for problem in problems:
        assert (problem["status"], problem["code"]) == (415, "unsupported_media_type")
        assert "A ZIP of such files is for POST /v1/batches, as the only file of its batch" in problem["detail"]


async def test_a_body_that_is_no_form_is_told_what_a_batch_takes(client: Client) -> None:
    headers = {"Content-Type": "application/zip"}

    status, problem = await post(client, PATH, data=zipped([("a.png", png())]), headers=headers)

    expected = "Send the files, or one ZIP, as multipart/form-data with parts named file."
    assert (status, problem["detail"]) == (415, expected)


async def test_a_wrong_option_refuses_the_batch(client: Client, resources: Resources) -> None:
    status, problem = await send(client, [("a.png", png()), ("b.png", png("b"))], colour="yes")

    assert (status, problem["errors"][0]["pointer"]) == (422, "/colour")
    assert kept_files(resources) == []


async def test_files_are_bounded_each_and_in_all(make_client: MakeClient, resources: Resources) -> None:
    client = await make_client(rate_limit=False, max_upload_mb=0.01)
    large = b"\x89PNG\r\n\x1a\n" + bytes(20_000)

    status, batch = await send(client, [("all.zip", zipped([("a.png", png()), ("large.png", large)]))])

    assert status == 202, batch
    assert outcomes(batch)[1] == ("large.png", "too_large")
    status, problem = await send(client, [("all.zip", zipped([(f"{number}.png", large) for number in range(6)]))])
    assert (status, problem["code"]) == (413, "too_large")


async def test_another_tenant_has_no_such_batch(make_client: MakeClient, resources: Resources) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS)
    own, other = await key_of(resources, "one"), await key_of(resources, "two")
    batch = await accepted(client, [("a.png", png())], headers=own)

    for headers, status in ((own, 200), (other, 404)):
        async with client.get(f"{PATH}/{batch['batch_id']}", headers=headers) as response:
            assert response.status == status


async def test_a_file_over_a_quota_is_refused_for_itself(make_client: MakeClient) -> None:
    client = await make_client(rate_limit=False, quota_max_unfinished_jobs=1)

    batch = await accepted(client, [("a.png", png()), ("b.png", png("b"))])

    assert outcomes(batch) == [("a.png", "pending"), ("b.png", "quota_exceeded")]
    assert batch["items"][1]["problem"]["status"] == 429


async def test_a_deleted_document_leaves_its_file_in_the_batch(client: Client) -> None:
    batch = await accepted(client, [("a.png", png()), ("b.png", png("b"))])
    async with client.delete(f"/v1/documents/{batch['items'][0]['document_id']}") as response:
        assert response.status == 204

    shown = await get(client, f"{PATH}/{batch['batch_id']}")

    assert shown["files"] == {"total": 2, "refused": 0}
    assert [item["document_id"] is None for item in shown["items"]] == [True, False]
    assert shown["jobs"]["pending"] == 1


async def test_the_same_batch_again_has_the_same_answer(client: Client, resources: Resources) -> None:
    headers, files = {"Idempotency-Key": "a-key"}, [("a.png", png()), ("b.txt", b"text")]
    batch = await accepted(client, files, headers=headers)

    assert await accepted(client, files, headers=headers) == batch
    assert (await send(client, files[:1], headers=headers))[1]["code"] == "key_reused"
    assert await value(resources.db, "SELECT COUNT(*) FROM documents") == 1


@pytest.mark.parametrize("is_zip", [False, True])
async def test_a_batch_that_was_cut_off_names_what_was_accepted_and_goes_on(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch, is_zip: bool
) -> None:
    files = [(f"{number}.png", png(str(number))) for number in range(3)]
    sent = [("all.zip", zipped(files))] if is_zip else files
    real, calls = intake.accept, []

    async def accept(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise DatabaseUnavailable("forced")
        return await real(*arguments)

    monkeypatch.setattr(intake, "accept", accept)
    status, _ = await send(client, sent, headers={"Idempotency-Key": "a-key"})
    assert status == 503
    assert len(kept_files(resources)) == 1
    identifier = (await value(resources.db, "SELECT HEX(id) FROM batches")).lower()
    path = "-".join(identifier[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
    cut = await get(client, f"{PATH}/{path}")
    assert (cut["status"], [item["status"] for item in cut["items"]]) == ("receiving", ["pending", None, None])

    batch = await accepted(client, sent, headers={"Idempotency-Key": "a-key"})

    assert batch["batch_id"] == cut["batch_id"]
    assert [item["status"] for item in batch["items"]] == ["pending"] * 3
    assert batch["items"][0] == cut["items"][0]
    assert await value(resources.db, "SELECT COUNT(*) FROM documents") == 3
    # The first file is not stored again.
    assert len(calls) == 4


@pytest.mark.parametrize("is_zip", [False, True])
async def test_a_batch_in_a_bucket_is_accepted_once_the_bucket_answers(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, is_zip: bool
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    files = [("a.png", png()), ("b.png", png("b"))]
    sent = [("all.zip", zipped(files))] if is_zip else files
    faulty.answer(503, "SlowDown")
    status, _ = await send(client, sent, headers={"Idempotency-Key": "a-key"})
    assert status == 503
    faulty.heal()

    batch = await accepted(client, sent, headers={"Idempotency-Key": "a-key"})

    assert [item["status"] for item in batch["items"]] == ["pending"] * 2
    assert await value(in_bucket.db, "SELECT COUNT(*) FROM documents") == 2
    for item, (_, data) in zip(batch["items"], files, strict=True):
        async with client.get(f"/v1/documents/{item['document_id']}/file") as response:
            assert await response.read() == data


async def test_maintenance_forgets_old_batches_and_keeps_their_documents(
    client: Client, resources: Resources, maintenance: Maintenance
) -> None:
    old = await accepted(client, [("a.png", png())])
    await change(resources.db, "UPDATE batches SET created_at = created_at - INTERVAL 31 DAY")
    new = await accepted(client, [("b.png", png("b"))])

    await maintenance.round()

    async with client.get(f"{PATH}/{old['batch_id']}") as response:
        assert response.status == 404
    await get(client, f"{PATH}/{new['batch_id']}")
    assert await value(resources.db, "SELECT COUNT(*) FROM documents") == 2
