"""Addresses of objects in an S3 bucket with a signature: who has one can do one thing with one object for a while."""

import math
import time
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode, urlsplit

from docserver.storage.bucket_url import BucketUrl
from docserver.storage.role_credentials import Keys, RoleCredentials

MAX_VALID_S = 7 * 86_400
"""Longest time that S3 lets a signature be valid."""

SIGNING_S = 5.0
"""Longest wait for a signature. With keys that are known it takes 0.03 ms."""


@dataclass(frozen=True, slots=True)
class _Server:
    """Where requests for objects of a bucket go."""

    scheme: str
    host: str
    path: str
    """What comes before the key, without a slash at its end."""


class SignedUrls:
    """Those of the bucket of a URL."""

    def __init__(self, url: BucketUrl) -> None:
        """Raises LookupError if the bucket is not one of S3, or requests are not signed. Sends no request."""
        config = url.config
        if url.scheme != "s3" or config.get("skip_signature") == "true":
            raise LookupError(url.scheme)
        self._keys: Keys | None = None
        if "access_key_id" in config:
            secret, token = config["secret_access_key"], config.get("session_token")
            self._keys = Keys(config["access_key_id"], secret, token, math.inf)
        self._role = RoleCredentials(config)
        # Amazon refuses requests to the bucket of somebody else who does not pay for them.
        self._payer = {"x-amz-request-payer": "requester"} if config.get("request_payer") == "true" else {}
        self._region = config.get("region", "us-east-1")
        place = urlsplit(url.place)
        bucket, self.prefix = place.netloc, unquote(place.path.strip("/"))
        is_in_host = config.get("virtual_hosted_style_request") == "true"
        amazon = f"https://{f'{bucket}.' * is_in_host}s3.{self._region}.amazonaws.com"
        path = "" if is_in_host else f"/{bucket}"
        self._own = _server(config.get("endpoint", amazon), path)
        self._public = _server(url.public_endpoint, path) if url.public_endpoint else self._own

    def longest_s(self, wanted_s: int) -> int:
        """How long a signature of now can be valid, at most `wanted_s`: no longer than the keys. Blocks; raises
        BucketError.
        """
        return int(min(wanted_s, MAX_VALID_S, self._current_keys().expires - time.time()))

    def own(self, method: str, key: str, *, query: dict[str, str], expires_s: int) -> str:
        """An address for this process. `key` is that in the whole bucket, empty for the bucket itself. Blocks; raises
        BucketError.
        """
        return self._url(self._own, method, key, query=query, expires_s=expires_s)

    def public(
        self, method: str, key: str, *, query: dict[str, str] | None = None, expires_s: int, size: int | None = None
    ) -> str:
        """An address for clients, at the server that they reach. `key` is below the prefix. A body must have `size`
        bytes. Blocks; raises BucketError.
        """
        key = f"{self.prefix}/{key}".lstrip("/")
        return self._url(self._public, method, key, query=query or {}, expires_s=expires_s, size=size)

    def _current_keys(self) -> Keys:
        return self._keys or self._role.keys()

    def _url(
        self,
        server: _Server,
        method: str,
        key: str,
        *,
        query: dict[str, str],
        expires_s: int,
        size: int | None = None,
    ) -> str:
        from awscrt import auth
        from awscrt.http import HttpHeaders, HttpRequest

        headers = HttpHeaders([("host", server.host)])
        if size is not None:
            headers.add("content-length", str(size))
        path = f"{server.path}/{quote(key, safe='/-_.~')}"
        text = urlencode({**query, **self._payer}, quote_via=quote, safe="-_.~")
        request = HttpRequest(method, f"{path}?{text}" if text else path, headers)
        keys = self._current_keys()
        provider = auth.AwsCredentialsProvider.new_static(
            keys.access_key_id, keys.secret_access_key, keys.session_token
        )
        config = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            credentials_provider=provider,
            region=self._region,
            service="s3",
            # S3 takes keys as they are, unlike other services.
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_value=auth.AwsSignedBodyValue.UNSIGNED_PAYLOAD,
            expiration_in_seconds=expires_s,
        )
        signed = auth.aws_sign_request(request, config).result(SIGNING_S)
        return f"{server.scheme}://{server.host}{signed.path}"


def _server(endpoint: str, path: str) -> _Server:
    parts = urlsplit(endpoint)
    return _Server(parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}{path}")
