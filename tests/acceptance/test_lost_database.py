"""A database that is lost, or not the one of the data directory: the program refuses to start and deletes nothing."""

import os
import shutil
from pathlib import Path

from tests.support.samples import PAGES, png, words
from tests.support.servers import Servers
from tests.support.service import Service, Start, environment_of, run_command


def originals(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "originals").glob("*/*"))


def make_old(data_dir: Path, *, age_s: float = 7200) -> None:
    """Let the originals be older than any upload that is under way."""
    for path in (data_dir / "originals").glob("*/*"):
        then = path.stat().st_mtime - age_s
        os.utime(path, (then, then))


async def test_a_private_database_that_is_gone_stops_the_start_until_the_operator_decides(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    environment = {"DOCSERVER_DATA_DIR": str(data_dir), "DOCSERVER_SLOTS": "1", "DOCSERVER_RATE_LIMIT": "off"}
    service = await Service(environment, arguments=("--embedded",)).start()
    jobs = [await service.upload(png(text)) for text in PAGES[:3]]
    for job in jobs:
        await service.finished(job["job_id"])
    assert await service.stop() == 0
    make_old(data_dir)
    (data_dir / "mysql").rename(tmp_path / "lost")

    for arguments in ((), ("--worker-only",), ("migrate",)):
        status, _, said = await run_command(environment, "--embedded", *arguments)

        assert status == 78
        assert said.count("\n") == 1
        assert "restore it from a backup" in said
        assert "docserver adopt --embedded" in said
    assert originals(data_dir) == sorted(job["document_id"] for job in jobs)
    assert not (data_dir / "mysql").exists()

    shutil.copytree(tmp_path / "lost", data_dir / "mysql")
    service = await Service(environment, arguments=("--embedded",)).start()
    assert words(await service.text(jobs[0]["job_id"])) == words(PAGES[0])
    assert await service.stop() == 0

    shutil.rmtree(data_dir / "mysql")
    assert (await run_command(environment, "adopt", "--embedded"))[0] == 0
    status, output, _ = await run_command(environment, "--embedded", "quarantine", "restore", "--all")
    assert (status, output.splitlines()[-1]) == (0, "3 of 3 originals have their documents now.")
    assert originals(data_dir) == sorted(job["document_id"] for job in jobs)


async def test_another_database_or_directory_stops_the_start_of_an_api_and_of_a_worker(
    start: Start, empty_servers: Servers, tmp_path: Path
) -> None:
    service = await start()
    job = await service.upload(png())
    await service.finished(job["job_id"])
    assert await service.stop() == 0
    data_dir = tmp_path / "data"
    make_old(data_dir)
    given = {"mysql_url": empty_servers.mysql_url, "redis_url": empty_servers.redis_url, "data_dir": data_dir}
    path, _, query = empty_servers.mysql_url.partition("?")
    mistakes = {"mysql_url": f"{path}_by_mistake?{query}", "data_dir": tmp_path / "not mounted"}

    for name, value in mistakes.items():
        for arguments in ((), ("--worker-only",)):
            status, _, said = await run_command(environment_of(**{**given, name: value}), *arguments)  # type: ignore[arg-type]

            assert status == 78, said
            assert said.count("\n") == 1
            assert "see `docserver adopt" in said
    assert originals(data_dir) == [job["document_id"]]
    assert originals(tmp_path / "not mounted") == []


async def test_what_the_operator_joins_belongs_together_from_then_on(
    start: Start, empty_servers: Servers, tmp_path: Path
) -> None:
    service = await start()
    job = await service.upload(png())
    await service.finished(job["job_id"])
    assert await service.stop() == 0
    moved = tmp_path / "moved"
    given = environment_of(mysql_url=empty_servers.mysql_url, redis_url=empty_servers.redis_url, data_dir=moved)

    status, _, said = await run_command(given, "adopt")
    assert (status, "see `docserver adopt --without-originals`" in said) == (78, True)

    status, output, _ = await run_command(given, "adopt", "--without-originals")

    assert (status, "belong together from now on" in output) == (0, True)
    service = await start(data_dir=moved)
    assert (await service.job(job["job_id"]))["status"] == "completed"
    assert await service.stop() == 0
