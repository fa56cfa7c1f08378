"""The host names that the service answers to, against DNS rebinding.

A web page can let its own host name resolve to the address of this service. The browser then lets the page's script
read the service's answers. Each of these requests names the page's host.
"""

import re
from functools import lru_cache
from ipaddress import ip_address

from docserver.errors import BadRequest, Misdirected
from docserver.setting_types import ANY_HOST
from docserver.settings import variable

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::[0-9]*)?")
"""A host and perhaps a port (RFC 9110, 7.2). No name in the DNS has other characters than these."""

REMEMBERED_HOSTS = 64
"""Most hosts of which the parsed form is remembered: a service has a few names, and a host may have 8 kB."""


class AllowedHosts:
    """The allowed host names.

    If none are listed and the service can be reached from this machine alone (`local_only`), all hosts are allowed that
    no web page has: addresses, `*.localhost`, and names without a dot, which are not in the public DNS. If none are
    listed elsewhere, every host is allowed.
    """

    def __init__(self, patterns: tuple[str, ...], *, local_only: bool) -> None:
        self._patterns = patterns
        self._any = ANY_HOST in patterns or not (patterns or local_only)

    def check(self, host: str) -> None:
        """Raise BadRequest for a malformed host, and Misdirected for one that is not allowed."""
        name = _name(host)
        if not (self._any or self._allow(name)):
            raise Misdirected(f"The service does not answer to this host name; see {variable('allowed_hosts')}.")

    def _allow(self, name: str) -> bool:
        if self._patterns:
            return any(_matches(name, pattern) for pattern in self._patterns)
        return "." not in name or name.endswith(".localhost") or _address(name) is not None


@lru_cache(REMEMBERED_HOSTS)
def _name(host: str) -> str:
    """The host without its port, in the form that the settings have."""
    if address := _address(host):
        return address
    match = _HOST.fullmatch(host)
    if match is None:
        raise BadRequest("The host is malformed.")
    name = match[1].lower()
    return _address(name.strip("[]")) or name.removesuffix(".")


def _matches(name: str, pattern: str) -> bool:
    """True if the name is the pattern. `*.example.org` is any name below example.org, `.example.org` also this one."""
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return name == pattern.removeprefix(".") or (pattern.startswith(".") and name.endswith(pattern))


@lru_cache(REMEMBERED_HOSTS)
def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None
