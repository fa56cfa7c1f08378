"""The server's side of searchable PDFs: one at a time, each in a process of its own that ends with it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from docserver import exclusive
from docserver.errors import Failure
from docserver.model import Page
from docserver.ocr.engine import PROGRAM, Engine
from docserver.ocr.server.slot import Slot
from docserver.settings import Settings

RETRY_AFTER_S = 10
"""For clients that found too many others before them."""


class PdfMaker:
    """Makes searchable PDFs of the documents of this server."""

    def __init__(self, settings: Settings, engine: Engine, *, scratch: Path) -> None:
        """`scratch` is a directory of this process alone."""
        self._settings = settings
        # Nothing is recognised, so nothing need be loaded for it.
        self._engine = replace(engine, binding=PROGRAM)
        self._scratch = scratch
        # They are rarely asked for, and work on one takes the cores from pages that are to be read.
        self._turn = asyncio.Lock()

    async def make(self, source: Path, content_type: str, pages: Sequence[Page]) -> BinaryIO | Failure:
        """The PDF as an open file without a name, which is the caller's to close; raises Unavailable."""
        async with exclusive.acquired(
            self._turn,
            within_s=self._settings.pdf_timeout_s,
            refusal="Too many searchable PDFs are being made.",
            retry_after_s=RETRY_AFTER_S,
        ):
            # Nothing that one document has done to its process can reach the next.
            slot = Slot(
                number=self._settings.slot_count, settings=self._settings, engine=self._engine, scratch=self._scratch
            )
            try:
                return await slot.make_searchable(source, content_type, pages)
            finally:
                await slot.close()
