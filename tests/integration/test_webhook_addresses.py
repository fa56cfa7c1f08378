"""Where webhooks are sent: whatever a URL or a name says, nothing reaches an address that is not allowed."""

import socket
from ipaddress import ip_network
from typing import Any

import pytest

from docserver.resources import Resources
from tests.support.client import Client, MakeClient, post
from tests.support.receiver import Receiver
from tests.support.rows import change, value
from tests.support.waiting import until
from tests.support.webhooks import StartSender, cancelled_with_callback

ONE_ADDRESS = (ip_network("127.0.0.2/32"),)


@pytest.fixture
async def client(make_client: MakeClient, receiver: Receiver) -> Client:
    return await make_client(rate_limit=False, webhook_ports=(receiver.port,))


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that hook.example.org has, one for each lookup, and the last one for ever."""
    addresses: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: Any, **more: Any) -> Any:
        if host != "hook.example.org":
            return real(host, *arguments, **more)
        return real(addresses.pop(0) if len(addresses) > 1 else addresses[0], *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return addresses


async def attempts(resources: Resources, *, fault: str | None) -> int:
    """How many attempts have ended with this fault, or with an answer."""
    count: int = await value(
        resources.db, "SELECT COUNT(*) FROM delivery_attempts WHERE COALESCE(fault, '') = %s", fault or ""
    )
    return count


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "10.0.0.1",
    ],
)
async def test_an_address_that_is_not_globally_routable_is_refused_when_it_is_given(
    client: Client, receiver: Receiver, host: str
) -> None:
    status, body = await post(client, "/v1/webhooks", json={"url": receiver.url(host=host)})

    assert (status, body["errors"][0]["pointer"]) == (422, "/url")
    assert "DOCSERVER_WEBHOOK_NETWORKS" in body["detail"]


@pytest.mark.parametrize(
    "url",
    ["http://localhost:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/"],
)
async def test_a_name_or_an_odd_spelling_of_a_local_address_is_refused_when_it_is_connected(
    resources: Resources, receiver: Receiver, start_sender: StartSender, url: str
) -> None:
    await start_sender(webhook_networks=())

    await cancelled_with_callback(resources, url.format(port=receiver.port))

    async def is_refused() -> bool:
        return await attempts(resources, fault="address") > 0

    await until(is_refused)
    assert receiver.received == []


async def test_a_name_that_changes_its_address_between_two_tries_is_refused_at_the_second(
    resources: Resources, receiver: Receiver, start_sender: StartSender, lookups: list[str]
) -> None:
    lookups += ["127.0.0.2", "127.0.0.1"]
    receiver.answers(500)
    await start_sender(webhook_networks=ONE_ADDRESS)

    await cancelled_with_callback(resources, receiver.url(host="hook.example.org"))

    async def is_refused() -> bool:
        return await attempts(resources, fault="address") > 0

    await until(is_refused)
    # The first try has looked the name up once, so nothing could change between the check and the connection.
    assert [delivered.headers["host"] for delivered in receiver.received] == [f"hook.example.org:{receiver.port}"]
    assert await attempts(resources, fault=None) == 1


async def test_of_a_names_addresses_those_that_are_allowed_are_used(
    resources: Resources, receiver: Receiver, start_sender: StartSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(host: str, port: int, *_: Any) -> Any:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in ("127.0.0.1", "127.0.0.2")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    await start_sender(webhook_networks=ONE_ADDRESS)

    await cancelled_with_callback(resources, receiver.url(host="hook.example.org"))

    (delivered,) = await receiver.arrived()
    assert delivered.verified()


async def test_a_name_without_an_address_is_a_failure_of_its_own(
    resources: Resources, receiver: Receiver, start_sender: StartSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    await start_sender()

    await cancelled_with_callback(resources, "http://nowhere.example.org/")

    async def is_unknown() -> bool:
        return await attempts(resources, fault="name") > 0

    await until(is_unknown)


async def test_proxies_of_the_environment_are_not_used(
    resources: Resources, receiver: Receiver, start_sender: StartSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.9:{receiver.port}")
    await start_sender()

    await cancelled_with_callback(resources, receiver.url("/direct"))

    (delivered,) = await receiver.arrived()
    assert (delivered.path, delivered.headers["host"]) == ("/direct", f"127.0.0.1:{receiver.port}")


async def test_a_receiver_without_a_valid_certificate_is_a_failure(
    resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    await start_sender()

    await cancelled_with_callback(resources, receiver.url().replace("http:", "https:"))

    async def has_failed() -> bool:
        return bool(await value(resources.db, "SELECT COUNT(*) FROM delivery_attempts WHERE fault IS NOT NULL"))

    await until(has_failed)
    assert receiver.received == []


async def test_a_secret_that_cannot_be_decrypted_signs_nothing(
    resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    await cancelled_with_callback(resources, receiver.url())
    await change(resources.db, "UPDATE webhook_endpoints SET secret = 'damaged'")

    await start_sender()

    async def is_unreadable() -> bool:
        return await attempts(resources, fault="secret") > 0

    await until(is_unreadable)
    assert receiver.received == []
