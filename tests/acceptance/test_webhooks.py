"""The receiver of the documentation, with the program itself."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.receiver import SECRET
from tests.support.samples import png
from tests.support.service import Start
from tests.support.waiting import in_time, until

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"


@pytest.fixture
def port() -> int:
    """A port that is free a moment ago."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        free: int = listening.getsockname()[1]
        return free


@pytest.fixture
async def receiver(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    (code,) = re.findall(r"```python\n(.+?)```", PAGE.read_text(), re.DOTALL)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code),
        env={**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return False
        writer.close()
        return True

    await until(listens)
    yield process
    process.kill()
    await process.wait()


async def test_the_receiver_of_the_documentation_is_told_of_a_jobs_end(
    start: Start, receiver: asyncio.subprocess.Process, port: int
) -> None:
    service = await start(webhook_networks="127.0.0.0/8", webhook_ports=str(port))

    job = await service.upload(png(), callback_url=f"http://127.0.0.1:{port}/", callback_secret=SECRET)

    assert receiver.stdout is not None
    async with in_time():
        line = await receiver.stdout.readline()
    assert line.decode() == f"job.completed {job['job_id']}\n"
    delivered = await service.logged("webhook delivered", job_id=job["job_id"])
    assert delivered["http_status"] == 204
