"""The URL of a bucket, checked and parsed: the place in it, and the parameters of the library that reads and writes
objects.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from docserver.bucket_parameters import FROM_VARIABLE, USUAL, parameter
from docserver.setting_files import wrong_file
from docserver.settings import SettingsError, variable
from docserver.storage.bucket_values import KEY_FILES, TOKEN_FILES, UNPRINTED, wrong_token_file, wrong_value

PARAMETERS = frozenset(
    {
        *("endpoint", "endpoint_url_sts", "metadata_endpoint", "public_endpoint"),
        *("access_key_id", "secret_access_key", "session_token", "region", "skip_signature"),
        *("role_arn", "role_session_name", "web_identity_token_file", "container_authorization_token_file"),
        *("container_credentials_relative_uri", "container_credentials_full_uri"),
        "virtual_hosted_style_request",
        *("server_side_encryption", "sse_kms_key_id", "sse_bucket_key_enabled"),
        *("checksum_algorithm", "conditional_put", "copy_if_not_exists", "disable_tagging", "disable_bulk_delete"),
        *("request_payer", "unsigned_payload"),
    }
)
"""Those of `s3://`. The bucket's name is not among them, because the URL has it."""

ROLE = ("role_arn", "web_identity_token_file")
"""Each needs the other, unless something else proves who asks."""

KEYS_OR_CONTAINER = frozenset(
    {"access_key_id", "container_credentials_relative_uri", "container_credentials_full_uri", "skip_signature"}
)

_CLIENT_OPTION = re.compile(
    r"allow_|default_content|disable_system|http[12]_|pool_|proxy_|randomize_|(connect_|read_)?timeout|user_agent"
)
"""Names of options of the library's HTTP client. It panics if it gets one as a parameter."""

_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""See https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html."""

_OTHER_BUCKET = re.compile(r"[A-Za-z0-9._$-]+")
"""What a bucket of another provider is at least."""

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
    names: dict[str, str]
    """The name by which each parameter was given."""
    public_endpoint: str = ""
    """The server as clients reach it; empty if that is the same."""

    @classmethod
    def parse(cls, url: str) -> "BucketUrl":
        """Raises SettingsError, whose text has no secret."""
        if not url.isprintable():
            raise _error(f"has {UNPRINTED}")
        parts = urlsplit(url)
        if "#" in url:
            raise _error("has a #, which must be written as %23")
        try:
            path = unquote(parts.path, errors="strict")
            given = parse_qsl(parts.query, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise _error("has a % that does not stand for a sign in UTF-8") from None
        _check_place(parts, path)
        config: dict[str, str] = {}
        names: dict[str, str] = {}
        for given_name, value in given:
            name = parameter(parts.scheme, given_name)
            _check_name(parts.scheme, name, given_name)
            if name in config:
                raise _error(f"has {name} twice")
            config[name], names[name] = value.strip(), given_name
        place = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        parsed = cls(parts.scheme, place, config, names, config.get("public_endpoint", ""))
        parsed._check_values(parts.netloc)
        config.pop("public_endpoint", None)
        return parsed

    def refusal(self, name: str, what: str) -> SettingsError:
        """The error for the value of a parameter. It names where that comes from: the URL or a variable."""
        given = self.names[name]
        if given.startswith(FROM_VARIABLE):
            return SettingsError(f"{given.removeprefix(FROM_VARIABLE)} is wrong: {what}")
        return _error(f"has a wrong {given}: {what}")

    def check_files(self) -> None:
        """Raise SettingsError if a file cannot be used that has a token or a key for the bucket. Blocks."""
        for name in KEY_FILES:
            if name in self.config and (wrong := wrong_file(self.config[name])):
                raise self.refusal(name, wrong)
        for name in TOKEN_FILES:
            path = self.config.get(name) if "access_key_id" not in self.config else None
            if path and (wrong := wrong_token_file(path)):
                raise self.refusal(name, wrong)

    @property
    def allow_http(self) -> bool:
        """True if the server's address is one without TLS."""
        return any("endpoint" in key and value.startswith("http:") for key, value in self.config.items())

    def _check_values(self, bucket: str) -> None:
        for name, value in self.config.items():
            wrong = wrong_value(name, value)
            if not wrong and self.scheme == "s3" and name in ("endpoint", "public_endpoint"):
                wrong = _misplaced(bucket, value, in_host=self.config.get("virtual_hosted_style_request") == "true")
            if wrong:
                raise self.refusal(name, wrong)
        if len({"access_key_id", "secret_access_key"} & self.config.keys()) == 1:
            raise _error("and the variables AWS_… have only one of access_key_id and secret_access_key")
        for one, other in (ROLE, ROLE[::-1]):
            if one in self.config and not {other, *KEYS_OR_CONTAINER} & self.config.keys():
                raise self.refusal(one, f"{_usual(other)} is missing, which belongs to it")
        if self.scheme == "az" and not {"account_name", "use_emulator"} & self.config.keys():
            raise _error("has no account_name")


def _check_place(parts: SplitResult, path: str) -> None:
    bucket = parts.netloc
    if not bucket:
        raise _error(f"has no bucket: it must be like {parts.scheme}://bucket/prefix")
    if parts.scheme == "s3" and not _BUCKET.fullmatch(bucket):
        raise _error(
            "has a wrong bucket: its name must have 3 to 63 lower-case letters, digits, dots and hyphens, begin and "
            "end with a letter or digit, and be no IP address"
        )
    if not _OTHER_BUCKET.fullmatch(bucket):
        raise _error("has a wrong bucket: its name must have letters, digits, dots, hyphens and underscores")
    if {"", ".", ".."} & set(path.rstrip("/").split("/")[1:]) or not path.isprintable():
        raise _error(
            f"has a wrong prefix: it must be like {parts.scheme}://bucket/one/two, without //, . and .., and all its "
            "signs must be printable"
        )


def _check_name(scheme: str, name: str, given: str) -> None:
    if scheme == "s3" and name not in PARAMETERS:
        raise _unknown(given)
    if _CLIENT_OPTION.match(name):
        raise _error(f"has an unknown parameter {given}")


def _misplaced(bucket: str, address: str, *, in_host: bool) -> str | None:
    """What is wrong with an address that has the bucket where the library adds it, or lacks it where it does not."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if in_host:
        if host == bucket or host.startswith(f"{bucket}."):
            return None
        return "with virtual_hosted_style_request=true, its host must begin with the bucket's name and a dot"
    if parts.path.rstrip("/").endswith(f"/{bucket}"):
        return "it ends with the bucket's name, which must be left out: it stands after s3:// already"
    if host.startswith(f"{bucket}.s3") and "amazonaws.com" in host:
        return (
            "its host begins with the bucket's name, which must be left out, or needs virtual_hosted_style_request=true"
        )
    return None


def _usual(name: str) -> str:
    """A parameter, and the variable that gives it too."""
    return f"{name} ({USUAL['s3'][name][0]})"


def _unknown(name: str) -> SettingsError:
    if not _NAME.fullmatch(name):
        return _error("has an unknown parameter; special characters of values must be encoded (& as %26)")
    meant = get_close_matches(name.lower().removeprefix("aws_"), sorted(PARAMETERS), n=1)
    return _error(f"has an unknown parameter {name}" + (f"; did you mean {meant[0]}?" if meant else ""))


def _error(what: str) -> SettingsError:
    return SettingsError(f"{variable('storage_url')} {what}")
