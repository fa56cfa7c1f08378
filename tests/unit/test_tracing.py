"""Spans: when they are recorded, what they never contain, and a collector that fails."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from docserver import tracing
from docserver.settings import open_telemetry
from docserver.tracing import TracingError
from tests.support.collector import SERVER, Collector, collecting

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    yield
    tracing.stop()


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


def test_without_a_collector_nothing_of_opentelemetry_is_imported() -> None:
    program = """
import pkgutil, sys
import redis.asyncio  # imports a part of OpenTelemetry itself, where that is installed
import docserver
from docserver import tracing
before = set(sys.modules)
for module in pkgutil.walk_packages(docserver.__path__, "docserver."):
    if module.name not in ("docserver.tracing.recorder", "docserver.ocr.recognition.tesseract_library"):
        __import__(module.name)
tracing.start({"OTEL_SERVICE_NAME": "x"})
with tracing.continued("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), tracing.span("a") as span:
    span.set({"b": 1})
    span.fail("c")
    tracing.link("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert (tracing.is_on(), tracing.traceparent(), dict(tracing.ids())) == (False, None, {})
print([name for name in set(sys.modules) - before if name.startswith(("opentelemetry", "google"))])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)

    assert (ended.stdout, ended.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_the_usual_variables_turn_traces_on_and_off(variables: dict[str, str], on: bool) -> None:
    tracing.start(variables)

    assert tracing.is_on() is on


def test_the_variables_come_from_the_environment_and_from_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("OTEL_SERVICE_NAME=ocr\nOTEL_TRACES_SAMPLER=always_off\nHOME=/x\n")
    environment = {"OTEL_TRACES_SAMPLER": "always_on", "PATH": "/bin", "OTEL_TRACES_EXPORTER": ""}

    assert open_telemetry(environment, dotenv=dotenv) == {
        "OTEL_SERVICE_NAME": "ocr",
        "OTEL_TRACES_SAMPLER": "always_on",
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "must be http/protobuf"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "5", "OTEL_"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(TracingError, match=said):
        tracing.start({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", name: value})


def test_without_the_packages_the_start_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docserver.tracing.recorder", None)

    with pytest.raises(TracingError, match=r"docserver\[tracing\]"):
        tracing.start({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})


@pytest.mark.parametrize(
    ("traceparent", "taken"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        # A later version may add fields.
        (f"01-{TRACE}-{SPAN}-01-more", True),
        (None, False),
        ("", False),
        (f"00-{TRACE}-{SPAN}-01-more", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}-01\n'; DROP TABLE jobs", False),
        ("x" * 10_000, False),
    ],
)
async def test_a_valid_traceparent_is_continued_and_any_other_ignored(
    traceparent: str | None, taken: bool, collector: Collector
) -> None:
    tracing.start(collector.variables)

    with tracing.continued(traceparent), tracing.span("step", kind="server"):
        ours, ids = tracing.traceparent(), tracing.ids()

    (span,) = await collector.until(bool)
    assert (span.name, span.kind, span.parent_id) == ("step", SERVER, SPAN if taken else "")
    assert (span.trace_id == TRACE) is taken
    assert ours == f"00-{span.trace_id}-{span.span_id}-{ours[-2:] if ours else ''}"
    assert ids == {"trace_id": span.trace_id, "span_id": span.span_id}
    assert tracing.traceparent() is None


async def test_what_the_caller_does_not_sample_is_not_sent_and_still_has_ids(collector: Collector) -> None:
    tracing.start(collector.variables)

    with tracing.continued(f"00-{TRACE}-{SPAN}-00"), tracing.span("not sampled"):
        assert tracing.ids()["trace_id"] == TRACE
        assert str(tracing.traceparent()).endswith("-00")
    with tracing.span("sampled"):
        pass

    assert [span.name for span in await collector.until(bool)] == ["sampled"]


async def test_the_sampler_is_that_of_the_usual_variable(collector: Collector) -> None:
    ratio = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    tracing.start({**collector.variables, **ratio})

    with tracing.span("left out"):
        pass
    with tracing.continued(f"00-{TRACE}-{SPAN}-01"), tracing.span("sampled by the caller"):
        pass

    assert [span.name for span in await collector.until(bool)] == ["sampled by the caller"]


async def test_a_span_has_the_name_of_an_error_and_not_its_text(collector: Collector) -> None:
    tracing.start(collector.variables)

    with pytest.raises(ValueError), tracing.span("step", {"docserver.page.number": 3}):
        raise ValueError("what the client sent")

    (span,) = await collector.until(bool)
    assert span.failed
    assert span.attributes == {"docserver.page.number": 3, "error.type": "ValueError"}
    assert b"what the client sent" not in collector.bodies


async def test_the_service_is_named_and_its_name_can_be_set(collector: Collector) -> None:
    for variables in ({}, {"OTEL_SERVICE_NAME": "ocr", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}):
        tracing.start({**collector.variables, **variables})
        with tracing.span("step"):
            pass
        await asyncio.to_thread(tracing.stop)

    first, second = (span.service for span in collector.spans)
    assert (first["service.name"], second["service.name"]) == ("docserver", "ocr")
    assert second["deployment.environment.name"] == "test"


@pytest.mark.parametrize("status", [400, 503])
async def test_a_collector_that_refuses_is_logged_once_without_its_address(
    status: int, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = status
    tracing.start({**collector.variables, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5"})
    with caplog.at_level(logging.DEBUG):
        for number in (1, 2, 3):
            with tracing.span("step"):
                pass
            await collector.until(lambda _, requests=number: len(collector.headers) >= requests)  # type: ignore[misc]

    lines = [record.getMessage() for record in caplog.records if record.name.startswith(("docserver", "opentelemetry"))]
    assert lines == ["spans lost: the collector does not take them"]
    assert not [record for record in caplog.records if record.name.startswith("urllib3")]


async def test_the_end_does_not_wait_for_a_collector_that_does_not_answer(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docserver.tracing.recorder.FLUSH_S", 0.1)
    tracing.start(collector.variables)
    async with collector.silent:
        with tracing.span("step"):
            pass
        await asyncio.to_thread(tracing.stop)

        assert collector.spans == []
    assert not tracing.is_on()
