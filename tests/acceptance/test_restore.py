"""A restore drill: the database alone, then the originals alone, from a backup that is older than the other side."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.samples import PAGES, png, words
from tests.support.service import Service, run_command


def replace_by(data_dir: Path, backup: Path, name: str) -> None:
    shutil.rmtree(data_dir / name)
    shutil.copytree(backup / name, data_dir / name)


def make_old(data_dir: Path) -> None:
    for path in (data_dir / "originals").glob("*/*"):
        then = path.stat().st_mtime - 7200
        os.utime(path, (then, then))


async def job_of(service: Service, document_id: str) -> str:
    async with service.http.get(f"/v1/documents/{document_id}") as response:
        body = await response.json()
        assert response.status == 200, body
        return str(body["jobs"][0]["job_id"])


async def test_what_exists_on_either_side_is_there_after_a_restore_of_the_other(tmp_path: Path) -> None:
    data_dir, backup = tmp_path / "data", tmp_path / "backup"
    environment = {"DOCSERVER_DATA_DIR": str(data_dir), "DOCSERVER_SLOTS": "1", "DOCSERVER_RATE_LIMIT": "off"}
    service = Service(environment, arguments=("--embedded",))
    await service.start()
    old = await service.upload(png(PAGES[0]))
    await service.finished(old["job_id"])
    deleted = await service.upload(png(PAGES[2]))
    assert await service.stop() == 0
    shutil.copytree(data_dir, backup)
    await service.start()
    async with service.http.delete(f"/v1/documents/{deleted['document_id']}") as response:
        assert response.status == 204
    new = await service.upload(png(PAGES[1]))
    await service.finished(new["job_id"])
    assert await service.stop() == 0

    replace_by(data_dir, backup, "mysql")
    make_old(data_dir)
    status, listed, said = await run_command(environment, "quarantine", "list")
    assert (status, said) == (0, "")
    assert [line.split()[0] for line in listed.splitlines()] == [new["document_id"]]
    await service.start()
    async with service.http.get(f"/v1/documents/{deleted['document_id']}") as response:
        assert response.status == 410
    line = await service.logged(
        "originals without a document are kept for a while: `docserver quarantine list` shows them, "
        "`docserver quarantine restore --all` makes documents of them"
    )
    assert line["files"] == 1
    status, restored, said = await run_command(environment, "--embedded", "quarantine", "restore", "--all")
    assert (status, said) == (0, "")
    assert restored.splitlines()[0].split(maxsplit=1) == [new["document_id"], "restored"]
    job_id = await job_of(service, new["document_id"])
    assert (await service.finished(job_id))["status"] == "completed"
    assert words(await service.text(job_id)) == words(PAGES[1])
    assert words(await service.text(old["job_id"])) == words(PAGES[0])
    assert await service.stop() == 0

    replace_by(data_dir, backup, "originals")
    await service.start()
    line = await service.logged(
        "documents without their original keep their results: restore the data directory's originals/ from the "
        "latest backup, or upload the same files again"
    )
    assert line["documents"] == 1
    assert words(await service.text(job_id)) == words(PAGES[1])
    assert words(await service.text(old["job_id"])) == words(PAGES[0])
    assert await service.stop() == 0


@pytest.mark.parametrize(
    "arguments", [("quarantine",), ("quarantine", "restore"), ("quarantine", "restore", "one"), ("vanish",)]
)
async def test_a_command_that_is_not_understood_does_nothing_and_says_how_to_ask(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    environment = {"DOCSERVER_DATA_DIR": str(tmp_path / "data"), "DOCSERVER_EMBEDDED": "on"}

    status, _, said = await run_command(environment, *arguments)

    assert status == 2
    assert "usage: docserver" in said
    assert not (tmp_path / "data").exists()
