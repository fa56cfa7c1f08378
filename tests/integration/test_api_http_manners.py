"""What HTTP clients of all kinds expect: OPTIONS, CORS, compression, versions that cost no tokens, a first page."""

from typing import Any

import pytest

from docserver.resources import Resources
from docserver.setting_types import Rate
from docserver.web.compression import LEAST_BYTES
from tests.support.client import Client, MakeClient, get, upload
from tests.support.results import make_completed
from tests.support.samples import png
from tests.support.service import form

LIST = "/v1/documents/list-document"
ORIGIN = "https://app.example.org"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}

LONG = "words and words " * (LEAST_BYTES // 8)


async def test_options_names_the_methods_of_a_path(client: Client) -> None:
    async with client.options(LIST) as response:
        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
        assert "Access-Control-Allow-Origin" not in response.headers
    async with client.options("/v1/documents/scan.png") as response:
        assert (response.status, response.headers["Allow"]) == (204, "OPTIONS, PUT")
    async with client.get("/v1/documents/scan.png") as response:
        assert response.status == 404
    async with client.options("/v1/nothing") as response:
        assert (response.status, (await response.json())["code"]) == (404, "not_found")
    async with client.delete(LIST) as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_a_script_of_an_allowed_origin_may_send_requests_and_read_the_answers(make_client: MakeClient) -> None:
    client = await make_client(cors_origins=(ORIGIN,))

    async with client.options("/v1/documents/upload-document", headers=PREFLIGHT) as preflight:
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert {"X-API-Key", "Content-Disposition"} <= {*preflight.headers["Access-Control-Allow-Headers"].split(", ")}
    for path, status in ((LIST, 200), ("/v1/nothing", 404)):
        async with client.get(path, headers={"Origin": ORIGIN}) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)
            assert "RateLimit" in response.headers["Access-Control-Expose-Headers"]
            assert response.headers.getall("Vary") == ["Origin"]


async def test_a_script_of_another_origin_may_not(make_client: MakeClient) -> None:
    client = await make_client(cors_origins=(ORIGIN,))

    for headers in ({**PREFLIGHT, "Origin": "https://evil.example"}, {"Origin": "null"}, {}):
        async with client.options(LIST, headers=headers) as response:
            assert not [name for name in response.headers if name.startswith("Access-Control")]
            assert response.headers["Vary"] == "Origin"


async def test_any_origin_may_be_allowed(make_client: MakeClient) -> None:
    client = await make_client(cors_origins=("*",))

    async with client.get(LIST, headers={"Origin": ORIGIN}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Vary" not in response.headers


async def test_the_first_page_leads_people_to_the_documentation_and_programs_to_the_endpoints(client: Client) -> None:
    async with client.get("/", headers={"Accept": "text/html,*/*;q=0.8"}, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/docs")
    for accept in ("application/json, text/html;q=0.5", "text/html;q=0, application/json", "*/*"):
        async with client.get("/", headers={"Accept": accept}, allow_redirects=False) as response:
            assert response.status == 200, accept
    overview = await get(client, "/")

    assert {"method": "GET", "path": LIST, "summary": "List documents"} in overview["endpoints"]
    assert (overview["documentation"], overview["openapi"]) == ("/docs", "/openapi.json")


@pytest.mark.parametrize("path", [LIST, "/v1/documents/{document_id}", "/v1/jobs/{job_id}", "/v1/languages", "/"])
async def test_what_has_not_changed_is_not_sent_again_and_costs_no_tokens(make_client: MakeClient, path: str) -> None:
    client = await make_client(rate_limit_reads=Rate(10, 86_400))
    job = await upload(client)
    address = path.format(**job)
    async with client.get(address) as first:
        etag, left = first.headers["ETag"], first.headers.get("RateLimit")

    for _ in range(3):
        async with client.get(address, headers={"If-None-Match": etag}) as again:
            assert (again.status, again.headers["ETag"], await again.read()) == (304, etag, b"")
            assert again.headers.get("RateLimit") == left


async def test_a_list_that_has_changed_has_another_version(client: Client) -> None:
    async with client.get(LIST) as empty:
        etag = empty.headers["ETag"]
    await upload(client)

    async with client.get(LIST, headers={"If-None-Match": etag}) as changed:
        assert (changed.status, (await changed.json())["total"]) == (200, 1)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("in_file", [False, True])
async def test_a_large_result_is_compressed_for_clients_that_ask(
    resources: Resources, client: Client, monkeypatch: pytest.MonkeyPatch, coding: str, *, in_file: bool
) -> None:
    path = f"/v1/jobs/{await make_completed(resources, *[LONG] * 3)}/result"
    if in_file:
        monkeypatch.setattr(resources.result_writer, "_max_bytes", 1000)
        monkeypatch.setattr("docserver.formats.result_writer.SMALL_WORK", 0)
    plain = await sent(client, path, "identity")

    compressed = await sent(client, path, coding)

    assert plain["body"] == compressed["body"] == "\f".join([LONG] * 3)
    assert (plain["coding"], compressed["coding"]) == (None, coding)
    assert compressed["etag"] == f'{plain["etag"][:-1]}-{coding}"'
    assert {plain["vary"], compressed["vary"]} == {"Accept, Accept-Encoding"}
    for etag in (plain["etag"], compressed["etag"]):
        headers = {"Accept-Encoding": coding, "If-None-Match": etag}
        async with client.get(path, headers=headers) as again:
            assert (again.status, again.headers["ETag"]) == (304, etag)


async def test_a_small_result_is_sent_as_it_is(resources: Resources, client: Client) -> None:
    job = await make_completed(resources, "few words")

    small = await sent(client, f"/v1/jobs/{job}/result", "gzip")

    assert (small["body"], small["coding"]) == ("few words", None)


async def test_who_prefers_an_answer_at_once_is_told_that_this_is_one(client: Client) -> None:
    headers = {"Prefer": "respond-async"}
    async with client.post("/v1/documents/upload-document", data=form(png(), "a.png"), headers=headers) as response:
        assert (response.status, response.headers["Preference-Applied"]) == (202, "respond-async")


async def sent(client: Client, path: str, coding: str) -> dict[str, Any]:
    """What a client gets that accepts this coding, its body decompressed."""
    async with client.get(path, headers={"Accept-Encoding": coding}) as response:
        assert response.status == 200
        return {
            "body": await response.text(),
            "coding": response.headers.get("Content-Encoding"),
            "etag": response.headers["ETag"],
            "vary": response.headers["Vary"],
        }
