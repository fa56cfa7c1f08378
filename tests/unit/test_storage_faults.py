"""Files that vanish, change or cannot be written, and directories in their place, without a service."""

import errno
import resource
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import AsyncMock, Mock
from uuid import UUID, uuid4

import pytest

from docserver.errors import NotFound, StorageUnavailable
from docserver.room import Room
from docserver.settings import Settings
from docserver.storage import comparing, identity, local
from docserver.storage.comparing import Comparison
from docserver.storage.deleted import DeletedFiles
from docserver.storage.identity import IdentityError, IdentityFiles
from docserver.storage.local import LocalStorage
from docserver.storage.objects import ObjectStorage
from docserver.storage.quarantine import StoredFile
from docserver.web import original


async def test_an_upload_that_cannot_be_removed_is_left_to_maintenance(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await local._remove(tmp_path)

    assert tmp_path.is_dir()
    assert caplog.messages == ["upload not removed"]


async def _content() -> AsyncIterator[bytes]:
    yield b"content"


async def test_a_directory_of_uploads_that_is_removed_is_made_again(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    storage = LocalStorage(tmp_path, Room((incoming,), min_free_mb=0, share=1, stops="uploads"))
    await storage.prepare()

    incoming.rmdir()
    await storage.check()
    incoming.rmdir()
    received = await storage.receive(_content(), max_bytes=10)

    assert received.path.read_bytes() == b"content"


async def test_a_data_directory_that_is_removed_is_made_again_if_originals_are_in_a_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "data"
    settings = replace(Settings(), data_dir=data_dir, storage_url="s3://bucket?endpoint=http://127.0.0.1:1")
    storage = ObjectStorage(settings, Room((data_dir / "incoming",), min_free_mb=0, share=1, stops="uploads"))
    monkeypatch.setattr(storage._bucket, "put", Mock())
    monkeypatch.setattr(storage._bucket, "require_same_bytes", Mock())
    await storage.prepare()

    shutil.rmtree(data_dir)
    await storage.check()
    received = await storage.receive(_content(), max_bytes=10)

    assert received.size == len(b"content")


def test_what_vanishes_while_it_is_looked_at_is_no_file(tmp_path: Path) -> None:
    assert StoredFile.of(tmp_path / "gone", now=0) is None
    assert StoredFile.of(tmp_path, now=0) is None
    assert not local._is_older(tmp_path / "gone", 1e12)
    assert local._is_older(tmp_path, 1e12)


def test_an_identity_that_vanishes_at_once_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "link_new", lambda *_: None)

    with pytest.raises(IdentityError, match="directory vanishes as soon as it is written"):
        IdentityFiles(tmp_path).claim_directory()
    with pytest.raises(IdentityError, match="database vanishes"):
        IdentityFiles(tmp_path).claim_database(uuid4())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ESTALE])
async def test_an_original_that_cannot_be_compared_now_is_not_called_damaged(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path)
    await storage.prepare()
    monkeypatch.setattr(storage, "_path", AsyncMock(side_effect=OSError(number, "not now")))

    with pytest.raises(StorageUnavailable):
        await storage._intact(uuid4(), size=1, sha256=b"")


async def test_of_too_many_compared_files_the_oldest_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "TRUSTED_FILES", 2)
    comparison, examined = Comparison(), AsyncMock(return_value=Mock(sha256=b"digest"))
    monkeypatch.setattr(comparing, "examine", examined)
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.touch()

    for file in (*files, files[2], files[0]):
        assert await comparison.equal(file, size=0, sha256=b"digest")

    assert [call.args[0].name for call in examined.await_args_list] == ["a", "b", "c", "a"]


@pytest.mark.parametrize("stored", ["shorter", "nothing", "gone while it is opened"])
async def test_a_large_original_that_is_not_what_was_uploaded_is_not_found(
    stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(original, "COMPARED_BYTES", -1)
    if stored == "shorter":
        (tmp_path / "file").write_bytes(b"ab")
    path = AsyncMock(return_value=tmp_path / "file")
    if stored == "nothing":
        path.side_effect = FileNotFoundError
    storage, document = LocalStorage(tmp_path), Mock(size=3)
    monkeypatch.setattr(storage, "_path", path)

    with pytest.raises(NotFound):
        await original.opened(storage, document)


async def recorded(deleted: DeletedFiles) -> list[UUID]:
    return [document_id async for part in deleted.ids() for document_id in part]


async def test_a_deletion_of_which_a_full_disk_takes_a_part_is_not_recorded_and_spoils_no_other(
    tmp_path: Path,
) -> None:
    deleted, (first, cut_off, last) = DeletedFiles(tmp_path), (uuid4() for _ in range(3))
    await deleted.remember(first)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, limits[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            await deleted.remember(cut_off)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await deleted.remember(last)

    assert await recorded(deleted) == [first, last]


async def test_old_records_of_deletions_are_removed_and_files_of_others_stay(tmp_path: Path) -> None:
    deleted = DeletedFiles(tmp_path)
    for name in ("2020-01-01.old", f"{datetime.now(UTC).date()}.new", "notes"):
        (tmp_path / name).touch()

    await deleted.forget_old()

    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{datetime.now(UTC).date()}.new", "notes"]
