"""The embedded servers on a disk that is full at start, while documents wait, and while they are read."""

import asyncio
import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.fault_launcher import MODULE, Fault, arguments
from tests.support.samples import pdf_scanned, words
from tests.support.service import Service, form
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

DISK_BYTES = 150_000_000
"""The embedded servers take 45 MB."""

TEXTS = ("apples of the king", "bread of the queen", "candles of the baker")


def service_on(disk: SmallDisk, data_dir: Path) -> Service:
    faults = [*disk.faults("docserver.room:Room.require")]
    if faults:
        faults.append(Fault("docserver.room:_free_bytes", returns=0, while_there=str(disk.flag)))
    environment = {
        "DOCSERVER_DATA_DIR": str(data_dir),
        "DOCSERVER_SLOTS": "1",
        "DOCSERVER_RATE_LIMIT": "off",
        "DOCSERVER_LEASE_S": "2",
        "DOCSERVER_MAINTENANCE_S": "0.2",
    }
    return Service(environment, arguments=(arguments(*faults), "--embedded"), module=MODULE)


def kill_mariadb(data_dir: Path) -> None:
    """End MariaDB: on a full disk it dies by itself only if it has to write."""
    pid = int((data_dir / "mysql" / "mariadbd.pid").read_text())
    with suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "mariadbd":
            os.kill(pid, signal.SIGKILL)


async def answer(service: Service, path: str) -> tuple[int, Any]:
    async with service.http.get(path) as response:
        return response.status, await response.json()


async def storage_state(service: Service) -> str:
    _, ready = await answer(service, "/readyz")
    return str(ready["checks"]["storage"]["status"])


async def test_embedded_servers_go_on_by_themselves_whenever_their_disk_was_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size=DISK_BYTES) as disk:
        data_dir = disk.directory / "data"
        service = service_on(disk, data_dir)
        disk.fill()
        starting = asyncio.create_task(service.start())
        await service.logged("waiting for room on the disk", waits="docserver")
        disk.free()
        await starting

        accepted = [(await service.upload(pdf_scanned([text] * 2), filename=text))["job_id"] for text in TEXTS]
        disk.fill()
        await until(lambda: _is_full(service))
        async with service.http.post("/v1/documents/upload-document", data=form(b"%PDF-1.7 another")) as response:
            assert (response.status, (await response.json())["code"]) == (507, "storage_full")

        kill_mariadb(data_dir)
        await service.logged("waiting for room on the disk", waits="mariadbd")
        disk.free()

        for job_id, text in zip(accepted, TEXTS, strict=True):
            await until(partial(_completed, service, job_id))
            assert words(await service.text(job_id)) == words(text) * 2
        await until(lambda: _is_ok(service))
        await service.upload(pdf_scanned(["houses of the prince"]))
        assert service.noise == []
        assert await service.stop() == 0


async def _is_full(service: Service) -> bool:
    return await storage_state(service) == "full"


async def _is_ok(service: Service) -> bool:
    status, ready = await answer(service, "/readyz")
    return status == 200 and ready["status"] in ("ok", "degraded") and ready["checks"]["storage"]["status"] == "ok"


async def _completed(service: Service, job_id: str) -> bool:
    async with service.http.get(f"/v1/jobs/{job_id}", params={"wait": "1"}) as response:
        job = orjson.loads(await response.read())
    assert job.get("status") != "failed", job
    return bool(job.get("status") == "completed")
