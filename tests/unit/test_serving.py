"""A signal at an awkward moment of the start. Everything that the start opens is left out."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from docserver import serving
from docserver.settings import Settings


async def nothing(*_: Any, **__: Any) -> None:
    """What a part of the start does here."""


async def for_ever(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def opened(settings: Settings, *_: Any, **__: Any) -> AsyncIterator[Any]:
    yield SimpleNamespace(settings=settings, maintenance_db=None)


async def test_a_signal_while_the_api_opens_stops_the_worker_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []

    def stopping(part: str) -> Callable[[], Awaitable[None]]:
        async def stop() -> None:
            stopped.append(part)

        return stop

    async def open_api(*_: Any) -> Callable[[], Awaitable[None]]:
        os.kill(os.getpid(), signal.SIGTERM)
        # The handler runs, and what it wakes, before the API is open.
        for _turn in range(100):
            await asyncio.sleep(0.001)
        return stopping("api")

    async def embedded(settings: Settings, *_: Any) -> Settings:
        return settings

    for name in ("checked_engine", "migrate", "identify", "until_answered"):
        monkeypatch.setattr(serving, name, nothing)
    monkeypatch.setattr("docserver.room.wait_for", nothing)
    monkeypatch.setattr(serving, "_listen", lambda *_: asyncio.sleep(0, "listener"))
    monkeypatch.setattr(serving, "with_embedded_servers", embedded)
    monkeypatch.setattr(serving, "opened", opened)
    for name in ("Maintenance", "Indexer"):
        monkeypatch.setattr(serving, name, lambda _: SimpleNamespace(run=for_ever))
    monkeypatch.setattr(serving, "until_outdated", for_ever)
    monkeypatch.setattr(serving, "_leave_out_of_collections", lambda: None)
    monkeypatch.setattr(serving, "_start_worker", lambda *_: stopping("worker"))
    monkeypatch.setattr(serving, "_start_sender", lambda *_: stopping("sender"))
    monkeypatch.setattr(serving, "_open_api", open_api)

    await serving.serve(Settings(), api=True, telemetry={})

    assert sorted(stopped) == ["api", "sender", "worker"]
