"""Results as bytes, or as files without a name where they are large: a document's words may fill the memory."""

import asyncio
import tempfile
import threading
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import IO

from docserver import exclusive
from docserver.errors import Unavailable
from docserver.formats import Rendering
from docserver.model import Job, Page

LARGE_PAGES = 50
"""More are rendered for one client at a time: that takes a second of a core, and a thread for as long."""

TURN_S = 30.0
RENDERING_S = 60.0
"""What its turn and its making may take together: 2000 full pages take ten seconds as Markdown."""

RETRY_AFTER_S = 5

Made = tuple[str, bytes | IO[bytes]]
"""ETag and result; a file is the caller's to close."""


class Renderer:
    """Renders the results of this process."""

    def __init__(self, *, scratch: Path, most_bytes: int) -> None:
        """`scratch` is a directory of this process; results of more than `most_bytes` become a file there."""
        self._scratch = scratch
        self._most_bytes = most_bytes
        self._turn = asyncio.Lock()

    async def render(self, form: Rendering, job: Job, pages: Sequence[Page]) -> Made:
        """Render a result; raises Unavailable."""
        async with self._its_turn() if len(pages) > LARGE_PAGES else nullcontext():
            stop = threading.Event()
            work = asyncio.ensure_future(asyncio.to_thread(self._rendered, form, job, pages, stop))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                # Nobody wants it any more; the thread must be free again before the next one's turn.
                stop.set()
                await asyncio.wait({work})
                _close(work)
                raise

    def _its_turn(self) -> AbstractAsyncContextManager[None]:
        refusal = "Too many large results are being made; ask again soon, or for fewer pages."
        return exclusive.taken(self._turn, within_s=TURN_S, refusal=refusal, retry_after_s=RETRY_AFTER_S)

    def _rendered(self, form: Rendering, job: Job, pages: Sequence[Page], stop: threading.Event) -> Made:
        digest = sha256()
        try:
            with ExitStack() as stack:
                file = stack.enter_context(
                    tempfile.SpooledTemporaryFile(max_size=self._most_bytes, dir=str(self._scratch))
                )
                for piece in form.render(job, pages):
                    if stop.is_set():
                        break
                    digest.update(piece)
                    file.write(piece)
                etag = f'"{digest.hexdigest()[:32]}"'
                if file.tell() > self._most_bytes:
                    file.flush()
                    stack.pop_all()
                    return etag, file
                file.seek(0)
                return etag, file.read()
        except OSError as error:
            raise Unavailable(
                "There is no room to make so large a result; ask for fewer pages.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from error


def _close(work: asyncio.Future[Made]) -> None:
    if not work.cancelled() and work.exception() is None:
        _, body = work.result()
        if not isinstance(body, bytes):
            body.close()
