"""Files that vanish, and directories in their place, without a service."""

from pathlib import Path
from uuid import uuid4

import pytest

from docserver.storage import identity, local
from docserver.storage.identity import IdentityError, IdentityFiles
from docserver.storage.quarantine import StoredFile


async def test_an_upload_that_cannot_be_removed_is_left_to_maintenance(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await local._remove(tmp_path)

    assert tmp_path.is_dir()
    assert caplog.messages == ["upload not removed"]


def test_what_vanishes_while_it_is_looked_at_is_no_file(tmp_path: Path) -> None:
    assert StoredFile.of(tmp_path / "gone", now=0) is None
    assert StoredFile.of(tmp_path, now=0) is None
    assert not local._is_older(tmp_path / "gone", 1e12)
    assert local._is_older(tmp_path, 1e12)


def test_an_identity_that_vanishes_at_once_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_link", lambda *_: None)

    with pytest.raises(IdentityError, match="directory vanishes as soon as it is written"):
        IdentityFiles(tmp_path).claim_directory()
    with pytest.raises(IdentityError, match="database vanishes"):
        IdentityFiles(tmp_path).claim_database(uuid4())
