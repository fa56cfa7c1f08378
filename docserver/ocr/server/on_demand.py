"""Server side: a slot for what clients wait for, such as a picture of a page. An API without workers has it too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from docserver.errors import Failure
from docserver.exclusive import Turns
from docserver.ocr.engine import Engine
from docserver.ocr.limits import PROGRAM
from docserver.ocr.requests import DrawPage, Inspect, Inspected
from docserver.ocr.server.cgroup import Cgroups
from docserver.ocr.server.slot import Slot
from docserver.settings import Settings

ANSWER_S = 20.0
"""Longest time for one request, and longest wait for its turn. Most take a tenth of a second, and people wait."""

IDLE_S = 60.0
"""After this time without requests, the process ends. Starting it takes half a second, and it holds some 80 MB."""

RETRY_AFTER_S = 5
"""Retry-After for clients whose turn did not come in time."""


class OnDemandSlot:
    """A slot whose OCR process starts with the first request and ends when there are none for a while."""

    def __init__(self, settings: Settings, engine: Engine, *, scratch: Path, cgroups: Cgroups | None = None) -> None:
        """`scratch` is a directory that only this process uses."""
        self.scratch = scratch
        """It may also have files that are to be inspected."""
        self._slot = Slot(
            # The slots that read come first, and then the one that makes searchable PDFs.
            number=settings.slot_count + 1,
            settings=settings,
            # No text is recognised here, so use the binding that does not load the Tesseract library.
            engine=replace(engine, binding=PROGRAM),
            scratch=scratch,
            cgroups=cgroups,
        )
        self._timeout_s = min(ANSWER_S, settings.page_timeout_s)
        self._turns = Turns(1, of_one=1)
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    async def draw(self, source: Path, request: DrawPage, *, client: str) -> BinaryIO | Failure:
        """A picture of a page, as an open file without a name; the caller closes it. Raises Unavailable if the wait is
        too long.
        """
        async with self._turn(client) as slot:
            return await slot.draw(source, request, timeout_s=self._timeout_s)

    async def inspect(
        self, source: Path, content_type: str, *, password: str | None, client: str
    ) -> Inspected | Failure:
        """What a file is. Raises Unavailable if the wait is too long."""
        async with self._turn(client) as slot:
            return await slot.inspect(source, Inspect(content_type, password), timeout_s=self._timeout_s)

    async def aclose(self) -> None:
        """End the process."""
        if self._idle:
            self._idle.cancel()
        if self._ending:
            await self._ending
        await self._slot.close()

    @asynccontextmanager
    async def _turn(self, client: str) -> AsyncIterator[Slot]:
        async with self._turns.turn(
            client,
            within_s=self._timeout_s,
            refusal="Too many requests like this are being answered.",
            retry_after_s=RETRY_AFTER_S,
        ):
            if self._idle:
                self._idle.cancel()
            # As in other slots, a process opens documents of few clients.
            self._slot.client = client
            try:
                yield self._slot
            finally:
                self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._end)

    def _end(self) -> None:
        self._ending = asyncio.create_task(self._end_process())

    async def _end_process(self) -> None:
        # A request that has just come starts another process, once this one has ended.
        await self._turns.begin("")
        try:
            await self._slot.close()
        finally:
            self._turns.end("")
