"""Finds the programs that the embedded servers need; starts none."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from docserver.embedded.server import EmbeddedError

ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""The directories where Debian installs mariadbd. An ordinary user's PATH does not contain them."""
SHARE = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"))
"""The directories with the SQL for a new data directory: first for MariaDB up to 10.11, second for 11 and later."""


@dataclass(frozen=True)
class Programs:
    mariadbd: str
    redis: str
    setpriv: str
    share: Path


def find() -> Programs:
    """Find the programs. If one is missing, raises EmbeddedError that names the package to install."""
    mariadbd = _find("mariadbd", package="mariadb-server-core")
    # Debian's redis-tools does not contain redis-server, but redis-check-rdb, which is the same program.
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
