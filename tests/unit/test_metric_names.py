"""The metrics against what documents them and what uses them: the page, the rules, their tests and the dashboard."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram, Info

from docserver import metrics
from tests.support.metric_values import own_names

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((DEPLOY / "docserver.rules.yml").read_text())["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "docserver.test.yml").read_text())["tests"]
SUFFIXES: dict[type[Any], tuple[str, ...]] = {
    Counter: ("_total",),
    metrics.UnlockedCounter: ("_total",),
    Gauge: ("",),
    Histogram: ("_bucket", "_sum", "_count"),
    metrics.UnlockedHistogram: ("_bucket", "_sum", "_count"),
    Info: ("_info",),
}
TARGET = {"job", "instance"}
"""The labels that Prometheus adds."""


def labels() -> dict[str, set[str]]:
    """The labels of each series, by its name."""
    found = {}
    for metric in vars(metrics).values():
        if type(metric) in SUFFIXES:
            for suffix in SUFFIXES[type(metric)]:
                bucket = {"le"} if suffix == "_bucket" else set()
                found[metric._name + suffix] = set(metric._labelnames) | bucket
    return found


def documented_names() -> set[str]:
    """The names as the page of metrics has them: a histogram has one."""
    return {re.sub("_(bucket|sum|count)$", "", name) for name in labels()}


def test_the_page_of_metrics_has_each_metric_with_its_labels() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = {
        row[1]: set(re.findall(r"`(\w+)`", row[2]))
        for row in re.finditer(r"^\| `(\w+)` \| \w+ \|(.*?)\|", page, re.MULTILINE)
    }

    assert rows.keys() == documented_names()
    for name, of_name in labels().items():
        assert rows[re.sub("_(bucket|sum|count)$", "", name)] == of_name - {"le"}, name


@pytest.mark.parametrize(
    "path", ["prometheus/docserver.rules.yml", "prometheus/docserver.test.yml", "grafana/docserver.json"]
)
def test_what_is_made_of_metrics_names_only_those_that_exist(path: str) -> None:
    used = own_names((ROOT / "deploy" / path).read_text())

    assert used
    assert used <= labels().keys()


def test_the_tests_of_alerts_use_labels_that_the_metrics_have() -> None:
    for test in TESTS:
        for series in test["input_series"]:
            name, _, given = series["series"].partition("{")
            assert set(re.findall(r"(\w+)=", given)) <= labels().get(name, set()) | TARGET, series


def test_each_alert_is_quiet_and_then_fires_in_a_test_of_its_own() -> None:
    fired = {}
    for test in TESTS:
        first, second = test["alert_rule_test"]
        assert first["alertname"] == second["alertname"]
        assert first["exp_alerts"] == []
        fired[second["alertname"]] = second["exp_alerts"]

    assert fired.keys() == ALERTS.keys()
    assert all(fired.values())
    assert len(TESTS) == len(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_says_what_to_do_and_where_that_is_explained(name: str) -> None:
    annotations = ALERTS[name]["annotations"]

    assert annotations.keys() == {"summary", "action", "runbook"}
    assert ALERTS[name]["labels"]["severity"] in ("critical", "warning")
    path, _, heading = annotations["runbook"].partition("#")
    titles = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert not heading or heading in {title.lower().replace(" ", "-") for title in titles}
    assert f"\n| {name} |" in (ROOT / "docs" / "operation.md").read_text()


def test_the_panels_of_the_dashboard_say_what_they_show_and_take_the_source_that_is_chosen() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "docserver.json").read_text())

    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in panels:
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all('job="$job"' in target["expr"] for target in panel["targets"])


def test_a_label_of_a_request_is_a_route_that_has_a_name() -> None:
    assert labels()["docserver_http_requests_total"] == {"route", "status"}
    assert not {"tenant", "client", "job_id", "path"} & set().union(*labels().values())
