"""The process that writes one large result: pages come in on its standard input, the result goes into a file.

`python -m docserver.formats.renderer N` expects pickled values: the format and the job, then lists of pages, then an
empty list. It writes the result into the open file N, and the result's SHA-256 to its standard output.
"""

import errno
import os
import pickle
import resource
import sys
import threading
import traceback
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from docserver.formats import TextFormat
from docserver.model import Job, Page

DISK_FULL = 3
TOO_LARGE = 4
FAILED = 5
"""Exit statuses; with FAILED, the standard output says why."""

MAX_RESULT_BYTES = 1_000_000_000
"""Largest file. The pages of one result take at most 64 MB in the database, which become up to 700 MB."""

MAX_MEMORY_BYTES = 1_000_000_000
"""Most memory. The stored pages take 64 MB, and one page while it is unpacked takes up to 300 MB."""

NICENESS = 10
"""The process gets less CPU time than the server, which must accept uploads meanwhile."""

OOM_SCORE = 500
"""If memory runs out, the kernel kills this process before the server or the database."""


def main() -> None:
    """Write the result that standard input asks for."""
    _limit()
    source = sys.stdin.buffer
    # Only the server writes to standard input, so its pickles can be trusted.
    text_format, job = pickle.load(source)  # noqa: S301
    pages: list[Page] = []
    while batch := pickle.load(source):  # noqa: S301
        pages += batch
    threading.Thread(target=_end_with_server, daemon=True).start()
    try:
        with open(int(sys.argv[1]), "wb") as file:  # noqa: PTH123 - a descriptor has no path
            digest = _write(text_format, job, pages, file)
    except MemoryError:
        sys.exit(TOO_LARGE)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        sys.exit(TOO_LARGE if error.errno == errno.EFBIG else DISK_FULL)
    sys.stdout.write(digest)


def _limit() -> None:
    os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_RESULT_BYTES, MAX_RESULT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_server() -> None:
    """The server never writes again, so a read returns only when the server has ended, for whatever reason."""
    os.read(0, 1)
    os._exit(FAILED)


def _write(text_format: TextFormat, job: Job, pages: list[Page], file: BinaryIO) -> str:
    digest = sha256()
    for piece in text_format.write(job, pages):
        digest.update(piece)
        file.write(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        main()
    except Exception:  # noqa: BLE001 - the server logs what it is told
        sys.stdout.write(traceback.format_exc())
        sys.exit(FAILED)
