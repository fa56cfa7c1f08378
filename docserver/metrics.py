"""Every metric of the service: its name, labels and help. Other modules count; `web/scraping.py` measures the
gauges at a scrape, and serves the text.

Every label has a fixed set of values: no tenant, client, id or file name is one.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from time import perf_counter

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

# A second series for each counter, with the time at which it was created, would help nobody here.
disable_created_metrics()  # type: ignore[no-untyped-call]

REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""A cached job takes a few milliseconds, and no request may take longer than DOCSERVER_REQUEST_TIMEOUT_S, 30 s."""

STAGE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
"""A text layer takes milliseconds; no call may take longer than DOCSERVER_PAGE_TIMEOUT_S, 120 s."""

JOB_BUCKETS_S = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400)
"""A receipt takes a second; a book that waits for others takes hours."""

OTHER_ROUTE = "none"
"""The label of requests that no route answers: unknown paths, and what is not HTTP."""


class UnlockedCounter(Collector):
    """A counter without a lock, for what happens in every read. Only the event loop's thread may count.

    It takes a fifth of the time of the library's counter.
    """

    def __init__(self, name: str, documentation: str, labelnames: Sequence[str]) -> None:
        self._name, self._documentation, self._labelnames = name, documentation, tuple(labelnames)
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        REGISTRY.register(self)

    def inc(self, *labels: str) -> None:
        """Count once."""
        self._counts[labels] += 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labelnames)
        for labels, count in self._counts.copy().items():
            family.add_metric(labels, count)
        yield family


class UnlockedHistogram(Collector):
    """A histogram with one label and without a lock, as `UnlockedCounter`."""

    def __init__(self, name: str, documentation: str, labelname: str, *, buckets: Sequence[float]) -> None:
        self._name, self._documentation, self._labelnames = name, documentation, (labelname,)
        self._bounds = buckets
        self._counts: dict[str, list[int]] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)
        REGISTRY.register(self)

    def observe(self, label: str, seconds: float) -> None:
        """Count a duration."""
        counts = self._counts.get(label)
        if counts is None:
            counts = self._counts[label] = [0] * (len(self._bounds) + 1)
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[label] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for label, counts in self._counts.copy().items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([label], buckets, self._sums[label])
        yield family


BUILD = Info(
    "docserver_build", "Versions of docserver and of its OCR engine, how the engine is called, and the sandbox."
)

HTTP_REQUESTS = UnlockedCounter(
    "docserver_http_requests",
    "Requests that were answered, by the name of the route (none: no such path) and by status.",
    ["route", "status"],
)
HTTP_SECONDS = UnlockedHistogram(
    "docserver_http_request_duration_seconds",
    "Time from a request's headers to the end of its answer. Requests that wait for a job's end are left out.",
    "route",
    buckets=REQUEST_BUCKETS_S,
)
HTTP_ERRORS = Counter(
    "docserver_http_errors",
    "Errors that were answered, by their code: rate_limited and quota_exceeded are refusals of the limits.",
    ["code"],
)
HTTP_CONNECTIONS = Gauge("docserver_http_connections", "Open connections of clients.")
EVENT_STREAMS = Gauge("docserver_event_streams", "Clients that follow a job by server-sent events now.")

PAGES = Counter(
    "docserver_pages",
    "Pages that were saved, by outcome (read, failed), by source of the text (ocr, text_layer, mixed; none if it "
    "failed) and by the engine that read them (none for a text layer alone).",
    ["outcome", "source", "engine"],
)
PAGE_FAILURES = Counter(
    "docserver_page_failures",
    "Failed tries of a page or of the opening of a document, by code, and whether it is tried again (yes, no).",
    ["code", "retried"],
)
JOBS = Counter("docserver_jobs_finished", "Jobs that ended, by final status.", ["status"])
JOB_SECONDS = Histogram(
    "docserver_job_duration_seconds",
    "Time from the acceptance of a document to the end of its first attempt, if that completed.",
    buckets=JOB_BUCKETS_S,
)
STAGE_SECONDS = Histogram(
    "docserver_stage_duration_seconds",
    "Time that one call of an OCR process spent in a stage: opening, text_layer, drawing (or decoding a picture), "
    "recognising; and time of the transaction that saved its pages: saving.",
    ["stage"],
    buckets=STAGE_BUCKETS_S,
)
SLOTS = Gauge(
    "docserver_slots",
    "Slots of this process, by state: busy with a job, idle, or resting after a fault or while the disk is full.",
    ["state"],
)
OCR_PROCESSES_ENDED = Counter(
    "docserver_ocr_processes_ended",
    "OCR processes that ended, by reason: crashed, timeout, resources (it used too much), fault (of the program), "
    "failure (of a document, for want of memory or disk), interrupted (the claim was lost), pages or clients (it had "
    "read enough), closed (it was not needed any more).",
    ["reason"],
)
CLAIMS_LOST = Counter(
    "docserver_claims_lost",
    "Claims that were lost while this process worked on them, by reason: taken (the job was cancelled, deleted or "
    "taken over) or late (the lease could not be extended in time).",
    ["reason"],
)
LEASES_EXPIRED = Counter(
    "docserver_leases_expired",
    "Jobs of which leases ran out because a worker died or was silent; maintenance counts them.",
)

