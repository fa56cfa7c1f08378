"""The URL of a bucket, checked and parsed: the place in it, and the parameters of the library that reads and writes
objects.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from docserver.settings import SettingsError, variable

ENDPOINTS = ("endpoint", "endpoint_url", "endpoint_url_sts", "metadata_endpoint", "public_endpoint")
"""Parameters that are addresses of servers; `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_STS` are among them."""

ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")

PARAMETERS = frozenset(
    {
        *ENDPOINTS,
        *("access_key_id", "secret_access_key", "session_token", "region", "default_region", "skip_signature"),
        *("role_arn", "role_session_name", "web_identity_token_file", "container_authorization_token_file"),
        *("container_credentials_relative_uri", "container_credentials_full_uri"),
        *("server_side_encryption", "sse_kms_key_id", "sse_bucket_key_enabled", "virtual_hosted_style_request"),
        *("checksum_algorithm", "conditional_put", "copy_if_not_exists", "disable_tagging", "disable_bulk_delete"),
        *("request_payer", "unsigned_payload"),
    }
)
"""Those of `s3://`. The bucket's name is not among them, because the URL has it."""

_CLIENT_OPTION = re.compile(
    r"((azure|google)_)?(allow_|default_content|http[12]_|pool_|proxy_|randomize_|(connect_|read_)?timeout|user_agent)",
    re.IGNORECASE,
)
"""Names of options of the library's HTTP client. It panics if it gets one as a parameter."""

_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""See https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html."""

_HOST = re.compile(r"[\w.:-]+")
_NAME = re.compile(r"\w{1,60}")
"""A name that may be shown. A secret whose special characters are not encoded may end in something else."""


@dataclass(frozen=True, slots=True)
class BucketUrl:
    """From `s3://bucket/prefix?endpoint=https://…&region=…`; other parameters are those of `obstore.store.S3Config`."""

    scheme: str
    place: str
    """The bucket and prefix, which may be shown."""
    config: dict[str, Any]
    """May have secrets."""
    public_endpoint: str = ""
    """The server as clients reach it; empty if that is the same."""

    @classmethod
    def parse(cls, url: str) -> "BucketUrl":
        """Raises SettingsError, whose text has no secret."""
        parts = urlsplit(url)
        config = dict(parse_qsl(parts.query))
        if parts.fragment:
            raise _error("has a #, which must be written as %23")
        if parts.scheme == "s3":
            _check_place(parts.netloc, unquote(parts.path))
            _check_parameters(config)
        for name, value in config.items():
            if _CLIENT_OPTION.match(name):
                raise _error(f"has an unknown parameter {name}")
            if name.removeprefix("aws_") in ENDPOINTS and not _is_address(value):
                raise _error(f"has a wrong {name}: it must be an address such as https://s3.example.org:9000")
        public_endpoint = config.pop("public_endpoint", "")
        place = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        return cls(parts.scheme, place, config, public_endpoint)

    @property
    def allow_http(self) -> bool:
        """True if the server's address is one without TLS."""
        return any("endpoint" in key and value.startswith("http:") for key, value in self.config.items())


def _check_place(bucket: str, path: str) -> None:
    if not bucket:
        raise _error("has no bucket: it must be like s3://bucket/prefix")
    if not _BUCKET.fullmatch(bucket):
        raise _error(
            "has a wrong bucket: its name must have 3 to 63 lower-case letters, digits, dots and hyphens, and begin "
            "and end with a letter or digit"
        )
    if {"", ".", ".."} & set(path.rstrip("/").split("/")[1:]):
        raise _error("has a wrong prefix: it must be like s3://bucket/one/two, without //, . and ..")


def _check_parameters(config: dict[str, str]) -> None:
    names = {name.removeprefix("aws_") for name in config}
    for name in config:
        if name.removeprefix("aws_") not in PARAMETERS:
            raise _unknown(name)
    if len(names & {"access_key_id", "secret_access_key"}) == 1:
        raise _error("and the variables AWS_… have only one of access_key_id and secret_access_key")
    if config.get("server_side_encryption", ENCRYPTIONS[0]) not in ENCRYPTIONS:
        raise _error(f"has a wrong server_side_encryption: it must be one of {', '.join(ENCRYPTIONS)}")


def _unknown(name: str) -> SettingsError:
    if not _NAME.fullmatch(name):
        return _error("has an unknown parameter; special characters of values must be encoded (& as %26)")
    meant = get_close_matches(name.lower().removeprefix("aws_"), sorted(PARAMETERS), n=1)
    return _error(f"has an unknown parameter {name}" + (f"; did you mean {meant[0]}?" if meant else ""))


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    has_host = bool(parts.hostname and _HOST.fullmatch(parts.hostname))
    return text.startswith(("https://", "http://")) and has_host and port != 0 and is_plain


def _error(what: str) -> SettingsError:
    return SettingsError(f"{variable('storage_url')} {what}")
