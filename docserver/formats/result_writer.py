"""Writes results: small ones in a thread, large ones in a process of their own; a limited number at the same time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from hashlib import sha256
from pathlib import Path

from docserver.errors import Unavailable
from docserver.exclusive import Turns
from docserver.formats import TextFormat
from docserver.formats.render_process import disk_full, render
from docserver.formats.result_file import ResultFile, from_file
from docserver.formats.shared_results import SharedResults
from docserver.model import Job, Page
from docserver.room import Room

LARGE_RESULT_BYTES = 2_000_000
"""Larger results stay files and are not cached, because Redis holds everything in memory. 2 MB is the JSON of about
20 full pages."""

SMALL_WORK = 200_000
"""A result is small if its stored bytes times `TextFormat.weight` are at most this. It is written in a thread, in up to
a tenth of a second, as long as it takes to start a process. A thread slows down the event loop: both need the
interpreter."""

TINY_WORK = 4_000
"""Up to this much, a result is written at once, in two milliseconds. Handing it to a thread takes a quarter
of a millisecond."""

SMALL_AT_ONCE = 4
LARGE_AT_ONCE = 2
"""Most results of either kind that are loaded and written at the same time. Threads write half of the small ones, while
the others are loaded. With two large ones, the next does not wait for the whole of the largest."""

TURN_S = 30.0
"""Longest wait of a result for those before it."""

WRITING_S = 60.0
"""Longest time to load and write a result. Writing 2000 full pages as Markdown takes ten seconds."""

GROWTH = 10
"""How many times as large as its stored pages a large result becomes, as ALTO of pages full of short words."""


class ResultWriter:
    """Writes the results of this process."""

    def __init__(self, *, scratch: Path, room: Room, max_bytes: int) -> None:
        """`scratch` is a directory of this process with `room`; large results of more than `max_bytes` stay files."""
        self.shared = SharedResults()
        self._scratch = scratch
        self._room = room
        self._max_bytes = max_bytes
        self._small_turns = Turns(SMALL_AT_ONCE, of_one=SMALL_AT_ONCE - 1)
        self._large_turns = Turns(LARGE_AT_ONCE, of_one=LARGE_AT_ONCE - 1)
        # asyncio's own threads are for short work, such as moving uploads into the storage.
        self._threads = ThreadPoolExecutor(SMALL_AT_ONCE // 2, thread_name_prefix="result")

    def small_turn(self, client: str) -> AbstractAsyncContextManager[None]:
        """Wait for a client's turn to load and write a small result; raises Unavailable.

        Take it before pages are loaded, so that those who wait need no memory for their pages.
        """
        return _turn(self._small_turns, client)

    def large_turn(self, client: str) -> AbstractAsyncContextManager[None]:
        """The same for a large result."""
        return _turn(self._large_turns, client)

    def small_bytes(self, text_format: TextFormat) -> float:
        """How many bytes the pages of a small result take in the database at most."""
        return SMALL_WORK / text_format.weight

    async def write_small(self, text_format: TextFormat, job: Job, pages: Sequence[Page]) -> ResultFile:
        """Write a small result. The caller has a `small_turn`."""
        stored = sum(
            len(page.reading.layout) + len(page.reading.packed_elements or b"") for page in pages if page.reading
        )
        if stored * text_format.weight <= TINY_WORK:
            return _in_memory(text_format, job, pages)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _in_memory, text_format, job, pages)

    async def write_large(
        self,
        text_format: TextFormat,
        job: Job,
        batches: AsyncGenerator[Sequence[Page], None],
        *,
        stored_bytes: int,
        client: str,
    ) -> ResultFile:
        """Write a result of pages that take `stored_bytes` in the database. Its turn comes before they are loaded.

        Raises Unavailable, Unprocessable if the result is too large, and what `batches` raises.
        """
        async with aclosing(batches), self.large_turn(client), _in_time():
            await self._require_room(stored_bytes)
            digest, file = await render(text_format, job, batches, scratch=self._scratch)
            return await asyncio.to_thread(from_file, _etag(digest), file, max_bytes=self._max_bytes)

    async def aclose(self) -> None:
        """End the processes and threads, and close the files."""
        await self.shared.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _require_room(self, stored_bytes: int) -> None:
        try:
            await asyncio.to_thread(self._room.require, GROWTH * stored_bytes)
        except OSError as error:
            raise disk_full() from error


def _in_memory(text_format: TextFormat, job: Job, pages: Sequence[Page]) -> ResultFile:
    body = b"".join(text_format.write(job, pages))
    return ResultFile(_etag(sha256(body).hexdigest()), body)


def _etag(digest: str) -> str:
    return f'"{digest[:32]}"'


def _turn(turns: Turns, client: str) -> AbstractAsyncContextManager[None]:
    refusal = "Too many results are being made; try again soon, or request fewer pages."
    return turns.turn(client, within_s=TURN_S, refusal=refusal)


@asynccontextmanager
async def _in_time() -> AsyncGenerator[None, None]:
    try:
        async with asyncio.timeout(WRITING_S) as timeout:
            yield
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise Unavailable("The result takes too long; request fewer pages.") from error
