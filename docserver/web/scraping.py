"""Serves the metrics to Prometheus, on the API's port or on one of their own, and measures the gauges.

The port of their own also tells an autoscaler the backlog, and whether the process is alive.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from docserver import __version__, metrics
from docserver.database.tables import backlog, search_index, tenant_counts
from docserver.errors import DatabaseUnavailable, NotFound, RedisUnavailable, Unavailable
from docserver.exclusive import SingleFlight
from docserver.resources import Resources
from docserver.room import Disk
from docserver.web.administration_examples import METRICS
from docserver.web.handlers.common import json_response
from docserver.web.handlers.system import deployment_header, get_liveness
from docserver.web.keys import RESOURCES
from docserver.web.listener import explained
from docserver.web.middleware import errors_as_problems
from docserver.web.openapi import operation

log = logging.getLogger("docserver.metrics")

MEASURE_EVERY_S = 5.0
"""Least time between two measurements of servers and disk, however many scrapes there are."""

MEASURE_TIMEOUT_S = 1.0
"""Longest wait for the answer of a server. Prometheus waits ten seconds for all."""

BACKLOG_TIMEOUT_S = 2.5
"""Longest wait for the number of unfinished pages. An autoscaler such as KEDA waits three seconds for the answer."""

JOBS_COUNTED = 10_000
"""Most jobs that are counted whose pages may have to be indexed."""

CLOSE_S = 1.0
"""How long a scrape may go on when the process stops."""

DATABASE_GAUGES = (
    metrics.QUEUE_PAGES,
    metrics.QUEUE_JOBS,
    metrics.QUEUE_AGE,
    metrics.WEBHOOKS_DUE,
    metrics.WEBHOOK_LAG,
    metrics.DOCUMENTS_BYTES,
    metrics.SEARCH_BACKLOG,
)
"""What is measured in the database."""


class Scraper:
    """Writes the metrics of this process. Requests that arrive meanwhile get the same text."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._measured_at = -math.inf
        self._writing: SingleFlight[None, bytes] = SingleFlight()
        self._counting: SingleFlight[None, int] = SingleFlight()

    async def text(self) -> bytes:
        """All metrics, in Prometheus's text format."""
        return await self._writing.do(None, self._write)

    async def unfinished_pages(self) -> int:
        """The pages that wait or are being read, in all processes together. Raises DatabaseUnavailable."""
        return await self._counting.do(None, self._count_unfinished_pages)

    async def _count_unfinished_pages(self) -> int:
        try:
            async with asyncio.timeout(BACKLOG_TIMEOUT_S), self._resources.health_db.session() as cur:
                return (await backlog.measure(cur)).unfinished_pages
        except TimeoutError as error:
            raise DatabaseUnavailable("The database did not answer in time.") from error

    async def _write(self) -> bytes:
        if time.monotonic() - self._measured_at > MEASURE_EVERY_S:
            await asyncio.gather(self._measure_database(), self._measure_redis(), asyncio.to_thread(self._measure_disk))
            self._measured_at = time.monotonic()
        self._describe_build()
        self._count_connections()
        return await asyncio.to_thread(generate_latest)

    async def _measure_database(self) -> None:
        database, is_up = self._resources.health_db, False
        for gauge in DATABASE_GAUGES:
            gauge.set(metrics.UNKNOWN)
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                await database.ping()
            is_up = True
            async with asyncio.timeout(MEASURE_TIMEOUT_S), database.session() as cur:
                jobs = await backlog.measure(cur)
                deliveries = await backlog.measure_deliveries(cur)
                kept = await tenant_counts.bytes_of_all(cur)
                to_index = await search_index.count_due(cur, most=JOBS_COUNTED)
            values = (
                jobs.pages,
                jobs.jobs,
                jobs.oldest_age_s,
                deliveries.count,
                deliveries.oldest_age_s,
                kept,
                to_index,
            )
            for gauge, value in zip(DATABASE_GAUGES, values, strict=True):
                gauge.set(value)
        except (Unavailable, TimeoutError):
            log.info("database not measured", extra={"answers": is_up})
        metrics.DEPENDENCY_UP.labels("mysql").set(is_up)

    async def _measure_redis(self) -> None:
        is_up = False
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                await self._resources.redis.check_writable()
            is_up = True
        except (RedisUnavailable, TimeoutError):
            log.info("Redis not measured")
        metrics.DEPENDENCY_UP.labels("redis").set(is_up)

    def _measure_disk(self) -> None:
        settings = self._resources.settings
        size, free, reserve = metrics.UNKNOWN, metrics.UNKNOWN, metrics.UNKNOWN
        try:
            disk = Disk.of(settings.data_dir, min_free_mb=settings.min_free_mb)
            size, free, reserve = disk.size, disk.free, disk.reserve
        except OSError as error:
            log.info("disk not measured", extra={"number": error.errno})
        metrics.DISK_SIZE.set(size)
        metrics.DISK_FREE.set(free)
        metrics.DISK_RESERVE.set(reserve)

    def _describe_build(self) -> None:
        engine, sandbox = self._resources.engine, self._resources.sandbox
        metrics.BUILD.info(
            {
                "version": __version__,
                "engine": engine.name,
                "engine_version": engine.version,
                "binding": engine.binding,
                "sandbox": sandbox.status,
            }
        )

    def _count_connections(self) -> None:
        resources = self._resources
        pools = {
            "work": resources.db,
            "reads": resources.reads,
            "lists": resources.lists,
            "maintenance": resources.maintenance_db,
            "index": resources.index_db,
            "health": resources.health_db,
            **({"replica": resources.replica.db} if resources.replica.db else {}),
        }
        for pool, database in pools.items():
            usage = database.usage
            metrics.DATABASE_CONNECTIONS.labels(pool, "in_use").set(usage.in_use)
            metrics.DATABASE_CONNECTIONS.labels(pool, "idle").set(usage.idle)
            metrics.DATABASE_CONNECTIONS_MAX.labels(pool).set(usage.size)
            metrics.DATABASE_WAITING.labels(pool).set(usage.waiting)


