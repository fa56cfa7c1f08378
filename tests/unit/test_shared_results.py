"""Results that requests share: who closes their files, and what is remembered of them."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from docserver.errors import Unavailable
from docserver.formats import shared_results
from docserver.formats.result_file import ResultFile, SharedFile
from docserver.formats.shared_results import SharedResults


def in_file(tmp_path: Path) -> tuple[ResultFile, SharedFile]:
    file = tempfile.TemporaryFile(dir=tmp_path)  # noqa: SIM115 - the result closes it
    file.write(b"result")
    file.flush()
    shared = SharedFile(file)
    return ResultFile('"tag"', shared), shared


def test_a_client_that_has_the_result_keeps_no_file_open(tmp_path: Path) -> None:
    result, file = in_file(tmp_path)

    without = result.without_body()

    assert without == ResultFile('"tag"', None)
    assert file.closed
    without.close()


def test_of_too_many_tags_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_results, "MAX_ETAGS", 2)
    results = SharedResults()

    for key in "abc":
        results.remember_etag(key, key.upper())

    assert [results.etag(key) for key in "abc"] == [None, "B", "C"]


async def test_a_result_that_is_being_made_is_not_dropped_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, file = in_file(tmp_path)
    results, going_on, end = SharedResults(), asyncio.Event(), asyncio.Event()

    async def make() -> ResultFile:
        return result

    async def make_slowly() -> ResultFile:
        going_on.set()
        await end.wait()
        return ResultFile('"small"', b"small")

    async def make_another() -> ResultFile:
        raise AssertionError

    slow = asyncio.create_task(results.get("slow", make_slowly, client="a"))
    await going_on.wait()
    reader = await results.get("file", make, client="a")
    monkeypatch.setattr(shared_results, "MAX_FILE_BYTES_IN_SUM", file.size)

    with pytest.raises(Unavailable):
        await results.get("another", make_another, client="b")

    end.set()
    assert (await slow).body == b"small"
    reader.close()
    await results.close()
    assert file.closed


async def test_a_result_that_was_made_after_its_last_reader_left_is_closed(tmp_path: Path) -> None:
    result, file = in_file(tmp_path)
    results, going_on, end = SharedResults(), asyncio.Event(), asyncio.Event()

    async def make_to_the_end() -> ResultFile:
        going_on.set()
        try:
            await asyncio.Event().wait()
        finally:
            end.set()
            return result  # noqa: B012 - as if the cancellation came too late

    reader = asyncio.create_task(results.get("file", make_to_the_end, client="a"))
    await going_on.wait()
    reader.cancel()
    await asyncio.wait({reader})
    await end.wait()
    await results.close()

    assert file.closed
