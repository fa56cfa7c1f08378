"""What the service writes and what others see of it never has the password of a PDF: before, during, after reading."""

import asyncio
import base64
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pymysql
import pytest

from docserver.database.address import Address
from docserver.redis.client import Redis
from tests.support.held_ocr import held
from tests.support.processes import children
from tests.support.samples.pdf import page_text, pdf_pages
from tests.support.samples.pdf_passwords import locked
from tests.support.servers import Servers
from tests.support.service import Service, Start, form
from tests.support.waiting import until

PASSWORD = "Zwölf-Boxkämpfer-jagen"

FORMS = {
    "text": PASSWORD.encode(),
    "JSON": PASSWORD.encode("unicode_escape"),
    "PDFDocEncoding": PASSWORD.encode("latin-1"),
    "base64": base64.b64encode(PASSWORD.encode()).rstrip(b"="),
    "hash": sha256(PASSWORD.encode()).digest(),
    "hash in hexadecimal digits": sha256(PASSWORD.encode()).hexdigest().encode(),
}


@pytest.fixture
def written(empty_servers: Servers, tmp_path: Path) -> "Written":
    return Written(empty_servers, tmp_path)


class Written:
    """What is written, and what others see."""

    def __init__(self, servers: Servers, directory: Path) -> None:
        self._servers = servers
        self._directory = directory

    async def places(self, service: Service) -> list[str]:
        """Where the password is found, in any form."""
        contents = [
            *await asyncio.to_thread(lambda: [*self._files(), *self._rows(), *_processes(service.pid)]),
            *[item async for item in self._keys()],
            ("log", repr(service.lines).encode() + "".join(service.noise).encode()),
        ]
        assert len(contents) > 10
        return [
            f"{place}: {kind}" for place, content in contents for kind, sought in FORMS.items() if sought in content
        ]

    def _files(self) -> Iterator[tuple[str, bytes]]:
        # Unlike `rglob`, `os.walk` goes on if a directory is removed meanwhile.
        for directory, _, names in os.walk(self._directory):
            for path in (Path(directory, name) for name in names):
                if path.is_file() and not path.is_symlink():
                    with suppress(FileNotFoundError):
                        yield str(path), path.read_bytes() + path.name.encode()

    def _rows(self) -> Iterator[tuple[str, bytes]]:
        address = Address.parse(self._servers.mysql_url)
        connection = pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            unix_socket=address.unix_socket,
            database=address.database,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT * FROM `{table}`")
                yield table, b"\n".join(_bytes(value) for row in cursor.fetchall() for value in row)

    async def _keys(self) -> Any:
        redis = Redis(self._servers.redis_url, timeout_s=30)
        try:
            for key in await redis.command("KEYS", "*"):
                kind = (await redis.command("TYPE", key)).decode()
                command = {
                    "string": ("GET", key),
                    "list": ("LRANGE", key, 0, -1),
                    "hash": ("HGETALL", key),
                    "zset": ("ZRANGE", key, 0, -1),
                    "set": ("SMEMBERS", key),
                }[kind]
                yield f"Redis {key!r}", b"\n".join(_flat(await redis.command(*command)))
        finally:
            await redis.close()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _flat(value: object) -> list[bytes]:
    if isinstance(value, dict):
        return [_bytes(part) for item in value.items() for part in item]
    return [_bytes(part) for part in value] if isinstance(value, list | set) else [_bytes(value)]


def _processes(server: int) -> Iterator[tuple[str, bytes]]:
    for pid in {server} | children(server):
        for name in ("cmdline", "environ"):
            yield f"process {pid}: {name}", Path(f"/proc/{pid}/{name}").read_bytes()


async def test_the_password_stands_nowhere(start: Start, written: Written) -> None:
    service = await start(deduplicate="on")
    document = locked(pdf_pages(3), password=PASSWORD)
    async with held(service):
        headers = {"Idempotency-Key": "once"}
        upload = form(document, "a.pdf", password=PASSWORD, mode="force")
        async with service.http.post("/v1/documents/upload-document", data=upload, headers=headers) as response:
            assert response.status == 202
            job = await response.json()
        waiting = await service.upload(document, filename="b.pdf", password=PASSWORD)
        await until(lambda: service.find("job started", job_id=job["job_id"]) is not None)
        assert await written.places(service) == []
        async with service.http.post(f"/v1/jobs/{waiting['job_id']}/cancel") as response:
            assert response.status == 200
    assert (await service.finished(job["job_id"]))["status"] == "completed"
    assert (await service.text(job["job_id"])).split("\f")[2].split() == page_text(3).split()
    assert await written.places(service) == []

    headers = {"Idempotency-Key": "again"}
    again = {"mode": "auto", "password": PASSWORD}
    async with service.http.post(f"/v1/jobs/{job['job_id']}/retry", json=again, headers=headers) as response:
        assert response.status == 202
    assert (await service.finished(job["job_id"]))["status"] == "completed"
    headers = {"X-Document-Password": PASSWORD}
    wrong = locked(pdf_pages(1), password="another")
    async with service.http.put("/v1/documents", data=wrong, headers=headers) as response:
        refused = await response.json()
    assert (await service.finished(refused["job_id"]))["error"]["code"] == "wrong_password"

    assert await written.places(service) == []


async def test_the_search_finds_what_is_written(start: Start, written: Written) -> None:
    service = await start()
    job = await service.upload(pdf_pages(1), filename=f"{PASSWORD}.pdf")
    await service.finished(job["job_id"])

    found = await written.places(service)

    assert {place.partition(":")[0] for place in found} >= {"documents"}
