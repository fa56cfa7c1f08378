"""Whose bucket a request takes from: the peer's, or that of whom trusted proxies speak."""

from ipaddress import ip_network
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from docserver.setting_types import Network
from docserver.web.clients import client_of

PROXIES: tuple[Network, ...] = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def client(peer: str | None, *forwarded: str, trusted: tuple[Network, ...] = PROXIES) -> str:
    transport = Mock()
    transport.get_extra_info.side_effect = lambda name, default=None: (
        (peer, 1234) if name == "peername" and peer else default
    )
    # A Mock has every method that a transport has; only what it says of the peer matters.
    request = make_mocked_request(
        "GET", "/", headers=[("X-Forwarded-For", value) for value in forwarded], transport=transport
    )
    return client_of(request, trusted)


def test_an_ipv4_address_is_a_client() -> None:
    assert client("203.0.113.9") == "203.0.113.9"


def test_an_ipv6_address_stands_for_its_64() -> None:
    assert client("2001:db8:1:2:3:4:5:6") == client("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert client("2001:db8:1:3::1") == "2001:db8:1:3::/64"
    assert client("fe80::1%eth0") == "fe80::/64"


def test_an_ipv4_address_in_ipv6_form_is_the_same_client_as_without() -> None:
    assert client("::ffff:203.0.113.9") == "203.0.113.9"
    assert client("::ffff:203.0.113.10") == "203.0.113.10"


def test_what_a_stranger_says_of_itself_is_not_believed() -> None:
    assert client("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_nobody_is_believed_where_no_proxies_are_trusted() -> None:
    assert client("10.0.0.1", "198.51.100.1", trusted=()) == "10.0.0.1"


def test_a_trusted_proxy_tells_who_the_client_is() -> None:
    assert client("10.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert client("fd00::1", "2001:db8:1:2::9") == "2001:db8:1:2::/64"


def test_a_trusted_proxy_is_known_also_when_it_comes_over_ipv6() -> None:
    assert client("::ffff:10.0.0.1", "198.51.100.1") == "198.51.100.1"


def test_the_nearest_stranger_counts_and_what_it_claims_does_not() -> None:
    assert client("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2") == "198.51.100.1"


def test_several_headers_are_read_as_one_list_from_the_right() -> None:
    assert client("10.0.0.1", "1.1.1.1, 198.51.100.1", "10.0.0.2") == "198.51.100.1"


def test_proxies_alone_lead_to_the_farthest_of_them() -> None:
    assert client("10.0.0.1", "10.0.0.3, 10.0.0.2") == "10.0.0.3"


@pytest.mark.parametrize("garbage", ["unknown", "_hidden", "<script>", "999.1.1.1", "198.51.100.1:80"])
def test_behind_something_that_is_no_address_nothing_is_believed(garbage: str) -> None:
    assert client("10.0.0.1", f"198.51.100.1, {garbage}, 10.0.0.2") == "10.0.0.2"


def test_empty_places_in_the_list_are_passed_over() -> None:
    assert client("10.0.0.1", "198.51.100.1, , 10.0.0.2,") == "198.51.100.1"


def test_a_peer_without_an_address_is_a_client_too() -> None:
    assert client(None) == ""
