"""The servers that a whole run of tests shares, as addresses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Servers:
    mysql_url: str
    redis_url: str
