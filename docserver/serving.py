"""Serves until a signal: opens everything that a process needs, in order, and closes it in reverse order.

Functions import the parts that not every process has: a worker loads no API.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from docserver import room, tracing
from docserver.database.migrate import MigrationError, migrate, until_outdated
from docserver.database.retries import until_answered
from docserver.documents import deletion
from docserver.documents.search_indexing import Indexer
from docserver.embedded import with_embedded_servers
from docserver.identity import identify
from docserver.maintenance import Maintenance
from docserver.ocr.server.cgroup import service_cgroups
from docserver.resources import Resources, check_settings, checked_engine, opened
from docserver.settings import Settings
from docserver.web.starting import Progress

if TYPE_CHECKING:
    from docserver.web.listener import Listener

Stop = Callable[[], Awaitable[None]]
"""Stops a part of the service; it may take the grace time."""

log = logging.getLogger("docserver.main")


async def serve(settings: Settings, *, api: bool, telemetry: Mapping[str, str]) -> None:
    """Open everything, serve until a signal, then close everything in reverse order. `telemetry` is OpenTelemetry's
    variables. Raises MigrationError if a newer version ends the service before a signal.
    """
    stop, starting = _stop_signal(), asyncio.current_task()
    progress = Progress()
    async with AsyncExitStack() as stack:
        tracing.start(telemetry)
        stack.push_async_callback(asyncio.to_thread, tracing.stop)
        # Before waiting for any server, so that nobody learns of a wrong setting only after that.
        await asyncio.to_thread(check_settings, settings)
        # Before this process starts any other: only itself is moved.
        cgroups = stack.enter_context(service_cgroups())
        cancelling = asyncio.create_task(_cancel_start(stop, starting))
        listener = await _listen(settings, progress, stack) if api else None
        progress.waits_for = "room on the disk"
        await room.wait_for(settings.data_dir, room.START_BYTES, user="docserver")
        # Before a database is made in the data directory, which OCR processes must not be able to read.
        progress.waits_for = "engine"
        engine = await checked_engine(settings)
        progress.waits_for = "embedded servers"
        settings = await with_embedded_servers(settings, stack)
        progress.waits_for = "mysql"
        await migrate(settings)
        await identify(settings)
        progress.waits_for = "engine"
        resources = await stack.enter_async_context(opened(settings, engine, cgroups=cgroups))
        progress.waits_for = "mysql"
        await until_answered(partial(deletion.repeat, resources))
        stack.push_async_callback(_cancel, asyncio.create_task(Maintenance(resources).run()))
        stack.push_async_callback(_cancel, asyncio.create_task(Indexer(resources).run()))
        if settings.metrics_port:
            await _serve_metrics(resources, stack)
        # From here on, work may have begun, so a signal stops it in order.
        cancelling.cancel()
        stops = [_start_worker(resources, stack), _start_sender(resources)]
        if listener:
            stops.append(await _open_api(listener, resources))
        outdated = asyncio.create_task(_stop_when_outdated(resources, stop))
        stack.push_async_callback(_cancel, outdated)
        _leave_out_of_collections()
        log.info("ready", extra={"slots": settings.slot_count})
        await stop.wait()
        log.info("stopping")
        await asyncio.gather(*(stop_part() for stop_part in stops))
        if outdated.done():
            await outdated


async def _stop_when_outdated(resources: Resources, stop: asyncio.Event) -> None:
    """Stop the service when a newer version takes away something that this version uses; raises MigrationError then."""
    try:
        await until_outdated(resources.maintenance_db, pause_s=resources.settings.maintenance_s)
    except MigrationError:
        stop.set()
        raise


def _start_worker(resources: Resources, stack: AsyncExitStack) -> Stop:
    from docserver.jobs.pipeline import Pipeline
    from docserver.jobs.worker import Worker
    from docserver.ocr.server.scratch import private_directory

    settings = resources.settings
    scratch = stack.enter_context(private_directory(settings.data_dir / "scratch"))
    worker = Worker(Pipeline(resources, scratch=scratch), resources.queue, slots=settings.slot_count)
    worker.start()
    return partial(worker.stop, grace_s=settings.grace_s)


async def _serve_metrics(resources: Resources, stack: AsyncExitStack) -> None:
    from docserver.web.scraping import own_port

    await stack.enter_async_context(own_port(resources))


def _start_sender(resources: Resources) -> Stop:
    from docserver.webhooks.sender import Sender

    sender = Sender(resources)
    sender.start()
    return partial(sender.stop, grace_s=resources.settings.grace_s)


async def _listen(settings: Settings, progress: Progress, stack: AsyncExitStack) -> "Listener":
    """Start to listen. Until `_open_api` is called, requests are answered with what the start is waiting for."""
    from docserver.web.listener import listening
    from docserver.web.starting import make_starting_app

    listener = await stack.enter_async_context(listening(settings))
    await listener.serve(make_starting_app(progress))
    return listener


async def _open_api(listener: "Listener", resources: Resources) -> Stop:
    from docserver.web.app import make_app

    await listener.serve(make_app(resources))
    return listener.close


def _leave_out_of_collections() -> None:
    """Exclude all objects that exist now from garbage collection: they stay."""
    gc.collect()
    gc.freeze()


async def _cancel_start(stop: asyncio.Event, starting: "asyncio.Task[None] | None") -> None:
    """Cancel the start if a signal arrives: the start may be waiting for the database, and has no work to finish."""
    await stop.wait()
    log.info("stopping before it is ready")
    if starting:
        starting.cancel()


def _stop_signal() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets. A second signal ends the process and its children."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    return stop


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
