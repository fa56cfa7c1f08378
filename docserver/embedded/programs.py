"""Where the programs are that the embedded servers need, and which package has them. Starts none."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from docserver.embedded.server import EmbeddedError

ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where mariadbd is, and where the PATH of an ordinary user on Debian does not lead."""
SHARE = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"))
"""Where the packages of MariaDB up to 10.11 and from 11 on keep the SQL that makes a new data directory."""


@dataclass(frozen=True)
class Programs:
    mariadbd: str
    redis: str
    setpriv: str
    share: Path


def find() -> Programs:
    """Find the programs; raises EmbeddedError that names the package of one that is missing."""
    mariadbd = _find("mariadbd", package="mariadb-server-core")
    # Debian's redis-tools holds the server under the name of its checker.
    redis = _find("redis-server", "redis-check-rdb", package="redis-tools")
    setpriv = _find("setpriv", package="util-linux")
    for share in SHARE:
        if any(share.glob("*_system_tables.sql")):
            return Programs(mariadbd, redis, setpriv, share)
    raise EmbeddedError("the SQL files of mariadbd are missing: install the package mariadb-server-core")


def _find(*names: str, package: str) -> str:
    path = f"{os.environ.get('PATH', os.defpath)}:{ADMIN_PATH}"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise EmbeddedError(f"{names[0]} is missing: install the package {package}")
