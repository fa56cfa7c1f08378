"""The URL of Redis: what its forms mean, and which are refused."""

import pytest
from redis.asyncio.connection import SSLConnection

from docserver.redis.address import Address, Kind, parse
from docserver.settings import SettingsError

SECRET = "s%40cret%2F"


@pytest.mark.parametrize(
    ("url", "kind", "addresses"),
    [
        ("redis://", Kind.SINGLE, ["localhost:6379"]),
        ("rediss://user:word@h:1/2", Kind.SINGLE, ["h:1"]),
        ("unix:///run/redis.sock?db=2", Kind.SINGLE, ["/run/redis.sock"]),
        ("redis+sentinel://a,b:1,[::1]:2/name", Kind.SENTINEL, ["a:26379", "b:1", "[::1]:2"]),
        ("redis+cluster://a,b:1,[::1]", Kind.CLUSTER, ["a:6379", "b:1", "[::1]:6379"]),
        ("rediss+cluster://user:word@a:1/0", Kind.CLUSTER, ["a:1"]),
    ],
)
def test_a_url_names_one_server_or_several(url: str, kind: Kind, addresses: list[str]) -> None:
    target = parse(url)

    assert target.kind is kind
    assert [str(address) for address in target.addresses] == addresses


def test_sentinels_have_a_password_of_their_own_and_the_same_certificates() -> None:
    url = f"rediss+sentinel://user:{SECRET}@a,b/name/3?sentinel_username=watch&sentinel_password=x%26y&ssl_ca_certs=/ca"

    target = parse(url)

    tls = {"connection_class": SSLConnection, "ssl_ca_certs": "/ca"}
    assert target.service == "name"
    assert target.addresses == (Address("a", 26379), Address("b", 26379))
    assert target.options == {**tls, "username": "user", "password": "s@cret/", "db": 3}
    assert target.sentinel_options == {**tls, "username": "watch", "password": "x&y"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis+sentinel://{}@a:1,b:2", "must name the service after the Sentinels"),
        ("redis+sentinel://{}@a:1/name/first", "must name the service after the Sentinels"),
        ("redis+cluster://{}@a:1/2", "a cluster has only the database 0"),
        ("redis+cluster://{}@", "must have hosts, separated by commas"),
        ("redis+cluster://{}@a,,b", "must have hosts, separated by commas"),
        ("redis+sentinel://a:1/{}@b", "must name the service after the Sentinels"),
        ("redis+cluster://{}@a:port", "an option with a wrong name or value"),
        ("redis+cluster://{}@a?colour=blue", "an option colour, which must be left out"),
        ("redis://{}@a?decode_responses=true", "an option decode_responses, which"),
        ("unix:///run/redis.sock?db=1&encoding=latin-1", "an option encoding, which"),
        ("redis://{}@a?host=b", "an option host, which"),
        ("redis://{}@a?socket_timeout=0", "an option socket_timeout, which"),
        ("redis://{}@a?db=1&Cret=1", "an unknown option"),
        ("redis://user:{}?cret=1@a", "an unknown option; write a [?] in a password as %3F"),
        ("redis://{}@a/abc", "must end with the number of a database"),
        ("redis://{}@a/1/2", "must end with the number of a database"),
        ("unix://nonexistent", "must have the path of a socket"),
        ("unix://", "must have the path of a socket"),
        ("rediss+cluster://{}@a?ssl_cert_reqs=perhaps", "a wrong ssl_cert_reqs: it must be none, optional or required"),
        ("redis://{}@a?socket_keepalive=perhaps", "a wrong socket_keepalive: it must be true or false"),
        ("rediss://{}@a?ssl_check_hostname=off", "a wrong ssl_check_hostname: it must be true or false"),
        ("redis://{}@a?db=first", "a wrong db: it must be the number of a database"),
        ("redis://{}@a?ssl_ca_certs=/ca", "has ssl_ca_certs, which needs rediss"),
        ("redis+sentinel://{}@a/name?sentinel_colour=blue", "an option sentinel_colour, which must be left out"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        parse(url.format(f"user:{SECRET}"))

    assert str(refused.value).startswith("DOCSERVER_REDIS_URL ")
    assert "cret" not in str(refused.value)
