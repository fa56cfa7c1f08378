"""Formats the measurements for docs/scaling.md; measures nothing."""

from collections.abc import Mapping, Sequence

from bench.growth.backlog import Kind
from bench.growth.counters import Counters
from bench.growth.pages import Cost
from bench.growth.simulation import Outcome
from bench.growth.words import Stored
from bench.growth.workers import PAGE_S, SLOTS, Throughput

DAY_S = 86_400


def report(
    costs: Mapping[Kind, Sequence[Cost]],
    throughputs: Sequence[Throughput],
    stored: Mapping[str, Stored],
    simulated: Mapping[str, Sequence[Outcome]],
) -> str:
    """All tables."""
    return "\n\n".join(
        [
            "### A page, beside a backlog",
            _of_pages(costs),
            "### What is done again and again, beside a backlog",
            _of_time(costs),
            "### Several workers",
            _of_workers(throughputs),
            "### A stored page",
            _of_words(stored),
            "### Simulated",
            _of_simulation(simulated),
        ]
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _of_pages(costs: Mapping[Kind, Sequence[Cost]]) -> str:
    rows = []
    for kind, of_kind in costs.items():
        first = of_kind[0].page.database_cpu_ms
        for cost in of_kind:
            page = cost.page
            rows.append(
                [
                    kind.name,
                    f"{cost.size:,}",
                    f"{page.rows_read:.1f}",
                    f"{page.statements:.1f}",
                    f"{page.database_cpu_ms:.2f} ({page.database_cpu_ms / first:.2f})",
                    f"{page.redis_commands:.1f}",
                    f"{page.redis_cpu_ms:.2f}",
                    f"{page.log_kb:.0f}",
                ]
            )
    columns = ("backlog of", "pages that wait", "rows read", "statements", "database CPU ms (times that of the first)")
    return _table([*columns, "Redis commands", "Redis CPU ms", "database log kB"], rows)


def _of_time(costs: Mapping[Kind, Sequence[Cost]]) -> str:
    rows = [
        [
            kind.name,
            f"{cost.size:,}",
            *(_rows_and_cpu(each) for each in (cost.maintenance, cost.poll, cost.backlog)),
            f"{cost.redis_bytes:.0f}",
        ]
        for kind, of_kind in costs.items()
        for cost in of_kind
    ]
    columns = ("backlog of", "pages that wait", "round of maintenance", "search for work", "look at the backlog")
    return _table([*columns, "Redis bytes for each job"], rows)


def _rows_and_cpu(counters: Counters) -> str:
    return f"{counters.rows_read:,.0f} rows, {counters.database_cpu_ms:.0f} ms"


def _of_workers(throughputs: Sequence[Throughput]) -> str:
    rows = [
        [
            str(each.workers),
            f"{each.per_second:.0f}",
            f"{each.per_second * each.page.transactions:.0f}",
            f"{each.page.statements:.1f}",
            f"{each.page.database_cpu_ms:.2f}",
            f"{each.page.rows_read:.0f}",
            f"{each.page.redis_cpu_ms:.2f}",
            f"{each.worker_cpu_ms:.2f}",
            f"{each.page.deadlocks:.4f}",
            f"{each.picture_ms:.0f} ({each.picture_turns:.1f})",
        ]
        for each in throughputs
    ]
    columns = (
        f"workers of {SLOTS} slots, {PAGE_S * 1000:.0f} ms a page",
        "pages per second",
        "claims and saves per second",
        "statements a page",
        "database CPU ms a page",
        "rows read a page",
        "Redis CPU ms a page",
        "worker CPU ms a page",
        "deadlocks a page",
        "a single picture in between, ms (times a page of the backlog)",
    )
    return _table(columns, rows)


def _of_words(stored: Mapping[str, Stored]) -> str:
    rows = [
        [
            name,
            f"{each.table_bytes:,.0f}",
            f"{each.dump_bytes:,.0f}",
            f"{each.dump_cpu_ms:.3f}",
            f"{each.restore_cpu_ms:.3f}",
            f"{each.remove_cpu_ms:.3f}",
            f"{each.remove_log_bytes:,.0f}",
        ]
        for name, each in stored.items()
    ]
    columns = ("", "bytes in tables", "bytes in a dump", "CPU ms to dump", "to restore", "to remove")
    return _table([*columns, "log bytes to remove"], rows)


def _of_simulation(simulated: Mapping[str, Sequence[Outcome]]) -> str:
    rows = [
        [
            pages,
            f"{each.slots:,}",
            f"{each.per_second:,.0f}",
            f"{each.per_second * DAY_S / 1e6:,.1f}",
            *(f"{share:.0%}" for share in each.busy.values()),
            f"{each.extra_s * 1000:,.0f}",
            each.limit or "recognition",
        ]
        for pages, outcomes in simulated.items()
        for each in outcomes
    ]
    busy = [f"{name} busy" for name in next(iter(simulated.values()))[0].busy]
    return _table(
        ["pages", "slots", "pages per second", "million pages a day", *busy, "ms longer a page", "limit"], rows
    )
