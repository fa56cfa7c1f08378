"""Pictures of pages: a page as viewers show it, or a part of it, drawn by an OCR process and cached in Redis."""

import asyncio
import math
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from uuid import UUID

from docserver import tracing
from docserver.caller import Caller
from docserver.documents.results import (
    FULL_RETRY_S,
    ClientHas,
    document_of,
    not_renderable,
    readable_page,
)
from docserver.errors import STORAGE_MISSING, Failure, Unavailable, Unprocessable
from docserver.formats.result_file import ResultFile, from_file
from docserver.formats.result_writer import LARGE_RESULT_BYTES
from docserver.layout import Box
from docserver.model import Document, Job, Reading
from docserver.ocr.requests import DrawPage, View
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

IMAGE_FORMATS = ("webp", "png")
"""The formats of pictures, by the names that clients and Pillow use."""

MAX_WIDTH = 3000
DEFAULT_WIDTH = 1000
"""Width of a picture, unless the client asks for another or the page has fewer pixels: enough to read a page."""

MAX_HEIGHT = 16_383
"""Pixels of the longest side that WebP allows."""

MAX_PIXELS = 20_000_000
"""Most pixels of a picture: a page of twice its width, 3000 pixels wide. With its copies it takes some 200 MB."""

EDITION = f"2 {version('pypdfium2')} {version('pillow')}"
"""Part of the ETag. It must change whenever the same page gives another picture: we raise the number when we change how
pages are drawn."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The picture that a client wants."""

    width: int | None
    """None for the usual width."""
    form: str
    """One of IMAGE_FORMATS."""
    crop: Box | None
    """A part of the page, in the pixels of its result; None for all of it."""
    marks_words: bool


async def image(
    resources: Resources, job_id: UUID, number: int, *, caller: Caller, wanted: Wanted, client_has: ClientHas
) -> ResultFile:
    """A picture of a page that was read, for this caller.

    Raises NotFound, ResultNotReady, JobFailed, PageFailed, NotRenderable, Unprocessable and Unavailable.
    """
    job, page = await readable_page(resources, job_id, number, tenant=caller.tenant)
    assert page.reading is not None
    document = await document_of(resources, job)
    request = DrawPage(
        content_type=document.content_type,
        page=number,
        dpi=page.reading.dpi,
        view=view(page.reading, wanted),
        form=wanted.form.upper(),
        marked=page.reading.layout if wanted.marks_words else None,
    )
    etag = _etag(document, request)
    if client_has(etag):
        return ResultFile(etag, None)
    name = f"image {etag}"
    entry = await resources.cache.result(job_id, name, tenant=caller.tenant)
    if entry and entry.result is not None:
        return ResultFile(etag, entry.result)

    async def make() -> ResultFile:
        with tracing.span("draw page", {"docserver.page.number": number}):
            drawn = await _draw(resources, document, request, etag, client=caller.client)
        await _cache(resources, job, name, drawn)
        return drawn

    return await resources.result_writer.shared.get((job_id, name), make, client=caller.client)


def view(reading: Reading, wanted: Wanted) -> View:
    """What is drawn of a page, and how large; raises Unprocessable."""
    page_size = reading.width, reading.height
    part = wanted.crop or (0, 0, *page_size)
    x0, y0, x1, y1 = part
    if not (0 <= x0 < x1 <= page_size[0] and 0 <= y0 < y1 <= page_size[1]):
        raise _unprocessable(
            "crop", f"It must be a part of the page, which has {page_size[0]} x {page_size[1]} pixels."
        )
    ratio = (y1 - y0) / (x1 - x0)
    widest = max(1, min(MAX_WIDTH, int(MAX_HEIGHT / ratio), int(math.sqrt(MAX_PIXELS / ratio))))
    width = wanted.width or min(DEFAULT_WIDTH, x1 - x0, widest)
    if width > widest:
        raise _unprocessable("width", f"What is to be drawn is high, so it may be {widest} pixels wide at most.")
    return View(page_size, part, (width, min(max(1, round(width * ratio)), MAX_HEIGHT)))


async def _draw(resources: Resources, document: Document, request: DrawPage, etag: str, *, client: str) -> ResultFile:
    if await asyncio.to_thread(resources.results_room.is_short):
        raise Unavailable(
            "There is not enough disk space to draw a page now.", headers={"Retry-After": str(FULL_RETRY_S)}
        )
    async with resources.storage.intact(document.id, size=document.size, sha256=document.sha256) as source:
        if source is None:
            raise not_renderable(STORAGE_MISSING)
        file = await resources.on_demand.draw(source, request, client=client)
    if isinstance(file, Failure):
        raise not_renderable(file)
    return await asyncio.to_thread(from_file, etag, file, max_bytes=LARGE_RESULT_BYTES)


async def _cache(resources: Resources, job: Job, name: str, drawn: ResultFile) -> None:
    # A larger one is drawn again: Redis holds everything in memory, and hardly any page is looked at so large twice.
    if isinstance(drawn.body, bytes):
        # Results are kept for cached jobs alone.
        await resources.cache.put_job(CachedJob.of(job), job_id=job.id, tenant=job.tenant)
        await resources.cache.put_result(job.id, name, tenant=job.tenant, version=job.version, body=drawn.body)


def _etag(document: Document, request: DrawPage) -> str:
    """A hash of everything that the picture is made from."""
    marked = sha256(request.marked).hexdigest() if request.marked is not None else None
    parts = (EDITION, document.sha256.hex(), request.page, request.dpi, request.view, request.form, marked)
    return f'"{sha256(repr(parts).encode()).hexdigest()[:32]}"'


def _unprocessable(parameter: str, detail: str) -> Unprocessable:
    return Unprocessable(f"{parameter}: {detail}", errors=[{"detail": detail, "parameter": parameter}])
