"""A real Prometheus reads the metrics of a service and a worker, with the rules and the dashboard that we ship."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.support.samples import png
from tests.support.service import Start, free_port
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


async def run(*command: str) -> tuple[int, str]:
    """Run a command in the directory of the rules; returns its status and what it said."""
    ran = await asyncio.to_thread(
        subprocess.run, command, cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "command", ["check rules docserver.rules.yml", "check config prometheus.yml", "test rules docserver.test.yml"]
)
async def test_promtool_accepts_what_we_ship_and_every_alert_fires_in_its_test(command: str) -> None:
    status, said = await run("promtool", *command.split())

    assert status == 0, said


@asynccontextmanager
async def prometheus(directory: Path, *, targets: Sequence[str]) -> AsyncIterator[aiohttp.ClientSession]:
    """A Prometheus of our configuration that reads these targets every second."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "docserver.rules.yml")]
    config["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        process.terminate()
        await process.wait()


async def ask(session: aiohttp.ClientSession, path: str, **query: str) -> Any:
    """What Prometheus answers; None if it is not ready yet."""
    try:
        async with session.get(f"/api/v1/{path}", params=query) as response:
            body = await response.json(content_type=None) if response.status == 200 else None
    except aiohttp.ClientConnectionError:
        return None
    return body and body["data"]


async def result(session: aiohttp.ClientSession, query: str) -> list[float]:
    """The values of the series that a query gives now."""
    answer = await ask(session, "query", query=query)
    return [float(series["value"][1]) for series in answer["result"]] if answer else []


async def test_prometheus_reads_an_api_and_a_worker_and_can_run_all_that_we_ship(start: Start, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    api = await start(metrics_port=str(ports[0]))
    await start("--worker-only", metrics_port=str(ports[1]))
    job = await api.upload(png("seen"))
    await api.finished(job["job_id"])

    async with prometheus(tmp_path, targets=[f"127.0.0.1:{port}" for port in ports]) as session:
        await until(lambda: _both_are_up(session))
        await until(lambda: _equals(session, 'sum(docserver_pages_total{outcome="read"})', [1.0]))
        await until(lambda: _equals(session, "job:docserver_queue_pages:max", [0.0]))
        await until(lambda: _equals(session, "sum(job_state:docserver_slots:sum)", [2.0]))

        targets = await ask(session, "targets")
        groups = (await ask(session, "rules"))["groups"]
        refused = [expression for expression in dashboard() if await ask(session, "query", query=expression) is None]
        firing = [alert for alert in (await ask(session, "alerts"))["alerts"] if alert["state"] == "firing"]

    assert [target["lastError"] for target in targets["activeTargets"]] == ["", ""]
    assert {rule["lastError"] for group in groups for rule in group["rules"] if "lastError" in rule} == set()
    assert refused == []
    assert firing == []


async def _both_are_up(session: aiohttp.ClientSession) -> bool:
    return await result(session, 'up{job="docserver"} * on (instance) group_left docserver_build_info') == [1.0, 1.0]


async def _equals(session: aiohttp.ClientSession, query: str, expected: list[float]) -> bool:
    return await result(session, query) == expected


def dashboard() -> list[str]:
    """The expressions of the dashboard, as Grafana sends them."""
    panels = json.loads((DEPLOY / "grafana" / "docserver.json").read_text())["panels"]
    return [
        target["expr"].replace("$job", "docserver").replace("$__rate_interval", "1m")
        for panel in panels
        for target in panel.get("targets", ())
    ]
