"""Downloads from a bucket itself: the service only gives the address."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession
from pytest_aiohttp import AiohttpClient

from docserver.resources import Resources
from docserver.storage.bucket_url import BucketUrl
from docserver.storage.signed_urls import SignedUrls
from docserver.web.app import make_app
from tests.support.client import Client, upload
from tests.support.s3_server import FaultyBucket
from tests.support.samples import png
from tests.support.service import form

NAME = 'Größe "100%".png'


@pytest.fixture
async def client(in_bucket: Resources, aiohttp_client: AiohttpClient) -> Client:
    """A client of an API that redirects downloads."""
    settings = replace(in_bucket.settings, storage_redirects=True)
    return await aiohttp_client(make_app(replace(in_bucket, settings=settings)))


async def linked(client: Client, document_id: str, *, method: str = "GET", **headers: str) -> tuple[int, str]:
    path = f"/v1/documents/{document_id}/file"
    async with client.request(method, path, allow_redirects=False, headers=headers) as response:
        return response.status, response.headers.get("Location", "")


async def test_a_download_is_redirected_to_the_bucket_which_gives_name_type_and_parts(client: Client) -> None:
    async with client.post("/v1/documents/upload-document", data=form(png(), NAME)) as response:
        document_id = (await response.json())["document_id"]

    status, link = await linked(client, document_id)
    async with ClientSession() as http:
        async with http.get(link) as answer:
            whole, headers = await answer.read(), answer.headers
        async with http.get(link, headers={"Range": "bytes=1-3"}) as answer:
            part = answer.status, await answer.read()
        async with http.head((await linked(client, document_id, method="HEAD"))[1]) as answer:
            length = answer.headers["Content-Length"]
        async with http.put(link, data=b"other") as answer:
            written = answer.status

    assert (status, whole, part, int(length)) == (307, png(), (206, b"PNG"), len(png()))
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"Gr__e _100__.png\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%22100%25%22.png"
    )
    assert written == 403
    assert "X-Amz-Expires=60" in link


async def test_what_needs_no_file_is_answered_without_the_bucket(client: Client, faulty: FaultyBucket) -> None:
    document_id = (await upload(client))["document_id"]
    async with client.get(f"/v1/documents/{document_id}") as response:
        etag = f'"{(await response.json())["sha256"][:32]}"'
    faulty.answer(503, "SlowDown")

    assert (await linked(client, document_id, **{"If-None-Match": etag}))[0] == 304
    assert (await linked(client, document_id, Range="bytes=99999999-"))[0] == 416
    assert (await linked(client, str(uuid4())))[0] == 404
    assert (await linked(client, document_id))[0] == 503


async def test_an_original_that_is_missing_is_no_link_and_one_in_the_quarantine_comes_back(
    client: Client, in_bucket: Resources
) -> None:
    document_id = UUID((await upload(client))["document_id"])

    await in_bucket.storage.quarantine.put([document_id])
    back = await linked(client, str(document_id))
    await in_bucket.storage.delete(document_id)
    missing = await linked(client, str(document_id))

    assert (back[0], missing) == (307, (404, ""))


@pytest.mark.parametrize(
    ("more", "address"),
    [
        ({}, "https://s3.eu-1.amazonaws.com/bucket/a%20b/key?"),
        ({"virtual_hosted_style_request": "true"}, "https://bucket.s3.eu-1.amazonaws.com/a%20b/key?"),
        ({"endpoint": "http://s3:9000"}, "http://s3:9000/bucket/a%20b/key?"),
        ({"endpoint": "http://s3:9000", "public_endpoint": "https://s3.test"}, "https://s3.test/bucket/a%20b/key?"),
    ],
)
def test_a_link_has_the_address_that_clients_reach(more: dict[str, Any], address: str) -> None:
    parameters = {"region": "eu-1", "access_key_id": "id", "secret_access_key": "secret", "session_token": "t", **more}
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    urls = SignedUrls(BucketUrl.parse(f"s3://bucket/a%20b?{query}"))

    link = urls.public("GET", "key", expires_s=60)

    assert link.startswith(address)
    assert "x-amz-request-payer" not in link
    assert "secret" not in link
    assert "X-Amz-Security-Token=t" in link


def test_a_link_says_that_the_requester_pays_if_that_is_set() -> None:
    urls = SignedUrls(BucketUrl.parse("s3://bucket?access_key_id=id&secret_access_key=secret&request_payer=true"))

    assert "x-amz-request-payer=requester" in urls.own("GET", "", query={"list-type": "2"}, expires_s=60)
