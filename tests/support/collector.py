"""A collector of traces: OTLP over HTTP, as OpenTelemetry's exporters speak it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.support.waiting import in_time

SERVER = 2
"""The kind of a span for a request, in OTLP."""


@dataclass(frozen=True)
class Received:
    """A span as it arrived."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: bool
    links: list[str]
    """The ids of the traces that it is linked with."""
    service: dict[str, Any]
    """What describes the process that recorded it."""


class Collector:
    """Keeps what was sent to it."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.bodies = b""
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.silent = asyncio.Lock()
        """Nothing is answered while somebody has this lock."""
        self._news = asyncio.Event()
        self._url = ""

    @property
    def variables(self) -> dict[str, str]:
        """OpenTelemetry's variables for a service that sends its spans here at once."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._url,
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=collectors-secret",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    async def until(self, fulfilled: Callable[[list[Received]], Any]) -> list[Received]:
        """Wait until this is true of all spans so far; returns them."""
        async with in_time():
            while not fulfilled(self.spans):
                self._news.clear()
                await self._news.wait()
        return self.spans

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.headers.append(dict(request.headers))
        async with self.silent:
            pass
        if self.status == 200:
            self.bodies += body
            self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        self._news.set()
        return web.Response(status=self.status)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that runs in the block."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector._receive)
    async with TestServer(app) as server:
        collector._url = str(server.make_url("/"))
        yield collector


def _spans(sent: ExportTraceServiceRequest) -> list[Received]:
    return [
        Received(
            name=span.name,
            kind=span.kind,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            attributes=_values(span.attributes),
            failed=span.status.code == span.status.STATUS_CODE_ERROR,
            links=[link.trace_id.hex() for link in span.links],
            service=_values(of_process.resource.attributes),
        )
        for of_process in sent.resource_spans
        for scope in of_process.scope_spans
        for span in scope.spans
    ]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    value: AnyValue = pair.value
    return getattr(value, str(value.WhichOneof("value")))
