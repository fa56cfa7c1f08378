"""`docserver doctor`: beside a service that is well, and where nearly everything is wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.servers import Servers
from tests.support.service import Start, environment_of, run_command

SECRET = "s3cretpassword"


def statuses(output: str) -> dict[str, set[str]]:
    """What is said of each subject: its statuses."""
    found: dict[str, set[str]] = {}
    for line in output.splitlines():
        status, _, rest = line.partition(" ")
        found.setdefault(rest.strip().partition(":")[0], set()).add(status)
    return found


def files_of_service(data_dir: Path) -> set[Path]:
    """All but the scratch files of its OCR processes, which come and go."""
    return {path for path in data_dir.rglob("*") if "scratch" not in path.relative_to(data_dir).parts}


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a server that accepts connections and says nothing."""
    silent = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        silent.set()
        server.close()


async def test_all_is_well_beside_a_service_that_is_well(start: Start, empty_servers: Servers, tmp_path: Path) -> None:
    service = await start()
    port = str(service.http._base_url.port)  # type: ignore[union-attr]
    environment = environment_of(
        mysql_url=empty_servers.mysql_url, redis_url=empty_servers.redis_url, data_dir=tmp_path / "data", port=port
    )
    before = files_of_service(tmp_path / "data")

    status, output, errors = await run_command(environment, "doctor")

    assert (status, errors) == (0, ""), output
    assert files_of_service(tmp_path / "data") == before
    found = statuses(output)
    assert {subject for subject, said in found.items() if said != {"ok"}} <= {"sandbox", "open files"}, output
    assert {"settings", "engine", "languages", "disk", "file system", "service", "access"} <= set(found)
    assert {"database", "clock", "rights", "tables", "identity", "redis", "traces", "webhooks"} <= set(found)


async def test_another_services_data_directory_is_a_problem(
    start: Start, empty_servers: Servers, tmp_path: Path
) -> None:
    service = await start()
    (tmp_path / "other" / "identity").mkdir(parents=True)
    (tmp_path / "other" / "identity" / "directory").write_text("7d444840-9dc0-11d1-b245-5ffdce74fad2\n")
    environment = environment_of(
        mysql_url=empty_servers.mysql_url,
        redis_url=empty_servers.redis_url,
        data_dir=tmp_path / "other",
        port=str(service.http._base_url.port),  # type: ignore[union-attr]
    )

    status, output, _ = await run_command(environment, "doctor")

    assert (status, statuses(output)["identity"], statuses(output)["port"]) == (1, {"problem"}, {"problem"})
    assert "another docserver uses 127.0.0.1" in output
    assert "docserver adopt" in output


async def test_each_problem_is_a_line_that_says_what_to_do_and_no_password(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    async with silent_server() as mysql, silent_server() as redis, silent_server() as other:
        environment = environment_of(
            mysql_url=f"mysql://docserver:{SECRET}@127.0.0.1:{mysql}/docserver",
            redis_url=f"redis://:{SECRET}@127.0.0.1:{redis}/0",
            data_dir=tmp_path / "data",
            port=str(other),
            mysql_timeout_s="0.5",
            redis_timeout_s="0.5",
        )
        status, output, errors = await run_command(
            {**environment, "PATH": str(tmp_path / "bin"), "DOCSERVER_COLOUR": "blue"}, "doctor", cwd=Path.cwd()
        )

    assert (status, errors) == (1, "")
    found = statuses(output)
    assert {name for name, said in found.items() if "problem" in said} == {"engine", "port", "database"}
    assert {"settings", "redis"} <= {name for name, said in found.items() if "warning" in said}
    assert "apt-get install" in output
    assert SECRET not in output
    assert all("; " in line for line in output.splitlines() if not line.startswith("ok "))


@pytest.mark.parametrize(
    ("environment", "said"),
    [({"DOCSERVER_PORT": "eighty"}, "DOCSERVER_PORT"), ({"DOCSERVER_SANBOX": "require"}, "did you mean")],
)
async def test_a_wrong_setting_is_a_problem(environment: dict[str, str], said: str) -> None:
    status, output, errors = await run_command(environment, "doctor")

    assert (status, errors) == (1, "")
    assert output.startswith("problem  settings: ")
    assert said in output


async def test_private_servers_that_do_not_run_are_neither_started_nor_checked(tmp_path: Path) -> None:
    status, output, _ = await run_command({"DOCSERVER_DATA_DIR": str(tmp_path / "data")}, "doctor", "--embedded")

    assert status == 0, output
    assert "warning  servers: the private servers do not run" in output
    assert "database" not in statuses(output)
    assert not (tmp_path / "data").exists()
