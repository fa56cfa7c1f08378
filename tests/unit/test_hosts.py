"""Which host names the API answers to."""

import pytest

from docserver.errors import BadRequest, Misdirected
from docserver.settings import load
from docserver.web.hosts import AllowedHosts

LOCAL = ["localhost", "LOCALHOST:8000", "localhost.", "app.localhost", "127.0.0.1", "10.0.0.7:80", "[::1]:8000", "::1"]
"""Hosts that no web page has."""

FOREIGN = ["evil.example", "evil.example:8000", "127.0.0.1.nip.io", "localhost.evil.example", "evillocalhost.com"]


def answers(host: str, allowed: str = "", *, local_only: bool = True) -> bool:
    patterns = load({"DOCSERVER_ALLOWED_HOSTS": allowed}, dotenv=None).allowed_hosts
    try:
        AllowedHosts(patterns, local_only=local_only).check(host)
    except Misdirected:
        return False
    return True


@pytest.mark.parametrize("host", [*LOCAL, "docserver", "api:8000", ""])
def test_on_a_loopback_address_a_host_that_no_web_page_has_is_answered(host: str) -> None:
    assert answers(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_on_a_loopback_address_a_host_that_a_web_page_may_have_is_refused(host: str) -> None:
    assert not answers(host)


@pytest.mark.parametrize("host", [*LOCAL, *FOREIGN])
def test_on_other_addresses_every_host_is_answered(host: str) -> None:
    assert answers(host, local_only=False)


@pytest.mark.parametrize("local_only", [True, False])
def test_a_list_is_the_whole_list(local_only: bool) -> None:
    allowed = "docs.example.org, 10.0.0.7, [::1]"

    for host in ("docs.example.org", "Docs.Example.Org.:443", "10.0.0.7:8000", "[::1]:80", "[0:0:0:0:0:0:0:1]"):
        assert answers(host, allowed, local_only=local_only), host
    for host in ("localhost", "127.0.0.1", "example.org", "a.docs.example.org", "docs.example.org.evil.example", ""):
        assert not answers(host, allowed, local_only=local_only), host


def test_a_pattern_stands_for_the_names_below_it() -> None:
    assert answers("a.example.org", "*.example.org")
    assert answers("a.b.example.org", "*.example.org")
    assert not answers("example.org", "*.example.org")
    assert not answers("evilexample.org", "*.example.org")
    assert answers("a.example.org", ".example.org")
    assert answers("example.org", ".example.org")
    assert not answers("evilexample.org", ".example.org")


def test_a_star_is_any_host() -> None:
    assert answers("evil.example", "*")


@pytest.mark.parametrize("host", ["a b", "user@localhost", "localhost:x", "[::1", "a/b", "bücher.example", "a,b"])
@pytest.mark.parametrize("allowed", ["", "*", "localhost"])
def test_a_malformed_host_is_malformed_whatever_is_allowed(host: str, allowed: str) -> None:
    with pytest.raises(BadRequest):
        answers(host, allowed)
