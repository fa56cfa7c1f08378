"""The URL of a bucket, parsed: the place in it, and the parameters of the library that reads and writes objects."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class BucketUrl:
    """From `s3://bucket/prefix?endpoint=https://…&region=…`; all parameters are those of `obstore.store.S3Config`."""

    scheme: str
    place: str
    """The bucket and prefix, which may be shown."""
    config: dict[str, Any]
    """May have secrets."""

    @classmethod
    def parse(cls, url: str) -> "BucketUrl":
        parts = urlsplit(url)
        return cls(
            parts.scheme, f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", dict(parse_qsl(parts.query))
        )

    @property
    def allow_http(self) -> bool:
        """True if the server's address is one without TLS."""
        return any("endpoint" in key and value.startswith("http:") for key, value in self.config.items())
