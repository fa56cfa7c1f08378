"""Uploads in parts that a process has begun in an S3 bucket and not ended, because it was killed.

The library that reads and writes objects does not know them, so the two requests are signed here.
"""

import errno
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from docserver.storage import BucketError
from docserver.storage.bucket_url import BucketUrl

UNSIGNED = "UNSIGNED-PAYLOAD"
"""Stands for the hash of a request's body."""

LISTED = 1000
"""Uploads in one answer, at most. If there are more, the rest is found by a later check."""

ANSWER_BYTES = 4_000_000
"""Bytes of an answer that are read; an upload takes about 600."""


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """An upload in parts that has not ended."""

    key: str
    """In the whole bucket, with the prefix."""
    upload_id: str
    begun: datetime


class MultipartUploads:
    """Those below the prefix of a URL. Methods block, and raise BucketError."""

    def __init__(self, url: BucketUrl, *, timeout_s: float) -> None:
        """Raises LookupError if the URL has no keys: roles and other servers' accounts cannot sign here."""
        usual = {name.removeprefix("aws_"): value for name, value in url.config.items()}
        if url.scheme != "s3":
            raise LookupError(url.scheme)
        self._key_id, self._secret = usual["access_key_id"], usual["secret_access_key"]
        self._token = usual.get("session_token")
        self._region = usual.get("region") or usual.get("default_region") or "us-east-1"
        endpoint = usual.get("endpoint") or usual.get("endpoint_url") or f"https://s3.{self._region}.amazonaws.com"
        place = urlsplit(url.place)
        self._endpoint, self._bucket, self._prefix = endpoint.rstrip("/"), place.netloc, place.path.lstrip("/")
        self._timeout_s = timeout_s

    def list(self) -> Iterator[MultipartUpload]:
        prefix = f"{self._prefix}/".lstrip("/")
        text = self.send("GET", query={"uploads": "", "max-uploads": str(LISTED), "prefix": prefix})
        for upload in re.findall(r"<Upload>(.*?)</Upload>", text, re.DOTALL):
            begun = datetime.fromisoformat(_element(upload, "Initiated"))
            yield MultipartUpload(unescape(_element(upload, "Key")), unescape(_element(upload, "UploadId")), begun)

    def abort(self, upload: MultipartUpload) -> None:
        """Let the bucket forget its parts."""
        self.send("DELETE", upload.key, query={"uploadId": upload.upload_id})

    def send(self, method: str, key: str = "", *, query: dict[str, str]) -> str:
        """Send a request without a body, to the bucket if there is no key; returns the answer's text."""
        path = quote(f"/{self._bucket}/{key}".rstrip("/"), safe="/-_.~")
        text = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        headers = self._signed(method, path, text, now=datetime.now(UTC))
        # The scheme is that of the setting.
        request = Request(f"{self._endpoint}{path}?{text}", method=method, headers=headers)  # noqa: S310
        try:
            with urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                body: bytes = answer.read(ANSWER_BYTES)
        except HTTPError as error:
            raise BucketError(errno.EIO, f"the bucket answers a request with {error.code}") from None
        except OSError as error:
            raise BucketError(errno.EIO, f"the bucket does not answer ({type(error).__name__})") from None
        return body.decode(errors="replace")

    def _signed(self, method: str, path: str, query: str, *, now: datetime) -> dict[str, str]:
        """The headers of a request, with its signature.

        See https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
        """
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        headers = {"host": urlsplit(self._endpoint).netloc, "x-amz-content-sha256": UNSIGNED, "x-amz-date": stamp}
        if self._token:
            headers["x-amz-security-token"] = self._token
        names = ";".join(headers)
        lines = [method, path, query, *(f"{name}:{value}" for name, value in headers.items()), "", names, UNSIGNED]
        scope = f"{day}/{self._region}/s3/aws4_request"
        request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}".encode(), "sha256").hex()
        credential = f"Credential={self._key_id}/{scope}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
        return headers


def _element(text: str, name: str) -> str:
    match = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    if match is None:
        raise BucketError(errno.EIO, f"the bucket lists uploads without {name}")
    return match[1]
