"""The commands of docs/backup.md back up a service that takes uploads, and restore it on nothing."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from docserver.database.address import Address
from docserver.database.driver import connect
from docserver.redis.client import Redis
from tests.support.samples import PAGES, png, words
from tests.support.servers import Servers
from tests.support.service import Service, Start, environment_of, form, run_command
from tests.support.waiting import in_time, until

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text()
NO_GTIDS = "--set-gtid-purged=OFF"
UPLOAD = "/v1/documents/upload-document"


def commands(heading: str, address: Address, *, is_mysql: bool) -> str:
    """The commands below a heading of the page, for this database."""
    found = re.search(rf"^## {heading}\n.*?^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    # The environment of the commands has the directory of the test.
    text = re.sub(r"^DOCSERVER_DATA_DIR=.*\n", "", found[1], flags=re.MULTILINE)
    text = text.replace("docserver >", f"{address.database} >").replace("docserver <", f"{address.database} <")
    text = text.replace("DATABASE docserver", f"DATABASE {address.database}")
    text = text.replace("docserver doctor", f"{sys.executable} -m docserver doctor")
    if is_mysql:
        assert f"`mysqldump`, with `{NO_GTIDS}` before the name of the database, and `mysql`" in PAGE
        text = (
            text.replace("mariadb-dump", "mysqldump")
            .replace("mariadb ", "mysql ")
            .replace(f" {address.database} >", f" {NO_GTIDS} {address.database} >")
        )
    return text


async def run(line: str, cwd: Path, environment: dict[str, str]) -> tuple[int, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", line),
        cwd=cwd,
        env={**inherited, **environment, "PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with in_time():
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def run_all(lines: str, cwd: Path, environment: dict[str, str]) -> str:
    status, output = await run(f"set -euo pipefail\n{lines}", cwd, environment)
    assert status == 0, output
    return output


def write_account(address: Address, directory: Path) -> None:
    place = f"socket={address.unix_socket}" if address.unix_socket else f"host={address.host}\nport={address.port}"
    lines = f"[client]\n{place}\nuser={address.user}\npassword={address.password}\n"
    (directory / "backup.cnf").write_text(lines)


@dataclass
class Client:
    """Uploads with the key of its tenant, and remembers what was accepted."""

    http: aiohttp.ClientSession
    key: str
    accepted: dict[str, str] = field(default_factory=dict)
    """Job → its document."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def upload(self, data: bytes) -> str:
        async with self.http.post(UPLOAD, data=form(data), headers=self.headers) as response:
            job = await response.json()
            assert response.status == 202, job
            self.accepted[job["job_id"]] = job["document_id"]
            return str(job["job_id"])

    @contextlib.asynccontextmanager
    async def uploading(self) -> AsyncIterator[None]:
        """Uploads come in until the block ends."""

        async def upload_without_end() -> None:
            while True:
                await self.upload(png(PAGES[2]))
                # All of them will be read.
                await asyncio.sleep(0.3)

        task = asyncio.create_task(upload_without_end())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def text(self, job_id: str) -> list[str]:
        """The words of a job, once it has ended."""
        async with asyncio.timeout(100):
            while True:
                async with self.http.get(f"/v1/jobs/{job_id}?wait=30", headers=self.headers) as response:
                    job = await response.json()
                    assert response.status == 200, job
                    if job["status"] not in ("pending", "processing"):
                        break
        async with self.http.get(f"/v1/jobs/{job_id}/result", headers=self.headers) as response:
            return words(await response.text())

    async def status(self, path: str) -> int:
        async with self.http.get(path, headers=self.headers) as response:
            return response.status


async def is_mysql(address: Address) -> bool:
    connection = await connect(address, timeout_s=10, database=address.database)
    try:
        return "mariadb" not in connection.get_server_info().lower()
    finally:
        connection.close()


