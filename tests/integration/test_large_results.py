"""Results that are too large to be held: written by a process of their own, shared by their readers, or refused."""

import asyncio
import errno
import os
import pickle
import signal
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import pytest

from docserver.documents import stored_pages
from docserver.errors import Unavailable, Unprocessable
from docserver.formats import TEXT_FORMATS, TextFormat, render_process, result_writer, shared_results
from docserver.formats.result_file import ResultFile, SharedFile
from docserver.formats.result_writer import ResultWriter
from docserver.model import Page
from docserver.resources import Resources
from docserver.room import RESULTS, Room
from docserver.web.handlers import results as handlers
from tests.support import slow_format
from tests.support.client import Client, upload
from tests.support.pages import JOB, paragraph, read
from tests.support.processes import alive, until_gone
from tests.support.results import make_completed, result, text_of
from tests.support.waiting import until

PAGES = [read([paragraph("words")], number=number) for number in range(1, 5)]
TXT = TEXT_FORMATS["txt"]

OF_ONE_CLIENT = result_writer.LARGE_AT_ONCE - 1


def room(directory: Path, *, share: float = RESULTS) -> Room:
    return Room((directory,), min_free_mb=100, share=share, stops="large results")


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncGenerator[ResultWriter, None]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    writer = ResultWriter(scratch=scratch, room=room(scratch), max_bytes=5)
    yield writer
    await writer.aclose()
    assert list(scratch.iterdir()) == []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for `slow_format.waiting`."""
    place = tmp_path / "place"
    place.mkdir()
    return place


async def loaded(pages: Sequence[Page] = PAGES) -> AsyncGenerator[Sequence[Page], None]:
    for page in pages:
        yield [page]


async def write(writer: ResultWriter, text_format: TextFormat, client: str = "reader") -> ResultFile:
    return await writer.write_large(text_format, JOB, loaded(), stored_bytes=1, client=client)


def whole(made: ResultFile) -> bytes:
    assert isinstance(made.body, SharedFile)
    return made.body.read(1000, 0)


def open_files(directory: Path) -> int:
    """How many files without a name this process has open in the directory."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return len([link for link in links if link.startswith(str(directory)) and link.endswith("(deleted)")])


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
    monkeypatch.setattr(result_writer, "SMALL_WORK", -1)
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
    monkeypatch.setattr(stored_pages, "MAX_STORED_BYTES", 3500)

    with pytest.raises(Unprocessable) as refusal:
        await result(resources, job_id, form=TEXT_FORMATS["txt"], selection=None)

    assert refusal.value.errors == [{"detail": "One request can return the pages before 4.", "parameter": "pages"}]
    assert await text_of(resources, job_id, range(1, 4)) == "\f".join(["x" * 1000] * 3)
    assert await text_of(resources, job_id, range(4, 5)) == "x" * 1000


