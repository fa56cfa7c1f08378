"""Originals in a directory: received, kept, found, deleted; and what a full disk or a broken upload leaves."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from docserver.errors import StorageFull, StorageUnavailable, TooLarge
from docserver.room import Room
from docserver.sniff import HEAD_BYTES
from docserver.storage.local import LocalStorage
from docserver.storage.receiving import WRITE_BYTES
from tests.support.originals import original
from tests.support.small_disk import no_file_longer_than

LIMIT = 10_000_000


def local_storage(data_dir: Path, *, min_free_mb: float = 0) -> LocalStorage:
    return LocalStorage(data_dir, Room([data_dir], min_free_mb=min_free_mb, share=1, stops="uploads"))


async def chunks(*given: bytes) -> AsyncIterator[bytes]:
    for chunk in given:
        yield chunk


@pytest.fixture
async def storage(tmp_path: Path) -> LocalStorage:
    made = local_storage(tmp_path)
    await made.prepare()
    return made


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def kept(storage: LocalStorage, data: bytes = b"content") -> UUID:
    document_id = uuid4()
    await storage.keep(await storage.receive(chunks(data), max_bytes=LIMIT), document_id)
    return document_id


async def older_than(storage: LocalStorage, age_s: float) -> set[UUID]:
    return {document_id async for part in storage.older_than(age_s) for document_id in part}


def make_old(path: Path, *, age_s: float) -> None:
    then = time.time() - age_s
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"",),
        (b"one",),
        (b"a", b"bc", b"def"),
        (b"x" * WRITE_BYTES,),
        (b"x" * (WRITE_BYTES - 1), b"y", b"z"),
        tuple(bytes([number]) * 300_000 for number in range(9)),
    ],
)
async def test_an_upload_arrives_whole_with_its_size_digest_and_head(
    storage: LocalStorage, parts: tuple[bytes, ...]
) -> None:
    whole = b"".join(parts)

    received = await storage.receive(chunks(*parts), max_bytes=LIMIT)

    assert received.path.read_bytes() == whole
    assert received.size == len(whole)
    assert received.sha256 == sha256(whole).digest()
    assert received.head == whole[:HEAD_BYTES]


async def test_the_head_is_complete_however_small_the_pieces_are(storage: LocalStorage) -> None:
    whole = os.urandom(HEAD_BYTES + 100)

    received = await storage.receive(chunks(*(bytes([byte]) for byte in whole)), max_bytes=LIMIT)

    assert received.head == whole[:HEAD_BYTES]


async def test_an_upload_of_just_the_limit_is_taken_and_one_byte_more_is_refused_and_leaves_nothing(
    storage: LocalStorage, tmp_path: Path
) -> None:
    taken = await storage.receive(chunks(b"12", b"345"), max_bytes=5)
    await storage.discard(taken)

    with pytest.raises(TooLarge):
        await storage.receive(chunks(b"12", b"345", b"6"), max_bytes=5)

    assert taken.size == 5
    assert files(tmp_path) == []


async def test_an_upload_over_the_limit_is_not_read_further(storage: LocalStorage) -> None:
    given = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            given.append(1)
            yield b"x" * 1000

    with pytest.raises(TooLarge):
        await storage.receive(endless(), max_bytes=5000)

    assert len(given) == 6


async def test_an_upload_that_breaks_off_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 2 * WRITE_BYTES
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await storage.receive(breaking(), max_bytes=LIMIT)

    assert files(tmp_path) == []


async def test_an_upload_that_is_cancelled_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"x" * 2 * WRITE_BYTES
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(storage.receive(stalling(), max_bytes=LIMIT))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert files(tmp_path) == []


@pytest.mark.parametrize("size", [WRITE_BYTES // 2, 3 * WRITE_BYTES])
async def test_without_room_an_upload_is_refused_and_leaves_nothing(
    storage: LocalStorage, tmp_path: Path, size: int
) -> None:
    with no_file_longer_than(WRITE_BYTES // 4), pytest.raises(StorageFull):
        await storage.receive(chunks(b"x" * size), max_bytes=LIMIT)

    assert files(tmp_path) == []


@pytest.mark.parametrize("room", [WRITE_BYTES // 4, WRITE_BYTES + 1, 2 * WRITE_BYTES - 1])
async def test_an_upload_is_never_taken_in_part(storage: LocalStorage, room: int) -> None:
    with no_file_longer_than(room), pytest.raises(StorageFull):
        await storage.receive(chunks(b"x" * WRITE_BYTES, b"y" * WRITE_BYTES), max_bytes=LIMIT)


async def test_what_is_kept_is_found_by_its_document_and_by_another_process(
    storage: LocalStorage, tmp_path: Path
) -> None:
    document_id = await kept(storage, b"content")

    path = await original(local_storage(tmp_path), document_id)

    assert path.read_bytes() == b"content"
    assert files(tmp_path) == [path]
    assert path.is_relative_to(tmp_path / "originals")


async def test_originals_can_be_read_by_their_owner_alone(storage: LocalStorage) -> None:
    path = await original(storage, await kept(storage))

    assert path.parent.stat().st_mode & 0o077 == 0
    assert path.parent.parent.stat().st_mode & 0o077 == 0


async def test_two_documents_in_one_directory_do_not_disturb_each_other(storage: LocalStorage) -> None:
    first, second = UUID(int=0x1FF), UUID(int=0x2FF)
    for document_id in (first, second):
        received = await storage.receive(chunks(document_id.bytes), max_bytes=LIMIT)
        await storage.keep(received, document_id)

    await storage.delete(first)

    assert (await original(storage, second)).read_bytes() == second.bytes


async def test_what_is_deleted_is_gone_and_deleting_it_again_does_no_harm(storage: LocalStorage) -> None:
    document_id = await kept(storage)

    await storage.delete(document_id)
    await storage.delete(document_id)

    with pytest.raises(FileNotFoundError):
        await original(storage, document_id)


async def test_a_document_that_was_never_kept_is_not_found(storage: LocalStorage) -> None:
    with pytest.raises(FileNotFoundError):
        await original(storage, uuid4())


async def test_threads_get_few_pieces_of_work_for_a_small_upload(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = []
    to_thread = asyncio.to_thread

    async def counted(act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        acts.append(act)
        return await to_thread(act, *arguments, **named)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    document_id, data = uuid4(), b"x" * 50_000

    received = await storage.receive(chunks(data), max_bytes=LIMIT)
    await storage.keep(received, document_id)
    await storage.discard(received)
    async with storage.intact(document_id, size=received.size, sha256=received.sha256) as path:
        assert path

    # Create it; write it with a sync; move it; is it there; has it changed; read it.
    assert len(acts) == 6


async def test_what_is_discarded_is_gone_and_what_was_kept_stays_when_its_upload_is_discarded(
    storage: LocalStorage, tmp_path: Path
) -> None:
    dropped = await storage.receive(chunks(b"x"), max_bytes=LIMIT)
    taken = await storage.receive(chunks(b"y"), max_bytes=LIMIT)
    document_id = uuid4()
    await storage.keep(taken, document_id)

    await storage.discard(dropped)
    await storage.discard(taken)

    assert files(tmp_path) == [await original(storage, document_id)]


async def test_only_originals_of_that_age_are_listed(storage: LocalStorage) -> None:
    old, young = await kept(storage), await kept(storage)
    make_old(await original(storage, old), age_s=100)

    assert await older_than(storage, 60) == {old}
    assert await older_than(storage, -60) == {old, young}
    assert await older_than(storage, 200) == set()


async def test_a_foreign_file_among_the_originals_is_left_alone_and_hides_none(storage: LocalStorage) -> None:
    document_id = await kept(storage)
    foreign = (await original(storage, document_id)).with_name("notes.txt")
    foreign.write_text("x")
    for path in (foreign, await original(storage, document_id)):
        make_old(path, age_s=100)

    assert await older_than(storage, 60) == {document_id}
    assert foreign.exists()


async def test_uploads_that_nobody_touched_for_long_are_dropped_and_others_are_not(
    storage: LocalStorage,
) -> None:
    old, young = [await storage.receive(chunks(b"x"), max_bytes=LIMIT) for _ in range(2)]
    document_id = await kept(storage)
    make_old(old.path, age_s=100)
    make_old(await original(storage, document_id), age_s=100)

    assert await storage.discard_abandoned(60) == 1

    assert (old.path.exists(), young.path.exists()) == (False, True)
    assert await original(storage, document_id)


async def test_what_others_put_among_the_files_hides_none_and_stops_nothing(
    storage: LocalStorage, tmp_path: Path
) -> None:
    document_id = await kept(storage)
    old = await storage.receive(chunks(b"x"), max_bytes=LIMIT)
    for path in (old.path, await original(storage, document_id)):
        make_old(path, age_s=100)
    for directory in (tmp_path / "incoming", tmp_path / "quarantine", (await original(storage, document_id)).parent):
        (directory / "lost+found").mkdir()
        (directory / str(uuid4())).mkdir()
        endless = directory / str(uuid4())
        endless.symlink_to(endless)
        for path in directory.iterdir():
            os.utime(path, (1, 1), follow_symlinks=False)

    assert await older_than(storage, 60) == {document_id}
    assert await storage.discard_abandoned(60) == 2
    assert await storage.quarantine.files() == {}
    assert not old.path.exists()


async def test_the_directory_of_uploads_is_made_again_unless_the_data_directory_is_away(
    storage: LocalStorage, tmp_path: Path
) -> None:
    uses: list[Callable[[], Awaitable[object]]] = [
        lambda: kept(storage),
        storage.check,
        lambda: older_than(storage, 60),
        lambda: storage.discard_abandoned(60),
    ]
    for use in uses:
        (tmp_path / "incoming").rmdir()
        await use()
    (tmp_path / "incoming").rmdir()
    (tmp_path / "originals").rename(tmp_path / "elsewhere")

    with pytest.raises(StorageUnavailable):
        await kept(storage)
    with pytest.raises(FileNotFoundError):
        await storage.check()

    assert not (tmp_path / "incoming").exists()


async def test_a_directory_in_the_place_of_an_original_gives_way_and_is_kept(
    storage: LocalStorage, caplog: pytest.LogCaptureFixture
) -> None:
    replaced, deleted = [await kept(storage) for _ in range(2)]
    places = [await original(storage, each) for each in (replaced, deleted)]
    for place in places:
        place.unlink()
        place.mkdir()
        (place / "notes.txt").write_text("x")

    await storage.keep(await storage.receive(chunks(b"again"), max_bytes=LIMIT), replaced)
    await storage.delete(deleted)

    assert places[0].read_bytes() == b"again"
    assert not places[1].exists()
    assert all(list(place.parent.glob(f"{place.name}.*/notes.txt")) for place in places)
    assert "directory in the place of an original renamed" in caplog.text


async def test_an_upload_that_would_leave_too_little_room_is_refused_while_it_arrives(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(f_frsize=1, f_blocks=10 * WRITE_BYTES, f_bavail=3 * WRITE_BYTES, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    storage = local_storage(tmp_path, min_free_mb=100)
    piece = bytes(WRITE_BYTES)

    await kept(storage, piece)
    with pytest.raises(StorageFull):
        await storage.receive(chunks(piece, piece, piece), max_bytes=LIMIT)

    assert len(files(tmp_path)) == 1


async def test_a_full_disk_gets_room_by_what_is_old(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    old, orphan = await storage.receive(chunks(b"x"), max_bytes=LIMIT), await kept(storage)
    make_old(old.path, age_s=100)
    make_old(await original(storage, orphan), age_s=100)

    def is_full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", is_full)

    assert await older_than(storage, 60) == {orphan}
    assert await storage.discard_abandoned(60) == 1
    assert not old.path.exists()


async def test_a_check_leaves_nothing_and_says_when_there_is_no_room(storage: LocalStorage, tmp_path: Path) -> None:
    await storage.check()

    assert files(tmp_path) == []
    with no_file_longer_than(0), pytest.raises(StorageFull):
        await storage.check()
    assert files(tmp_path) == []


async def test_a_place_that_is_there_already_is_made_ready_without_loss(storage: LocalStorage, tmp_path: Path) -> None:
    document_id = await kept(storage)

    await local_storage(tmp_path).prepare()

    assert (await original(storage, document_id)).read_bytes() == b"content"
