"""Uploads whose body is the file itself, as `curl -T` sends them."""

from typing import Any

import pytest
from yarl import URL

from docserver.resources import Resources
from tests.support.client import Client, MakeClient, get, kept_files
from tests.support.listeners import Serve, port_of
from tests.support.raw_http import wire
from tests.support.samples import png

PATH = "/v1/documents"


async def document_of(client: Client, **request: Any) -> Any:
    """The document that this upload makes."""
    async with client.request("PUT", PATH, data=png(), **request) as response:
        job = await response.json()
        assert response.status == 202, job
        assert response.headers["Location"] == f"/v1/jobs/{job['job_id']}"
    return await get(client, f"/v1/documents/{job['document_id']}")


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/png", "application/x-www-form-urlencoded"])
async def test_the_body_is_the_file_and_the_query_has_the_options(
    client: Client, method: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    query = {"filename": "scan 1.png", "pages": "1"}
    async with client.request(method, PATH, data=png(), params=query, headers=headers) as response:
        job = await response.json()

    assert (response.status, job["options"]["pages"]) == (202, "1")
    document = await get(client, f"/v1/documents/{job['document_id']}")
    assert (document["filename"], document["content_type"], document["size"]) == ("scan 1.png", "image/png", len(png()))
    async with client.get(f"/v1/documents/{job['document_id']}/file") as response:
        assert await response.read() == png()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="scan 1.png"', "scan 1.png"),
        ("attachment; filename*=UTF-8''B%C3%BCcher.png", "Bücher.png"),
        ('attachment; filename="Bücher.png"', "Bücher.png"),
        ("attachment", "unnamed"),
    ],
)
async def test_content_disposition_names_the_file(client: Client, disposition: str, name: str) -> None:
    document = await document_of(client, headers={"Content-Disposition": disposition})

    assert document["filename"] == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/scan%201.png", "scan 1.png"),
        ("/B%C3%BCcher.png", "Bücher.png"),
        ("/..%2F..%2Fscan.png", "scan.png"),
        ("/", "unnamed"),
        ("/a.png?filename=b.png", "b.png"),
    ],
)
async def test_the_address_names_the_file_as_curl_completes_one_that_ends_with_a_slash(
    client: Client, path: str, name: str
) -> None:
    async with client.put(URL(PATH + path, encoded=True), data=png()) as response:
        job = await response.json()

    assert (response.status, job["options"]["pages"]) == (202, None)
    assert (await get(client, f"/v1/documents/{job['document_id']}"))["filename"] == name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/0198b0d0-7d3c-7a52-8f5e-1c2d3e4f5a6b", 405),
        ("PUT", "/search", 405),
        ("PUT", "/upload-document", 405),
        ("PUT", "/directory/scan.png", 404),
        ("GET", "/scan.png", 404),
        ("POST", "/scan.png", 404),
        ("DELETE", "/scan.png", 404),
    ],
)
async def test_an_address_with_a_name_takes_files_alone_and_replaces_no_document(
    client: Client, method: str, path: str, status: int
) -> None:
    async with client.request(method, PATH + path, data=png()) as response:
        assert response.status == status


async def test_a_name_in_latin_1_is_read(serve: Serve) -> None:
    head = f"PUT {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(png())}\r\nContent-Disposition: attachment"
    async with wire(port_of(await serve())) as sender:
        await sender.send(head.encode() + b'; filename="B\xfccher.png"\r\n\r\n' + png())
        job = (await sender.answer()).json()
        await sender.send(f"GET /v1/documents/{job['document_id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        assert (await sender.answer()).json()["filename"] == "Bücher.png"


async def test_the_query_names_the_file_if_both_do(client: Client) -> None:
    headers = {"Content-Disposition": "attachment; filename=a.png"}

    assert (await document_of(client, params={"filename": "b.png"}, headers=headers))["filename"] == "b.png"


@pytest.mark.parametrize(
    ("body", "headers", "query", "status", "code"),
    [
        (b"", {}, {}, 422, "invalid"),
        (b"plain text", {}, {}, 415, "unsupported_media_type"),
        (b"%PDF", {"Content-Encoding": "gzip"}, {}, 415, "unsupported_media_type"),
        (b"--b", {"Content-Type": "multipart/form-data; boundary=b"}, {}, 415, "unsupported_media_type"),
        (b"%PDF", {}, {"colour": "yes"}, 422, "invalid"),
        (b"%PDF" + bytes(3000), {}, {}, 413, "too_large"),
    ],
)
async def test_what_is_no_document_is_refused_and_nothing_stays(
    make_client: MakeClient,
    resources: Resources,
    body: bytes,
    headers: dict[str, str],
    query: dict[str, str],
    status: int,
    code: str,
) -> None:
    client = await make_client(rate_limit=False, max_upload_mb=0.002)

    async with client.put(PATH, data=body, headers=headers, params=query) as response:
        assert (response.status, (await response.json())["code"]) == (status, code)
    assert kept_files(resources) == []


async def test_a_body_of_unknown_size_is_cut_off_at_the_limit(make_client: MakeClient, resources: Resources) -> None:
    client = await make_client(rate_limit=False, max_upload_mb=0.002)

    async def endless() -> Any:
        while True:
            yield b"%PDF" * 1000

    async with client.put(PATH, data=endless()) as response:
        assert response.status == 413
    assert kept_files(resources) == []