async def test_while_large_results_are_written_small_ones_and_uploads_go_on(
    client: Client, resources: Resources, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = slow_format.waiting(place)
    monkeypatch.setattr(handlers, "FORMATS", {**TEXT_FORMATS, "alto": waiting})
    jobs = [await make_completed(resources, "some words") for _ in range(12)]
    reads = [asyncio.create_task(status_of(client, job_id, "alto")) for job_id in jobs]
    await until(lambda: len(list(place.iterdir())) == OF_ONE_CLIENT)

    job = await upload(client)
    small = await text_of(resources, jobs[-1])

    assert job["status"] == "pending"
    assert small == "some words"
    assert not any(read.done() for read in reads)
    assert len(list(place.iterdir())) == OF_ONE_CLIENT
    (place / "go").touch()
    assert await asyncio.gather(*reads) == [200] * 12


async def test_the_large_results_of_one_client_do_not_keep_another_one_waiting(
    writer: ResultWriter, place: Path
) -> None:
    reads = [asyncio.create_task(write(writer, slow_format.waiting(place), "greedy")) for _ in range(12)]
    await until(lambda: len(list(place.iterdir())) == OF_ONE_CLIENT)

    (await write(writer, TXT, "other")).close()

    (place / "go").touch()
    for made in await asyncio.gather(*reads):
        made.close()


async def status_of(client: Client, job_id: UUID, name: str) -> int:
    async with client.get(f"/v1/jobs/{job_id}/result?format={name}") as response:
        await response.read()
        return response.status


async def test_readers_of_the_same_result_share_one_process_and_one_file(
    resources: Resources, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources.result_writer, "_max_bytes", 1)
    waiting = slow_format.waiting(place)
    job_id = await make_completed(resources, "one", "two")
    reads = [asyncio.create_task(result(resources, job_id, form=waiting, selection=(range(1, 3),))) for _ in range(12)]
    await until(lambda: list(place.iterdir()) != [])
    (place / "go").touch()

    made = await asyncio.gather(*reads)
    made.append(await result(resources, job_id, form=waiting, selection=(range(1, 3),)))

    assert len(list(place.iterdir())) == 2
    assert open_files(resources.settings.data_dir) == 1
    assert [whole(each) for each in made] == [b"piecepiece"] * 13
    for each in made:
        each.close()
    assert open_files(resources.settings.data_dir) == 1
    await resources.result_writer.aclose()
    assert open_files(resources.settings.data_dir) == 0


async def test_a_client_that_has_the_version_needs_no_new_result(
    resources: Resources, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "go").touch()
    waiting = slow_format.waiting(place)
    job_id = await make_completed(resources, "one", "two")
    made = await result(resources, job_id, form=waiting, selection=(range(1, 3),))
    monkeypatch.setattr(result_writer, "render", None)

    assert (await result(resources, job_id, form=waiting, selection=(range(1, 3),), has=made.etag)).body is None


async def test_at_the_limit_of_open_files_unused_ones_are_dropped_and_then_further_results_refused(
    writer: ResultWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_results, "MAX_FILE_BYTES_IN_SUM", 60)

    async def get(key: int, client: str = "reader") -> ResultFile:
        return await writer.shared.get(key, lambda: large(tmp_path), client=client)

    for key in range(5):
        (await get(key)).close()
    assert open_files(tmp_path) == 2
    first, second = await get(10), await get(11)
    with pytest.raises(Unavailable):
        await get(12)

    again = await get(11)
    for made in (first, second, again):
        made.close()
    (await get(12)).close()


async def test_a_client_that_keeps_many_bytes_of_results_open_leaves_room_for_other_clients(
    writer: ResultWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_results, "MAX_FILE_BYTES_OF_ONE", 60)

    async def get(key: int, client: str) -> ResultFile:
        return await writer.shared.get(key, lambda: large(tmp_path), client=client)

    read = [await get(1, "greedy"), await get(2, "greedy")]
    with pytest.raises(Unavailable, match="Too many large results"):
        await get(3, "greedy")
    read.append(await get(3, "other"))

    for made in read:
        made.close()
    (await get(4, "greedy")).close()


async def large(directory: Path) -> ResultFile:
    file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - the result is closed
    file.write(b"x" * 30)
    file.flush()
    return ResultFile('"etag"', SharedFile(file))


async def test_a_result_that_nobody_waits_for_any_more_is_made_no_further(
    writer: ResultWriter, tmp_path: Path, place: Path
) -> None:
    waiting = slow_format.waiting(place)
    reads = [
        asyncio.create_task(writer.shared.get(1, lambda: write(writer, waiting), client="reader")) for _ in range(2)
    ]
    await until(lambda: list(place.iterdir()) != [])
    (process,) = (int(path.name) for path in place.iterdir())

    reads[0].cancel()
    await asyncio.wait({reads[0]})
    assert alive({process}) == {process}
    reads[1].cancel()

    await until_gone({process})
    await until(lambda: open_files(tmp_path) == 0)
    (place / "go").touch()
    made = await writer.shared.get(1, lambda: write(writer, waiting), client="reader")
    assert whole(made) == b"piece" * 4
    made.close()


async def test_the_end_of_the_service_ends_the_process_and_frees_the_files(tmp_path: Path, place: Path) -> None:
    writer = ResultWriter(scratch=tmp_path, room=room(tmp_path), max_bytes=5)
    read = asyncio.create_task(writer.shared.get(1, lambda: write(writer, slow_format.waiting(place)), client="reader"))
    await until(lambda: list(place.iterdir()) != [])
    (process,) = (int(path.name) for path in place.iterdir())

    await writer.aclose()

    with pytest.raises(asyncio.CancelledError):
        await read
    assert alive({process}) == set()
    assert open_files(tmp_path) == 0


async def test_the_process_ends_when_the_server_was_killed(place: Path) -> None:
    with tempfile.TemporaryFile() as file:
        process = await render_process._start(file.fileno())
        assert process.stdin is not None
        for value in ((slow_format.waiting(place), JOB), PAGES, []):
            process.stdin.write(pickle.dumps(value))
        await until(lambda: list(place.iterdir()) != [])

        # The system closes the pipe when the server ends.
        process.stdin.close()

        await until_gone({process.pid})
        await process.wait()


async def test_a_process_that_is_killed_while_pages_are_sent_is_no_fault_of_the_service(place: Path) -> None:
    async def endless() -> AsyncGenerator[Sequence[Any], None]:
        yield [slow_format.Calls(Path.touch, place / "reads")]
        await until((place / "reads").exists)
        # 0 is its process group, in which it is alone.
        yield [slow_format.Calls(os.kill, 0, signal.SIGKILL)]
        while True:
            yield PAGES
            await asyncio.sleep(0)

    with pytest.raises(Unavailable, match="could not be made"):
        await render_process.render(TXT, JOB, endless(), scratch=place)


async def test_after_a_process_was_killed_the_next_result_is_made(writer: ResultWriter) -> None:
    with pytest.raises(Unavailable):
        await writer.shared.get(1, lambda: write(writer, slow_format.killed()), client="reader")

    made = await writer.shared.get(1, lambda: write(writer, TXT), client="reader")
    assert whole(made) == b"words\fwords\fwords\fwords"
    made.close()


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (OSError(errno.ENOSPC, "forced"), "not enough disk space"),
        (ValueError("forced"), "could not be made"),
    ],
)
async def test_a_result_that_cannot_be_made_is_refused(writer: ResultWriter, fault: Exception, refusal: str) -> None:
    with pytest.raises(Unavailable, match=refusal):
        await write(writer, slow_format.raising(fault))


