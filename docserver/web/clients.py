"""Identifies clients by the address of the peer, or by the one that trusted proxies report."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

from docserver.setting_types import Network

IPV6_CLIENT_PREFIX = 64
"""All addresses of one /64 count as one client: a subscriber usually has a whole /64 to choose addresses from."""


def client_of(request: web.BaseRequest, trusted: tuple[Network, ...]) -> str:
    """The client of a request: the peer, or the one that trusted proxies report."""
    address = request.remote or ""
    if trusted:
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for hop in reversed([hop.strip() for hop in forwarded if hop.strip()]):
            if not is_trusted(address, trusted) or _parsed(hop) is None:
                break
            address = hop
    return client_at(address)


@lru_cache(maxsize=4096)
def client_at(address: str) -> str:
    """The client with this address. An IPv6 address is cut to its /64."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> IPV6_CLIENT_PREFIX << IPV6_CLIENT_PREFIX)}/{IPV6_CLIENT_PREFIX}"
    return str(parsed or address)


def is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    """True if this is the address of a trusted proxy."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in trusted)


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    # A socket that accepts both IPv4 and IPv6 shows an IPv4 peer as an IPv6 address.
    return (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed
