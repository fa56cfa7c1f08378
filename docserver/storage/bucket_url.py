"""The URL of a bucket, parsed: the place in it, and the parameters of the library that reads and writes objects."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit


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
        parts = urlsplit(url)
        config = dict(parse_qsl(parts.query))
        public_endpoint = config.pop("public_endpoint", "")
        place = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        return cls(parts.scheme, place, config, public_endpoint)

    @property
    def allow_http(self) -> bool:
        """True if the server's address is one without TLS."""
        return any("endpoint" in key and value.startswith("http:") for key, value in self.config.items())
