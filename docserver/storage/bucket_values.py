"""Which values the parameters of a bucket's URL may have.

The library that reads and writes objects checks few of them. With others, it panics when it sends a request, or sends
it to another server.
"""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import urlsplit

from docserver.setting_files import wrong_file

UNPRINTED = "a line end or another sign that is not printed, which must be left out"

ADDRESSES = frozenset(
    {
        *("endpoint", "endpoint_url_sts", "metadata_endpoint", "public_endpoint", "container_credentials_full_uri"),
        *("authority_host", "msi_endpoint", "base_url"),
    }
)
"""Parameters that are addresses of servers."""

CHOICES = {
    "server_side_encryption": ("AES256", "aws:kms", "aws:kms:dsse"),
    "checksum_algorithm": ("sha256", "crc64nvme"),
    "conditional_put": ("etag", "disabled"),
    **dict.fromkeys(
        (
            *("skip_signature", "virtual_hosted_style_request", "sse_bucket_key_enabled", "disable_tagging"),
            *("disable_bulk_delete", "unsigned_payload", "request_payer"),
        ),
        ("true", "false"),
    ),
}
"""Parameters that have few values."""

BEGINNINGS = {"container_credentials_relative_uri": "/", "endpoint_url_sts": "https://"}
"""How values must begin. The library sends the token of a web identity to nobody without TLS."""

KEYS = frozenset({"access_key_id", "secret_access_key", "session_token", "account_key", "sas_token"})
"""Parameters that have no spaces, but may have a +, which is a space in a URL."""

TOKEN_FILES = ("web_identity_token_file", "container_authorization_token_file", "federated_token_file")
"""Parameters that name files, each with a token that is read again and again."""

KEY_FILES = ("application_credentials", "service_account")
"""Parameters that name files with keys, which the library reads when it starts."""

TOKEN_BYTES = 100_000
"""Longest token. It has a few thousand bytes, and a header of a request cannot have more."""

ANY_SIGNS = frozenset(
    {
        *("secret_access_key", "web_identity_token_file", "container_authorization_token_file"),
        *("federated_token_file", "application_credentials", "service_account"),
    }
)
"""Parameters that are sent to nobody: names of files, and what signs are computed with."""

MULTILINE = frozenset({"service_account_key"})
"""Parameters that are JSON."""

PATTERNS = {
    "region": (
        re.compile(r"[A-Za-z0-9._-]{1,64}"),
        "it must be letters, digits and any of . _ -, such as eu-central-1",
    ),
    "role_arn": (
        re.compile(r"arn:[^:\s]+:iam::[^:\s]*:role/\S+"),
        "it must be like arn:aws:iam::123456789012:role/name",
    ),
    "account_name": (re.compile(r"[A-Za-z0-9-]{1,64}"), "it must be letters, digits and hyphens"),
}
"""Parameters with a form. Region and account become a part of a host's name: a slash in one would lead to another
server."""

_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d*)?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)
"""The last part of a host that can only be an IP address: see https://url.spec.whatwg.org/#ends-in-a-number-checker."""


def wrong_value(name: str, value: str) -> str | None:
    """What is wrong with the value of a parameter and what would be right; None if it can be used. Shows no value."""
    return next(_faults(name, value), None)


def wrong_token_file(path: str) -> str | None:
    """What is wrong with a file that has a token; None if it can be used. Shows neither its path nor its text."""
    if wrong := wrong_file(path):
        return wrong
    with Path(path).open("rb") as file:
        token = file.read(TOKEN_BYTES + 1)
    if not token:
        return "the file is empty"
    # The library panics when it sends a line end in a header.
    if token.rstrip(b"\r\n") != token:
        return "the file ends with a line end, which must be left out"
    is_line = token.isascii() and token.decode("ascii").isprintable() and token.strip() == token
    if not is_line or len(token) > TOKEN_BYTES:
        return "the file must have a token alone, which is one line of ASCII without spaces around it"
    return None


def _faults(name: str, value: str) -> Iterator[str]:
    if not value:
        yield "it is empty; give it a value, or leave it out"
    if name not in MULTILINE and not value.isprintable():
        yield f"it has {UNPRINTED}"
    if name not in ANY_SIGNS and not value.isascii():
        in_dns = "; the name of a host must be written as in DNS (xn--…)" if name in ADDRESSES else ""
        yield f"it has a letter or sign that is not in ASCII{in_dns}"
    if name in KEYS and " " in value:
        yield "it has a space; in a URL, a + must be written as %2B"
    if name in ADDRESSES and not _is_address(value):
        yield "it must be an address such as https://s3.example.org:9000"
    if name in PATTERNS:
        pattern, right = PATTERNS[name]
        if not pattern.fullmatch(value):
            yield right
    if name in BEGINNINGS and not value.startswith(BEGINNINGS[name]):
        yield f"it must begin with {BEGINNINGS[name]}"
    if name in CHOICES and value not in CHOICES[name]:
        yield f"it must be {' or '.join(CHOICES[name])}"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc or " " in text)
    has_host = bool(_SERVER.fullmatch(parts.netloc)) and _is_host(parts.hostname or "")
    return text.startswith(("https://", "http://")) and has_host and port != 0 and is_plain


def _is_host(host: str) -> bool:
    """True if this is an IP address, or a name that can be one in DNS."""
    name = host.removesuffix(".")
    try:
        if ":" in host:
            IPv6Address(host)
        elif _NUMBER.fullmatch(name.rpartition(".")[2]):
            IPv4Address(name)
        else:
            # Names with an underscore are not those of hosts, but Docker's.
            name.encode("ascii").decode("idna").encode("idna")
    except (AddressValueError, UnicodeError):
        return False
    return bool(name)
