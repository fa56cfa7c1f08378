"""The command line: serve (the default), `--worker-only`, `--embedded`, `migrate`; signals; nothing else.

Every OCR process imports this module again when it is started, so what the modes need is imported inside them.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from docserver import __version__
from docserver.settings import Settings, SettingsError, load, unknown, variable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from docserver.resources import Resources
    from docserver.web.listener import Listener
    from docserver.web.starting import Progress

    End = Callable[[], Awaitable[None]]

COLLECT_AFTER = 10_000
"""Objects more than before the last garbage collection: those of some dozens of requests, a few megabytes at most."""

log = logging.getLogger("docserver.main")

EX_CONFIG = 78
"""sysexits.h: something is wrong with the settings."""

EX_UNAVAILABLE = 69
"""sysexits.h: something that the program needs is missing."""


def main() -> None:
    """Run the command line; exits with 0, with 78 on a wrong setting, or with 69 if something needed is missing."""
    options = _parser().parse_args()
    # aiomysql asks for the user's name as it is imported, and a container's user may have none.
    os.environ.setdefault("LOGNAME", "docserver")
    try:
        settings = load()
        if options.embedded:
            settings = replace(settings, embedded=True)
        if not settings.embedded:
            _require_servers(settings)
    except SettingsError as error:
        _end(EX_CONFIG, str(error))
    if options.command == "migrate":
        _run(_migrate(settings), settings)
    else:
        _run(_serve(settings, api=not options.worker_only), settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docserver",
        description="Documents in over HTTP, their text out. Settings are environment variables, see .env.example.",
    )
    parser.add_argument("command", nargs="?", choices=["serve", "migrate"], default="serve", help="default: serve")
    parser.add_argument("--worker-only", action="store_true", help="read pages, but serve no API")
    parser.add_argument("--embedded", action="store_true", help="run a private MariaDB and Redis in the data directory")
    parser.add_argument("--version", action="version", version=f"docserver {__version__}")
    return parser


def _require_servers(settings: Settings) -> None:
    for name in ("mysql_url", "redis_url"):
        if not getattr(settings, name):
            raise SettingsError(f"{variable(name)} is not set; set it, or run with --embedded")


def _run(work: "Coroutine[None, None, None]", settings: Settings) -> None:
    import uvloop

    from docserver import logs
    from docserver.database.migrate import MigrationError
    from docserver.embedded import EmbeddedError
    from docserver.ocr.engine import EngineMissing
    from docserver.ocr.sandbox.policy import NotConfined

    logs.set_up(settings.log_level)
    _warn_of_unknown_settings()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)
    except asyncio.CancelledError:
        sys.exit(0)
    except (EmbeddedError, EngineMissing, MigrationError, NotConfined) as error:
        _end(EX_UNAVAILABLE, str(error))
    except OSError as error:
        _end(EX_UNAVAILABLE, f"the system refuses: {error.strerror}")


def _warn_of_unknown_settings() -> None:
    for name in unknown():
        logging.getLogger("docserver.settings").warning("unknown setting ignored", extra={"variable": name})


async def _migrate(settings: Settings) -> None:
    from docserver.database.migrate import migrate

    async with AsyncExitStack() as stack:
        await migrate(await _with_servers(settings, stack))


async def _serve(settings: Settings, *, api: bool) -> None:
    """Open everything, serve until told to stop, then close it in the opposite order."""
    from docserver.database.migrate import migrate
    from docserver.maintenance import Maintenance
    from docserver.resources import opened
    from docserver.web.starting import Progress

    stop, opening = _stop_signal(), asyncio.current_task()
    progress = Progress()
    async with AsyncExitStack() as stack:
        giving_up = asyncio.create_task(_give_up(stop, opening))
        listener = await _listen(settings, progress, stack) if api else None
        progress.waits_for = "embedded servers"
        settings = await _with_servers(settings, stack)
        progress.waits_for = "mysql"
        await migrate(settings)
        progress.waits_for = "engine"
        resources = await stack.enter_async_context(opened(settings))
        stack.push_async_callback(_cancelled, asyncio.create_task(Maintenance(resources).run()))
        stops = [await _start_worker(resources, stack)]
        if listener:
            stops.append(await _open(listener, resources))
        giving_up.cancel()
        _spare_the_collector()
        log.info("ready", extra={"slots": settings.slot_count})
        await stop.wait()
        log.info("stopping")
        await asyncio.gather(*(end() for end in stops))


async def _with_servers(settings: Settings, stack: AsyncExitStack) -> Settings:
    """The settings, with the embedded servers' addresses where those are wanted."""
    if not settings.embedded:
        return settings
    from docserver.embedded import servers

    endpoints = await stack.enter_async_context(servers(settings.data_dir))
    return replace(settings, mysql_url=endpoints.mysql_url, redis_url=endpoints.redis_url)


async def _start_worker(resources: "Resources", stack: AsyncExitStack) -> "End":
    from docserver.jobs.pipeline import Pipeline
    from docserver.jobs.worker import Worker
    from docserver.ocr.server.scratch import private_directory

    settings = resources.settings
    scratch = stack.enter_context(private_directory(settings.data_dir / "scratch"))
    worker = Worker(Pipeline(resources, scratch=scratch), resources.queue, slots=settings.slot_count)
    worker.start()
    return partial(worker.stop, grace_s=settings.grace_s)


async def _listen(settings: Settings, progress: "Progress", stack: AsyncExitStack) -> "Listener":
    """Listen from now on, and tell who asks for what the start is waiting."""
    from docserver.web.listener import listening
    from docserver.web.starting import make_starting_app

    listener = await stack.enter_async_context(listening(settings))
    await listener.serve(make_starting_app(progress))
    return listener


async def _open(listener: "Listener", resources: "Resources") -> "End":
    from docserver.web.app import make_app

    await listener.serve(make_app(resources))
    return listener.close


def _spare_the_collector() -> None:
    """Leave what is there for good out of every garbage collection, and collect less often.

    A request makes a few hundred objects and no cycles, so looking for some among all objects finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


async def _give_up(stop: asyncio.Event, opening: "asyncio.Task[None] | None") -> None:
    """Told to stop while it still waits for a database, for one: there is nothing to drain yet."""
    await stop.wait()
    log.info("stopped before it was ready")
    if opening:
        opening.cancel()


def _stop_signal() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process at once, and its children with it."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    return stop


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _end(status: int, message: str) -> NoReturn:
    sys.stderr.write(f"docserver: {message}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
