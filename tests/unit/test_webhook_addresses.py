"""Which addresses and URLs webhooks may be sent to, and which receivers are the same."""

from ipaddress import ip_network

import pytest

from docserver.webhooks.addresses import Guard, UrlRefused, receiver_of

GUARD = Guard((), (80, 443))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_an_address_of_the_internet_is_allowed(address: str) -> None:
    assert GUARD.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1"),
        *("224.0.0.1", "239.255.255.255", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:224.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::"),
        *("2001::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "4000::1"),
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    assert not GUARD.allows(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00::5"])
def test_the_networks_of_the_setting_are_allowed_in_each_form(address: str) -> None:
    guard = Guard((ip_network("10.1.0.0/16"), ip_network("fd00::/64")), (80,))

    assert guard.allows(address)
    assert not guard.allows("10.2.0.1")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://example.org", "https://example.org"),
        ("HTTPS://Example.org:443/a?b=c#d", "https://example.org/a?b=c"),
        ("http://münchen.example/ä", "http://xn--mnchen-3ya.example/%C3%A4"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
    ],
)
def test_a_url_is_used_in_its_encoded_form(given: str, used: str) -> None:
    assert GUARD.checked_url(given) == used


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.org", "/hook", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "http://"),
        *("http://user@example.org/", "http://user:word@example.org/", "http://:@example.org/"),
        *(
            "http://example.org:22/",
            "http://example.org:0/",
            "http://example.org:70000/",
            "http://a b/",
            "http://a\\b/",
        ),
        *("http://127.0.0.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://[fe80::1%25eth0]/"),
        *("http://example.org/\r\nx", "http://example.org/\n", " http://example.org/", "http://example.org/a b"),
        *("http://exa\tmple.org/", "http://example.org/\x00", "http://example.org/\u2028", "http://example.org/\ud800"),
        *("http://[v1.x]/", "http://[V1.x]:80/", "http://[vf.8.8.8.8]/"),
        "http://example.org/" + "x" * 2000,
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        GUARD.checked_url(url)


def test_a_receiver_is_a_scheme_host_and_port_of_a_tenant() -> None:
    same = {receiver_of("acme", url) for url in ("https://a.example/", "https://a.example:443/x?y")}
    others = {
        receiver_of(tenant, url)
        for tenant, url in (
            ("acme", "http://a.example/"),
            ("acme", "https://a.example:444/"),
            ("acme", "https://b.example/"),
            ("other", "https://a.example/"),
        )
    }

    assert len(same) == 1
    assert len(others | same) == 5
