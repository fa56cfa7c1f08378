"""Server side: searchable PDFs, made one at a time, each in an OCR process of its own."""

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
"""Sent to clients that have waited in vain for their turn; most PDFs take a few seconds."""


class PdfMaker:
    """Makes searchable PDFs of the documents of this server."""

    def __init__(self, settings: Settings, engine: Engine, *, scratch: Path) -> None:
        """`scratch` is a directory of this process alone."""
        self._settings = settings
        # The program's binding loads nothing, and nothing is recognised here.
        self._engine = replace(engine, binding=PROGRAM)
        self._scratch = scratch
        # One at a time, because they are rare and take CPU time from the pages that slots read.
        self._turn = asyncio.Lock()

    async def make(self, source: Path, content_type: str, pages: Sequence[Page]) -> BinaryIO | Failure:
        """The PDF as an open file without a name, which the caller closes. Raises Unavailable if others come first."""
        async with exclusive.acquired(
            self._turn,
            within_s=self._settings.pdf_timeout_s,
            refusal="Too many searchable PDFs are being made.",
            retry_after_s=RETRY_AFTER_S,
        ):
            # A slot for this document alone: what the document does to its process cannot reach the next one.
            slot = Slot(
                number=self._settings.slot_count, settings=self._settings, engine=self._engine, scratch=self._scratch
            )
            try:
                return await slot.make_searchable(source, content_type, pages)
            finally:
                await slot.close()
