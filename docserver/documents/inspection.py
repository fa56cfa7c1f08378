"""Says what a file is, without keeping it: an OCR process looks at it in a scratch directory, where it is removed."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from docserver.documents.intake import content_type_of
from docserver.errors import Failure
from docserver.model import failure_json
from docserver.ocr.requests import Inspected
from docserver.resources import Resources
from docserver.sniff import SUPPORTED
from docserver.storage import Received
from docserver.storage.receiving import write

UNITS = ("pt", "px")
"""Sizes of pages are in points of a PDF, or in pixels of a picture."""

OPENING_S = 0.1
OCR_S = 0.8
OWN_TEXT_S = 0.03
"""How long a slot takes to open a document, to read a scanned page by OCR, and a page that has text of its own: about
what they take on the machine of docs/speed.md."""


async def receive(resources: Resources, chunks: AsyncIterator[bytes]) -> Received:
    """Receive a file on the local disk, wherever originals are kept; raises TooLarge, StorageFull. The caller must
    `discard` it.
    """
    path = resources.on_demand.scratch / f"{uuid4()}.part"
    try:
        return await write(path, chunks, max_bytes=resources.settings.max_upload_bytes, room=resources.results_room)
    except BaseException:
        await asyncio.shield(asyncio.to_thread(path.unlink, missing_ok=True))
        raise


async def discard(received: Received) -> None:
    """Remove a file that was received."""
    await asyncio.shield(asyncio.to_thread(received.path.unlink, missing_ok=True))


async def inspect(resources: Resources, received: Received, *, password: str | None, client: str) -> dict[str, Any]:
    """What the file is, as clients see it; `password` is that of an encrypted PDF. Raises Unprocessable,
    UnsupportedMedia and Unavailable.
    """
    content_type = content_type_of(received)
    inspected = await resources.on_demand.inspect(received.path, content_type, password=password, client=client)
    if isinstance(inspected, Failure):
        inspected = Inspected(None, (), (inspected,))
    slots = resources.settings.slot_count
    return report(inspected, content_type, size=received.size, sha256=received.sha256.hex(), slots=slots)


def report(inspected: Inspected, content_type: str, *, size: int, sha256: str, slots: int) -> dict[str, Any]:
    """What a file of this size and hash is, as clients see it, and how long so many slots need for it."""
    points, pixels = UNITS
    return {
        "content_type": content_type,
        "kind": SUPPORTED[content_type],
        "size": size,
        "sha256": sha256,
        "pages": inspected.pages,
        "page_sizes": [
            {
                "number": number,
                "width": round(page.width, 2),
                "height": round(page.height, 2),
                "unit": points if content_type == "application/pdf" else pixels,
                "own_text": page.own_text,
            }
            for number, page in enumerate(inspected.sizes, start=1)
        ],
        "problems": [failure_json(problem) for problem in inspected.problems],
        "expected_seconds": _expected_s(inspected, slots=slots),
    }


def _expected_s(inspected: Inspected, *, slots: int) -> float | None:
    """How long these slots take to read the document if nothing else is read; None if its pages are not known."""
    if inspected.pages is None:
        return None
    own_texts = sum(page.own_text for page in inspected.sizes)
    # Of pages that were not examined, nothing better is known than of the others.
    share = own_texts / len(inspected.sizes) if inspected.sizes else 0.0
    page_s = share * OWN_TEXT_S + (1 - share) * OCR_S
    return round(OPENING_S + page_s * math.ceil(inspected.pages / max(1, slots)), 1)
