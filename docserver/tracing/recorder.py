"""Records spans with the SDK of OpenTelemetry, and sends them to a collector by OTLP over HTTP.

The SDK sends them from a thread of its own, out of a queue with a bound, so nothing waits for the collector. This
module is only imported if traces are wanted.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from docserver import __version__
from docserver.tracing import Attributes, Kind, Span

log = logging.getLogger("docserver.tracing")

FLUSH_S = 3.0
"""Longest wait, in seconds, for the collector when the process stops. A collector that works answers within
milliseconds, and container managers kill a process some seconds after its grace time."""

REMINDER_S = 60.0
"""Least time, in seconds, between two log lines about a collector that does not take spans."""

PROBE_S = 5.0
"""Longest wait, in seconds, for the collector's answer to a request without spans."""

KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}

_w3c = TraceContextTextMapPropagator()


def reaches_collector() -> bool:
    """True if the collector accepts a request without spans. Blocks for PROBE_S at most; raises ValueError."""
    return OTLPSpanExporter(timeout=PROBE_S).export([]) is SpanExportResult.SUCCESS


class OpenTelemetry:
    """The recorder of a process. Its settings are OpenTelemetry's environment variables."""

    def __init__(self) -> None:
        """Raises ValueError if a variable cannot be used."""
        # The exporter logs the texts of exceptions, which contain the collector's URL. _Exporter reports failures.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL + 1)
        # At level DEBUG, urllib3 logs each request that sends spans.
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter(OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer("docserver", __version__)
        log.info("spans are recorded")

    def stop(self) -> None:
        """Send the spans in the queue for at most FLUSH_S."""
        # The SDK's own bound is 30 seconds and cannot be changed. A daemon does not keep the process alive.
        flushing = threading.Thread(target=self._provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)

    @contextmanager
    def span(self, name: str, attributes: Attributes, *, kind: Kind, began_ns: int | None) -> Iterator[Span]:
        # The text of an exception may contain a client's data, so the SDK must not record it.
        with self._tracer.start_as_current_span(
            name,
            kind=KINDS[kind],
            attributes=attributes,
            start_time=began_ns,
            record_exception=False,
            set_status_on_exception=False,
        ) as recorded:
            span = _Span(recorded)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__name__)
                raise

    @contextmanager
    def continued(self, traceparent: str | None) -> Iterator[None]:
        token = context.attach(_context(traceparent))
        try:
            yield
        finally:
            context.detach(token)

    def traceparent(self) -> str | None:
        headers: dict[str, str] = {}
        _w3c.inject(headers)
        return headers.get("traceparent")

    def link(self, traceparent: str) -> None:
        other = trace.get_current_span(_context(traceparent)).get_span_context()
        if other.is_valid:
            trace.get_current_span().add_link(other)

    def ids(self) -> Mapping[str, str]:
        span = trace.get_current_span().get_span_context()
        if not span.is_valid:
            return {}
        return {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}


class _Span:
    def __init__(self, recorded: trace.Span) -> None:
        self._recorded = recorded

    def set(self, attributes: Attributes) -> None:
        self._recorded.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        self._recorded.set_attribute("error.type", error_type)
        self._recorded.set_status(StatusCode.ERROR)


class _Exporter(SpanExporter):
    """Sends spans by OTLP, and logs now and then that the collector does not take them."""

    def __init__(self, otlp: OTLPSpanExporter) -> None:
        self._otlp = otlp
        self._lost = 0
        self._silent_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._otlp.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() >= self._silent_until:
                log.warning("spans lost: the collector does not take them", extra={"spans": self._lost})
                self._lost, self._silent_until = 0, time.monotonic() + REMINDER_S
        return result

    def shutdown(self) -> None:
        self._otlp.shutdown()  # type: ignore[no-untyped-call]


def _context(traceparent: str | None) -> context.Context:
    """The context of the span that this header names; an empty one if it is None or invalid."""
    return _w3c.extract({"traceparent": traceparent} if traceparent else {}, context.Context())


def _resource() -> Resource:
    """What describes this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override it."""
    ours = {SERVICE_NAME: "docserver", SERVICE_VERSION: __version__}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})
