"""Results that are too large to be held: made a page at a time, one of them at once, kept in a file, or refused."""

import asyncio
import errno
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from docserver.documents import results as results_module
from docserver.errors import Unavailable, Unprocessable
from docserver.formats import TEXT_FORMATS, TextFormat, result_writer
from docserver.formats.result_writer import ResultWriter
from docserver.model import Job, Page
from docserver.resources import Resources
from tests.support.client import Client
from tests.support.pages import JOB, paragraph, read
from tests.support.results import make_completed, result, text_of

PAGES = [read([paragraph("words")], number=number) for number in range(1, 5)]


async def test_a_large_result_is_sent_from_a_file_as_a_small_one_is_from_memory(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await make_completed(resources, *("many words " * 20 for _ in range(3)))
    urls = [f"/v1/jobs/{job_id}/result?format={name}" for name in TEXT_FORMATS]
    small = []
    for url in urls:
        async with client.get(url) as response:
            small.append((await response.read(), response.headers["ETag"]))
    await resources.redis.command("FLUSHALL")
    monkeypatch.setattr(resources.result_writer, "_max_bytes", 100)

    for url, (body, etag) in zip(urls, small, strict=True):
        async with client.get(url) as response:
            assert response.status == 200
            assert int(response.headers["Content-Length"]) == len(body)
            assert await response.read() == body
            assert response.headers["ETag"] == etag
        async with client.get(url, headers={"If-None-Match": etag}) as response:
            assert response.status == 304


async def test_who_asks_for_too_much_at_once_is_told_to_ask_for_less(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await make_completed(resources, *("x" * 1000 for _ in range(4)))
    monkeypatch.setattr(results_module, "MAX_STORED_BYTES", 3500)

    with pytest.raises(Unprocessable) as refusal:
        await result(resources, job_id, form=TEXT_FORMATS["txt"], selection=None)

    assert refusal.value.errors == [{"detail": "One request can return the pages before 4.", "parameter": "pages"}]
    assert await text_of(resources, job_id, range(1, 4)) == "\f".join(["x" * 1000] * 3)
    assert await text_of(resources, job_id, range(4, 5)) == "x" * 1000


class Slow:
    """A format that waits in the middle until it may go on."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.pieces = 0
        self.format = TextFormat("slow", "text/plain", self.write)

    def write(self, _: Job, pages: Sequence[Page]) -> Iterator[bytes]:
        for _page in pages:
            self.pieces += 1
            yield b"piece"
            self.begun.set()
            assert self.go.wait(20)


async def test_of_large_results_one_is_made_at_a_time_and_small_ones_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_writer, "LARGE_PAGES", 3)
    monkeypatch.setattr(result_writer, "TURN_S", 0.2)
    writer, slow, text = ResultWriter(scratch=tmp_path, max_bytes=1000), Slow(), TEXT_FORMATS["txt"]
    first = asyncio.create_task(writer.write(slow.format, JOB, PAGES))
    await asyncio.to_thread(slow.begun.wait, 20)

    with pytest.raises(Unavailable) as refusal:
        await writer.write(text, JOB, PAGES)
    small = await writer.write(text, JOB, PAGES[:3])
    slow.go.set()

    assert "Retry-After" in refusal.value.headers
    assert isinstance(small.body, bytes)
    assert (await first).body == b"piece" * 4
    assert isinstance((await writer.write(text, JOB, PAGES)).body, bytes)


async def test_a_result_that_nobody_waits_for_any_more_is_made_no_further(tmp_path: Path) -> None:
    writer, slow = ResultWriter(scratch=tmp_path, max_bytes=1), Slow()
    unwanted = asyncio.create_task(writer.write(slow.format, JOB, PAGES))
    await asyncio.to_thread(slow.begun.wait, 20)

    unwanted.cancel()
    await asyncio.sleep(0.05)
    slow.go.set()

    with pytest.raises(asyncio.CancelledError):
        await unwanted
    assert slow.pieces == 2
    assert list(tmp_path.iterdir()) == []


async def test_a_result_for_which_there_is_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> IO[bytes]:
        raise OSError(errno.ENOSPC, "forced")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    with pytest.raises(Unavailable, match="not enough disk space"):
        await ResultWriter(scratch=tmp_path, max_bytes=1).write(TEXT_FORMATS["json"], JOB, PAGES)
