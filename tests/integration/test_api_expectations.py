"""Clients that send `Expect: 100-continue` send the body of a request only when nothing else is wrong with it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from docserver.resources import Resources
from docserver.setting_types import Auth, Rate
from docserver.web.app import FORM_BYTES
from docserver.web.listener import Listener, listening
from docserver.web.starting import Progress, make_starting_app
from tests.support.listeners import Serve, port_of
from tests.support.raw_http import UPLOAD, part, wire
from tests.support.samples import png

BODY = part("file", png(), filename="page.png") + b"--b--\r\n"
FORM = "Content-Type: multipart/form-data; boundary=b"
LENGTH = f"Content-Length: {len(BODY)}"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"

NO_JOB = "/v1/jobs/01a20ad8-2046-729e-bbd1-5bce8a788392"


@pytest.fixture
async def starting(resources: Resources) -> AsyncIterator[Listener]:
    """A service that is starting."""
    async with listening(replace(resources.settings, host="127.0.0.1", port=0)) as listener:
        await listener.serve(make_starting_app(Progress()))
        yield listener


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/livez"), ("GET", "/no/such/path"), ("DELETE", "/livez"), ("POST", UPLOAD), ("GET", "/docs")],
)
async def test_an_expectation_that_is_not_supported_is_answered_with_a_problem(
    serve: Serve, method: str, path: str
) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send_head("Expect: nonsense", "X-Request-ID: mine", method=method, path=path)
        refused = await sender.answer()
        await sender.send_head(method="GET", path="/livez")
        alive = await sender.answer()

    problem = refused.json()
    assert (refused.status, problem["code"], problem["request_id"]) == (417, "expectation_failed", "mine")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.headers["server"], refused.headers["x-request-id"]) == ("docserver", "mine")
    assert b"nonsense" not in refused.body
    assert alive.status == 200


async def test_the_starting_service_answers_a_wrong_expectation_alike(starting: Listener) -> None:
    async with wire(port_of(starting)) as sender:
        await sender.send_head("Expect: nonsense", method="GET", path="/")
        refused = await sender.answer()

    assert (refused.status, refused.headers["server"]) == (417, "docserver")
    assert refused.json()["code"] == "expectation_failed"


async def test_a_client_that_waits_for_100_continue_is_told_to_go_on(serve: Serve) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send_head("Expect: 100-Continue", FORM, LENGTH)
        assert await sender.reader.readuntil(b"\r\n\r\n") == GO_ON
        await sender.send(BODY)
        accepted = await sender.answer()

    assert accepted.status == 202


async def test_a_client_whose_json_is_awaited_is_told_to_go_on(serve: Serve) -> None:
    body = b'{"mode": "nonsense"}'
    headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    async with wire(port_of(await serve())) as sender:
        await sender.send_head("Expect: 100-continue", *headers, path=f"{NO_JOB}/retry")
        assert await sender.reader.readuntil(b"\r\n\r\n") == GO_ON
        await sender.send(body)
        refused = await sender.answer()
        await sender.send_head(method="GET", path="/livez")
        alive = await sender.answer()

    assert (refused.status, alive.status) == (422, 200)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (("POST", UPLOAD, FORM, "Content-Length: 100000000000"), 413),
        (("POST", UPLOAD, "Content-Type: text/plain", LENGTH), 415),
        (("POST", UPLOAD, FORM, LENGTH, "Content-Encoding: gzip"), 415),
        (("POST", f"{UPLOAD}?mode=nonsense", FORM, LENGTH), 422),
        (("POST", "/v1/batches", FORM, "Content-Length: 100000000000"), 413),
        (("POST", "/v1/documents/inspect", "Content-Length: 100000000000"), 413),
        (("PUT", "/v1/documents/a.png", "Content-Length: 100000000000"), 413),
        (("PUT", "/v1/documents/a.png?languages=xxx", LENGTH), 422),
        (("POST", f"{NO_JOB}/retry", f"Content-Length: {FORM_BYTES + 1}"), 413),
        (("POST", f"{NO_JOB}/retry", LENGTH, "Content-Encoding: gzip"), 415),
        (("POST", "/v1/nothing", LENGTH), 404),
        (("DELETE", UPLOAD, LENGTH), 405),
    ],
)
async def test_what_is_wrong_besides_the_body_is_said_before_the_body_is_sent(
    serve: Serve, head: tuple[str, ...], status: int
) -> None:
    method, path, *headers = head
    async with wire(port_of(await serve())) as sender:
        await sender.send_head("Expect: 100-continue", *headers, method=method, path=path)
        refused = await sender.answer()

    assert refused.status == status
    # The client may send the body all the same, and no request begins in it.
    assert refused.headers["connection"] == "close"


async def test_who_calls_another_host_sends_no_body(serve: Serve) -> None:
    async with wire(port_of(await serve(allowed_hosts=("docs.example",)))) as sender:
        await sender.send_head("Expect: 100-continue", FORM, LENGTH)
        refused = await sender.answer()

    assert (refused.status, refused.headers["connection"]) == (421, "close")


async def test_who_may_not_upload_sends_no_body(serve: Serve) -> None:
    async with wire(port_of(await serve(auth=Auth.KEYS))) as sender:
        await sender.send_head("Expect: 100-continue", FORM, LENGTH)
        without_key = await sender.answer()
    listener = await serve(rate_limit=True, rate_limit_default=Rate(1, 86_400))
    for limited in (False, True):
        async with wire(port_of(listener)) as sender:
            await sender.send_head("Expect: 100-continue", FORM, LENGTH)
            if not limited:
                await sender.reader.readuntil(b"\r\n\r\n")
                await sender.send(BODY)
            answer = await sender.answer()

    assert (without_key.status, without_key.headers["connection"]) == (401, "close")
    assert (answer.status, answer.headers["connection"]) == (429, "close")


async def test_a_body_that_comes_unasked_after_a_refusal_is_no_request(serve: Serve) -> None:
    smuggled = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"
    async with wire(port_of(await serve())) as sender:
        await sender.send_head("Expect: 100-continue", f"Content-Length: {len(smuggled)}", path="/v1/nothing")
        refused = await sender.answer()
        await sender.send(smuggled)
        rest = await sender.reader.read()

    assert (refused.status, rest) == (404, b"")


async def test_a_body_that_is_not_waited_for_is_read(serve: Serve) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send_head("Expect: 100-continue", FORM, LENGTH)
        await sender.send(BODY)
        assert await sender.reader.readuntil(b"\r\n\r\n") == GO_ON
        accepted = await sender.answer()

    assert accepted.status == 202


async def test_without_a_body_nothing_is_awaited(serve: Serve) -> None:
    async with wire(port_of(await serve())) as sender:
        for _ in range(2):
            await sender.send_head("Expect: 100-continue", method="GET", path="/livez")
            assert (await sender.answer()).status == 200


async def test_a_client_of_http_1_0_is_not_told_to_go_on(serve: Serve) -> None:
    head = f"POST {UPLOAD} HTTP/1.0\r\nHost: test\r\nExpect: 100-continue\r\n{FORM}\r\n{LENGTH}\r\n\r\n"
    async with wire(port_of(await serve())) as sender:
        await sender.send(head.encode() + BODY)
        accepted = await sender.answer()

    assert accepted.status == 202


async def test_while_the_service_starts_no_body_is_awaited(starting: Listener) -> None:
    async with wire(port_of(starting)) as sender:
        await sender.send_head("Expect: 100-continue", FORM, LENGTH)
        refused = await sender.answer()

    assert (refused.status, refused.headers["connection"]) == (503, "close")
