"""Traces, as a collector gets them from a service of several processes."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.collector import SERVER, Collector, Received, collecting
from tests.support.processes import children, ocr_processes
from tests.support.receiver import SECRET, Receiver, receiving
from tests.support.samples import pdf_scanned
from tests.support.service import Service, Start, form
from tests.support.waiting import until

PAGES = tuple(f"Confidential page {number} of a report" for number in range(1, 17))

CALLERS_TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"


def named(spans: Iterable[Received], name: str, **attributes: Any) -> list[Received]:
    return [span for span in spans if span.name == name and attributes.items() <= span.attributes.items()]


def pages_of(spans: Iterable[Received]) -> set[int]:
    return {span.attributes["docserver.page.number"] for span in named(spans, "read page")}


async def upload(api: Service, receiver: Receiver) -> str:
    """Upload a document as a part of a caller's trace; returns the job's id."""
    callback = {"callback_url": receiver.url("/secret-hook"), "callback_secret": SECRET}
    data = form(pdf_scanned(PAGES), "secret-plans.pdf", **callback)
    headers = {"traceparent": TRACEPARENT}
    async with api.http.post("/v1/documents/upload-document", data=data, headers=headers) as response:
        assert response.status == 202
        return str((await response.json())["job_id"])


async def kill_in_the_middle_of_a_page(worker: Service, api: Service, job_id: str, collector: Collector) -> None:
    """Kill a worker while it reads a page, once the collector has the spans of all pages before."""
    await collector.until(pages_of)
    for pid in ocr_processes(worker.pid):
        os.kill(pid, signal.SIGSTOP)

    async def all_sent() -> bool:
        done: int = (await api.job(job_id))["pages"]["done"]
        return len(pages_of(collector.spans)) == done

    await until(all_sent)
    await worker.stop(signal.SIGKILL)


async def test_one_trace_leads_from_the_caller_to_each_page_in_each_worker(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as collector, receiving() as receiver:
        for name, value in collector.variables.items():
            monkeypatch.setenv(name, value)
        webhooks = {"webhook_networks": "127.0.0.0/8", "webhook_ports": str(receiver.port), "secret_key": "k" * 32}
        api = await start(slots="0", maintenance_s="0.3", webhook_connections="0", **webhooks)
        # One slot, so that spans come in the order of pages: as many as pages done are those of the pages done.
        first = await start("--worker-only", slots="1", lease_s="2", **webhooks)
        job_id = await upload(api, receiver)
        await kill_in_the_middle_of_a_page(first, api, job_id, collector)

        # In a directory of its own, it spawns its OCR processes: the kernel shows no environment of a fork.
        second = await start("--worker-only", directory=str(Path.cwd()), lease_s="2", **webhooks)
        job = await api.finished(job_id)
        assert job["pages"] == {"total": len(PAGES), "done": len(PAGES), "failed": 0}
        await collector.until(lambda spans: pages_of(spans) == set(range(1, len(PAGES) + 1)))
        await collector.until(lambda spans: named(spans, "deliver webhook"))

        trace = [span for span in collector.spans if span.trace_id == CALLERS_TRACE]
        (request,) = named(trace, "POST /v1/documents/upload-document")
        read = named(trace, "read page", **{"docserver.page.outcome": "read", "docserver.page.source": "ocr"})
        assert (request.kind, request.parent_id) == (SERVER, CALLERS_SPAN)
        assert request.attributes["http.response.status_code"] == 202
        assert len(read) == len(PAGES)
        assert {span.parent_id for span in read} == {request.span_id}
        assert len({span.service["service.instance.id"] for span in [request, *read]}) == 3
        assert {span.service["service.name"] for span in trace} == {"docserver"}
        (opening,) = named(trace, "open document", **{"docserver.job.id": job_id})
        parts = {"receive document", "store document", "commit document and job"}
        assert parts <= {span.name for span in trace if span.parent_id == request.span_id}
        assert {span.parent_id for span in named(trace, "save")} == {opening.span_id, request.span_id}

        (told,) = named(trace, "deliver webhook", **{"docserver.job.id": job_id, "http.response.status_code": 204})
        (webhook,) = await receiver.arrived()
        assert (told.parent_id, told.failed) == (request.span_id, False)
        assert webhook.headers["traceparent"] == f"00-{CALLERS_TRACE}-{told.span_id}-01"

        for line in (
            await api.logged("document accepted"),
            await api.logged("request", route="/v1/documents/upload-document"),
            await second.logged("page read"),
            await second.logged("webhook delivered"),
        ):
            assert line["trace_id"] == CALLERS_TRACE
        assert second.find("page read", span_id=read[-1].span_id)
        await assert_another_attempt_has_a_trace_of_its_own(api, job_id, collector)
        await assert_nothing_secret_is_sent_or_inherited(api, second, job_id, collector)
        assert [await service.stop() for service in (api, second)] == [0, 0]
        assert collector.spans[-1].service["service.name"] == "docserver"


async def assert_another_attempt_has_a_trace_of_its_own(api: Service, job_id: str, collector: Collector) -> None:
    other = "1" * 32
    headers = {"traceparent": f"00-{other}-{CALLERS_SPAN}-01"}
    async with api.http.post(f"/v1/jobs/{job_id}/retry", params={"pages": "2"}, headers=headers) as response:
        assert response.status == 202
    await api.finished(job_id)
    spans = await collector.until(lambda spans: named((span for span in spans if span.trace_id == other), "read page"))
    (retry,) = named(spans, "POST /v1/jobs/{job_id}/retry")
    assert (retry.trace_id, retry.links) == (other, [CALLERS_TRACE])


async def assert_nothing_secret_is_sent_or_inherited(
    api: Service, worker: Service, job_id: str, collector: Collector
) -> None:
    secret = {"Authorization": "Bearer dsk_secret", "traceparent": "00-not-a-traceparent-01"}
    async with api.http.get(f"/v1/jobs/{job_id}/result", params={"format": "txt"}, headers=secret) as response:
        assert response.status == 200
    spans = await collector.until(lambda spans: named(spans, "GET /v1/jobs/{job_id}/result"))
    (result,) = named(spans, "GET /v1/jobs/{job_id}/result")
    (made,) = named(spans, "write result", **{"docserver.result.format": "txt"})
    assert (result.parent_id, made.parent_id) == ("", result.span_id)
    assert result.attributes["url.path"] == f"/v1/jobs/{job_id}/result"
    assert not [word for word in (b"dsk_", b"secret", b"onfidential", b"format=") if word in collector.bodies]
    assert {headers["api-key"] for headers in collector.headers} == {"collectors-secret"}
    for pid in (*children(worker.pid), *children(api.pid)):
        assert b"OTEL_" not in Path(f"/proc/{pid}/environ").read_bytes()
