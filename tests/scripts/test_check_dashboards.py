"""The checker of dashboards: it finds nothing in what is committed, and each of many mutants of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libs.telemetry.catalogue import METRICS
from scripts import check_dashboards
from scripts.dashboard_checks import live, model, queries
from scripts.dashboard_checks.problems import Problem, panels, read_boards
from scripts.generate_dashboards import FOLDER, RULES, linked, render

Json = dict[str, Any]
COMMITTED = read_boards()


def boards() -> dict[str, Json]:
    return copy.deepcopy(COMMITTED)


def panel(found: dict[str, Json], name: str, title: str) -> Json:
    return next(p for p in panels(found[name]) if p["title"] == title)


def test_committed_json_is_what_the_generator_writes() -> None:
    """`make dashboards` would change nothing."""
    assert render() == {path.name: path.read_text() for path in FOLDER.glob("*.json")}


def test_nothing_is_wrong_with_what_is_committed() -> None:
    """Model, geometry, queries, units, coverage and alerts: no problem."""
    assert check_dashboards.static(boards()) == []


def test_a_panel_edited_by_hand_is_named(tmp_path: Path) -> None:
    """A dashboard that was edited by hand is refused with the panel that differs."""
    for path in FOLDER.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    assert check_dashboards.generated(tmp_path) == []
    found = boards()
    panel(found, "latency.json", "Sender late")["description"] = "changed"
    (tmp_path / "latency.json").write_text(json.dumps(found["latency.json"]))
    (problem,) = check_dashboards.generated(tmp_path)
    assert (problem.board, problem.panel, problem.rule) == ("latency.json", "Sender late", "generated")
    assert "description" in problem.what


def _query(found: dict[str, Json], old: str, new: str) -> None:
    target = panel(found, "latency.json", "Latency by stage, p99")["targets"][0]
    assert old in target["expr"]
    target["expr"] = target["expr"].replace(old, new)


def _renamed_metric(found: dict[str, Json]) -> None:
    _query(found, "md_e2e_latency_seconds", "md_e2e_latency_second")


def _strange_label(found: dict[str, Json]) -> None:
    _query(found, 'path!~"', 'stage!~"')


def _fixed_window(found: dict[str, Json]) -> None:
    _query(found, "$__rate_interval", "1m")


def _unclosed_bracket(found: dict[str, Json]) -> None:
    _query(found, "[$__rate_interval]))", "[$__rate_interval])")


def _counter_without_rate(found: dict[str, Json]) -> None:
    panel(found, "feed.json", "Bytes by line")["targets"][0]["expr"] = (
        'sum by (line) (md_received_bytes_total{job=~"$job",instance=~"$instance"})'
    )


def _without_the_variables(found: dict[str, Json]) -> None:
    panel(found, "feed.json", "Bytes by line")["targets"][0]["expr"] = (
        "sum by (line) (rate(md_received_bytes_total[$__rate_interval]))"
    )


def _wrong_unit(found: dict[str, Json]) -> None:
    panel(found, "latency.json", "Sender late")["fieldConfig"]["defaults"]["unit"] = "ms"


def _unknown_unit(found: dict[str, Json]) -> None:
    panel(found, "market.json", "Books")["fieldConfig"]["defaults"]["unit"] = "books"


def _overlap(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "PnL")["gridPos"]["w"] += 1


def _past_the_edge(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "Limits used")["gridPos"]["w"] += 1


def _same_id(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "PnL")["id"] = panel(found, "orders.json", "Exposure")["id"]


def _misspelled_key(found: dict[str, Json]) -> None:
    one = panel(found, "orders.json", "PnL")
    one["descripton"] = one["description"]


def _bad_enumeration(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "PnL")["options"]["legend"]["displayMode"] = "tabular"


def _unknown_panel_type(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "PnL")["type"] = "graph"


def _no_description(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "PnL")["description"] = ""


def _other_source(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "PnL")["datasource"]["uid"] = "prometheus"


def _no_query(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "Open orders")["targets"] = []


def _stale_variable(found: dict[str, Json]) -> None:
    found["market.json"]["templating"]["list"][0]["refresh"] = 1


def _metric_not_shown(found: dict[str, Json]) -> None:
    del panel(found, "feed.json", "Feeder: bytes")["targets"][1]


def _strange_alert(found: dict[str, Json]) -> None:
    panel(found, "orders.json", "Kill switch")["description"] += " prometheus/runbooks/OmsKilSwitch.md"


MUTANTS: dict[Callable[[dict[str, Json]], None], str] = {
    _renamed_metric: "metric",
    _strange_label: "target-labels",
    _fixed_window: "target-rate-interval",
    _unclosed_bracket: "target-promql",
    _counter_without_rate: "target-counter-agg",
    _without_the_variables: "target-job-instance",
    _wrong_unit: "panel-units",
    _unknown_unit: "panel-units",
    _overlap: "geometry",
    _past_the_edge: "geometry",
    _same_id: "geometry",
    _misspelled_key: "round-trip",
    _bad_enumeration: "enumeration",
    _unknown_panel_type: "panel-type",
    _no_description: "panel-title-description",
    _other_source: "panel-datasource",
    _no_query: "panel-no-targets",
    _stale_variable: "dashboard",
    _metric_not_shown: "coverage",
    _strange_alert: "alerts",
}


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__.strip("_"))
def test_a_mutant_is_caught_by_its_rule(mutate: Callable[[dict[str, Json]], None]) -> None:
    """A dashboard that is broken in one place is refused, by the rule that is there for it."""
    found = boards()
    mutate(found)
    assert MUTANTS[mutate] in {problem.rule for problem in check_dashboards.static(found)}


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("md_ready == ", "target-promql"),
        ("md_redy == 0", "metric"),
        ("md_messages_lost_total > 0", "target-counter-agg"),
        ('md_ready{symbol="BTC-USDT"} == 0', "target-labels"),
        ("rate(md_e2e_latency_seconds[1m])", "metric"),
    ],
)
def test_a_wrong_rule_is_caught(expression: str, rule: str) -> None:
    """An alert whose expression asks for what nobody exports is refused."""
    found = queries.check_rules([{"alert": "Wrong", "expr": expression}])
    assert rule in {problem.rule for problem in found}


def test_an_alert_that_leads_to_another_panel_is_caught() -> None:
    """Each alert's link is that of the panel that names it, and `make dashboards` writes it."""
    rules = copy.deepcopy(queries.read_rules())
    rule = next(one for one in rules if one.get("alert") == "OmsKillSwitch")
    right = rule["annotations"]["dashboard"]
    rule["annotations"]["dashboard"] = "/d/crossbook-orders?viewPanel=2"
    (problem,) = queries.check_alerts(boards(), rules)
    assert (problem.panel, problem.rule) == ("OmsKillSwitch", "alerts")
    assert right in problem.what
    text = (RULES / "decisions.yml").read_text()
    assert linked(text.replace(right, "/d/crossbook-orders"), render()) == text


