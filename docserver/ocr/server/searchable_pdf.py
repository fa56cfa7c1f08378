"""Server side: makes searchable PDFs, one at a time, each in its own OCR process."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from docserver.errors import Failure
from docserver.exclusive import Turns
from docserver.model import Page
from docserver.ocr.engine import Engine
from docserver.ocr.limits import PROGRAM
from docserver.ocr.server.cgroup import Cgroups
from docserver.ocr.server.slot import Slot
from docserver.pdf_options import PdfOptions
from docserver.settings import Settings

RETRY_AFTER_S = 10
"""Retry-After for clients whose turn did not come in time. Most PDFs take a few seconds."""

LoadPages = Callable[[], Awaitable[Sequence[Page]]]


class PdfMaker:
    """Makes searchable PDFs of the documents of this server."""

    def __init__(self, settings: Settings, engine: Engine, *, scratch: Path, cgroups: Cgroups | None = None) -> None:
        """`scratch` is a directory that only this process uses."""
        self._settings = settings
        # No text is recognised here, so use the binding that does not load the Tesseract library.
        self._engine = replace(engine, binding=PROGRAM)
        self._scratch = scratch
        self._cgroups = cgroups
        # Make only one PDF at a time: they are rare, and they take CPU time from the slots that read pages.
        self._turns = Turns(1, of_one=1)

    async def make(
        self, source: Path, content_type: str, load: LoadPages, *, options: PdfOptions, client: str
    ) -> BinaryIO | Failure:
        """The PDF as an open file without a name; the caller closes it. Raises Unavailable if the wait is too long.

        `load` is called when the turn has come, so that those who wait need no memory for their pages.
        """
        async with self._turns.turn(
            client,
            within_s=self._settings.pdf_timeout_s,
            refusal="Too many searchable PDFs are being made.",
            retry_after_s=RETRY_AFTER_S,
        ):
            pages = await load()
            # Use a new slot for each document, so that a malicious document cannot affect the next one.
            slot = Slot(
                number=self._settings.slot_count,
                settings=self._settings,
                engine=self._engine,
                scratch=self._scratch,
                cgroups=self._cgroups,
            )
            try:
                return await slot.make_searchable(source, content_type, pages, options)
            finally:
                await slot.close()
