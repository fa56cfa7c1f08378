"""Spans of traces: how the other modules record them. Recording and sending them is `recorder`'s.

Until `start` is called, every function here does nothing, and nothing of OpenTelemetry is imported.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Literal, Protocol

from docserver.setting_files import wrong_file

Attributes = Mapping[str, str | int | float | bool]
"""The names are those of OpenTelemetry's semantic conventions, or begin with `docserver.`. No value may contain text or
names of a client's documents, keys or other secrets."""

Kind = Literal["internal", "server", "client"]

PROTOCOL = "http/protobuf"
"""The form of OTLP that is spoken; the others need packages that docserver does not have."""

FILES = ("CERTIFICATE", "CLIENT_KEY")
"""What the names of the variables that name files end with."""


class TracingError(Exception):
    """Traces are asked for and cannot be recorded; the message names the variable and says what to do."""


class Span(Protocol):
    """One step of a trace, while it is going on."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes, or replace their values."""

    def fail(self, error_type: str) -> None:
        """Mark the step as failed; the error's type is a code or the name of a class, never a text."""


class Recorder(Protocol):
    """Records spans, as `recorder` does."""

    def span(
        self, name: str, attributes: Attributes, *, kind: Kind, began_ns: int | None
    ) -> AbstractContextManager[Span]: ...

    def continued(self, traceparent: str | None) -> AbstractContextManager[None]: ...

    def traceparent(self) -> str | None: ...

    def link(self, traceparent: str) -> None: ...

    def ids(self) -> Mapping[str, str]: ...

    def stop(self) -> None: ...


class _Nothing:
    """The span if none are recorded."""

    def set(self, attributes: Attributes) -> None:
        pass

    def fail(self, error_type: str) -> None:
        pass


_recorder: Recorder | None = None
_NO_SPAN: AbstractContextManager[Span] = nullcontext(_Nothing())
_NOT_CONTINUED: AbstractContextManager[None] = nullcontext()
_NO_ATTRIBUTES: Attributes = MappingProxyType({})
_NO_IDS: Mapping[str, str] = MappingProxyType({})


def start(variables: Mapping[str, str]) -> None:
    """Record spans from now on, if these variables of OpenTelemetry ask for that; raises TracingError."""
    global _recorder  # noqa: PLW0603 - a process has one recorder, as it has one root logger
    if _are_wanted(variables):
        with _module(variables) as recorder:
            _recorder = recorder.OpenTelemetry()


def reaches_collector(variables: Mapping[str, str]) -> bool | None:
    """Whether the collector accepts a request without spans; None if these variables ask for no traces. Blocks for some
    seconds at most. Raises TracingError.
    """
    if not _are_wanted(variables):
        return None
    with _module(variables) as recorder:
        is_reached: bool = recorder.reaches_collector()
    return is_reached


@contextmanager
def _module(variables: Mapping[str, str]) -> Iterator[ModuleType]:
    """The module `recorder`, while the environment has these variables. Raises TracingError for wrong ones."""
    protocol = variables.get(
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", variables.get("OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOL)
    )
    if protocol != PROTOCOL:
        raise TracingError(f"OTEL_EXPORTER_OTLP_PROTOCOL must be {PROTOCOL}, with the collector's port for that (4318)")
    for name, path in variables.items():
        if name.endswith(FILES) and (wrong := wrong_file(path)):
            raise TracingError(f"{name} is wrong: {wrong}")
    try:
        # Nothing is imported unless it is needed.
        recorder = import_module("docserver.tracing.recorder")
    except ImportError as error:
        raise TracingError(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and OpenTelemetry is missing: "
            "install docserver[tracing], or unset the variable"
        ) from error
    # The SDK reads the environment alone. Other processes must not inherit the variables: they may hold a password.
    os.environ.update(variables)
    try:
        yield recorder
    except ValueError as error:
        raise TracingError(f"a variable of OpenTelemetry (OTEL_…) has a wrong value: {error}") from error
    finally:
        for name in variables:
            del os.environ[name]


def _are_wanted(variables: Mapping[str, str]) -> bool:
    endpoint = variables.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or variables.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    is_off = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return bool(endpoint) and not is_off and variables.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"


def stop() -> None:
    """Send what is recorded and not sent yet, within a bound, and record no more. Blocks."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder:
        recorder.stop()


def is_on() -> bool:
    """True if spans are recorded."""
    return _recorder is not None


def span(
    name: str, attributes: Attributes = _NO_ATTRIBUTES, *, kind: Kind = "internal", began_ns: int | None = None
) -> AbstractContextManager[Span]:
    """Record a span for the block, as a part of the span around it. An exception marks it as failed.

    `began_ns` is the time at which the step began, as `time.time_ns` tells it; None for now.
    """
    return _recorder.span(name, attributes, kind=kind, began_ns=began_ns) if _recorder else _NO_SPAN


def continued(traceparent: str | None) -> AbstractContextManager[None]:
    """Make the spans of the block parts of the trace that this header names (W3C Trace Context). If it is None or
    invalid, a new trace begins with each span.
    """
    return _recorder.continued(traceparent) if _recorder else _NOT_CONTINUED


def traceparent() -> str | None:
    """The header that names the current span, for another process to continue its trace; None if there is no span."""
    return _recorder.traceparent() if _recorder else None


def link(other: str | None) -> None:
    """Link the current span with the span of another trace, named by its `traceparent`."""
    if _recorder and other:
        _recorder.link(other)


def ids() -> Mapping[str, str]:
    """The ids of the current span and its trace, for log lines; nothing if there is no span."""
    return _recorder.ids() if _recorder else _NO_IDS
