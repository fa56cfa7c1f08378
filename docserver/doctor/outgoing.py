"""Checks what the service sends to others: spans to the collector of traces, and webhooks to their receivers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from docserver import tracing
from docserver.database.address import Address
from docserver.database.connection import Cursor
from docserver.database.driver import connect
from docserver.database.migrate import ANSWERS
from docserver.database.tables import webhook_endpoints
from docserver.doctor.findings import Finding, ok, problem, warning
from docserver.errors import DatabaseUnavailable
from docserver.settings import Settings, SettingsError, open_telemetry
from docserver.webhook_types import Fault
from docserver.webhooks.client import CONNECT_S, Client
from docserver.webhooks.endpoints import guard_of

RECEIVERS = 10
"""Most receivers that are tried. A way out that is blocked is blocked for all."""

LATEST = 200
"""Number of the latest endpoints and callbacks whose receivers are tried. Many of them have the same one."""


async def check_traces(_: Settings) -> AsyncIterator[Finding]:
    """Whether the collector of traces can be reached, if traces are wanted."""
    subject = "traces"
    try:
        is_reached = await asyncio.to_thread(tracing.reaches_collector, open_telemetry())
    except tracing.TracingError as error:
        yield problem(subject, "cannot be recorded", str(error))
        return
    if is_reached is None:
        yield ok(subject, "not recorded (OTEL_EXPORTER_OTLP_ENDPOINT is not set)")
    elif is_reached:
        yield ok(subject, "the collector accepts them")
    else:
        remedy = "start it, or correct OTEL_EXPORTER_OTLP_ENDPOINT, its headers or its certificate"
        yield warning(subject, "the collector does not accept them", remedy)


async def check_webhooks(settings: Settings) -> AsyncIterator[Finding]:
    """Whether receivers of webhooks can be reached from here. Connects to some, and sends nothing."""
    subject = "webhooks"
    if not settings.webhook_connections:
        yield ok(subject, "not sent by this process (DOCSERVER_WEBHOOK_CONNECTIONS=0)")
        return
    try:
        urls = await _urls(settings)
    except (*ANSWERS, DatabaseUnavailable, SettingsError):
        # `check_database` says what is wrong.
        return
    if not urls:
        yield ok(subject, "none to send to yet")
        return
    client = Client(guard_of(settings), timeout_s=CONNECT_S, connections=RECEIVERS)
    try:
        faults = Counter(await asyncio.gather(*map(client.reach, urls)))
    finally:
        await client.close()
    reached = faults.pop(None, 0)
    reasons = ", ".join(f"{fault} {number}" for fault, number in sorted(faults.items()) if fault is not None)
    detail = f"receivers reached: {reached} of {len(urls)}{f' ({reasons})' if reasons else ''}"
    yield ok(subject, detail) if reached else warning(subject, detail, _remedy(faults))


def _remedy(faults: Counter[Fault | None]) -> str:
    if faults.keys() == {Fault.ADDRESS}:
        return "name their networks in DOCSERVER_WEBHOOK_NETWORKS, if they are to be sent to"
    return "let this machine look up names and connect to the receivers, or set DOCSERVER_WEBHOOK_CONNECTIONS=0 here"


async def _urls(settings: Settings) -> list[str]:
    """A URL of each of some receivers."""
    address = Address.parse(settings.mysql_url)
    async with asyncio.timeout(settings.mysql_timeout_s):
        connection = await connect(address, timeout_s=settings.mysql_timeout_s, database=address.database)
        try:
            urls = await webhook_endpoints.latest_urls(Cursor(connection, settings.mysql_timeout_s), limit=LATEST)
        finally:
            connection.close()
    return list(urls.values())[:RECEIVERS]
