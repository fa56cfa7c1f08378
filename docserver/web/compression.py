"""Compresses large results for clients that accept gzip or zstd (RFC 9110, 12.5.3)."""

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEAST_BYTES = 32_768
"""Smallest result that is compressed. A smaller one takes few packets, and its answer would only become slower."""

GZIP_LEVEL = 4
ZSTD_LEVEL = 3
"""Higher levels take several times as long, and make results of words hardly smaller."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib writes the header and the checksum of gzip if 16 is added."""


class Compressor(Protocol):
    """Compresses one body, piece by piece. Blocks."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Coding:
    """A content coding."""

    name: str
    """As in Accept-Encoding and Content-Encoding."""
    start: Callable[[], Compressor]

    def compress(self, body: bytes) -> bytes:
        """The whole body in this coding. Blocks."""
        compressor = self.start()
        return compressor.compress(body) + compressor.flush()

    def etag(self, etag: str) -> str:
        """The ETag of a body in this coding: other bytes must have another strong ETag."""
        return f'{etag[:-1]}-{self.name}"'


CODINGS = (
    Coding("zstd", lambda: zstd.ZstdCompressor(level=ZSTD_LEVEL)),
    Coding("gzip", lambda: zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW)),
)
"""The best first."""


def negotiate(accept_encoding: str) -> Coding | None:
    """The coding that a client prefers; None if it accepts none of ours, or prefers none at all."""
    weights = dict(map(_weight, filter(None, accept_encoding.lower().replace(" ", "").split(","))))
    best = max(CODINGS, key=lambda coding: weights.get(coding.name, weights.get("*", 0.0)))
    weight = weights.get(best.name, weights.get("*", 0.0))
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def _weight(part: str) -> tuple[str, float]:
    """A coding and its weight, 0 if that is malformed."""
    name, _, weight = part.partition(";q=")
    try:
        return name, float(weight) if weight else 1.0
    except ValueError:
        return name, 0.0
