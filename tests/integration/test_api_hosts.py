"""Requests for host names that are not the service's, over a real socket."""

import pytest

from tests.support.listeners import Serve, port_of
from tests.support.raw_http import UPLOAD, Answer, wire

LIST = "/v1/documents/list-document"


async def answer_to(serve: Serve, head: str, **settings: object) -> Answer:
    """What a request gets that begins with these lines."""
    async with wire(port_of(await serve(**settings))) as sender:
        await sender.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        return await sender.answer()


@pytest.mark.parametrize(
    "head",
    [
        f"GET {LIST} HTTP/1.1\nHost: evil.example:8000",
        f"GET http://evil.example{LIST} HTTP/1.1\nHost: localhost",
        "GET /docs HTTP/1.1\nHost: evil.example",
        "GET /no/such/path HTTP/1.1\nHost: evil.example",
        "POST /livez HTTP/1.1\nHost: evil.example\nContent-Length: 0",
        f"POST {UPLOAD} HTTP/1.1\nHost: evil.example\nContent-Length: 0\nX-Forwarded-Host: localhost",
        f"DELETE {LIST} HTTP/1.1\nHost: evil.example\nExpect: nonsense",
    ],
)
async def test_a_web_page_with_a_name_of_its_own_reaches_nothing_on_a_loopback_address(serve: Serve, head: str) -> None:
    answer = await answer_to(serve, head)

    problem = answer.json()
    assert (answer.status, problem["code"]) == (421, "misdirected_request")
    assert "DOCSERVER_ALLOWED_HOSTS" in problem["detail"]
    assert "evil" not in problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == problem["request_id"]


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]", "app.localhost"])
async def test_whoever_calls_it_by_a_name_of_this_machine_is_answered(serve: Serve, host: str) -> None:
    assert (await answer_to(serve, f"GET {LIST} HTTP/1.1\nHost: {host}")).status == 200


async def test_of_a_target_with_a_host_that_host_counts(serve: Serve) -> None:
    assert (await answer_to(serve, f"GET http://localhost{LIST} HTTP/1.1\nHost: evil.example")).status == 200


async def test_a_request_of_http_1_0_names_no_host_and_goes_by_the_address(serve: Serve) -> None:
    assert (await answer_to(serve, f"GET {LIST} HTTP/1.0")).status == 200
    assert (await answer_to(serve, f"GET {LIST} HTTP/1.0", allowed_hosts=("docs.example.org",))).status == 421


@pytest.mark.parametrize("host", ["evil.example", "10.1.2.3:8000", "localhost"])
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_is_answered_under_any_host(serve: Serve, path: str, host: str) -> None:
    answer = await answer_to(serve, f"GET {path} HTTP/1.1\nHost: {host}", allowed_hosts=("docs.example.org",))

    assert answer.status == 200


async def test_behind_a_proxy_the_listed_names_are_answered_and_no_others(serve: Serve) -> None:
    allowed = ("docs.example.org",)

    assert (await answer_to(serve, f"GET {LIST} HTTP/1.1\nHost: docs.example.org", allowed_hosts=allowed)).status == 200
    assert (await answer_to(serve, f"GET {LIST} HTTP/1.1\nHost: localhost", allowed_hosts=allowed)).status == 421


async def test_on_all_interfaces_any_host_is_answered_unless_there_is_a_list(serve: Serve) -> None:
    head = f"GET {LIST} HTTP/1.1\nHost: docs.example.org"

    assert (await answer_to(serve, head, host="0.0.0.0")).status == 200
    assert (await answer_to(serve, head, host="0.0.0.0", allowed_hosts=("localhost",))).status == 421


@pytest.mark.parametrize(
    "head",
    [
        f"GET {LIST} HTTP/1.1",
        f"GET http://localhost{LIST} HTTP/1.1",
        f"GET {LIST} HTTP/1.1\nHost: localhost\nHost: localhost",
        f"GET http://localhost{LIST} HTTP/1.1\nHost: localhost\nHost: localhost",
        f"GET {LIST} HTTP/1.1\nHost: local host",
        f"GET {LIST} HTTP/1.1\nHost: user@localhost",
    ],
)
async def test_a_missing_repeated_or_malformed_host_is_malformed(serve: Serve, head: str) -> None:
    answer = await answer_to(serve, head)

    assert (answer.status, answer.json()["code"]) == (400, "bad_request")
