"""Where webhooks may be sent: which URLs, ports and network addresses. Keeps callers out of the networks around us.

A URL is checked when it is given, and each address again when a connection to it is made. So a name that resolves to
another address later is of no use to an attacker.
"""

import hashlib
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from aiohttp import AddrInfoType
from yarl import URL

from docserver.setting_types import Network
from docserver.settings import variable

Address: TypeAlias = IPv4Address | IPv6Address

MAX_URL = 2000
"""Most characters of a URL: the size of the column."""

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%.*)?")
"""A name in its encoded form, or an address."""

_OTHER_LITERAL = re.compile(r"[^/]*//[^/?#]*\[v", re.IGNORECASE)
"""An address of a future version (RFC 3986, 3.2.2). There is none, and yarl takes its brackets away."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_DOCUMENTATION = IPv6Network("3fff::/20")
"""RFC 9637; unknown to Python before 3.13."""
_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""


class AddressRefused(OSError):
    """Webhooks must not be sent to this address."""


class UrlRefused(Exception):
    """Webhooks must not be sent to this URL; the message says why."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The networks and ports that webhooks may be sent to."""

    networks: Sequence[Network]
    """Networks that are allowed although they are not globally routable."""
    ports: Sequence[int]

    def checked_url(self, text: str) -> str:
        """The URL as it is used, with an encoded host and path. Raises UrlRefused."""
        if " " in text or not text.isprintable():
            raise UrlRefused("The URL has a blank or a control character; encode it, as in %20.")
        if _OTHER_LITERAL.match(text):
            raise UrlRefused("In square brackets, a host is an IPv6 address.")
        try:
            url = URL(text)
            port = url.port
        except ValueError as error:
            raise UrlRefused("Not a URL.") from error
        if url.scheme not in ("http", "https") or not _HOST.fullmatch(url.raw_host or ""):
            raise UrlRefused("Not a URL that begins with http:// or https:// and a host.")
        if url.user is not None or url.password is not None:
            raise UrlRefused("The URL must have no user name and no password.")
        if port not in self.ports:
            allowed = ", ".join(map(str, self.ports))
            raise UrlRefused(f"Webhooks are sent to these ports: {allowed} ({variable('webhook_ports')}).")
        if not self._may_be_allowed(url.raw_host or ""):
            raise UrlRefused(
                f"Webhooks are sent only to public addresses and to those in {variable('webhook_networks')}."
            )
        used = str(url.with_fragment(None))
        if len(used) > MAX_URL or not used.isascii():
            raise UrlRefused(f"At most {MAX_URL} characters.")
        return used

    def _may_be_allowed(self, host: str) -> bool:
        """False for an address that is not allowed. Names are looked up when a connection is made."""
        try:
            return self.allows(host)
        except ValueError:
            return True

    def allows(self, text: str) -> bool:
        """True if webhooks may be sent to this address."""
        address = _reached(ip_address(text.partition("%")[0]))
        if any(address.version == network.version and address in network for network in self.networks):
            return True
        if isinstance(address, IPv6Address) and (address not in _GLOBAL_UNICAST or address in _DOCUMENTATION):
            return False
        return address.is_global and not address.is_multicast

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """A socket for a connection to this address, and to no other; raises AddressRefused."""
        family, kind, protocol, _, place = info
        if not self.allows(str(place[0])):
            raise AddressRefused("Webhooks must not be sent to this address.")
        return socket.socket(family, kind, protocol)


def receiver_of(tenant: str, url: str) -> bytes:
    """The same 16 bytes for all URLs of a tenant with the same scheme, host and port."""
    return hashlib.sha256(f"{tenant} {URL(url).origin()}".encode()).digest()[:16]


def _reached(address: Address) -> Address:
    """The address that is reached: the IPv4 address inside an IPv6 address, if there is one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    # Python already says that a Teredo address is private.
    return address.ipv4_mapped or address.sixtofour or address
