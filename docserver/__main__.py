"""Runs the command line: serves (the default), or carries out a command of an operator. Errors become exit codes.

Every OCR process imports this module when it starts. To keep that fast, functions import the modules that they need.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, TypeVar

from docserver.bucket_parameters import is_of_provider
from docserver.settings import Settings, SettingsError, load, open_telemetry, service_links, unknown, variable
from docserver.variables import OTEL_PREFIX, has_prefix

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Coroutine
    from uuid import UUID

COLLECT_AFTER = 10_000
"""Number of new objects that starts a garbage collection. A few dozen requests create that many; they take a few
megabytes at most."""

OPERATORS_COMMANDS = ("migrate", "adopt", "quarantine", "keys", "tenants", "search", "audit")
"""The commands that do one thing and end."""

log = logging.getLogger("docserver.main")
T = TypeVar("T")

EX_CONFIG = 78
"""sysexits.h: the settings are wrong, or data directory and database do not belong together."""

EX_UNAVAILABLE = 69
"""sysexits.h: something that the program needs is missing or does not work."""


def main() -> None:
    """Run the command line. Exits with 0; with 78 on a wrong setting or identity; with 69 if something is missing."""
    # aiomysql looks up the current user's name when it is imported, and a container's user may have no name.
    os.environ.setdefault("LOGNAME", "docserver")
    _collect_garbage_less_often()
    from docserver.command_line import make_parser

    options = make_parser().parse_args()
    if options.command == "doctor":
        from docserver.doctor.examination import examine

        examine(embedded=options.embedded, worker_only=options.worker_only)
    try:
        settings = _settings(options)
    except SettingsError as error:
        _exit(EX_CONFIG, str(error))
    match options.command:
        case "migrate":
            _run(_migrate(settings), settings)
        case "adopt":
            _run(_adopt(settings, without_originals=options.without_originals), settings, quiet=True)
        case "quarantine":
            documents = None if options.action == "list" or options.all else options.documents
            _run_or_fail(_quarantine(settings, action=options.action, documents=documents), settings)
        case "search":
            _run_or_fail(_rebuild_search_index(settings), settings)
        case "keys" | "tenants" | "audit":
            _run_or_fail(_administer(settings, options), settings)
        case _:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _end_at_once)
            from docserver.serving import serve

            _run(serve(settings, api=not options.worker_only, telemetry=open_telemetry()), settings)
            log.info("stopped")


def _settings(options: "Namespace") -> Settings:
    """The settings from the environment; raises SettingsError."""
    settings = load()
    if options.worker_only and options.command in (None, "serve") and not settings.slot_count:
        raise SettingsError(
            f"{variable('slots')} must be at least 1, or unset, with --worker-only: a worker reads pages"
        )
    if options.embedded or (options.command in OPERATORS_COMMANDS and _has_private_servers(settings)):
        settings = replace(settings, embedded=True)
    if not settings.embedded:
        _require_servers(settings)
    return settings


def _end_at_once(*_: object) -> NoReturn:
    """End a start that has begun nothing yet; `serving` replaces this. Loading the program takes up to seconds."""
    os._exit(0)


def _has_private_servers(settings: Settings) -> bool:
    """True if no database is set, and the data directory has a private one. Log lines name commands without options."""
    return not settings.mysql_url and (settings.data_dir / "mysql").is_dir()


def _require_servers(settings: Settings) -> None:
    for name in ("mysql_url", "redis_url"):
        if not getattr(settings, name):
            raise SettingsError(f"{variable(name)} must be set, unless --embedded is given")


def _run(work: "Coroutine[None, None, T]", settings: Settings, *, quiet: bool = False) -> "T | None":
    """Run until the work is done, and return its result, or None if it is cancelled. Exits as `main` says.

    With `quiet`, standard output is for people: logs are warnings, and go to standard error.
    """
    import uvloop

    from docserver import logs
    from docserver.database.migrate import MigrationError
    from docserver.embedded import EmbeddedError
    from docserver.errors import DatabaseUnavailable, StorageUnavailable
    from docserver.ocr.engine import EngineMissing
    from docserver.ocr.sandbox.policy import NotConfined
    from docserver.storage.identity import IdentityError
    from docserver.tracing import TracingError

    if quiet:
        logs.set_up("WARNING", sys.stderr)
        # Somebody waits: say that the command waits for the database, or changes its tables.
        logging.getLogger("docserver.migrate").setLevel("INFO")
    else:
        logs.set_up(settings.log_level)
    _log_ignored_variables()
    _forget_settings()
    try:
        with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (SettingsError, IdentityError, TracingError) as error:
        _exit(EX_CONFIG, str(error))
    except (
        DatabaseUnavailable,
        StorageUnavailable,
        EmbeddedError,
        EngineMissing,
        MigrationError,
        NotConfined,
    ) as error:
        _exit(EX_UNAVAILABLE, str(error))
    except OSError as error:
        _exit(EX_UNAVAILABLE, f"the system reports: {error.strerror}{f' ({error.filename})' if error.filename else ''}")
    return None


def _run_or_fail(work: "Coroutine[None, None, bool]", settings: Settings) -> None:
    """Run a command that prints something; exits with 1 if it says that it failed, or if it is cancelled."""
    if not _run(work, settings, quiet=True):
        sys.exit(1)


def _log_ignored_variables() -> None:
    settings_log = logging.getLogger("docserver.settings")
    for name in unknown():
        settings_log.warning("unknown setting ignored", extra={"variable": name})
    if links := service_links():
        settings_log.info("variables of Kubernetes services ignored", extra={"variables": links})


def _forget_settings() -> None:
    """Remove our variables and those of OpenTelemetry, AWS, Azure and Google from the environment that all processes
    inherit.

    They may hold passwords. A process that a document has taken over could find them in its memory, even after it has
    removed them itself. And the library that asks a bucket would take those of its provider for parameters, whatever
    the URL says.
    """
    for name in list(os.environ):
        if has_prefix(name) or name.startswith(OTEL_PREFIX) or is_of_provider(name):
            del os.environ[name]


async def _migrate(settings: Settings) -> None:
    from docserver.database.migrate import migrate
    from docserver.embedded import with_embedded_servers

    async with AsyncExitStack() as stack:
        await migrate(await with_embedded_servers(settings, stack, may_share=True))


async def _adopt(settings: Settings, *, without_originals: bool) -> None:
    """Join this data directory and this database. Both are created if they are missing."""
    from docserver.database.migrate import migrate
    from docserver.embedded import with_embedded_servers
    from docserver.identity import adopt

    async with AsyncExitStack() as stack:
        settings = await with_embedded_servers(settings, stack, may_share=True, may_be_lost=True)
        await migrate(settings)
        await adopt(settings, without_originals=without_originals)
    sys.stdout.write("The storage and the database belong together from now on. Start docserver again.\n")


async def _quarantine(settings: Settings, *, action: str, documents: "list[UUID] | None") -> bool:
    """List or restore originals that no document knows; None stands for all. False if one of them is not restored."""
    from docserver.commands.quarantine import list_quarantine, restore_from_quarantine
    from docserver.database.migrate import migrate
    from docserver.embedded import with_embedded_servers
    from docserver.identity import identify
    from docserver.resources import checked_engine, opened

    async with AsyncExitStack() as stack:
        settings = await with_embedded_servers(settings, stack, may_share=True)
        await migrate(settings)
        await identify(settings)
        resources = await stack.enter_async_context(opened(settings, await checked_engine(settings)))
        if action == "restore":
            return await restore_from_quarantine(resources, documents)
        await list_quarantine(resources)
        return True


async def _rebuild_search_index(settings: Settings) -> bool:
    """Build the index for searches anew. Returns True."""
    from docserver.commands.search import rebuild
    from docserver.database.migrate import migrate
    from docserver.embedded import with_embedded_servers
    from docserver.identity import identify
    from docserver.resources import checked_engine, opened

    async with AsyncExitStack() as stack:
        settings = await with_embedded_servers(settings, stack, may_share=True)
        await migrate(settings)
        await identify(settings)
        await rebuild(await stack.enter_async_context(opened(settings, await checked_engine(settings))))
        return True


async def _administer(settings: Settings, options: "Namespace") -> bool:
    """Do what is asked with keys, tenants or the audit log. False if it is refused."""
    from docserver.commands.administration import run
    from docserver.database.migrate import migrate
    from docserver.embedded import with_embedded_servers
    from docserver.identity import identify

    async with AsyncExitStack() as stack:
        settings = await with_embedded_servers(settings, stack, may_share=True)
        await migrate(settings)
        await identify(settings)
        return await run(settings, options)


def _collect_garbage_less_often() -> None:
    """A request creates a few hundred objects and no reference cycles, so there is little to collect; and while the
    program is loaded, which creates 100,000 objects, there is nothing.
    """
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def _exit(status: int, message: str) -> NoReturn:
    sys.stderr.write(f"docserver: {message}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
