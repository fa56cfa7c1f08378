"""The processes: start, stop, kill, several beside each other, and the logs they write."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.processes import alive, children, until_gone
from tests.support.samples import PAGES, TEXT, pdf_scanned, png, words
from tests.support.servers import Servers
from tests.support.service import Service, Start
from tests.support.waiting import in_time

MANY_PAGES = tuple(f"Page number {number} of a long report" for number in range(1, 13))


def scratch_of(directory: Path) -> list[Path]:
    return [path for path in (directory / "data" / "scratch").rglob("*") if path.is_file() and path.name != "lock"]


async def test_sigterm_lets_the_page_being_read_end_gives_the_rest_back_and_exits_with_0(
    start: Start, tmp_path: Path
) -> None:
    first = await start(slots="1")
    job = await first.upload(pdf_scanned(MANY_PAGES), filename="long.pdf")
    await first.logged("page read", job_id=job["job_id"])
    family = children(first.pid)

    assert await first.stop(signal.SIGTERM) == 0

    await until_gone(family)
    assert not list((tmp_path / "data" / "scratch").iterdir())
    second = await start()
    final = await second.finished(job["job_id"])
    assert final["status"] == "completed"
    text = await second.text(job["job_id"])
    assert [words(page) for page in text.split("\f")] == [words(page) for page in MANY_PAGES]


async def test_a_second_signal_ends_it_at_once_with_all_it_started(start: Start) -> None:
    service = await start(grace_s="30")
    job = await service.upload(pdf_scanned(MANY_PAGES), filename="long.pdf")
    await service.logged("job started", job_id=job["job_id"])
    family = children(service.pid)

    os.kill(service.pid, signal.SIGTERM)
    await service.logged("stopping")
    status = await service.stop(signal.SIGTERM)

    assert status in (0, 128 + signal.SIGTERM)
    await until_gone(family)


async def test_after_kill_9_all_accepted_documents_complete_and_none_is_listed_twice(
    start: Start, tmp_path: Path
) -> None:
    first = await start(lease_s="2")
    jobs = [await first.upload(pdf_scanned(MANY_PAGES[:4]), filename=f"{number}.pdf") for number in range(4)]
    jobs += [await first.upload(png(), filename=f"{number}.png") for number in range(6)]
    await first.logged("page read")
    family = children(first.pid)
    await first.stop(signal.SIGKILL)
    await until_gone(family)

    second = await start(lease_s="2")
    finals = [await second.finished(job["job_id"]) for job in jobs]

    assert {final["status"] for final in finals} == {"completed"}
    async with second.http.get("/v1/documents/list-document", params={"limit": 100}) as response:
        listed = [item["document_id"] for item in (await response.json())["items"]]
    assert sorted(listed) == sorted(job["document_id"] for job in jobs)
    for job in jobs[:4]:
        assert [words(page) for page in (await second.text(job["job_id"])).split("\f")] == [
            words(p) for p in MANY_PAGES[:4]
        ]
    await second.stop()
    assert scratch_of(tmp_path) == []


async def test_a_killed_ocr_process_costs_no_document(start: Start) -> None:
    service = await start(slots="1", maintenance_s="0.3")
    job = await service.upload(pdf_scanned(MANY_PAGES[:4]), filename="long.pdf")
    await service.logged("page read", job_id=job["job_id"])

    for pid in children(service.pid):
        if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)

    final = await service.finished(job["job_id"])
    assert final["status"] == "completed"
    assert final["pages"] == {"total": 4, "done": 4, "failed": 0}
    assert [words(page) for page in (await service.text(job["job_id"])).split("\f")] == [
        words(p) for p in MANY_PAGES[:4]
    ]


async def test_an_api_without_slots_and_workers_beside_it_share_a_long_document(start: Start) -> None:
    api = await start(slots="0")
    job = await api.upload(pdf_scanned(MANY_PAGES), filename="long.pdf")
    assert (await api.job(job["job_id"], wait=0.3))["status"] == "pending"

    workers = [await start("--worker-only", slots="1") for _ in range(2)]
    assert (await api.finished(job["job_id"]))["status"] == "completed"
    # The first of them may have read it all before the second had an OCR process.
    second = MANY_PAGES[::-1] * 6
    job = await api.upload(pdf_scanned(second), filename="second.pdf")
    assert (await api.finished(job["job_id"]))["status"] == "completed"

    text = await api.text(job["job_id"])
    assert [words(page) for page in text.split("\f")] == [words(page) for page in second]
    read = [
        {line["page"] for line in worker.lines if line["message"] == "page read" and line["job_id"] == job["job_id"]}
        for worker in workers
    ]
    assert all(read), "each worker has read some pages"
    assert read[0].isdisjoint(read[1])
    assert all(worker.find("listening") is None for worker in workers)


async def test_a_small_document_does_not_wait_behind_a_long_one(start: Start) -> None:
    service = await start(slots="1", chunk_pages="2")
    long = await service.upload(pdf_scanned(MANY_PAGES), filename="long.pdf")
    await service.logged("page read", job_id=long["job_id"])

    small = await service.upload(png(), filename="receipt.png")
    await service.logged("page read", job_id=small["job_id"])

    read = [line["job_id"] for line in service.lines if line["message"] == "page read"]
    before = read[: read.index(small["job_id"])]
    assert len(before) <= 1 + 2 * 2, "at most the chunk under way and one more"
    assert (await service.job(long["job_id"]))["status"] == "processing"


async def test_redis_emptied_in_the_middle_leaves_no_job_stuck(start: Start, empty_servers: Servers) -> None:
    from docserver.redis.client import Redis

    service = await start(slots="1", maintenance_s="0.5")
    jobs = [await service.upload(png(), filename=f"{number}.png") for number in range(6)]
    redis = Redis(empty_servers.redis_url, timeout_s=5)
    for _ in range(3):
        await redis.command("FLUSHALL")
        await service.logged("page read")
    await redis.close()

    finals = [await service.finished(job["job_id"]) for job in jobs]

    assert {final["status"] for final in finals} == {"completed"}


async def test_many_documents_of_many_clients_at_once_all_get_the_text_of_their_own(start: Start) -> None:
    service = await start()
    things = ("apples", "bread", "candles", "doors", "engines", "flowers", "gardens", "houses", "islands", "jackets")
    texts = [f"the {thing} of the {owner}" for thing in things for owner in ("king", "queen", "prince", "baker")]

    async def one(text: str) -> tuple[str, str]:
        job = await service.upload(png(text), filename=f"{text}.png")
        final = await service.finished(job["job_id"])
        assert final["status"] == "completed", final
        return text, await service.text(job["job_id"])

    for text, got in await asyncio.gather(*map(one, texts)):
        assert words(got) == words(text)


async def test_each_log_line_is_json_and_a_request_id_goes_through_to_the_worker(start: Start) -> None:
    service = await start()
    headers = {"X-Request-ID": "order-4711"}
    from tests.support.service import form

    async with service.http.post("/v1/documents/upload-document", data=form(png()), headers=headers) as response:
        job = await response.json()
    await service.finished(job["job_id"])
    line = await service.logged("page read", request_id="order-4711")
    request = await service.logged("request", request_id="order-4711")

    assert (line["service"], line["job_id"], line["page"], line["level"]) == ("worker", job["job_id"], 1, "info")
    assert request["service"] == "api"
    assert (request["method"], request["route"], request["status"]) == ("POST", "/v1/documents/upload-document", 202)
    assert {"time", "duration_ms", "bytes"} <= request.keys()
    await service.stop()
    assert service.noise == []


async def test_no_document_text_or_password_is_logged(start: Start, empty_servers: Servers) -> None:
    service = await start()
    job = await service.upload(png(), filename="private-name.png")
    await service.finished(job["job_id"])
    await service.stop()

    logged = " ".join(map(str, service.lines))
    assert "private-name" not in logged
    assert TEXT.split()[0] not in logged
    assert "unix_socket" not in logged
    assert empty_servers.redis_url not in logged


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DOCSERVER_PORT": "eighty"}, "DOCSERVER_PORT"),
        ({"DOCSERVER_SLOTS": "-2"}, "DOCSERVER_SLOTS"),
        ({"DOCSERVER_LOG_LEVEL": "LOUD"}, "DOCSERVER_LOG_LEVEL"),
        ({}, "DOCSERVER_MYSQL_URL"),
    ],
)
async def test_a_wrong_setting_ends_it_with_78_and_one_line(
    environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "docserver",
        cwd=tmp_path,
        env={**clean, **environment, "PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == 78
    assert said in output.decode()
    assert output.decode().count("\n") == 1


async def test_a_sandbox_that_is_required_and_cannot_be_had_ends_it_with_a_line_that_says_so(
    empty_servers: Servers, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path.cwd()),
        "DOCSERVER_MYSQL_URL": empty_servers.mysql_url,
        "DOCSERVER_REDIS_URL": empty_servers.redis_url,
        "DOCSERVER_DATA_DIR": str(tmp_path / "data"),
        "DOCSERVER_SANDBOX": "require",
    }

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent.parent / "support" / "older_kernel.py"),
        "landlock",
        sys.executable,
        "-m",
        "docserver",
        env=environment,
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
    environment = {
        "PATH": str(tmp_path / "bin"),
        "DOCSERVER_MYSQL_URL": empty_servers.mysql_url,
        "DOCSERVER_REDIS_URL": empty_servers.redis_url,
        "DOCSERVER_DATA_DIR": str(tmp_path / "data"),
    }

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "docserver",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()

    assert process.returncode not in (0, None)
    assert "tesseract-ocr" in said.decode()
    assert "Traceback" not in said.decode()


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
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


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