def test_differences_are_named_by_their_place() -> None:
    """The first thing that somebody edited is named with its path."""
    assert list(model.differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})) == ["a[1].b: 2 became 3"]
    assert list(model.differences({"a": 1}, {})) == ['a: 1 became "(absent)"']


class _Answers:
    """A Prometheus whose answers are known."""

    def __init__(self, series: list[Json]) -> None:
        self.series = series

    def instant(self, expression: str) -> list[Json]:
        return self.series

    def over(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[Json]:
        return self.series


def _asked(title: str, name: str, series: list[Json]) -> list[Problem]:
    found = boards()
    one = panel(found, name, title)
    one["targets"] = one["targets"][:1]
    board = {name: found[name] | {"panels": [one]}}
    return live.ask(board, _Answers(series), 0.0, 30.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("series", "wrong"),
    [
        ([], "no series"),
        ([{"metric": {}, "values": [[0, "NaN"]]}], "no number"),
        ([{"metric": {}, "values": [[0, "3.5"], [1, "250"]]}], "a latency of 250 s"),
        ([{"metric": {}, "values": [[0, "0.004"]]}], ""),
    ],
)
def test_a_query_that_answers_nonsense_is_caught(series: list[Json], wrong: str) -> None:
    """No series, nothing but NaN, or a latency that cannot be: each is a problem; a latency of 4 ms is none."""
    found = _asked("UDP to signal", "overview.json", series)
    assert [wrong in problem.what for problem in found] == ([True] if wrong else [])


def test_a_heatmap_without_edges_is_caught() -> None:
    """A heatmap needs the label le of its buckets."""
    series: list[Json] = [{"metric": {"path": "wire"}, "values": [[0, "1"]]}]
    assert [problem.what for problem in _asked("UDP to kernel", "latency.json", series)]
    series[0]["metric"]["le"] = "0.1"
    assert not _asked("UDP to kernel", "latency.json", series)


def test_the_interval_is_grafanas() -> None:
    """$__rate_interval is the larger of step and scrape together, and four scrapes."""
    assert live.substituted("rate(x[$__rate_interval])", 2, 1) == "rate(x[8s])"
    assert live.substituted("rate(x[$__rate_interval])", 2, 30) == "rate(x[32s])"


def test_no_histogram_has_a_symbol() -> None:
    """A symbol is a label of the watch list alone."""
    with_symbols = {metric.name for metric in METRICS if "symbol" in metric.labels}
    assert all(name.startswith(("md_watch_", "sig_watch_")) for name in with_symbols)
    assert not any(metric.kind == "histogram" for metric in METRICS if metric.name in with_symbols)
