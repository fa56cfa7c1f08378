"""Addresses of objects in an S3 bucket with a signature: who has one can do one thing with one object for a while."""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode, urlsplit

from docserver.storage.bucket_url import BucketUrl

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
        """Raises LookupError if the URL has no keys: other accounts, and roles, are known to obstore alone."""
        if url.scheme != "s3":
            raise LookupError(url.scheme)
        usual = {name.removeprefix("aws_"): value for name, value in url.config.items()}
        self._keys = usual["access_key_id"], usual["secret_access_key"], usual.get("session_token")
        self._region = usual.get("region") or usual.get("default_region") or "us-east-1"
        place = urlsplit(url.place)
        bucket, self.prefix = place.netloc, unquote(place.path.strip("/"))
        is_in_host = usual.get("virtual_hosted_style_request", "").lower() == "true"
        amazon = f"https://{f'{bucket}.' * is_in_host}s3.{self._region}.amazonaws.com"
        path = "" if is_in_host else f"/{bucket}"
        self._own = _server(usual.get("endpoint") or usual.get("endpoint_url") or amazon, path)
        self._public = _server(url.public_endpoint, path) if url.public_endpoint else self._own

    def own(self, method: str, key: str, *, query: dict[str, str], expires_s: int) -> str:
        """An address for this process. `key` is that in the whole bucket, empty for the bucket itself."""
        return self._url(self._own, method, key, query=query, expires_s=expires_s)

    def public(
        self, method: str, key: str, *, query: dict[str, str] | None = None, expires_s: int, size: int | None = None
    ) -> str:
        """An address for clients, at the server that they reach. `key` is below the prefix. A body must have `size`
        bytes.
        """
        key = f"{self.prefix}/{key}".lstrip("/")
        return self._url(self._public, method, key, query=query or {}, expires_s=expires_s, size=size)

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
        text = urlencode(query, quote_via=quote, safe="-_.~")
        request = HttpRequest(method, f"{path}?{text}" if text else path, headers)
        config = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            credentials_provider=auth.AwsCredentialsProvider.new_static(*self._keys),
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
