"""Every query of dashboards and rules: it parses, names what is exported, and asks for it as its kind allows.

The rules of grafana/dashboard-linter that concern Prometheus, over promql-parser's syntax tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import yaml

from libs.telemetry.catalogue import BY_NAME
from scripts.dashboard_checks.model import unit_of
from scripts.dashboard_checks.problems import ROOT, Json, Problem, panels, targets

TARGET_LABELS = {"job", "instance"}
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")
STANDARD = {
    "ALERTS": {"alertname", "alertstate", "severity"},
    "up": set[str](),
    "process_cpu_seconds_total": set[str](),
    "process_resident_memory_bytes": set[str](),
    "process_virtual_memory_bytes": set[str](),
    "process_start_time_seconds": set[str](),
    "process_open_fds": set[str](),
    "process_max_fds": set[str](),
    "scrape_duration_seconds": set[str](),
    "scrape_samples_post_metric_relabeling": set[str](),
}
"""What the client library and Prometheus itself export, with the labels that matter here."""
RATES = {"rate", "irate", "increase", "deriv", "changes"}
PER_SECOND = {"rate", "irate"}
INTERVAL = "$__rate_interval"
_STAND_IN = "41s"
"""For the interval while parsing; no window is written so."""


class Asked(NamedTuple):
    """A metric that an expression selects, the function around it and the window."""

    name: str
    labels: frozenset[str]
    function: str
    window: str


def read_rules(folder: Path = ROOT / "prometheus" / "rules") -> list[Json]:
    """Return every rule of every file."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def asked(expression: str) -> list[Asked]:
    """Return what an expression selects.

    Raises
    ------
    ValueError
        When it does not parse.
    """
    return list(_walk(promql.parse(expression.replace(INTERVAL, _STAND_IN)), ""))


def _walk(node: Any, function: str) -> Iterator[Asked]:
    if isinstance(node, promql.VectorSelector):
        yield _asked(node, function, "")
    elif isinstance(node, promql.MatrixSelector):
        window = INTERVAL if node.range.total_seconds() == 41 else f"{node.range.total_seconds():g}s"
        yield _asked(node.vector_selector, function, window)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from _walk(argument, node.func.name)
    elif isinstance(node, promql.BinaryExpr):
        yield from _walk(node.lhs, function)
        yield from _walk(node.rhs, function)
    elif isinstance(node, promql.AggregateExpr | promql.ParenExpr | promql.SubqueryExpr | promql.UnaryExpr):
        yield from _walk(node.expr, function)


def _asked(selector: Any, function: str, window: str) -> Asked:
    labels = frozenset(matcher.name for matcher in selector.matchers.matchers)
    return Asked(selector.name, labels, function, window)


def base_of(name: str) -> str:
    """Return the catalogue's name of a series' name."""
    for suffix in HISTOGRAM_SUFFIXES:
        base = name.removesuffix(suffix)
        if base != name and base in BY_NAME:
            return base
    return name


def check_expression(expression: str, recorded: set[str]) -> Iterator[tuple[str, str]]:
    """Give (rule, what) of everything wrong with an expression of a dashboard or a rule."""
    try:
        found = asked(expression)
    except ValueError as error:
        yield "target-promql", f"does not parse: {error}"
        return
    for one in found:
        if one.name in recorded:
            continue
        if one.name in STANDARD:
            strange = one.labels - TARGET_LABELS - STANDARD[one.name]
        elif (base := base_of(one.name)) in BY_NAME:
            metric = BY_NAME[base]
            strange = one.labels - TARGET_LABELS - {"le"} - set(metric.labels)
            if (metric.kind == "histogram") != (base != one.name):
                yield "metric", f"{one.name} is a {metric.kind}"
            if (metric.kind == "histogram" or one.name.endswith("_total")) and one.function not in RATES:
                yield "target-counter-agg", f"{one.name} counts: expected rate or increase around it"
        else:
            yield "metric", f"{one.name} is exported by nobody"
            continue
        if strange:
            yield "target-labels", f"{one.name} has no label {', '.join(sorted(strange))}"


def check_target(expression: str, recorded: set[str]) -> Iterator[tuple[str, str]]:
    """Give what is wrong with a dashboard's query beyond :func:`check_expression`."""
    try:
        found = asked(expression)
    except ValueError:
        return
    for one in found:
        if one.function in PER_SECOND and one.window != INTERVAL:
            yield "target-rate-interval", f"{one.function} of {one.name} over {one.window}: expected {INTERVAL}"
        if one.name not in recorded and one.name != "ALERTS" and not one.labels >= TARGET_LABELS:
            yield "target-job-instance", f"{one.name} does not follow $job and $instance"


