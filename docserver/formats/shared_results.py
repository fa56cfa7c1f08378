"""Shares results: requests of the same result at the same time, or shortly one after another, get one file."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

from docserver.errors import Unavailable
from docserver.formats.result_file import ResultFile, SharedFile

KEEP_S = 30.0
"""How long a file is kept for further readers."""

MAX_FILE_BYTES_IN_SUM = 2_000_000_000
"""Most bytes of all files that are kept or being read. At this limit no further result is made, so the disk holds at
most this much and the results that are being made."""

MAX_FILE_BYTES_OF_ONE = MAX_FILE_BYTES_IN_SUM // 4
"""The same for the files that were made for one client: it can keep them for long by reading slowly."""

MAX_ETAGS = 10_000
"""Most results whose ETag is remembered, so that a client that has this version needs no new result. They take about
three megabytes."""


@dataclass(slots=True)
class _Entry:
    """A result that is being made, or is kept."""

    task: asyncio.Task[ResultFile]
    waiting: int = 0
    """Requests that wait for the result. When the last of them ends early, the task is cancelled."""

    @property
    def unused_file(self) -> SharedFile | None:
        """The file, if the result is one that nobody is reading."""
        if self.waiting or not self.task.done():
            return None
        body = self.task.result().body
        return body if isinstance(body, SharedFile) and not body.shared else None


class SharedResults:
    """The results of this process that are being made or read. A key names a result in one version."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._files: dict[SharedFile, str] = {}
        """The client for which each file was made."""
        self._etags: dict[Hashable, str] = {}

    def etag(self, key: Hashable) -> str | None:
        """The ETag of a result that this process has made."""
        return self._etags.get(key)

    def remember_etag(self, key: Hashable, etag: str) -> None:
        """Remember the ETag of a result, so that `etag` returns it."""
        self._etags[key] = etag
        if len(self._etags) > MAX_ETAGS:
            del self._etags[next(iter(self._etags))]

    async def get(self, key: Hashable, make: Callable[[], Awaitable[ResultFile]], *, client: str) -> ResultFile:
        """The result for this client, made by `make` unless it is being made or kept already; the caller closes it.

        Raises what `make` raises, and Unavailable.
        """
        entry = self._entries.get(key) or self._start(key, make, client)
        entry.waiting += 1
        try:
            return (await asyncio.shield(entry.task)).open()
        finally:
            entry.waiting -= 1
            if not entry.waiting and not entry.task.done():
                entry.task.cancel()
                self._entries.pop(key)

    async def close(self) -> None:
        """Stop making results, and close the files that are kept."""
        tasks = [entry.task for entry in self._entries.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key, entry in list(self._entries.items()):
            self._drop(key, entry)

    def _start(self, key: Hashable, make: Callable[[], Awaitable[ResultFile]], client: str) -> _Entry:
        self._make_room(client)
        # The requests of a result have different deadlines, so it is made in a task of its own.
        task = asyncio.ensure_future(make())
        assert isinstance(task, asyncio.Task)
        entry = self._entries[key] = _Entry(task)
        task.add_done_callback(partial(self._made, key, entry, client))
        return entry

    def _made(self, key: Hashable, entry: _Entry, client: str, task: asyncio.Task[ResultFile]) -> None:
        """Keep a result that was made, if it is a file."""
        if task.cancelled() or task.exception():
            if self._entries.get(key) is entry:
                self._entries.pop(key)
            return
        result = task.result()
        self.remember_etag(key, result.etag)
        if self._entries.get(key) is not entry:
            result.close()
        elif isinstance(result.body, SharedFile):
            self._files[result.body] = client
            asyncio.get_running_loop().call_later(KEEP_S, self._drop, key, entry)
        else:
            self._entries.pop(key)

    def _drop(self, key: Hashable, entry: _Entry) -> None:
        """Stop keeping a file. It stays open for those who are reading it."""
        if self._entries.get(key) is entry:
            self._entries.pop(key)
            entry.task.result().close()

    def _make_room(self, client: str) -> None:
        """Drop the files that nobody is reading, oldest first, if there are too many; raises Unavailable."""
        self._files = {file: owner for file, owner in self._files.items() if not file.closed}
        self._bound([file for file, owner in self._files.items() if owner == client], max_bytes=MAX_FILE_BYTES_OF_ONE)
        self._bound(list(self._files), max_bytes=MAX_FILE_BYTES_IN_SUM)

    def _bound(self, files: Sequence[SharedFile], *, max_bytes: int) -> None:
        total = sum(file.size for file in files if not file.closed)
        for key, entry in list(self._entries.items()):
            if total < max_bytes:
                return
            if (file := entry.unused_file) and file in files:
                total -= file.size
                self._drop(key, entry)
        if total >= max_bytes:
            raise Unavailable("Too many large results are being read; try again soon.")