@pytest.mark.parametrize("fault", [OSError(errno.EFBIG, "forced"), MemoryError()])
async def test_a_result_that_becomes_too_large_is_refused(writer: ResultWriter, fault: Exception) -> None:
    with pytest.raises(Unprocessable, match="request fewer pages"):
        await write(writer, slow_format.raising(fault))


async def test_large_results_leave_room_for_what_was_accepted(tmp_path: Path) -> None:
    writer = ResultWriter(scratch=tmp_path, room=room(tmp_path, share=1e9), max_bytes=5)

    with pytest.raises(Unavailable, match="not enough disk space"):
        await write(writer, slow_format.killed())
    assert (await writer.write_small(TXT, JOB, PAGES)).body

    await writer.aclose()


async def test_a_large_result_is_made_where_the_scratch_directory_was_removed(tmp_path: Path, place: Path) -> None:
    scratch = tmp_path / "data" / "scratch"
    writer = ResultWriter(scratch=scratch, room=room(scratch), max_bytes=5)
    (place / "go").touch()

    made = await write(writer, slow_format.waiting(place))

    assert whole(made) == b"piece" * 4
    made.close()
    await writer.aclose()


async def test_a_result_for_which_there_is_no_room_is_refused(
    writer: ResultWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> IO[bytes]:
        raise OSError(errno.ENOSPC, "forced")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    with pytest.raises(Unavailable, match="not enough disk space"):
        await write(writer, slow_format.killed())


async def test_a_result_whose_turn_does_not_come_or_that_takes_too_long_is_refused(
    writer: ResultWriter, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = slow_format.waiting(place)
    monkeypatch.setattr(result_writer, "WRITING_S", 0.1)
    with pytest.raises(Unavailable, match="takes too long"):
        await write(writer, waiting)
    monkeypatch.setattr(result_writer, "TURN_S", 0.1)
    async with AsyncExitStack() as stack:
        for _ in range(OF_ONE_CLIENT):
            await stack.enter_async_context(writer._large_turns.turn("reader", within_s=1, refusal=""))

        with pytest.raises(Unavailable, match="Too many results"):
            await write(writer, waiting)
