"""Content codings: which one a client prefers, and that what it gets can be read."""

import gzip
import sys

import pytest

from docserver.web import compression

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = b"every word has its box and confidence " * 5000


@pytest.mark.parametrize(
    ("accepted", "preferred"),
    [
        ("", None),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=nonsense", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("br", None),
    ],
)
def test_the_coding_that_a_client_prefers_is_chosen(accepted: str, preferred: str | None) -> None:
    coding = compression.negotiate(accepted)

    assert (coding.name if coding else None) == preferred


def test_what_is_compressed_is_read_by_others() -> None:
    compressed = {coding.name: coding.compress(BODY) for coding in compression.CODINGS}

    assert gzip.decompress(compressed["gzip"]) == BODY
    assert zstd.decompress(compressed["zstd"]) == BODY


def test_the_same_text_in_another_coding_has_another_strong_etag() -> None:
    assert {coding.etag('"abc"') for coding in compression.CODINGS} == {'"abc-zstd"', '"abc-gzip"'}
