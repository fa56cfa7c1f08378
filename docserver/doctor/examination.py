"""Runs all checks at once, each within a bound, and prints what they find, a line each."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import NoReturn

from docserver.bucket_parameters import is_of_provider
from docserver.doctor.database import check_database
from docserver.doctor.findings import Finding, Status, ok, problem, warning
from docserver.doctor.machine import (
    check_access,
    check_disk,
    check_limits,
    check_metrics_port,
    check_port,
    check_storage,
)
from docserver.doctor.outgoing import check_traces, check_webhooks
from docserver.doctor.reading import check_engine, check_sandbox
from docserver.doctor.redis import check_redis
from docserver.doctor.replica import check_replica
from docserver.embedded import EmbeddedError, running
from docserver.embedded.programs import find as find_programs
from docserver.settings import Settings, SettingsError, load, unknown, variable

CHECK_S = 30.0
"""Longest time for one check. All together take one or two seconds where everything answers."""

Check = Callable[[Settings], AsyncIterator[Finding]]

MACHINE: dict[str, Check] = {
    "engine": check_engine,
    "sandbox": check_sandbox,
    "disk": check_disk,
    "storage": check_storage,
    "metrics port": check_metrics_port,
    "limits": check_limits,
    "traces": check_traces,
}
API: dict[str, Check] = {
    "port": check_port,
    "access": check_access,
}
SERVERS: dict[str, Check] = {
    "database": check_database,
    "replica": check_replica,
    "redis": check_redis,
    "webhooks": check_webhooks,
}


def examine(*, embedded: bool, worker_only: bool) -> NoReturn:
    """Print all findings and exit: with 1 if there is a problem, else with 0. Leaves everything as it is. Says nothing
    of the API if this machine is to run a worker alone.
    """
    # What goes wrong is in the findings.
    logging.disable()
    try:
        settings = load()
    except SettingsError as error:
        _end([problem("settings", str(error), "correct it")])
    # The library that asks a bucket would take them for parameters, also those that the settings do not use.
    for name in filter(is_of_provider, list(os.environ)):
        del os.environ[name]
    try:
        settings = replace(settings, embedded=settings.embedded or embedded)
        asyncio.run(_examine(settings, MACHINE if worker_only else MACHINE | API))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


async def _examine(settings: Settings, checks: Mapping[str, Check]) -> NoReturn:
    findings = [_settings()]
    try:
        async with asyncio.timeout(CHECK_S):
            settings, of_servers = await asyncio.to_thread(_with_private_servers, settings)
    except OSError:
        # A TimeoutError too. `check_disk` says what is wrong with the directory.
        of_servers = [problem("servers", "the data directory cannot be looked into", "see what is said of the disk")]
    findings += of_servers
    if settings.mysql_url and settings.redis_url:
        checks = {**checks, **SERVERS}
    results = await asyncio.gather(*(_bounded(name, check(settings)) for name, check in checks.items()))
    _end([*findings, *chain.from_iterable(results)])


def _settings() -> Finding:
    if ignored := unknown():
        return warning("settings", f"{', '.join(ignored)} set nothing", "correct the names, or remove them")
    return ok("settings", "all are valid")


def _with_private_servers(settings: Settings) -> tuple[Settings, list[Finding]]:
    """The settings with the URLs of the servers, if they run. Blocks."""
    if not (settings.embedded or (not settings.mysql_url and (settings.data_dir / "mysql").is_dir())):
        missing = [variable(name) for name in ("mysql_url", "redis_url") if not getattr(settings, name)]
        if not missing:
            return settings, []
        return settings, [problem("servers", f"{' and '.join(missing)} not set", "set them, or use --embedded")]
    try:
        find_programs()
    except EmbeddedError as error:
        detail, _, remedy = str(error).partition(": ")
        return settings, [problem("servers", detail, remedy)]
    endpoints = running(settings.data_dir)
    if endpoints is None:
        remedy = "start docserver, and run this again while it runs"
        return settings, [warning("servers", "the private servers do not run, so they are not checked", remedy)]
    with_urls = replace(settings, embedded=True, mysql_url=endpoints.mysql_url, redis_url=endpoints.redis_url)
    return with_urls, [ok("servers", "the private servers run")]


async def _bounded(name: str, check: AsyncIterator[Finding]) -> list[Finding]:
    """The findings of a check until it ended, or until its time was over."""
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(CHECK_S):
            async for finding in check:
                findings.append(finding)  # noqa: PERF401 - those before a fault count
    except TimeoutError:
        findings.append(problem(name, f"no answer within {CHECK_S:g} s", "find out why it hangs"))
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide what the others find
        findings.append(problem(name, f"the check failed ({type(error).__name__})", "report this as a bug"))
    return findings


def _end(findings: list[Finding]) -> NoReturn:
    with suppress(BrokenPipeError):
        sys.stdout.writelines(f"{finding}\n" for finding in findings)
        sys.stdout.flush()
    # Not sys.exit: a thread that waits for a disk that hangs would keep the process.
    os._exit(any(finding.status is Status.PROBLEM for finding in findings))
