"""Uploads by a link whose bytes come damaged from the bucket when they are completed, or are replaced meanwhile."""

from collections.abc import Callable
from hashlib import md5

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.resources import Resources
from docserver.storage import links
from docserver.storage.bucket import PROBE
from docserver.web.app import make_app
from tests.support.client import Client, post
from tests.support.rows import value
from tests.support.s3_server import FaultyBucket, by_kms
from tests.support.samples import png

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a wrong bit": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "too short": lambda data: data[:-1],
    "too long": lambda data: data + b"\n",
}

DATA = png()
ETAG = md5(DATA, usedforsecurity=False).hexdigest().encode()


@pytest.fixture
async def client(in_bucket: Resources, aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(make_app(in_bucket))


async def sent(client: Client) -> dict[str, str]:
    """The links of an upload that has arrived."""
    _, link = await post(client, "/v1/uploads", json={"size": len(DATA)})
    await send(client, link["url"], DATA)
    return {"url": link["url"], "complete": link["links"]["complete"]}


async def send(client: Client, url: str, data: bytes) -> None:
    async with client.session.put(url, data=data) as response:
        assert response.status == 200


@pytest.mark.parametrize("damage", DAMAGES)
async def test_bytes_that_come_damaged_become_no_original(
    client: Client, in_bucket: Resources, faulty: FaultyBucket, damage: str
) -> None:
    link = await sent(client)
    faulty.damage(DAMAGES[damage], place="/uploads/")

    status, refused = await post(client, link["complete"], json={})
    recorded = await value(in_bucket.db, "SELECT COUNT(*) FROM documents")
    faulty.heal()

    assert (status, refused["code"], recorded) == (503, "storage_unavailable", 0)
    assert (await post(client, link["complete"], json={}))[0] == 202


@pytest.mark.parametrize("size", [len(DATA), len(DATA) + 9], ids=["of its size", "of another size"])
async def test_another_object_that_comes_in_place_of_the_file_becomes_no_original(
    client: Client, faulty: FaultyBucket, size: int
) -> None:
    link, other = await sent(client), png("other").ljust(size, b"\0")[:size]
    faulty.exchange(other, place="/uploads/")

    status, refused = await post(client, link["complete"], json={})
    faulty.heal()

    assert (status, refused["code"]) == (503, "storage_unavailable")
    assert (await post(client, link["complete"], json={}))[0] == 202


async def test_the_etag_of_the_probe_proves_nothing_if_lists_say_otherwise(
    client: Client, faulty: FaultyBucket
) -> None:
    link, etag = await sent(client), md5(PROBE, usedforsecurity=False).hexdigest().encode()
    faulty.damage(DAMAGES["a wrong bit"], place="/uploads/")
    faulty.rewrite(lambda answer: answer if b"<ListBucketResult" in answer else answer.replace(etag, etag[::-1]))

    refused = [(await post(client, link["complete"], json={}))[0]]
    faulty.rewrite(lambda answer: answer)
    refused.append((await post(client, link["complete"], json={}))[0])
    faulty.heal()

    assert refused == [503, 503]
    assert (await post(client, link["complete"], json={}))[0] == 202


async def test_the_list_of_another_upload_completes_none(client: Client, faulty: FaultyBucket) -> None:
    link, other = await sent(client), await sent(client)
    mine, its = (each["complete"].split("/")[-2].encode() for each in (link, other))
    faulty.rewrite(lambda answer: answer.replace(mine, its) if b"<ListBucketResult" in answer else answer)

    status, _ = await post(client, link["complete"], json={})
    faulty.heal()

    assert status == 503
    assert (await post(client, link["complete"], json={}))[0] == 202


@pytest.mark.parametrize("answers", ["random ETags of KMS", "ETags of several parts"])
async def test_a_file_whose_etag_tells_nothing_is_taken_if_it_comes_whole(
    client: Client, faulty: FaultyBucket, answers: str
) -> None:
    link, other = await sent(client), await sent(client)
    if answers == "random ETags of KMS":
        faulty.rewrite(by_kms(DATA))
    else:
        faulty.rewrite(lambda answer: answer.replace(ETAG, ETAG[:30] + b"-2"))

    taken, _ = await post(client, link["complete"], json={})
    faulty.damage(DAMAGES["too short"], place="/uploads/")

    assert taken == 202
    assert (await post(client, other["complete"], json={}))[0] == 503


async def test_a_file_that_is_replaced_while_it_is_read_has_to_be_completed_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "READ_BYTES", len(DATA) // 2 + 1)
    link = await sent(client)
    replaced = False
    content = links.ObjectLinks.content

    async def replacing(*arguments: object) -> object:
        nonlocal replaced
        async for piece in content(*arguments):  # type: ignore[arg-type]
            yield piece
            if not replaced:
                replaced = True
                await send(client, link["url"], DATA[::-1])

    monkeypatch.setattr(links.ObjectLinks, "content", replacing)

    status, refused = await post(client, link["complete"], json={})
    await send(client, link["url"], DATA)

    assert (status, "complete the upload again" in refused["detail"]) == (409, True)
    assert (await post(client, link["complete"], json={}))[0] == 202
