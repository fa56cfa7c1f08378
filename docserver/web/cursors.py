"""Cursors: where a list or a search goes on, bound to the parameters of the request that they came from."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Generic, TypeVar
from uuid import UUID

from marshmallow import ValidationError

from docserver.database.tables.document_lists import Position
from docserver.web.request_fields import created_before, created_since

T = TypeVar("T")

EXAMPLE_CURSOR = (
    "Y3JlYXRlZF9hdF9kZXNjfDIwMjYtMTEtMjlUMjI6MDI6NDMuMjU4NDk2fDAxYTIyOTU0LWY0YjEtNzNhMy1iZGM5LWYyOTM0MWQ5YWM0Nw=="
)


@dataclass(frozen=True, slots=True)
class Cursor(Generic[T]):
    """A place in a list or in what a search finds."""

    place: T
    digest: str
    """Of the parameters of the request that it came from; "" for a cursor of an earlier release."""


def digest(query: Mapping[str, Any]) -> str:
    """A digest of the parameters that all parts of a list or a search have in common."""
    others = ("limit", "offset", "cursor", "date_from", "date_to")
    common = sorted((name, value) for name, value in query.items() if name not in others)
    dates = created_since(query), created_before(query)
    return blake2b(repr((common, dates)).encode(errors="replace"), digest_size=6).hexdigest()


def check_cursor(query: Mapping[str, Any]) -> None:
    """Raise ValidationError if a request has a cursor that came from other parameters."""
    given = query.get("cursor")
    if given and given.digest not in ("", digest(query)):
        raise ValidationError(
            "It comes from a request with other parameters. Send it with the same ones; limit alone may differ.",
            "cursor",
        )


def parse_cursor(text: str) -> Cursor[Position]:
    """A place in a list; the inverse of `cursor`."""
    try:
        _, created_at, document_id, *found = base64.urlsafe_b64decode(text.encode()).decode().split("|")
        position = Position(datetime.fromisoformat(created_at), UUID(document_id))
    except ValueError as error:
        raise ValidationError("Not a cursor of this service.") from error
    return Cursor(position, "".join(found))


def cursor(query: Mapping[str, Any], position: Position) -> str:
    """A position in the list that a query describes, as text."""
    parts = (query["sort"], position.created_at.isoformat(), str(position.document_id), digest(query))
    return base64.urlsafe_b64encode("|".join(parts).encode()).decode()
