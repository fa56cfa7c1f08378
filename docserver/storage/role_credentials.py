"""Temporary keys of a role: for a web identity's token (Kubernetes), of a container's service, or of a machine (EC2).

The library that reads and writes objects fetches its own, and tells them to nobody. These are for signed URLs.
"""

import errno
import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from docserver.storage import BucketError

FETCH_S = 5.0
"""Longest wait for an answer; the services are near."""

ANSWER_BYTES = 100_000
"""Bytes of an answer that are read; one with keys has two thousand."""

LEFT_S = 600.0
"""New keys are fetched when those at hand are valid for less than this. What they have signed ends with them."""

CONTAINER_HOST = "http://169.254.170.2"
METADATA_HOST = "http://169.254.169.254"
"""Where the services of ECS and EC2 are, at every machine."""

TOKEN_S = 60
"""How long a token for the metadata of a machine is valid. It is used at once."""

log = logging.getLogger("docserver.storage")


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that sign requests."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    expires: float
    """By the clock of this machine, in seconds since 1970."""


class RoleCredentials:
    """The keys of the role that a bucket's URL, or the usual variables, lead to. All threads may use it."""

    def __init__(self, config: Mapping[str, str]) -> None:
        """`config` has the parameters of the URL. Sends no request."""
        self._config = config
        self._lock = threading.Lock()
        self._keys: Keys | None = None

    def keys(self) -> Keys:
        """Keys that are valid for some minutes at least. Blocks; raises BucketError if there are none."""
        with self._lock:
            if self._keys is None or self._keys.expires - time.time() < LEFT_S:
                try:
                    self._keys = self._fetch()
                except (OSError, LookupError, ValueError) as error:
                    # The texts of errors may have tokens.
                    kind = f"HTTP {error.code}" if isinstance(error, HTTPError) else type(error).__name__
                    log.warning("no keys of a role to sign links with", extra={"fault": kind})
                    raise BucketError(errno.EACCES, f"no keys of a role ({kind})") from None
            return self._keys

    def _fetch(self) -> Keys:
        config = self._config
        if "web_identity_token_file" in config:
            return self._of_web_identity()
        if "container_credentials_full_uri" in config or "container_credentials_relative_uri" in config:
            return self._of_container()
        return self._of_machine()

    def _of_web_identity(self) -> Keys:
        config = self._config
        region = config.get("region", "us-east-1")
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": config["role_arn"],
            "RoleSessionName": config.get("role_session_name", "docserver"),
            "WebIdentityToken": Path(config["web_identity_token_file"]).read_text().strip(),
        }
        url = config.get("endpoint_url_sts", f"https://sts.{region}.amazonaws.com")
        answer = _ask(url, data=urlencode(form).encode(), directly=False)
        found = dict(re.findall(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]*)<", answer))
        return _keys({name: unescape(value) for name, value in found.items()})

    def _of_container(self) -> Keys:
        config, headers = self._config, {}
        url = config.get("container_credentials_full_uri")
        if url is None:
            url = CONTAINER_HOST + config["container_credentials_relative_uri"]
        if path := config.get("container_authorization_token_file"):
            headers["Authorization"] = Path(path).read_text().strip()
        return _keys(json.loads(_ask(url, headers=headers)))

    def _of_machine(self) -> Keys:
        host = self._config.get("metadata_endpoint", METADATA_HOST).rstrip("/")
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
        headers = {"X-aws-ec2-metadata-token": _ask(f"{host}/latest/api/token", method="PUT", headers=lifetime)}
        roles = f"{host}/latest/meta-data/iam/security-credentials/"
        role = _ask(roles, headers=headers).split()[0]
        return _keys(json.loads(_ask(roles + role, headers=headers)))


def _ask(
    url: str,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
    directly: bool = True,
) -> str:
    """The text of an answer. What is on this machine is asked `directly`, and not by a proxy."""
    # The addresses are those of the settings and of constants.
    request = Request(url, data=data, headers=dict(headers or {}), method=method)  # noqa: S310
    opener = build_opener(ProxyHandler({})) if directly else build_opener()
    try:
        with opener.open(request, timeout=FETCH_S) as answer:
            body: bytes = answer.read(ANSWER_BYTES)
    except HTTPError as error:
        error.close()
        raise
    return body.decode()


def _keys(answer: Mapping[str, str]) -> Keys:
    expires = datetime.fromisoformat(answer["Expiration"]).timestamp()
    token = answer.get("SessionToken") or answer.get("Token")
    return Keys(answer["AccessKeyId"], answer["SecretAccessKey"], token, expires)
