"""Uploads in parts that a process has begun in an S3 bucket and not ended, because it was killed.

The library that reads and writes objects does not know them.
"""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from html import unescape
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from docserver.storage import BucketError
from docserver.storage.signed_urls import SignedUrls

LISTED = 1000
"""Uploads in one answer, at most. If there are more, the rest is found by a later check."""

ANSWER_BYTES = 4_000_000
"""Bytes of an answer that are read; an upload takes about 600."""

REQUEST_S = 300
"""How long a request is valid after it was signed: clocks of servers differ by less."""


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """An upload in parts that has not ended."""

    key: str
    """In the whole bucket, with the prefix."""
    upload_id: str
    begun: datetime


class MultipartUploads:
    """Those below the prefix of a bucket's URL. Methods block, and raise BucketError."""

    def __init__(self, urls: SignedUrls, *, timeout_s: float) -> None:
        self._urls = urls
        self.prefix = urls.prefix
        self._timeout_s = timeout_s

    def list(self) -> Iterator[MultipartUpload]:
        prefix = f"{self.prefix}/".lstrip("/")
        text = self.send("GET", query={"uploads": "", "max-uploads": str(LISTED), "prefix": prefix})
        for upload in re.findall(r"<Upload>(.*?)</Upload>", text, re.DOTALL):
            begun = datetime.fromisoformat(_element(upload, "Initiated"))
            yield MultipartUpload(unescape(_element(upload, "Key")), unescape(_element(upload, "UploadId")), begun)

    def abort(self, upload: MultipartUpload) -> None:
        """Let the bucket forget its parts."""
        self.send("DELETE", upload.key, query={"uploadId": upload.upload_id})

    def header(self, key: str, name: str) -> str:
        """A header of an object, or nothing. `key` is that in the whole bucket."""
        _, headers = self._answer("HEAD", key, {})
        return headers.get(name, "")

    def send(self, method: str, key: str = "", *, query: dict[str, str]) -> str:
        """Send a request without a body, to the bucket if there is no key; returns the answer's text."""
        body, _ = self._answer(method, key, query)
        return body.decode(errors="replace")

    def _answer(self, method: str, key: str, query: dict[str, str]) -> tuple[bytes, Message]:
        # The scheme is that of the setting.
        request = Request(self._urls.own(method, key, query=query, expires_s=REQUEST_S), method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                return answer.read(ANSWER_BYTES), answer.headers
        except HTTPError as error:
            raise BucketError(errno.EIO, f"the bucket answers a request with {error.code}") from None
        except OSError as error:
            raise BucketError(errno.EIO, f"the bucket does not answer ({type(error).__name__})") from None


def _element(text: str, name: str) -> str:
    match = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    if match is None:
        raise BucketError(errno.EIO, f"the bucket lists uploads without {name}")
    return match[1]
