"""The pages of one claim: what is saved together and what at once, and what happens when the reading ends early."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock
from uuid import uuid4

import pytest

from docserver.database.tables import claims
from docserver.database.tables.claims import ClaimedPage
from docserver.errors import DocumentErrorCode, Failure
from docserver.jobs import reading
from docserver.jobs.leases import Claim, ClaimLost
from docserver.jobs.paces import Paces
from docserver.jobs.reading import ChunkReader
from docserver.jobs.saving import PageResult
from docserver.ocr.limits import PAGES_AT_ONCE
from tests.support.pages import JOB
from tests.support.rows import READING
from tests.support.waiting import FOREVER_S, until

Read = Callable[[int], Awaitable[Any]]


@asynccontextmanager
async def session() -> AsyncIterator[None]:
    yield None


class Chunk:
    """A claim of some pages, whose reading the test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int, *, chunk_pages: int = 1) -> None:
        self.saved: list[list[int]] = []
        self.save_fault: Exception | None = None
        self.paces = Paces()
        self.stopping = asyncio.Event()
        self.release = AsyncMock()
        self.release_pages = AsyncMock()
        self.slot: Any = Mock()
        self._chunk_pages = chunk_pages
        self._pages = [ClaimedPage(number, 0, 0) for number in range(1, count + 1)]
        monkeypatch.setattr(claims, "release_pages", self.release_pages)

    async def read(self, read_page: Read, *, own_texts: Any = None) -> None:
        async def guard(_: object, work: Awaitable[Any]) -> Any:
            return await work

        async def save(_: object, results: dict[int, PageResult]) -> None:
            if self.save_fault:
                raise self.save_fault
            self.saved.append(list(results))

        self.slot.read = lambda *_, page, **__: read_page(page)
        self.slot.own_texts = own_texts
        resources: Any = SimpleNamespace(
            db=SimpleNamespace(session=session),
            settings=SimpleNamespace(chunk_pages=self._chunk_pages, page_tries=1),
            engine=SimpleNamespace(name="tesseract"),
            queue=AsyncMock(),
        )
        held: Any = Mock(paces=self.paces, guard=guard, release=self.release)
        saver: Any = SimpleNamespace(pages=save, make=AsyncMock())
        work: Any = SimpleNamespace(content_type="application/pdf")
        claim = Claim(uuid4(), JOB, work, self._pages, has_own_text=own_texts is not None)
        await ChunkReader(resources, held, saver, stopping=self.stopping, claim=claim, slot=self.slot).read(Path())

    def expect_quick_pages(self) -> None:
        for _ in range(10):
            self.paces.note(JOB, 0.0)


async def quick(_: int) -> Any:
    return READING


@pytest.fixture
def saves_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all pages of a chunk were read in no time."""
    monkeypatch.setattr(reading, "SAVE_S", FOREVER_S)
    monkeypatch.setattr(reading, "TURN_S", FOREVER_S)


@pytest.fixture
def saves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each page took long."""
    monkeypatch.setattr(reading, "SAVE_S", 0.0)


