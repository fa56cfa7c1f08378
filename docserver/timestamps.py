"""How times are written for clients."""

from datetime import datetime
from typing import overload


@overload
def rfc3339(moment: datetime) -> str: ...
@overload
def rfc3339(moment: None) -> None: ...
def rfc3339(moment: datetime | None) -> str | None:
    """A UTC time without time zone, as the database stores it, in the form of RFC 3339 with microseconds."""
    return None if moment is None else f"{moment.isoformat(timespec='microseconds')}Z"
