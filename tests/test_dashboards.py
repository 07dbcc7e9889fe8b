"""Dashboards and rules: what they ask for exists, and what is committed is what the generator writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from libs.telemetry.catalogue import METRICS
from scripts.generate_dashboards import FOLDER, render
from services.consumer import series as consumer
from services.oms import metrics as oms
from services.signals import metrics as signals
from tests.source import ROOT

BOARDS: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
GRID_WIDTH = 24
# What the client library and Prometheus itself export, with the labels that matter here.
STANDARD = {
    "up",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "scrape_duration_seconds",
    "scrape_samples_post_metric_relabeling",
}
TARGET_LABELS = {"job", "instance"}
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")
DECLARED = {metric.name: metric for metric in METRICS}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (panel for panel in board["panels"] if panel["type"] != "row")


def dashboard_queries() -> list[tuple[str, str]]:
    """Give every query of every panel, with the panel's title."""
    return [
        (f"{name}: {panel['title']}", target["expr"])
        for name, board in BOARDS.items()
        for panel in panels(board)
        for target in panel["targets"]
    ]


def rules() -> list[dict[str, Any]]:
    files = sorted((ROOT / "prometheus/rules").glob("*.yml"))
    return [rule for path in files for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def rule_queries() -> list[tuple[str, str]]:
    return [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Parse an expression and give every metric that it selects."""
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        return True

    promql.walk(promql.parse(expression.replace("$__rate_interval", "8s")), visit)
    return found


def test_committed_json_is_what_the_generator_writes() -> None:
    """`make dashboards` would change nothing."""
    assert render() == {path.name: path.read_text() for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("name", BOARDS)
def test_dashboard_survives_grafanas_own_model(name: str) -> None:
    """Reading the JSON into Grafana's model and writing it again loses nothing: no key is unknown to Grafana."""
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(BOARDS[name])))
    assert again == BOARDS[name]


@pytest.mark.parametrize("name", BOARDS)
def test_panels_fit_the_grid(name: str) -> None:
    """Panels have ids of their own, stay within the grid, and none covers another."""
    everything = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= GRID_WIDTH
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_panels_say_what_they_show(name: str) -> None:
    """Every panel has a title, a sentence, a unit, the provisioned source, and at least one query."""
    provisioned = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())
    uid = provisioned["datasources"][0]["uid"]
    for panel in panels(BOARDS[name]):
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
        assert panel["datasource"]["uid"] == uid
        unit = (
            panel["options"]["yAxis"]["unit"]
            if panel["type"] == "heatmap"
            else panel["fieldConfig"]["defaults"]["unit"]
        )
        assert unit


def test_queries_name_paths_that_are_measured() -> None:
    """A latency query asks for stages that some service measures; a stage's name has one spelling."""
    measured = {*consumer.PATHS, signals.PATH, oms.PATH}
    for where, expression in [*dashboard_queries(), *rule_queries()]:
        for selector in selectors(expression):
            for matcher in selector.matchers.matchers:
                if matcher.name == "path" and matcher.op in (promql.MatchOp.Equal, promql.MatchOp.Re):
                    asked = set(matcher.value.split("|"))
                    assert asked <= measured, where


def test_grafana_knows_the_scrape_interval() -> None:
    """The source's interval is the scrape interval, or $__rate_interval would be too short."""
    provisioned = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())
    scrape = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["global"]["scrape_interval"]
    assert provisioned["datasources"][0]["jsonData"]["timeInterval"] == scrape


@pytest.mark.parametrize(("where", "expression"), [*dashboard_queries(), *rule_queries()])
def test_queries_name_exported_metrics_and_labels(where: str, expression: str) -> None:
    """Every metric of a query is in the catalogue or recorded by a rule, and has the labels that are asked for."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for selector in selectors(expression):
        name = selector.name
        if name in STANDARD or name in recorded or name == "ALERTS":
            continue
        base = next((name.removesuffix(end) for end in HISTOGRAM_SUFFIXES if name.removesuffix(end) in DECLARED), name)
        assert base in DECLARED, f"{where}: {name}"
        metric = DECLARED[base]
        assert (metric.kind == "histogram") == (base != name), f"{where}: {name} is a {metric.kind}"
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= TARGET_LABELS | {"le"} | set(metric.labels), f"{where}: {name} has no {labels}"


@pytest.mark.parametrize(("where", "expression"), dashboard_queries())
def test_dashboard_rates_follow_the_view(where: str, expression: str) -> None:
    """A counter is shown as a rate over Grafana's own interval, and a query honours the job and instance chosen."""
    for selector in selectors(expression):
        assert {matcher.name for matcher in selector.matchers.matchers} >= TARGET_LABELS, where
        if selector.name.endswith(("_total", "_bucket")):
            assert "rate(" in expression or "increase(" in expression, where
    assert "rate(" not in expression or "[$__rate_interval]" in expression, where


def test_alerts_say_what_to_do() -> None:
    """Every alert has a severity, a summary and a first thing to look at."""
    alerts = [rule for rule in rules() if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "runbook"}
