"""Every error has the one shape, also those raised before a handler runs."""

import pytest

from docserver.web.documentation import ASSET_TYPES
from docserver.web.hosts import AllowedHosts
from tests.support.client import Client, upload
from tests.support.listeners import Serve, port_of
from tests.support.raw_http import wire

NO_ID = "01a20ad8-2046-729e-bbd1-5bce8a788392"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", f"/v1/jobs/{NO_ID}", 404, "not_found"),
        ("GET", "/v1/jobs/not-an-id", 404, "not_found"),
        ("GET", f"/v1/jobs/{NO_ID}/result", 404, "not_found"),
        ("GET", f"/v1/documents/{NO_ID}", 404, "not_found"),
        ("GET", f"/v1/documents/{NO_ID}/file", 404, "not_found"),
        ("DELETE", f"/v1/documents/{NO_ID}", 404, "not_found"),
        ("PUT", f"/v1/documents/{NO_ID}", 405, "method_not_allowed"),
        ("GET", "/v1/documents/list-document?limit=0", 422, "invalid"),
        ("GET", "/docs/nothing", 404, "not_found"),
    ],
)
async def test_an_error_is_a_problem_with_status_code_detail_and_request_id(
    client: Client, method: str, path: str, status: int, code: str
) -> None:
    async with client.request(method, path, headers={"X-Request-ID": "mine-42"}) as response:
        problem = await response.json()

    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Request-ID"] == "mine-42"
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["request_id"] == "mine-42"
    assert problem["instance"] == path.partition("?")[0]
    assert problem["detail"].endswith(".")
    assert {"type", "title", "errors"} <= problem.keys()


async def test_a_wrong_method_is_told_which_are_right(client: Client) -> None:
    async with client.put(f"/v1/documents/{NO_ID}") as response:
        assert set(response.headers["Allow"].replace(" ", "").split(",")) == {"DELETE", "GET", "HEAD", "OPTIONS"}


async def test_a_request_id_that_is_not_sane_is_replaced(client: Client) -> None:
    async with client.get("/livez", headers={"X-Request-ID": 'a b"c'}) as response:
        assert response.headers["X-Request-ID"] != 'a b"c'


async def test_an_unexpected_fault_tells_the_client_nothing_of_the_inside(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM /var/lib")

    monkeypatch.setattr("docserver.documents.queries.document_list", fail)

    async with client.get("/v1/documents/list-document") as response:
        body = await response.text()

    assert response.status == 500
    assert "secret" not in body
    assert "Traceback" not in body


async def test_an_unexpected_fault_before_all_handlers_is_logged_and_tells_nothing_either(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(AllowedHosts, "check", fail)
    listener = await serve()

    async with wire(port_of(listener)) as client:
        await client.send_head(method="GET", path="/v1/languages")
        answer = await client.answer()

    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.body
    assert "unexpected fault" in [record.message for record in caplog.records]


async def test_no_program_and_version_is_told(client: Client) -> None:
    async with client.get("/livez") as response:
        assert response.headers["Server"] == "docserver"


async def test_a_result_is_not_ready_before_the_job_is_completed(client: Client) -> None:
    job = await upload(client)

    async with client.get(f"/v1/jobs/{job['job_id']}/result") as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (409, "not_ready")
    assert int(response.headers["Retry-After"]) > 0


async def test_an_address_with_letters_that_are_not_encoded_is_refused_with_a_word_about_them(serve: Serve) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send("GET /v1/documents/list-document?filename=Köln HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        answer = await sender.answer()

    assert answer.status == 400
    assert "percent-encoded" in answer.json()["detail"]


@pytest.mark.parametrize(("name", "media_type"), ASSET_TYPES.items())
async def test_the_files_of_the_documentation_are_sent_as_what_they_are(
    client: Client, name: str, media_type: str
) -> None:
    async with client.get(f"/docs/{name}") as response:
        assert (response.status, response.content_type) == (200, media_type)
        assert len(await response.read()) == int(response.headers["Content-Length"])
        assert response.headers["Server"] == "docserver"
