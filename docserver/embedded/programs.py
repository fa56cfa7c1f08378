"""Finds the programs that the embedded servers need; starts none."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from docserver.embedded.server import EmbeddedError

ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian has mariadbd; the PATH of an ordinary user does not include it."""
SHARE = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"))
"""Where MariaDB up to 10.11, and from 11 on, keeps the SQL for a new data directory."""


@dataclass(frozen=True)
class Programs:
    mariadbd: str
    redis: str
    setpriv: str
    share: Path


def find() -> Programs:
    """Find the programs; raises EmbeddedError that names the package of a missing one."""
    mariadbd = _find("mariadbd", package="mariadb-server-core")
    # Debian's redis-tools has the server under the name of the checker: both are one program.
    redis = _find("redis-server", "redis-check-rdb", package="redis-tools")
    setpriv = _find("setpriv", package="util-linux")
    for share in SHARE:
        if any(share.glob("*_system_tables.sql")):
            return Programs(mariadbd, redis, setpriv, share)
    raise EmbeddedError("the SQL files of mariadbd are missing: install the package mariadb-server-core")


def _find(*names: str, package: str) -> str:
    path = f"{os.environ.get('PATH', os.defpath)}:{ADMIN_PATH}"
    for name in names:
        if program := shutil.which(name, path=path):
            return program
    raise EmbeddedError(f"{names[0]} is missing: install the package {package}")