@pytest.mark.usefixtures("saves_late")
async def test_quick_pages_of_a_claim_are_saved_together(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = Chunk(monkeypatch, 5, chunk_pages=5)

    await chunk.read(quick)

    assert chunk.saved == [[1, 2, 3, 4, 5]]


@pytest.mark.usefixtures("saves_at_once")
async def test_a_page_that_took_long_is_saved_before_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk, saved_before = Chunk(monkeypatch, 3, chunk_pages=3), []

    async def slow(_: int) -> Any:
        saved_before.append(len(chunk.saved))
        return READING

    await chunk.read(slow)

    assert chunk.saved == [[1], [2], [3]]
    assert saved_before == [0, 1, 2]


async def test_quick_pages_are_saved_while_a_slow_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk, end = Chunk(monkeypatch, 3, chunk_pages=3), asyncio.Event()

    async def third_is_slow(number: int) -> Any:
        if number == 3:
            await end.wait()
        return READING

    task = asyncio.create_task(chunk.read(third_is_slow))
    await until(lambda: sorted(number for numbers in chunk.saved for number in numbers) == [1, 2])
    assert not task.done()
    end.set()
    await task

    assert chunk.saved[-1] == [3]


@pytest.mark.parametrize("fault", [OSError("forced"), ClaimLost()])
@pytest.mark.usefixtures("saves_late")
async def test_what_was_read_before_a_fault_is_saved(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    chunk = Chunk(monkeypatch, 3, chunk_pages=3)

    async def third_meets_a_fault(number: int) -> Any:
        if number == 3:
            raise fault
        return READING

    with pytest.raises(type(fault)):
        await chunk.read(third_meets_a_fault)

    assert chunk.saved == [[1, 2]]


@pytest.mark.usefixtures("saves_at_once")
async def test_of_a_chunk_that_others_have_taken_over_no_further_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk, read = Chunk(monkeypatch, 2, chunk_pages=2), []
    chunk.save_fault = ClaimLost()

    async def noted(number: int) -> Any:
        read.append(number)
        return READING

    with pytest.raises(ClaimLost):
        await chunk.read(noted)

    assert read == [1]


async def test_a_slow_page_is_interrupted_if_its_claim_is_lost_while_earlier_ones_are_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunk, interrupted = Chunk(monkeypatch, 2, chunk_pages=2), asyncio.Event()
    chunk.save_fault = ClaimLost()

    async def second_never_ends(number: int) -> Any:
        try:
            await asyncio.sleep(0 if number == 1 else FOREVER_S)
        except asyncio.CancelledError:
            interrupted.set()
            raise
        return READING

    with pytest.raises(ClaimLost):
        await chunk.read(second_never_ends)

    assert interrupted.is_set()


@pytest.mark.usefixtures("saves_late")
async def test_a_worker_that_stops_saves_what_it_has_read_and_releases_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunk = Chunk(monkeypatch, 5, chunk_pages=5)

    async def second_is_the_last(number: int) -> Any:
        if number == 2:
            chunk.stopping.set()
        return READING

    await chunk.read(second_is_the_last)

    assert chunk.saved == [[1, 2]]
    chunk.release.assert_awaited_once()


@pytest.mark.parametrize(("chunk_pages", "read"), [(1, 1), (3, 3), (5, 5)])
async def test_pages_beyond_the_chunk_of_the_settings_are_released_when_the_turn_is_over(
    monkeypatch: pytest.MonkeyPatch, chunk_pages: int, read: int
) -> None:
    monkeypatch.setattr(reading, "TURN_S", -1.0)
    chunk = Chunk(monkeypatch, 5, chunk_pages=chunk_pages)
    chunk.expect_quick_pages()

    await chunk.read(quick)

    assert list(chain.from_iterable(chunk.saved)) == list(range(1, read + 1))
    assert chunk.release.await_count == (read < 5)


@pytest.mark.usefixtures("saves_late")
async def test_a_failed_page_is_saved_with_those_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = Chunk(monkeypatch, 3, chunk_pages=3)

    async def second_fails(number: int) -> Any:
        return Failure(DocumentErrorCode.CORRUPT, "Corrupt.") if number == 2 else READING

    await chunk.read(second_fails)

    assert chunk.saved == [[1, 2, 3]]


@pytest.mark.usefixtures("saves_late")
async def test_pages_behind_one_that_has_no_text_of_its_own_are_left_to_other_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = PAGES_AT_ONCE + 2
    chunk, asked = Chunk(monkeypatch, 3 * PAGES_AT_ONCE), []

    async def up_to_last(*_: object, pages: list[int], **__: object) -> Any:
        asked.append(len(pages))
        return [READING for number in pages if number <= last]

    await chunk.read(quick, own_texts=up_to_last)

    assert asked == [PAGES_AT_ONCE] * 2
    assert chunk.saved == [list(range(1, last + 2))]
    assert chunk.release_pages.await_args
    assert chunk.release_pages.await_args.kwargs["first"] == last + 2
