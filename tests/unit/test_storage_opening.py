"""Which storage the settings name."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from docserver.settings import Settings, SettingsError, load
from docserver.storage.identity import IdentityFiles
from docserver.storage.opening import open_identities, open_storage


async def content() -> AsyncIterator[bytes]:
    yield b"content"


async def test_a_file_url_names_the_directory_of_the_originals(tmp_path: Path) -> None:
    directory = tmp_path / "other disk"
    settings = load({"DOCSERVER_STORAGE_URL": directory.as_uri(), "DOCSERVER_DATA_DIR": str(tmp_path)}, dotenv=None)
    storage = open_storage(settings)
    await storage.prepare()

    await storage.keep(await storage.receive(content(), max_bytes=100), uuid4())
    identity = open_identities(settings).claim_directory()

    assert [path.read_bytes() for path in directory.glob("originals/*/*")] == [b"content"]
    assert {path.name for path in tmp_path.iterdir()} == {"other disk"}
    assert IdentityFiles(directory).directory() == identity


@pytest.mark.parametrize("url", ["file://", "file://relative/path", "file:/x"])
def test_a_file_url_without_an_absolute_path_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="file:///"):
        load({"DOCSERVER_STORAGE_URL": url}, dotenv=None)


@pytest.mark.parametrize("url", ["", "gs://bucket", "s3://bucket?skip_signature=true"])
def test_redirects_are_refused_where_no_links_can_be_made(tmp_path: Path, url: str) -> None:
    settings = replace(Settings(), data_dir=tmp_path, storage_url=url, storage_redirects=True)

    with pytest.raises(SettingsError, match="DOCSERVER_STORAGE_REDIRECTS needs an S3 bucket"):
        open_storage(settings)