QUEUE_PAGES = Gauge(
    "docserver_queue_pages",
    "Pages that wait for a slot, in all processes together; a document that is not opened yet counts as one.",
)
QUEUE_JOBS = Gauge("docserver_queue_jobs", "Unfinished jobs, in all processes together.")
QUEUE_AGE = Gauge(
    "docserver_queue_oldest_page_age_seconds",
    "How long the oldest page that waits has been waiting; 0 if none waits.",
)

WEBHOOK_ATTEMPTS = Counter(
    "docserver_webhook_attempts",
    "Attempts to deliver a webhook, by outcome: delivered, retried (another follows), failed (it is given up), "
    "disabled (it is given up, and its endpoint is disabled).",
    ["outcome"],
)
WEBHOOK_SECONDS = Histogram(
    "docserver_webhook_attempt_duration_seconds",
    "Time of an attempt to deliver a webhook, until the receiver has answered or has not.",
    buckets=REQUEST_BUCKETS_S,
)
WEBHOOKS_DUE = Gauge(
    "docserver_webhook_due_deliveries", "Deliveries of webhooks that are due and that no process sends yet, in all."
)
WEBHOOK_LAG = Gauge(
    "docserver_webhook_oldest_due_age_seconds",
    "How long the oldest due delivery of a webhook has been due; 0 if none is due.",
)

SEARCH_LAG = Histogram(
    "docserver_search_lag_seconds",
    "Time from the reading of a page until a search finds it, for pages that this process has put into the index.",
    buckets=JOB_BUCKETS_S,
)
SEARCH_BACKLOG = Gauge(
    "docserver_search_backlog_jobs",
    "Jobs with pages that may not be in the search index yet, in all processes together; counted up to 10000.",
)

CACHE_READS = UnlockedCounter(
    "docserver_cache_reads",
    "Reads of the cache by kind (job, result) and outcome: hit, stale (too old to be used) or miss.",
    ["kind", "outcome"],
)
DATABASE_CONNECTIONS = Gauge(
    "docserver_database_connections", "Open database connections by pool and state (in_use, idle).", ["pool", "state"]
)
DATABASE_CONNECTIONS_MAX = Gauge(
    "docserver_database_connections_max", "Most database connections that a pool opens.", ["pool"]
)
DATABASE_WAITING = Gauge(
    "docserver_database_waiting", "Requests and tasks that wait for a database connection, by pool.", ["pool"]
)
DATABASE_FAULTS = Counter(
    "docserver_database_faults",
    "Faults of the database by kind: contended (it is repeated), no_writes (read-only), too_long, unavailable.",
    ["kind"],
)
REDIS_FAULTS = Counter("docserver_redis_faults", "Faults of Redis. After each, Redis is not asked for a second.")
DEPENDENCY_UP = Gauge(
    "docserver_dependency_up",
    "1 if the server answered this process at the last look, and Redis took writes, else 0.",
    ["dependency"],
)

DOCUMENTS_BYTES = Gauge("docserver_documents_bytes", "Bytes of the files of all documents, of all tenants together.")
DISK_SIZE = Gauge("docserver_disk_size_bytes", "Size of the data directory's disk.")
DISK_FREE = Gauge("docserver_disk_free_bytes", "Free space of the data directory's disk.")
DISK_RESERVE = Gauge(
    "docserver_disk_reserve_bytes", "High-water mark: uploads are refused while less space than this is free."
)
MAINTENANCE_ROUND = Gauge(
    "docserver_maintenance_last_round_timestamp_seconds",
    "When this process last finished a round of maintenance; 0 if never. One process does it for all.",
)

UNKNOWN = float("nan")
"""The value of a gauge that could not be measured."""

for _dependency in ("mysql", "redis"):
    DEPENDENCY_UP.labels(_dependency)
for _state in ("busy", "idle", "resting"):
    SLOTS.labels(_state)
for _reason in ("taken", "late"):
    CLAIMS_LOST.labels(_reason)
for _kind in ("contended", "no_writes", "too_long", "unavailable"):
    DATABASE_FAULTS.labels(_kind)
PAGES.labels("failed", "none", "none")
for _outcome in ("delivered", "retried", "failed", "disabled"):
    WEBHOOK_ATTEMPTS.labels(_outcome)
for _status in ("completed", "failed", "cancelled"):
    JOBS.labels(_status)


def count_request(*, route: str, status: int, seconds: float | None) -> None:
    """Count a request that was answered; `seconds` is None if its time says nothing, because it asked to wait."""
    HTTP_REQUESTS.inc(route, str(status))
    if seconds is not None:
        HTTP_SECONDS.observe(route, seconds)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Observe the time of the block as that of a stage, unless it raises."""
    began = perf_counter()
    yield
    STAGE_SECONDS.labels(name).observe(perf_counter() - began)
