"""Writes results: small ones into memory, large ones into an unnamed temporary file, to limit the use of memory."""

import asyncio
import tempfile
import threading
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from docserver import exclusive
from docserver.errors import Unavailable
from docserver.formats import TextFormat
from docserver.model import Job, Page

LARGE_RESULT_BYTES = 2_000_000
"""Larger results become files and are not cached, because Redis holds everything in memory. 2 MB is the JSON of about
20 full pages."""

LARGE_PAGES = 50
"""Results with more pages than this are written one at a time. Each one occupies a core and a thread for at least about
a second."""

TURN_S = 30.0
"""Longest wait of a large result for the large results before it."""

WRITING_S = 60.0
"""Time that a request gets for waiting and writing together. Writing 2000 full pages as Markdown takes ten seconds."""

RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A result in one format."""

    etag: str
    body: bytes | IO[bytes] | None
    """Bytes if small, else an open file, which the caller closes. None if the client has this version already."""

    def without_body(self) -> "ResultFile":
        """The same result for a client that has this version already; closes the file."""
        self.close()
        return ResultFile(self.etag, None)

    def close(self) -> None:
        """Close the file, if the body is one."""
        if self.body is not None and not isinstance(self.body, bytes):
            self.body.close()


class ResultWriter:
    """Writes the results of this process."""

    def __init__(self, *, scratch: Path, max_bytes: int) -> None:
        """`scratch` is a directory of this process; results of more than `max_bytes` become a file there."""
        self._scratch = scratch
        self._max_bytes = max_bytes
        self._turn = asyncio.Lock()

    async def write(self, text_format: TextFormat, job: Job, pages: Sequence[Page]) -> ResultFile:
        """Write a result; raises Unavailable."""
        async with self._large_result_turn() if len(pages) > LARGE_PAGES else nullcontext():
            stop = threading.Event()
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, text_format, job, pages, stop))
            try:
                return await asyncio.shield(writing)
            except asyncio.CancelledError:
                # The client has gone. The thread must end before the next client's large result may start.
                stop.set()
                await asyncio.wait({writing})
                if not writing.cancelled() and writing.exception() is None:
                    writing.result().close()
                raise

    def _large_result_turn(self) -> AbstractAsyncContextManager[None]:
        refusal = "Too many large results are being made; try again soon, or request fewer pages."
        return exclusive.acquired(self._turn, within_s=TURN_S, refusal=refusal, retry_after_s=RETRY_AFTER_S)

    def _write(self, text_format: TextFormat, job: Job, pages: Sequence[Page], stop: threading.Event) -> ResultFile:
        digest = sha256()
        try:
            with ExitStack() as stack:
                file = stack.enter_context(
                    tempfile.SpooledTemporaryFile(max_size=self._max_bytes, dir=str(self._scratch))
                )
                for piece in text_format.write(job, pages):
                    if stop.is_set():
                        break
                    digest.update(piece)
                    file.write(piece)
                etag = f'"{digest.hexdigest()[:32]}"'
                if file.tell() > self._max_bytes:
                    file.flush()
                    stack.pop_all()
                    return ResultFile(etag, file)
                file.seek(0)
                return ResultFile(etag, file.read())
        except OSError as error:
            raise Unavailable(
                "There is not enough disk space for such a large result; request fewer pages.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from error