SCRAPER: web.AppKey[Scraper] = web.AppKey("scraper", Scraper)


@operation(
    summary="The metrics of this process, for Prometheus; with API keys, for the scope admin",
    description="docs/metrics.md explains each. 404 if they have a port of their own.",
    tag="system",
    produces=("text/plain",),
    examples={"text/plain": METRICS},
    responses={200: "The metrics, in Prometheus's text format"},
    errors=(401, 403, 404),
)
async def get_metrics(request: web.Request) -> web.Response:
    if request.app[RESOURCES].settings.metrics_port:
        raise NotFound("The metrics have a port of their own.")
    return await _text(request)


async def _text(request: web.Request) -> web.Response:
    body = await request.app[SCRAPER].text()
    headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
    return web.Response(body=body, headers={**headers, **deployment_header(request.app[RESOURCES])})


async def _backlog(request: web.Request) -> web.Response:
    """For an autoscaler of workers. While the number is unknown, the status is 503, so that nothing is scaled by it."""
    unfinished_pages = await request.app[SCRAPER].unfinished_pages()
    return json_response({"unfinished_pages": unfinished_pages}, headers={"Cache-Control": "no-store"})


@asynccontextmanager
async def own_port(resources: Resources) -> AsyncIterator[None]:
    """Serve the metrics, the backlog and /livez on DOCSERVER_METRICS_PORT during the block.

    Raises OSError or SettingsError if that is not possible.
    """
    settings = resources.settings
    host, port = settings.metrics_host, settings.metrics_port
    app = web.Application(middlewares=[errors_as_problems])
    app[SCRAPER] = Scraper(resources)
    app[RESOURCES] = resources
    app.router.add_get("/metrics", _text)
    app.router.add_get("/backlog", _backlog)
    app.router.add_get("/livez", get_liveness)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise explained(error, place=f"{host}:{port}", setting="metrics_port") from error
        log.info("metrics served", extra={"host": host, "port": port})
        yield
    finally:
        await runner.cleanup()