async def destroy(servers: Servers, data_dir: Path) -> None:
    address = Address.parse(servers.mysql_url)
    connection = await connect(address, timeout_s=60, database=None)
    async with connection.cursor() as cursor:
        await cursor.execute(f"DROP DATABASE `{address.database}`")
    connection.close()
    shutil.rmtree(data_dir)
    redis = Redis(servers.redis_url, timeout_s=5)
    await redis.command("FLUSHALL")
    await redis.close()


def make_old(data_dir: Path) -> None:
    for path in (data_dir / "originals").glob("*/*"):
        then = path.stat().st_mtime - 7200
        os.utime(path, (then, then))


@pytest.fixture
def environment(empty_servers: Servers, tmp_path: Path) -> dict[str, str]:
    return environment_of(
        mysql_url=empty_servers.mysql_url,
        redis_url=empty_servers.redis_url,
        data_dir=tmp_path / "data",
        auth="keys",
    )


async def make_client(service: Service, environment: dict[str, str], tenant: str) -> Client:
    status, key, said = await run_command(environment, "keys", "create", "--tenant", tenant, "--name", "backup")
    assert status == 0, said
    return Client(service.http, key.strip())


async def test_what_was_accepted_before_the_backup_is_there_after_the_restore_on_nothing(
    start: Start, environment: dict[str, str], empty_servers: Servers, tmp_path: Path
) -> None:
    address, data_dir = Address.parse(empty_servers.mysql_url), tmp_path / "data"
    write_account(address, tmp_path)
    mysql = await is_mysql(address)
    dump, copy = commands("To back up", address, is_mysql=mysql).splitlines()
    # What is being read during the dump is read again after the restore when its lease is over.
    service = await start(auth="keys", lease_s="5")
    acme, beta = [await make_client(service, environment, tenant) for tenant in ("acme", "beta")]
    first, second = await acme.upload(png(PAGES[0])), await beta.upload(png(PAGES[1]))
    assert await acme.text(first) == words(PAGES[0])
    hook = {"url": "https://hooks.example.org/docserver"}
    async with service.http.post("/v1/webhooks", json=hook, headers=beta.headers) as response:
        assert response.status == 201, await response.text()

    async with acme.uploading():
        await until(lambda: len(acme.accepted) > 3)
        before = dict(acme.accepted)
        await run_all(dump, tmp_path, environment)
        dumped = len(acme.accepted)
        await until(lambda: len(acme.accepted) > dumped + 1)
        status, said = await run(copy, tmp_path, environment)
        assert status in (0, 1), said
    after = dict(acme.accepted)
    await service.stop(signal.SIGKILL)
    await destroy(empty_servers, data_dir)

    report = await run_all(commands("To restore", address, is_mysql=mysql), tmp_path, environment)

    assert "ok       identity: data directory and database belong together" in report
    assert "ok       secret key: decrypts the secrets of webhooks" in report
    service = await start(auth="keys")
    acme.http = beta.http = service.http
    for job_id in before:
        assert await acme.text(job_id) == words(PAGES[0] if job_id == first else PAGES[2])
    assert await beta.text(second) == words(PAGES[1])
    assert await beta.status(f"/v1/jobs/{first}") == 404
    assert await acme.status(f"/v1/jobs/{second}") == 404
    lost = {after[job_id] for job_id in after if await acme.status(f"/v1/jobs/{job_id}") == 404}
    assert lost
    assert not lost & set(before.values())
    make_old(data_dir)
    status, said, _ = await run_command(environment, "quarantine", "restore", "--all")
    assert status == 0, said
    restored = {line.split()[0] for line in said.splitlines() if line.endswith("  restored")}
    assert restored <= lost
    assert len(restored) >= 2
    default = await make_client(service, environment, "default")
    for document_id in restored:
        async with service.http.get(f"/v1/documents/{document_id}", headers=default.headers) as response:
            document = await response.json()
            assert response.status == 200, document
        assert await default.text(document["jobs"][0]["job_id"]) == words(PAGES[2])
