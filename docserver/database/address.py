"""The address of the database, parsed from its URL."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """The address of the database, from `mysql://user:password@host:port/database?unix_socket=…&ssl_ca=…`."""

    host: str
    port: int
    user: str
    password: str
    database: str
    unix_socket: str | None
    ssl_ca: str | None

    @classmethod
    def parse(cls, url: str) -> "Address":
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.lstrip("/")) or "docserver",
            unix_socket=query.get("unix_socket"),
            ssl_ca=query.get("ssl_ca"),
        )
