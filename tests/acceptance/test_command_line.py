"""How the program starts, and how it ends where it cannot."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.processes import alive, children
from tests.support.samples import PAGES, pdf_scanned, words
from tests.support.servers import Servers
from tests.support.service import Service, environment_of, run_command
from tests.support.waiting import in_time


def given(servers: Servers, tmp_path: Path) -> dict[str, str]:
    return environment_of(mysql_url=servers.mysql_url, redis_url=servers.redis_url, data_dir=tmp_path / "data")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DOCSERVER_PORT": "eighty"}, "DOCSERVER_PORT"),
        ({"DOCSERVER_SLOTS": "-2"}, "DOCSERVER_SLOTS"),
        ({"DOCSERVER_LOG_LEVEL": "LOUD"}, "DOCSERVER_LOG_LEVEL"),
        ({"DOCSERVER_SANBOX": "require"}, "did you mean DOCSERVER_SANDBOX?"),
        ({}, "DOCSERVER_MYSQL_URL"),
    ],
)
async def test_a_wrong_setting_ends_it_with_78_and_one_line(
    environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    status, output, errors = await run_command({**environment, "PYTHONPATH": str(Path.cwd())}, cwd=tmp_path)

    assert (status, output) == (78, "")
    assert said in errors
    assert errors.count("\n") == 1


async def test_a_worker_that_is_to_read_nothing_ends_with_78(empty_servers: Servers, tmp_path: Path) -> None:
    environment = {**given(empty_servers, tmp_path), "DOCSERVER_SLOTS": "0"}

    status, _, errors = await run_command(environment, "--worker-only")

    assert (status, errors.startswith("docserver: DOCSERVER_SLOTS must be at least 1, or unset")) == (78, True)


async def test_the_doctor_of_a_worker_says_nothing_of_the_api(tmp_path: Path) -> None:
    environment = environment_of(mysql_url="mysql://127.0.0.1:1/x", redis_url="redis://127.0.0.1:1", data_dir=tmp_path)

    outputs = [(await run_command(environment, *given, "doctor"))[1] for given in ((), ("--worker-only",))]

    assert ["port: " in output and "access: " in output for output in outputs] == [True, False]
    assert all("open files: " in output for output in outputs)


async def test_a_pipe_in_the_place_of_a_token_ends_it_while_no_server_answers(tmp_path: Path) -> None:
    name = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
    os.mkfifo(tmp_path / "token")
    environment = environment_of(
        mysql_url="mysql://127.0.0.1:1/x", redis_url="redis://127.0.0.1:1", storage_url="s3://bucket", data_dir=tmp_path
    )
    environment[name] = str(tmp_path / "token")

    status, _, errors = await run_command(environment, cwd=tmp_path)
    examined, findings, _ = await run_command(environment, "doctor", cwd=tmp_path)

    assert (status, examined) == (78, 1)
    assert f"docserver: {name} is wrong: it must be a file" in errors
    assert f"{name} is wrong: it must be a file" in findings


async def test_a_data_directory_that_ocr_processes_could_read_ends_it_with_78(
    empty_servers: Servers, tmp_path: Path
) -> None:
    status, _, errors = await run_command({**given(empty_servers, tmp_path), "LD_LIBRARY_PATH": str(tmp_path)})

    assert status == 78
    assert f"OCR processes may read {tmp_path}" in errors


async def test_nothing_is_written_to_a_data_directory_that_ocr_processes_could_read(tmp_path: Path) -> None:
    data = tmp_path / "data"

    status, _, errors = await run_command(
        {"DOCSERVER_DATA_DIR": str(data), "LD_LIBRARY_PATH": str(tmp_path)}, "--embedded"
    )

    assert status == 78
    assert f"OCR processes may read {tmp_path}" in errors
    assert not data.exists()


async def test_a_sandbox_that_is_required_and_cannot_be_had_ends_it_with_a_line_that_says_so(
    empty_servers: Servers, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent.parent / "support" / "older_kernel.py"),
        "landlock",
        sys.executable,
        "-m",
        "docserver",
        env={**os.environ, **given(empty_servers, tmp_path), "DOCSERVER_SANDBOX": "require"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()

    assert process.returncode == 69
    assert "no Landlock, seccomp" in said.decode()
    assert said.decode().count("\n") == 1


async def test_a_missing_program_ends_it_with_a_line_that_names_the_package(
    empty_servers: Servers, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()

    status, _, errors = await run_command({**given(empty_servers, tmp_path), "PATH": str(tmp_path / "bin")})

    assert status == 69
    assert "tesseract-ocr" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--worker-only",)])
@pytest.mark.parametrize(
    ("languages", "status", "reason"),
    [("eng+xyz", 69, "apt-get install tesseract-ocr-xyz"), ("auto+eng", 78, "DOCSERVER_LANGUAGES must be auto alone")],
)
async def test_default_languages_that_cannot_work_end_it_with_one_line(
    arguments: tuple[str, ...], languages: str, status: int, reason: str, empty_servers: Servers, tmp_path: Path
) -> None:
    environment = {**given(empty_servers, tmp_path), "DOCSERVER_LANGUAGES": languages}

    ended, _, errors = await run_command(environment, *arguments)

    assert ended == status
    assert reason in errors
    assert errors.count("\n") == 1


async def test_embedded_needs_no_server_listens_on_the_api_alone_and_keeps_documents(tmp_path: Path) -> None:
    environment = {"DOCSERVER_DATA_DIR": str(tmp_path / "data"), "DOCSERVER_SLOTS": "1", "DOCSERVER_RATE_LIMIT": "off"}
    service = await Service(environment, arguments=("--embedded",)).start()
    job = await service.upload(pdf_scanned(PAGES[:1]), filename="kept.pdf")
    await service.finished(job["job_id"])
    listening = _listening_ports(children(service.pid) | {service.pid})
    port = service.http._base_url.port  # type: ignore[union-attr]
    assert await service.stop() == 0

    assert listening == {port}
    again = await Service(environment, arguments=("--embedded",)).start()
    assert words(await again.text(job["job_id"])) == words(PAGES[0])
    assert await again.stop() == 0


def _listening_ports(pids: set[int]) -> set[int]:
    """TCP ports on which any of the processes listens: sockets in state 0A of /proc/net/tcp that it has open."""
    sockets = {str(link.readlink()) for pid in alive(pids) for link in Path(f"/proc/{pid}/fd").iterdir()}
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


async def test_told_to_stop_while_it_waits_for_the_database_it_exits_with_0_at_once(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
    environment = {
        "DOCSERVER_MYSQL_URL": f"mysql:///x?unix_socket={tmp_path}/nobody.sock",
        "DOCSERVER_REDIS_URL": f"unix://{tmp_path}/nobody.sock",
        "DOCSERVER_DATA_DIR": str(tmp_path / "data"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "docserver", env={**clean, **environment}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with in_time():
        while b"waiting for the database" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        await process.stdout.read()

        assert await process.wait() == 0
