"""Batches as tests upload them."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.support.client import Client

PATH = "/v1/batches"

File = tuple[str, bytes]


def form(files: Sequence[File], **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData(quote_fields=False)
    for name, value_ in fields.items():
        made.add_field(name, value_)
    for name, data in files:
        made.add_field("file", io.BytesIO(data), filename=name)
    return made


def zipped(files: Sequence[File], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as opened:
        for name, data in files:
            opened.writestr(name, data)
    return archive.getvalue()


async def send(client: Client, files: Sequence[File], **more: Any) -> tuple[int, Any]:
    headers = more.pop("headers", {})
    async with client.post(PATH, data=form(files, **more), headers=headers) as response:
        return response.status, await response.json()


async def accepted(client: Client, files: Sequence[File], **more: Any) -> Any:
    status, batch = await send(client, files, **more)
    assert status == 202, batch
    return batch