UNIT_OF_NAME = (
    (re.compile(r"_bytes$"), {"bytes"}),
    (re.compile(r"_bytes_total$"), {"Bps", "bytes"}),
    (re.compile(r"_timestamp_seconds$|process_start_time_seconds$"), {"s"}),
    (re.compile(r"_seconds_total$"), {"none", "percentunit"}),
    (re.compile(r"_seconds(_bucket)?$"), {"s"}),
    (re.compile(r"_packets_total$|_packets_received_total$"), {"pps", "ops", "none"}),
    (re.compile(r"_total$"), {"ops", "none"}),
    (re.compile(r"_usd$"), {"currencyUSD"}),
)


def check_unit(panel: Json, expression: str) -> Iterator[tuple[str, str]]:
    """Give a unit that is not that of what is asked for; of ratios and of what is scaled, names say nothing."""
    if re.search(r"[*/]|md_nbbo_state_seconds", expression):
        return
    unit = unit_of(panel)
    try:
        names = {one.name for one in asked(expression)}
    except ValueError:
        return
    for name in sorted(names):
        expected = next((units for pattern, units in UNIT_OF_NAME if pattern.search(name)), None)
        if expected is not None and unit not in expected:
            yield "panel-units", f"{name}: expected {' or '.join(sorted(expected))}, found {unit}"


def check(name: str, board: Json, recorded: set[str]) -> list[Problem]:
    """Return what is wrong with the queries of a dashboard."""
    found = []
    for panel, target in targets(board):
        expression = target["expr"]
        wrong = [*check_expression(expression, recorded), *check_target(expression, recorded)]
        wrong += check_unit(panel, expression)
        found += [Problem(name, str(panel.get("title")), rule, what) for rule, what in wrong]
    return found


def check_rules(rules: list[Json]) -> list[Problem]:
    """Return what is wrong with the expressions of rules."""
    recorded = {rule["record"] for rule in rules if "record" in rule}
    return [
        Problem("prometheus/rules", rule.get("alert") or rule["record"], which, what)
        for rule in rules
        for which, what in check_expression(rule["expr"], recorded)
    ]


def coverage(boards: dict[str, Json], rules: list[Json]) -> list[Problem]:
    """Return metrics of the catalogue that no panel and no rule shows."""
    shown = {base_of(one.name) for board in boards.values() for _, t in targets(board) for one in asked(t["expr"])}
    shown |= {base_of(one.name) for rule in rules for one in asked(rule["expr"])}
    return [
        Problem("catalogue", name, "coverage", "is exported, and no panel or rule shows it")
        for name in sorted(set(BY_NAME) - shown)
    ]


def _named(panel: Json) -> list[str]:
    """Return the alerts that a panel names."""
    return re.findall(r"prometheus/runbooks/(\w+)\.md", str(panel.get("description", "")))


def panel_link(boards: dict[str, Json], alert: str, uid: str) -> str:
    """Return the address, within Grafana, of the first panel of a dashboard that names an alert; empty: none does."""
    for board in boards.values():
        for panel in panels(board) if board["uid"] == uid else ():
            if alert in _named(panel):
                return f"/d/{uid}?viewPanel={panel['id']}"
    return ""


def check_alerts(boards: dict[str, Json], rules: list[Json]) -> list[Problem]:
    """Return alerts that panels name and that do not exist, alerts that no panel names, and links that lead astray."""
    alerts = {rule["alert"]: rule for rule in rules if "alert" in rule}
    found, seen = [], set[str]()
    for name, board in boards.items():
        for panel in panels(board):
            named = set(_named(panel))
            seen |= named
            strange = sorted(named - set(alerts))
            if strange:
                found.append(Problem(name, str(panel["title"]), "alerts", f"{', '.join(strange)}: no such alert"))
    for alert, rule in alerts.items():
        link = str(rule["annotations"]["dashboard"])
        uid = link.removeprefix("/d/").partition("?")[0]
        expected = panel_link(boards, alert, uid)
        if alert not in seen:
            found.append(Problem("prometheus/rules", alert, "alerts", "no panel names it"))
        elif link != expected:
            wanted = f"expected {expected or f'a panel of {uid} that names it'}"
            found.append(Problem("prometheus/rules", alert, "alerts", f"{link}: {wanted} (make dashboards)"))
    return found
