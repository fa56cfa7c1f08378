"""Listing, looking at, fetching and deleting documents."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from docserver.jobs.worker import Worker
from docserver.resources import Resources
from tests.support.client import Client, completed, get, upload
from tests.support.samples import jpeg, png, tiff

LIST = "/v1/documents/list-document"


async def names(client: Client, **query: Any) -> list[str]:
    return [item["filename"] for item in (await get(client, LIST, **query))["items"]]


def link(headers: Any, rel: str) -> str | None:
    match = re.search(rf'<([^>]*)>; rel="{rel}"', headers["Link"])
    return match[1] if match else None


@pytest.fixture
async def five(client: Client) -> list[dict[str, Any]]:
    """Five documents, in the order of their uploads."""
    files = [
        ("Alpha.png", png()),
        ("beta.jpg", jpeg()),
        ("gamma_1%.png", png()),
        ("delta.tif", tiff()),
        ("ALPHA two.png", png()),
    ]
    return [await upload(client, data, filename) for filename, data in files]


async def test_the_list_has_the_newest_first_and_the_total(client: Client, five: list[dict[str, Any]]) -> None:
    listed = await get(client, LIST)

    assert [item["document_id"] for item in listed["items"]] == [job["document_id"] for job in reversed(five)]
    assert (listed["total"], listed["total_relation"]) == (5, "exact")
    assert (listed["limit"], listed["offset"], listed["next_cursor"]) == (10, 0, None)
    assert listed["items"][0]["job_id"] == five[-1]["job_id"]
    assert listed["items"][0]["status"] == "pending"


FILTERS: tuple[tuple[dict[str, str], list[str]], ...] = (
    ({"filename": "alpha"}, ["ALPHA two.png", "Alpha.png"]),
    ({"filename": "_1%"}, ["gamma_1%.png"]),
    ({"filename": "%"}, ["gamma_1%.png"]),
    ({"filename": "nothing"}, []),
    ({"content_type": "image/jpeg"}, ["beta.jpg"]),
    ({"content_type": "Image/JPEG"}, ["beta.jpg"]),
    ({"status": "pending", "content_type": "image/tiff"}, ["delta.tif"]),
    ({"status": "completed"}, []),
    ({"date_from": "2099-01-01"}, []),
    ({"date_to": "1999-12-31"}, []),
    ({"date_to": "1999-12-31T23:59:59+02:00"}, []),
    ({"date_from": "1999-12-31", "date_to": "2099-01-01", "filename": "delta"}, ["delta.tif"]),
    ({"sort": "created_at_asc", "limit": "2"}, ["Alpha.png", "beta.jpg"]),
    ({"offset": "3"}, ["beta.jpg", "Alpha.png"]),
)
"""Queries, and the names of those of the five documents that they list."""


async def test_the_list_is_narrowed_by_each_filter(client: Client, five: list[dict[str, Any]]) -> None:
    assert len(five) == 5
    for query, expected in FILTERS:
        assert await names(client, **query) == expected, query


async def test_a_bare_date_to_includes_that_day_and_a_time_is_inclusive(
    client: Client, five: list[dict[str, Any]]
) -> None:
    created = (await get(client, f"/v1/documents/{five[0]['document_id']}"))["created_at"]

    assert len(await names(client, date_to=created[:10], limit=100)) == 5
    assert await names(client, date_to=created) == ["Alpha.png"]
    assert await names(client, date_from=created, date_to=created) == ["Alpha.png"]


@pytest.mark.parametrize("sort", ["created_at_desc", "created_at_asc"])
async def test_following_next_links_by_cursor_visits_every_document_once(
    client: Client, five: list[dict[str, Any]], sort: str
) -> None:
    expected = [job["document_id"] for job in five]
    if sort == "created_at_desc":
        expected.reverse()
    visited, path = [], f"{LIST}?limit=2&sort={sort}"

    while path:
        async with client.get(path) as response:
            body = await response.json()
            visited += [item["document_id"] for item in body["items"]]
            assert body["total"] == 5
            assert link(response.headers, "first") == f"{LIST}?limit=2&sort={sort}"
            path = link(response.headers, "next") or ""

    assert visited == expected


async def test_a_document_that_comes_in_between_does_not_shift_a_cursor(
    client: Client, five: list[dict[str, Any]]
) -> None:
    first = await get(client, LIST, limit=2)
    await upload(client, filename="late.png")

    second = await get(client, LIST, limit=2, cursor=first["next_cursor"])

    assert [item["document_id"] for item in second["items"]] == [five[2]["document_id"], five[1]["document_id"]]


async def test_too_large_an_offset_is_refused_with_the_way_to_read_on(client: Client) -> None:
    async with client.get(f"{LIST}?offset=100001") as response:
        assert "next_cursor of a response as cursor" in (await response.json())["detail"]


async def test_paging_by_offset_has_links_to_both_sides(client: Client, five: list[dict[str, Any]]) -> None:
    assert len(five) == 5
    async with client.get(f"{LIST}?limit=2&offset=2&filename=a") as response:
        assert urlsplit(link(response.headers, "next") or "").query == "limit=2&filename=a&offset=4"
        assert urlsplit(link(response.headers, "prev") or "").query == "limit=2&filename=a&offset=0"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("offset=100001", "offset"),
        ("status=done", "status"),
        ("sort=size", "sort"),
        ("date_from=yesterday", "date_from"),
        ("cursor=garbage", "cursor"),
        ("limit=1&limit=2", "limit"),
        ("colour=red", "colour"),
    ],
)
async def test_a_parameter_that_cannot_be_is_refused_by_name(client: Client, query: str, parameter: str) -> None:
    async with client.get(f"{LIST}?{query}") as response:
        problem = await response.json()

    assert response.status == 422
    assert [error["parameter"] for error in problem["errors"]] == [parameter]


async def test_one_document_is_shown_with_its_jobs(client: Client, worker: Worker) -> None:
    job = await upload(client, filename="scan.png")
    await completed(client, job["job_id"])

    document = await get(client, f"/v1/documents/{job['document_id']}")

    assert document["filename"] == "scan.png"
    assert document["content_type"] == "image/png"
    assert document["size"] == len(png())
    assert [shown["status"] for shown in document["jobs"]] == ["completed"]


async def test_the_original_comes_back_byte_for_byte_and_is_never_run_by_a_browser(client: Client) -> None:
    job = await upload(client, filename='a "b" ü.png')

    async with client.get(f"/v1/documents/{job['document_id']}/file") as response:
        body = await response.read()

    assert body == png()
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"] == (
        "attachment; filename=\"a _b_ _.png\"; filename*=UTF-8''a%20%22b%22%20%C3%BC.png"
    )


@pytest.mark.parametrize(
    ("requested", "part"),
    [
        ("bytes=1-3", slice(1, 4)),
        ("Bytes = 1-3", slice(1, 4)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=-99999999", slice(None)),
        ("bytes=5-", slice(5, None)),
        ("bytes=5-99999999", slice(5, None)),
        ("bytes=0-0,99999999-", slice(1)),
    ],
)
async def test_a_part_of_the_original_is_given_by_range(client: Client, requested: str, part: slice) -> None:
    path = f"/v1/documents/{(await upload(client))['document_id']}/file"
    start, stop, _ = part.indices(len(png()))

    async with client.get(path, headers={"Range": requested}) as response:
        assert (response.status, await response.read()) == (206, png()[part])
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(png())}"


@pytest.mark.parametrize("requested", ["bytes=99999999-", "bytes=-0", "bytes=99999999-,-0"])
async def test_a_range_beyond_the_end_is_refused_with_the_size(client: Client, requested: str) -> None:
    path = f"/v1/documents/{(await upload(client))['document_id']}/file"

    async with client.get(path, headers={"Range": requested}) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == f"bytes */{len(png())}"
        assert (await response.json())["code"] == "range_not_satisfiable"


@pytest.mark.parametrize(
    "requested", ["bytes=0-9,20-29", "bytes=5-1", "bytes=x", "bytes=", "bytes=-", "pages=1-3", f"bytes=0-{'9' * 5000}"]
)
async def test_several_ranges_and_those_that_are_none_get_the_whole_original(client: Client, requested: str) -> None:
    path = f"/v1/documents/{(await upload(client))['document_id']}/file"

    async with client.get(path, headers={"Range": requested}) as response:
        assert (response.status, await response.read()) == (200, png())


async def test_a_download_goes_on_only_with_the_version_that_was_begun(client: Client) -> None:
    path = f"/v1/documents/{(await upload(client))['document_id']}/file"
    async with client.get(path) as response:
        known = (response.headers["ETag"], response.headers["Last-Modified"])

    for version in (*known, '"other"', f"W/{known[0]}", "Mon, 01 Jan 2001 00:00:00 GMT"):
        async with client.get(path, headers={"Range": "bytes=1-3", "If-Range": version}) as response:
            assert response.status == (206 if version in known else 200), version
            assert await response.read() == (b"PNG" if version in known else png())


async def test_the_headers_of_an_original_are_told_without_it(client: Client) -> None:
    path = f"/v1/documents/{(await upload(client))['document_id']}/file"

    async with client.head(path, headers={"Range": "bytes=1-3"}) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(png())))
        assert response.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(("header", "known"), [("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")])
async def test_an_original_that_the_client_has_is_not_sent_again(client: Client, header: str, known: str) -> None:
    path = f"/v1/documents/{(await upload(client))['document_id']}/file"
    async with client.get(path) as response:
        version = response.headers[known]
        assert response.headers["Cache-Control"] == "private, no-cache"

    async with client.get(path, headers={header: version}) as response:
        assert (response.status, response.headers[known]) == (304, version)
        assert response.headers["Cache-Control"] == "private, no-cache"
    other = '"other"' if header == "If-None-Match" else "Mon, 01 Jan 2001 00:00:00 GMT"
    async with client.get(path, headers={header: other}) as response:
        assert response.status == 200


async def test_ids_are_taken_in_capitals_and_given_in_small_letters(client: Client) -> None:
    job = await upload(client)

    assert (await get(client, f"/v1/jobs/{job['job_id'].upper()}"))["job_id"] == job["job_id"]
    document = await get(client, f"/v1/documents/{job['document_id'].upper()}")
    assert document["document_id"] == job["document_id"]


async def test_a_deleted_document_is_gone_with_all_it_left(
    client: Client, resources: Resources, worker: Worker
) -> None:
    job = await upload(client)
    await completed(client, job["job_id"])
    async with client.get(f"/v1/jobs/{job['job_id']}/result") as response:
        assert response.status == 200

    async with client.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 204

    for path, status in (
        (f"/v1/documents/{job['document_id']}", 410),
        (f"/v1/documents/{job['document_id']}/file", 410),
        (f"/v1/jobs/{job['job_id']}", 404),
        (f"/v1/jobs/{job['job_id']}/result", 404),
    ):
        async with client.get(path) as response:
            assert response.status == status, path
    async with client.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 410
    assert await names(client) == []
    assert not [path for path in resources.settings.data_dir.rglob("*") if path.is_file() and "originals" in path.parts]


async def test_deleting_a_pending_document_takes_it_out_of_the_queue(client: Client, resources: Resources) -> None:
    job = await upload(client)

    async with client.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 204

    assert await resources.queue.take(wait_s=0.01) is None


@pytest.mark.parametrize(("header", "known"), [("If-Match", "ETag"), ("If-Unmodified-Since", "Last-Modified")])
async def test_a_file_is_sent_only_as_the_version_that_the_client_knows(
    client: Client, header: str, known: str
) -> None:
    path = f"/v1/documents/{(await upload(client))['document_id']}/file"
    other = '"other"' if header == "If-Match" else "Mon, 01 Jan 2001 00:00:00 GMT"
    async with client.get(path) as response:
        version = response.headers[known]

    async with client.get(path, headers={header: version}) as response:
        assert response.status == 200
    async with client.get(path, headers={header: other}) as response:
        assert (response.status, (await response.json())["code"]) == (412, "precondition_failed")


@pytest.mark.parametrize("name", ["list-document", "upload-document", "not-an-id"])
async def test_what_cannot_be_an_id_is_no_document(client: Client, name: str) -> None:
    async with client.delete(f"/v1/documents/{name}") as response:
        assert response.status == (404 if name == "not-an-id" else 405)
