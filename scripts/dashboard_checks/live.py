"""Every query of every panel against a real Prometheus that scrapes the real services under load."""

from __future__ import annotations

import contextlib
import math
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from libs.telemetry.catalogue import METRICS
from scripts.dashboard_checks.model import unit_of
from scripts.dashboard_checks.problems import Json, Problem, targets
from scripts.dashboard_checks.queries import STANDARD
from scripts.observed.server import Api, Server
from scripts.observed.stack import services

Draw = Callable[[Api, float, float], None]

SERIES_BUDGET = 2000
SCRAPE_GOAL_S = 0.05
SHORTEST_LATENCY_S, LONGEST_LATENCY_S = 1e-6, 10.0
SCRAPE_S = 1
_LATENCIES = re.compile(r"histogram_quantile.*md_e2e_latency_seconds(?!.*path=~\"heal)")
"""A hole may be closed within a microsecond of its opening; nothing else is that quick."""

EMPTY_WHEN_WELL = (
    # A histogram of what rarely happens has no quantile while it does not.
    "md_gc_pause_seconds",
    "sig_rolling_",
)
"""Metrics whose queries may be without a number; their series must be there."""


def substituted(expression: str, scrape_s: float, step_s: float, symbol: str = "BTC-USDT") -> str:
    """Return an expression as Grafana sends it with all jobs and instances chosen, and one symbol."""
    interval = max(step_s + scrape_s, 4 * scrape_s)
    for name, value in (
        ("$__rate_interval", f"{math.ceil(interval)}s"),
        ("$job", ".+"),
        ("$instance", ".+"),
        ("$symbol", symbol),
    ):
        expression = expression.replace(name, value)
    return expression


def run(boards: dict[str, Json], url: str | None, seconds: float, draw: Draw | None) -> list[Problem]:
    """Start what is needed, ask every query, say how much was asked and return what is wrong.

    Parameters
    ----------
    boards : dict
    url : str, optional
        A Prometheus that scrapes a stack already; none: both are started here.
    seconds : float
        How long it has scraped before it is asked.
    draw : callable, optional
        Given the Prometheus, and from when to when (unix seconds) it has what was asked for.
    """
    with contextlib.ExitStack() as stack:
        if url is not None:
            api, own = Api(url), {}
            end = time.time()
        else:
            own = stack.enter_context(services())
            api = stack.enter_context(Server(own, SCRAPE_S))
            time.sleep(seconds)
            end = time.time()
        found = [*ask(boards, api, end - seconds, end), *_variables(boards, api)]
        if own:
            found += [problem for job, target in own.items() for problem in _scrape(job, target)]
            found += _exemplars(api, end - seconds, end)
        if draw is not None:
            draw(api, end - seconds, end)
    asked = sum(len(list(targets(board))) for board in boards.values())
    print(f"dashboards: {asked} queries asked of Prometheus; {len(found)} problems")
    return found


def ask(boards: dict[str, Json], api: Api, start_s: float, end_s: float, scrape_s: float = SCRAPE_S) -> list[Problem]:
    """Return the queries that answer with nothing, or with values that their unit cannot mean."""
    return [
        Problem(name, str(panel["title"]), "live", what)
        for name, board in boards.items()
        for panel, target in targets(board)
        for what in _ask(panel, target, api, start_s, end_s, scrape_s)
    ]


def values_of(series: list[dict[str, Any]]) -> list[float]:
    """Return the numbers of an answer of Prometheus."""
    pairs = [pair for one in series for pair in (one.get("values") or [one["value"]])]
    return [value for value in (float(text) for _, text in pairs) if not math.isnan(value)]


def _ask(panel: Json, target: Json, api: Api, start_s: float, end_s: float, scrape_s: float) -> Iterator[str]:
    step = max(1.0, (end_s - start_s) / 60)
    expression = substituted(target["expr"], scrape_s, step)
    try:
        if target.get("instant"):
            series = api.instant(expression)
        else:
            series = api.over(expression, start_s, end_s, step)
    except ValueError as error:
        yield f"{target['expr']}: Prometheus refuses it: {error}"
        return
    values = values_of(series)
    rare = any(name in expression for name in EMPTY_WHEN_WELL)
    if not series or not (values or rare):
        yield f"{target['expr']}: {'no number' if series else 'no series'}"
        return
    if panel["type"] == "heatmap" and not all("le" in one["metric"] for one in series):
        yield f"{target['expr']}: a heatmap's series need le"
    if unit_of(panel) == "percentunit" and any(value < -1e-9 for value in values):
        yield f"{target['expr']}: a share below 0: {min(values)}"
    if _LATENCIES.search(expression):
        wrong = [value for value in values if not SHORTEST_LATENCY_S <= value <= LONGEST_LATENCY_S]
        if wrong:
            yield f"{target['expr']}: a latency of {wrong[0]:g} s: expected 1 µs to 10 s"


def _variables(boards: dict[str, Json], api: Api) -> Iterator[Problem]:
    """Give variables that offer nothing to choose."""
    for name, board in boards.items():
        for variable in board["templating"]["list"]:
            query = variable["query"] if isinstance(variable["query"], str) else variable["query"]["query"]
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()  # type: ignore[union-attr]
            selector = selector.replace("$job", ".+")
            if not api.get(f"/api/v1/label/{label}/values", **{"match[]": selector}):
                yield Problem(name, f"variable {variable['name']}", "live", "has no values")


def _scrape(job: str, target: str) -> Iterator[Problem]:
    """Give what is wrong with a service's own exposition, its names and its number of series; say how long it took."""
    service = job.removeprefix("md-")
    best = math.inf
    for _ in range(5):
        began = time.monotonic()
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        best = min(best, time.monotonic() - began)
    families = list(text_string_to_metric_families(text))
    series = sum(len(family.samples) for family in families)
    # A figure and no verdict: six services, Prometheus and two pipes share the machine meanwhile.
    goal = "" if best <= SCRAPE_GOAL_S else f", above the goal of {1000 * SCRAPE_GOAL_S:.0f} ms"
    print(f"dashboards: {job}: {series} series, scraped in {1000 * best:.1f} ms{goal}")
    names = {f"{f.name}_total" if f.type == "counter" else f.name for f in families}
    declared = {metric.name for metric in METRICS if service in metric.services}
    own = {name for name in names if name not in STANDARD and not name.startswith(("process_", "python_"))}
    for name in sorted(own - declared):
        yield Problem("catalogue", job, "coverage", f"exports {name}, which the catalogue does not say")
    for name in sorted(declared - own):
        yield Problem("catalogue", job, "coverage", f"does not export {name}, which the catalogue says")
    if series > SERIES_BUDGET:
        yield Problem("catalogue", job, "budget", f"{series} series: expected at most {SERIES_BUDGET}")


def _exemplars(api: Api, start_s: float, end_s: float) -> Iterator[Problem]:
    """Give a problem when the worst packets have no names."""
    query = 'md_e2e_latency_seconds_bucket{path="book"}'
    found = api.get("/api/v1/query_exemplars", query=query, start=str(start_s), end=str(end_s + 1))
    if not any(exemplar["labels"].get("sequence") for one in found for exemplar in one["exemplars"]):
        yield Problem("latency.json", "Latency by stage, p99", "live", "no exemplar names the worst packet")
