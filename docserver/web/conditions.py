"""Conditional requests, and ranges of files that never change (RFC 9110, 13 and 14). `downloads` sends the files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from docserver.errors import PreconditionFailed, RangeNotSatisfiable

_RANGE = re.compile(r"(\d*)-(\d*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """What tells a file from others at the same address."""

    etag: str
    """Strong, with its quotes."""
    modified: datetime = datetime.max.replace(tzinfo=UTC)
    """With a time zone, in whole seconds, as HTTP writes times. If it is not known, no time that a client knows."""


def check_preconditions(request: web.Request, version: Version) -> None:
    """Check If-Match and If-Unmodified-Since; raises PreconditionFailed."""
    since = request.if_unmodified_since
    if request.if_match is not None:
        unchanged = any(
            tag.value == "*" or (f'"{tag.value}"' == version.etag and not tag.is_weak) for tag in request.if_match
        )
    else:
        unchanged = since is None or version.modified <= since
    if not unchanged:
        raise PreconditionFailed("The file is not the version that the request names.")


def not_modified(request: web.Request, etag: str) -> bool:
    """True if the client has this version already: If-None-Match (RFC 9110, 13.1.2), by weak comparison."""
    given = request.headers.get("If-None-Match")
    if given is None:
        return False
    known_tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return "*" in known_tags or etag.removeprefix("W/") in known_tags


def client_has(request: web.Request, version: Version) -> bool:
    """True if the client has this version already: If-None-Match, or without it If-Modified-Since."""
    if "If-None-Match" in request.headers:
        return not_modified(request, version.etag)
    since = request.if_modified_since
    return since is not None and version.modified <= since


def requested_part(request: web.Request, version: Version, *, size: int) -> range | None:
    """The bytes that a request wants of a file, None for all; raises RangeNotSatisfiable.

    A Range header is ignored if it asks for several parts, if it is malformed, or if the client has begun to download
    another version. All this is allowed, and every client must expect the whole file (RFC 9110, 14.2).
    """
    unit, _, ranges = request.headers.get("Range", "").partition("=")
    if request.method != "GET" or unit.strip().lower() != "bytes" or _has_other_version(request, version):
        return None
    try:
        parts = list(_parts(ranges, size))
    except ValueError:
        return None
    satisfiable = [part for part in parts if part]
    if parts and not satisfiable:
        raise RangeNotSatisfiable(
            f"The size of the file is {size} bytes.", headers={"Content-Range": f"bytes */{size}"}
        )
    return satisfiable[0] if len(satisfiable) == 1 else None


def _has_other_version(request: web.Request, version: Version) -> bool:
    """True if the client has a part of another version: If-Range, an ETag or a time that must be the same."""
    given = request.headers.get("If-Range")
    return given not in (None, version.etag) and request.if_range != version.modified


def _parts(ranges: str, size: int) -> Iterator[range]:
    """The parts that a Range header names, without bytes if beyond the end; raises ValueError if it is malformed."""
    for given in filter(None, (part.strip() for part in ranges.split(","))):
        match = _RANGE.fullmatch(given)
        if match is None:
            raise ValueError(given)
        first, last = match.groups()
        if not first:
            yield range(max(0, size - int(last)), size)
            continue
        if last and int(last) < int(first):
            raise ValueError(given)
        yield range(int(first), min(int(last) + 1, size) if last else size)
